"""Drawings of a search of options: losses as trials ended, and which options count."""

from __future__ import annotations

from pathlib import Path

from plait.report.canvas import BLUE, GREY, SERIES, axes_of, finish, readable, save
from plait.tuning import Tuned
from plait.tuning.search import Estimating

__all__ = ["draw"]


def draw(tuned: Tuned[Estimating], folder: Path) -> tuple[Path, ...]:
    """Write ``trials.png``, and ``importance.png`` where it can be told; the files."""
    files = [_history(tuned, folder / "trials.png")]
    if tuned.importance:
        files.append(_importance(tuned, folder / "importance.png"))
    return tuple(files)


def _history(tuned: Tuned[Estimating], path: Path) -> Path:
    figure, axes = axes_of(7, 3.6)
    done = [trial for trial in tuned.trials if trial.ended == "finished"]
    given_up = [trial for trial in tuned.trials if trial.ended != "finished"]
    axes.axhline(tuned.default_loss, color=SERIES[0], linestyle="--", label="not tuned")
    best, steps = tuned.default_loss, []
    for trial in done:
        best = min(best, trial.loss or best)
        steps.append(best)
    axes.step([trial.number + 1 for trial in done], steps, where="post", color=BLUE, label="best so far")
    axes.plot([t.number + 1 for t in done], [t.loss or 0.0 for t in done], "o", color=BLUE, alpha=0.5, label="a trial")
    if given_up:  # on the edge: their losses are of some splits alone, and not comparable
        edge = axes.get_xaxis_transform()
        axes.plot(
            [t.number + 1 for t in given_up], [0.03] * len(given_up), "x", color=GREY, transform=edge, label="given up"
        )
    finish(axes, "Loss on inner rows held out", "trial", "mean loss", "upper right")
    return save(figure, path)


def _importance(tuned: Tuned[Estimating], path: Path) -> Path:
    figure, axes = axes_of(7, 0.8 + 0.4 * len(tuned.importance))
    names = [readable(name) for name in tuned.importance][::-1]
    axes.barh(names, list(tuned.importance.values())[::-1], color=BLUE)
    finish(axes, "Which options the loss hangs on", "share of the spread of losses", "")
    return save(figure, path)
