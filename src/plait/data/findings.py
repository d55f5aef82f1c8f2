"""What was found to be wrong with data: frozen, readable, and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from plait.contracts import Json

__all__ = ["Finding", "Kind", "Severity", "by_column"]

Severity: TypeAlias = Literal["leak", "warning", "note"]
Kind: TypeAlias = Literal[
    "target_copy",  # alone it gives the target away
    "stands_out",  # alone it is far stronger than any other column
    "target_missing",  # where it is missing gives the target away
    "target_extremes",  # its extreme values belong to one class
    "target_words",  # a word in it states the outcome
    "target_mean",  # an aggregate of the target over groups, the row's own label among them
    "target_order",  # the order of rows, or an identifier, gives the target away
    "future",  # known only after the row's time
    "repeated_rows",  # rows that stand twice, in one frame or on both sides of a split
    "shared_group",  # a group on both sides of a split
    "twin",  # two columns of one content
    "near_twin",  # two columns of almost one content
    "mixed_types",
    "infinite",
    "encoding",
    "date_formats",
    "drift",
    "constant",
    "variants",  # one category written in several ways
    "outliers",
    "placeholder",  # a number that stands for a missing one
    "many_levels",
    "role",  # a role that its column cannot have
    "personal",
]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with data.

    Parameters
    ----------
    kind
        What was found.
    columns
        The columns it was found in, the one to act on first; empty where it concerns whole rows.
    severity
        ``"leak"``: a model would learn what it cannot know later. ``"warning"``: figures or a model may be wrong.
        ``"note"``: worth a look.
    said
        One line for a person: what was found, and what to do.
    evidence
        Numbers behind it, by name.
    """

    kind: Kind
    columns: tuple[str, ...]
    severity: Severity
    said: str
    evidence: Mapping[str, Json] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{', '.join(self.columns)}: {self.said}" if self.columns else self.said

    def to_json(self) -> Json:
        return {
            "kind": self.kind,
            "columns": list(self.columns),
            "severity": self.severity,
            "said": self.said,
            "evidence": dict(self.evidence),
        }


def by_column(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings under the first of their columns, in order; those of whole rows are left out."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.columns:
            found.setdefault(finding.columns[0], []).append(finding)
    return found
