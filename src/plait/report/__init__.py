"""What a person reads of a model: drawings of its judgement."""

from plait.report.curves import draw

__all__ = ["draw"]
