"""The validation pack: one document with everything that a validator asks of a run, and what was found."""

from plait.desks.credit.validation.findings import RULES, Finding
from plait.desks.credit.validation.pack import Validation, validate

__all__ = ["RULES", "Finding", "Validation", "validate"]
