"""The path of an event and a stolen card, as a picture: ``python -m benchmarks.serving.payments.drawn FILE``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

import plait
from benchmarks.serving.payments.prepared import OWN, TRAINED
from plait.data.windows import Windows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEFORE = 14  # payments before the first fraud, and from it on
INK, COMMIT, ALERT = "#334455", "#e8f0e4", "#b3392f"
BOXES = (
    (0.0, 1, "source\nfile, pipe, Redis", "white"),
    (1.7, 1, "known id?\nwindows of\nits entities", "white"),
    (3.4, 1, "model\na batch of\nwhat waits", "white"),
    (5.1, 1, "one commit: windows,\nids, outcomes, position", COMMIT),
    (7.4, 1.45, "outcomes\neach once", "white"),
    (7.4, 0.55, "dead letters\nwith the reason", "white"),
)


def draw(path: str) -> None:
    """Both panels, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.2), dpi=110, layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=[1, 1.5])
    _path(upper)
    _stolen(lower)
    figure.savefig(path, metadata={"Software": None})


def _path(axes: Axes) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.set(xlim=(-0.1, 9.0), ylim=(-0.2, 2.1))
    axes.axis("off")
    for x, y, text, colour in BOXES:
        width = 1.9 if colour == COMMIT else 1.3
        told = {"boxstyle": "round,pad=0.02", "facecolor": colour, "edgecolor": INK}
        axes.annotate(text, (x + width / 2, y), ha="center", va="center", fontsize=9, color=INK, zorder=3)
        axes.add_patch(FancyBboxPatch((x, y - 0.36), width, 0.72, **told))
    arrow = {"arrowstyle": "->", "color": INK}
    for start, end in (((1.35, 1), (1.66, 1)), ((3.05, 1), (3.36, 1)), ((4.75, 1), (5.06, 1))):
        axes.annotate("", end, start, arrowprops=arrow)
    for y in (1.45, 0.55):
        axes.annotate("", (7.36, y), (7.05, 1), arrowprops=arrow)
    axes.text(
        6.05, 0.28, "killed before: read again\nkilled after: delivered again, once", fontsize=8, ha="center", va="top"
    )
    axes.annotate("", (0.65, 0.6), (5.6, 0.6), arrowprops={**arrow, "ls": ":", "connectionstyle": "arc3,rad=-0.12"})
    axes.text(2.6, 0.02, "position", fontsize=8, color=INK)


def _stolen(axes: Axes) -> None:
    rows = plait.samples.card_payments(TRAINED, cards=1_000, seed=0)
    seen = Windows.of(plait.samples.card_payments_windows()).columns(rows, "time")
    table, cut = rows[OWN].join(seen), TRAINED * 3 // 4
    model = plait.Classifier(fusion="early", learner="lightgbm", random_state=0, n_jobs=1)
    model.fit(table[:cut], rows["fraud"][:cut])
    later = rows[cut:]
    counted = later.groupby("card")["fraud"].agg(["sum", "size"])
    stolen = counted[counted["sum"].between(5, 8)]["size"].idxmax()
    own = later[later["card"] == stolen]
    first = int((own["fraud"] == 1).to_numpy().argmax())
    own = own.iloc[max(0, first - BEFORE) : first + BEFORE]
    place = np.arange(len(own))
    score = model.predict_proba(table.loc[own.index])[:, 1]
    fraud = own["fraud"].to_numpy() == 1
    count = seen.loc[own.index, "card_count_1h"]
    axes.plot(place, score, color=INK, lw=1, zorder=1, label="score")
    axes.scatter(place[~fraud], score[~fraud], color=INK, zorder=2, label="honest payment")
    axes.scatter(place[fraud], score[fraud], color=ALERT, zorder=3, label="fraud")
    axes.xaxis.get_major_locator().set_params(integer=True)
    beside = axes.twinx()
    beside.vlines(place, 0, count, color="#c8b48a", lw=9, alpha=0.6, label="payments in the hour before")
    beside.set_ylabel("payments in the hour before")
    beside.set_ylim(0, max(4, 2 * count.max()))
    axes.set_zorder(beside.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.set(xlabel="payments of one made card, which is stolen on the way", ylabel="score", ylim=(-0.03, 1.05))
    handles = [*axes.get_legend_handles_labels()[0], *beside.get_legend_handles_labels()[0]]
    axes.legend(handles=handles, loc="upper left", frameon=False, fontsize=8)


if __name__ == "__main__":
    draw(sys.argv[1])
