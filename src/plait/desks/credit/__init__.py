"""Credit desk: from an application, with all its evidence, to a grade with reasons that people can stand behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait.contracts import Desk
from plait.desks.credit.operations import OPERATIONS

if TYPE_CHECKING:
    from plait.desks.credit.model import CreditModel

__all__ = ["DESK"]


def _load(path: str) -> CreditModel:
    from plait.desks.credit.model import load

    return load(path)


DESK = Desk(
    "credit",
    "Credit desk: scorecards, probabilities of default from all evidence, grades, losses, reasons, policy, validation.",
    OPERATIONS,
    _load,
    lambda model: model.evidence,
)
