"""How far each source alone got while a network learned from all of them, as lines over epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from plait.report.canvas import Canvas, canvas, finish, readable

if TYPE_CHECKING:
    from plait.contracts import Json

__all__ = ["learning_figure"]


def learning_figure(record: Mapping[str, Json]) -> Canvas | None:
    """A panel a network of the run, a line a source; None where no network read several sources.

    Parameters
    ----------
    record
        Of a run: `record_` of an estimator, or what ``run.json`` holds.
    """
    looked = {name: told for name, told in record.get("training", {}).items() if told and told.get("alone")}
    if not looked:
        return None
    figure = canvas(5.2 * len(looked), 3.4)
    for axes, (name, told) in zip(
        figure.subplots(1, len(looked), squeeze=False, sharey=True)[0], looked.items(), strict=True
    ):
        for source, losses in told["alone"].items():
            share = [loss / losses[0] for loss in losses]
            axes.plot(range(len(share)), share, marker="o", markersize=3, label=readable(source))
        axes.axhline(1, color="0.6", linewidth=0.8)
        axes.axvline(told["best_epoch"], color="0.6", linewidth=0.8, linestyle=":")
        finish(axes, f"{name}: each source alone", "epoch (dotted: the one kept)", "loss, of the prior's", "best")
    return figure
