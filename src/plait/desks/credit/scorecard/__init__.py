"""Scorecards: what the regulator reads, in points."""

from plait.desks.credit.scorecard.points import Points

__all__ = ["Points"]
