"""What a lender has decided once and for all applications: ``credit.yaml``, a section for each part of the desk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Self

from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    from plait.contracts import Json
    from plait.desks.credit.blend import BlendSettings
    from plait.desks.credit.grades import GradesSettings
    from plait.desks.credit.losses.settings import LossSettings
    from plait.desks.credit.policy.prohibited import ProhibitedSettings
    from plait.desks.credit.policy.settings import PolicySettings
    from plait.desks.credit.reasons.settings import ReasonSettings
    from plait.desks.credit.scorecard.points import Points
    from plait.desks.credit.scorecard.settings import ScorecardSettings

__all__ = ["SECTIONS", "Config", "EvidenceSettings"]

SECTIONS = ("blend", "evidence", "grades", "loss", "policy", "prohibited", "reasons", "scorecard")


@dataclass(frozen=True)
class EvidenceSettings:
    """How the evidence model is fitted: arguments of `plait.Classifier`.

    By default hybrid: past to future it ranked better than late fusion in the same time, on made applications and on
    LendingClub's training rows (docs/desks/credit/evidence.md).
    """

    fusion: str = "hybrid"
    learner: str | None = None
    options: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    @classmethod
    def of(cls, said: Mapping[str, Json]) -> Self:
        """The section ``evidence:``; options are checked by the estimator.

        Raises
        ------
        ConfigError
            If it says something else.
        """
        allowed = tuple(each.name for each in fields(cls))
        for name in said:
            if name not in allowed:
                raise unknown("setting of evidence", name, allowed)
        return cls(**said)


@dataclass(frozen=True)
class Config:
    """All sections as they were written; each is understood by the part of the desk that it is for.

    Raises
    ------
    ConfigError
        If a section is unknown or no mapping, or what it says is not allowed.
    """

    said: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, section in self.said.items():
            if name not in SECTIONS:
                raise unknown("section of credit.yaml", name, SECTIONS)
            if not isinstance(section, Mapping) or not all(isinstance(key, str) for key in section):
                raise ConfigError(f"{name}: is no mapping of names to values; see docs/desks/credit.md")
        self.check()

    @classmethod
    def of(cls, said: Mapping[str, Json] | None) -> Self:
        """Sections by name; one that is empty (None) is left out."""
        if said is not None and not isinstance(said, Mapping):
            raise ConfigError("the settings of the credit desk are sections by name; see docs/desks/credit.md")
        return cls({name: section for name, section in (said or {}).items() if section is not None})

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a ``credit.yaml``.

        Raises
        ------
        ConfigError
            If it cannot be read or understood; the file is named.
        """
        from plait.desks.credit.written import understood

        return understood(path, cls.of)

    def section(self, name: str) -> Mapping[str, Json]:
        """A section as it was written; empty where it was not."""
        return self.said.get(name, {})

    def check(self) -> None:
        """Understand every section that was written, so that a mistake shows before any work."""
        for name in self.said:
            getattr(self, name)

    @property
    def blend(self) -> BlendSettings:
        from plait.desks.credit.blend import BlendSettings

        return BlendSettings.of(self.section("blend"))

    @property
    def evidence(self) -> EvidenceSettings:
        return EvidenceSettings.of(self.section("evidence"))

    @property
    def grades(self) -> GradesSettings:
        from plait.desks.credit.grades import GradesSettings

        return GradesSettings.of(self.section("grades"))

    @property
    def points(self) -> Points:
        """The scale of the scorecard."""
        return self.scorecard.points

    @property
    def loss(self) -> LossSettings:
        from plait.desks.credit.losses.settings import LossSettings

        return LossSettings.of(self.section("loss"))

    @property
    def policy(self) -> PolicySettings:
        """How applications are decided."""
        from plait.desks.credit.policy.settings import PolicySettings

        return PolicySettings.of(self.section("policy"))

    @property
    def prohibited(self) -> ProhibitedSettings:
        from plait.desks.credit.policy.prohibited import ProhibitedSettings

        return ProhibitedSettings.of(self.section("prohibited"))

    @property
    def reasons(self) -> ReasonSettings:
        from plait.desks.credit.reasons.settings import ReasonSettings

        return ReasonSettings.of(self.section("reasons"))

    @property
    def scorecard(self) -> ScorecardSettings:
        from plait.desks.credit.scorecard.settings import ScorecardSettings

        return ScorecardSettings.of(self.section("scorecard"))
