"""Rule packs: what rules of a jurisdiction ask for, and what of it a run shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from plait.errors import unknown
from plait.report.page import Section

__all__ = ["PACKS", "Clause", "Pack", "Shown", "assess", "pack"]

PACKS = ("us", "eu", "china")


@dataclass(frozen=True)
class Clause:
    """One demand of a rule, in our own words.

    Parameters
    ----------
    id, source
        What it is called here, and where it stands.
    says, people
        By language: what it asks for, and what people must add, since no run can show it.
    evidence
        Sections of the report that show something of it.
    check
        Whether scope or wording should be checked with counsel.
    """

    id: str
    source: str
    says: Mapping[str, str]
    people: Mapping[str, str]
    evidence: tuple[str, ...]
    check: bool


@dataclass(frozen=True)
class Pack:
    """The clauses of one jurisdiction; `title` by language."""

    name: str
    title: Mapping[str, str]
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class Shown:
    """A clause, the sections that show something of it, and those that do not apply to the run."""

    clause: Clause
    there: tuple[Section, ...]
    missing: tuple[Section, ...]


def pack(name: str) -> Pack:
    """The rule pack of a jurisdiction.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    import yaml

    if name not in PACKS:
        raise unknown("rule pack", name, PACKS)
    found = yaml.safe_load(files("plait.report").joinpath(f"rules/{name}.yaml").read_text("utf-8"))
    clauses = tuple(Clause(**{**clause, "evidence": tuple(clause["evidence"])}) for clause in found["clauses"])
    return Pack(name, found["title"], clauses)


def assess(rules: Pack, sections: Sequence[Section]) -> tuple[Shown, ...]:
    """What a run shows of every clause. Evidence is counted, not weighed: whether it suffices, people decide."""
    known = {section.key: section for section in sections}
    made = []
    for clause in rules.clauses:
        named = [known[key] for key in clause.evidence]
        there = tuple(section for section in named if section.applies)
        made.append(Shown(clause, there, tuple(section for section in named if not section.applies)))
    return tuple(made)
