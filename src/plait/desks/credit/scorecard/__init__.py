"""Scorecards: what the regulator reads, in points."""

from plait.desks.credit.scorecard.binned import Bins
from plait.desks.credit.scorecard.card import LeftOut, Scorecard, Variable
from plait.desks.credit.scorecard.edits import read_edits, write_edits
from plait.desks.credit.scorecard.fit import fit_scorecard
from plait.desks.credit.scorecard.points import Points
from plait.desks.credit.scorecard.settings import ScorecardSettings

__all__ = [
    "Bins",
    "LeftOut",
    "Points",
    "Scorecard",
    "ScorecardSettings",
    "Variable",
    "fit_scorecard",
    "read_edits",
    "write_edits",
]
