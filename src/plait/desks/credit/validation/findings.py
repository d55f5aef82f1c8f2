"""What a validation finds: each finding with the rule that raised it, and what it comes to for a section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from plait.contracts import Json
from plait.report.page import Section
from plait.report.words import Words

__all__ = ["RULES", "Finding", "Light", "Part", "finding", "light"]

Severity: TypeAlias = Literal["red", "amber"]
Light: TypeAlias = Literal["red", "amber", "green", "grey"]

# Every rule that can raise a finding; what it looks at stands in the tables of words under ``rule``.
RULES: Mapping[str, Severity] = {
    "leaks": "red",
    "faults": "amber",
    "personal": "amber",
    "prohibited": "red",
    "allowed": "amber",
    "monotone": "amber",
    "sign": "red",
    "p_value": "amber",
    "ranks": "red",
    "baseline": "red",
    "rival": "amber",
    "best_part": "amber",
    "period": "amber",
    "slice": "amber",
    "level": "red",
    "calibration": "amber",
    "grade_order": "amber",
    "grade_red": "red",
    "grade_yellow": "amber",
    "population": "red",
    "population_moved": "amber",
    "characteristic": "amber",
    "drift": "amber",
    "no_policy": "amber",
    "four_fifths": "red",
    "untold": "amber",
    "proxy": "amber",
    "idle": "amber",
    "capped": "amber",
    "alone": "amber",
    "stranger": "red",
    "closing": "amber",
    "bare": "amber",
    "rows": "amber",
    "young": "amber",
    "range": "amber",
    "repeat": "red",
}


@dataclass(frozen=True)
class Finding:
    """One thing that a validator must look at.

    Parameters
    ----------
    rule
        Which of `RULES` raised it.
    section
        Key of the section that shows it.
    severity
        ``"red"``: the model should not be used before it is settled. ``"amber"``: settle or accept it, and say why.
    told
        One sentence, in the language of the document.
    """

    rule: str
    section: str
    severity: Severity
    told: str

    def to_json(self) -> dict[str, Json]:
        return {"rule": self.rule, "section": self.section, "severity": self.severity, "told": self.told}


class Part(NamedTuple):
    """A section of the document, and what it found."""

    section: Section
    findings: tuple[Finding, ...] = ()


def finding(say: Words, section: str, rule: str, **values: Any) -> Finding:
    """What `rule` found, in the words that ``found`` has for it."""
    return Finding(rule, section, RULES[rule], say(f"found.{rule}", **values))


def light(section: Section, findings: Sequence[Finding]) -> Light:
    """The worst of what was found in a section; grey where it does not apply to the run."""
    if not section.applies:
        return "grey"
    own = {each.severity for each in findings if each.section == section.key}
    return "red" if "red" in own else "amber" if own else "green"
