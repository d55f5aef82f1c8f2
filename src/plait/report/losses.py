"""A drawing of the losses of a training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plait.report.canvas import BLUE, DASHES, SERIES, axes_of, finish, save

__all__ = ["draw_losses"]


def draw_losses(losses: Sequence[float], held_out: Sequence[float], path: Path) -> Path:
    """Draw mean losses by epoch of the rows that are learned from and, where there are any, of those held out."""
    figure, axes = axes_of(6.4, 3.6)
    epochs = range(1, len(losses) + 1)
    axes.plot(epochs, losses, color=BLUE, label="rows that are learned from")
    if held_out:
        axes.plot(epochs, held_out, color=SERIES[0], linestyle=DASHES[0], label="rows held out")
    finish(axes, "what is told wrong", "epoch", "loss", "upper right" if held_out else None)
    return save(figure, path)
