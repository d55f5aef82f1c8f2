"""A drawing of a fitted model: from the columns of the frame to the prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.report.canvas import BLUE, GREY, Axes, Canvas, axes_of, readable

if TYPE_CHECKING:
    from plait.model import Model

__all__ = ["network_figure"]

WIDE, HIGH, GAP = 2.3, 0.62, 0.75  # of a box, and between the stages
LISTED = 4  # columns named in the box of a source


@dataclass(frozen=True)
class _Box:
    """What a box says, and the numbers of the boxes of the stage before that lead into it, each with its share."""

    title: str
    said: str = ""
    sources: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()


def network_figure(model: Model) -> Canvas:
    """Sources with their rooms, the parts of the fusion with their weights, the head and what it predicts.

    Where a part is a network, its box tells width, layers and the number of its weights.
    """
    stages = _stages(model)
    tallest = max(len(stage) for stage in stages)
    figure, axes = axes_of(1.0 + len(stages) * (WIDE + GAP), max(2.2, 0.6 + tallest * (HIGH + 0.35)))
    names = ("evidence", "rooms", "fusion", "head", "prediction")
    where: list[list[tuple[float, float]]] = []
    for at, stage in enumerate(stages):
        x = at * (WIDE + GAP)
        step = HIGH + 0.35
        places = [(x, (len(stage) - 1) / 2 * step - i * step) for i in range(len(stage))]
        where.append(places)
        axes.text(x + WIDE / 2, tallest * step / 2 + 0.25, names[at], ha="center", color=GREY, fontsize=9)
        for box, place in zip(stage, places, strict=True):
            _draw(axes, box, place, where[at - 1] if at else [], last=at == len(stages) - 1)
    axes.set(xlim=(-0.15, len(stages) * (WIDE + GAP) - GAP + 0.15), ylim=(-tallest * 0.5, tallest * 0.5 + 0.55))
    axes.set_axis_off()
    return figure


def _stages(model: Model) -> list[list[_Box]]:
    members = _members(model)
    sources = model.schema.sources
    evidence, rooms = [], []
    for i, source in enumerate(sources):
        columns = ", ".join(source.columns[:LISTED])
        more = f" and {len(source.columns) - LISTED} more" if len(source.columns) > LISTED else ""
        evidence.append(_Box(source.name, columns + more if len(source.columns) > 1 else ""))
        rooms.append(_Box(source.modality, _doors(source.name, members), (i,), (1.0,)))
    total = sum(weight for _, weight, _ in members) or 1.0
    shares = tuple(weight / total for _, weight, _ in members)
    fusion = []
    for (name, _, fitted), share in zip(members, shares, strict=True):
        read = tuple(i for i, source in enumerate(sources) if source.name in fitted.sources)
        said = f"weight {share:.0%}" if len(members) > 1 else ""
        if network := getattr(fitted, "network", None):
            count = sum(values.numel() for values in network.parameters())
            said = ", ".join(filter(None, (said, f"{type(network.body).__name__}, {count:,} trained weights")))
        fusion.append(_Box(name, said, read, (share,) * len(read)))
    scores = f"{model.head.outputs} score{'s' * (model.head.outputs > 1)} a row"
    head = _Box(f"{model.head.name} head", scores, tuple(range(len(members))), shares)
    classes = model.head.decode(model.head.prior[None]).classes
    told = "a value" if classes is None else ", ".join(map(str, classes[:4])) + (", …" if len(classes) > 4 else "")
    return [evidence, rooms, fusion, [head], [_Box("prediction", told, (0,), (1.0,))]]


def _members(model: Model) -> list[tuple[str, float, Any]]:
    """Name, weight and fitted form of each part; a model of one part is that part."""
    fitted: Any = getattr(model.fitted, "fitted", model.fitted)  # beneath a calibration
    if not hasattr(fitted, "parts"):
        return [(model.plan["fusion"], 1.0, fitted)]
    return [(part.name, float(w), own) for (part, own), w in zip(fitted.parts, fitted.stack.weights, strict=True)]


def _doors(source: str, members: Sequence[tuple[str, float, Any]]) -> str:
    """What the parts ask of a room: its features, the tokens of an encoder, or both."""
    asked = dict.fromkeys(
        type(fitted.network.encoder(source)).__name__ if hasattr(fitted, "network") else "features"
        for _, _, fitted in members
        if source in fitted.sources
    )
    return ", ".join(asked)


def _draw(axes: Axes, box: _Box, place: tuple[float, float], before: Sequence[tuple[float, float]], last: bool) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = place
    edge, face = (BLUE, "#E8F1F8") if last else (GREY, "white")
    axes.add_patch(
        FancyBboxPatch(
            (x, y - HIGH / 2), WIDE, HIGH, boxstyle="round,pad=0,rounding_size=0.08", edgecolor=edge, facecolor=face
        )
    )
    axes.text(
        x + WIDE / 2, y + (0.12 if box.said else 0), _cut(box.title, 26), ha="center", va="center", fontsize=9,
        fontweight="bold", in_layout=False,
    )  # fmt: skip
    axes.text(x + WIDE / 2, y - 0.14, _cut(box.said, 40), ha="center", va="center", fontsize=7, color="#555555")
    for i, share in zip(box.sources, box.shares, strict=True):
        left, height = before[i]
        axes.plot([left + WIDE, x], [height, y], color=GREY, linewidth=0.5 + 3 * share, alpha=0.55, zorder=0)


def _cut(text: str, most: int) -> str:
    text = readable(text)
    return text if len(text) <= most else text[: most - 1] + "…"
