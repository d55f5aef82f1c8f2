"""The desk's model: a scorecard, an evidence model, their blend and a master scale, fitted and kept as one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from plait import registry
from plait.contracts import Fault, Json, Side
from plait.desks.credit.blend import Blend
from plait.desks.credit.config import Config
from plait.desks.credit.grades import MasterScale
from plait.desks.credit.reasons.neutral import Typical
from plait.desks.credit.scorecard.card import Scorecard
from plait.desks.credit.scorecard.points import Points
from plait.errors import ArtifactError, PlaitError
from plait.estimators import Classifier
from plait.estimators import load_one as load_estimator
from plait.evidence import View

if TYPE_CHECKING:
    from pandas import DataFrame

    from plait.contracts import Batches
    from plait.data.schema import Schema

__all__ = ["CREDIT", "CreditModel", "Scores", "load", "log_odds_of_default", "tabular"]

Vector = npt.NDArray[np.float64]

CREDIT, MODEL = "credit.json", "model.plait"
FORMAT, VERSION = "plait.credit", 1


@dataclass(frozen=True)
class Scores:
    """What the desk says of ``N`` rows. Points rise with safety; log-odds are those of default.

    Parameters
    ----------
    log_odds, pd
        float64 ``N``: of default, all evidence seen, calibrated by the blend.
    points
        float64 ``N``: the same on the points scale: `scorecard` plus `adjustment`.
    scorecard, evidence
        float64 ``N``: points by the scorecard alone, and by the evidence model alone.
    adjustment
        float64 ``N``: points that the evidence adds to the scorecard, or takes.
    capped
        bool ``N``: whether it would have been more.
    grade
        int64 ``N``: place in the master scale, 0 the best.
    present
        bool ``N x S``: which sources each row had, in the order of the schema's.
    faults
        Cells that could not be read and count as missing.
    """

    log_odds: Vector
    pd: Vector
    points: Vector
    scorecard: Vector
    evidence: Vector
    adjustment: Vector
    capped: npt.NDArray[np.bool_]
    grade: npt.NDArray[np.int64]
    present: npt.NDArray[np.bool_]
    faults: tuple[Fault, ...] = ()

    def __len__(self) -> int:
        return len(self.pd)

    def frame(self, names: tuple[str, ...]) -> DataFrame:
        """A row each: ``pd``, ``points``, ``scorecard``, ``adjustment``, ``capped``, ``grade`` (by name)."""
        from pandas import DataFrame

        columns = {name: getattr(self, name) for name in ("pd", "points", "scorecard", "adjustment", "capped")}
        return DataFrame({**columns, "grade": np.asarray(names, object)[self.grade]})


@dataclass(frozen=True)
class CreditModel:
    """A fitted desk.

    Parameters
    ----------
    evidence
        The multimodal model: two classes, `bad` one of them.
    scorecard
        On the columns of numbers and categories alone: the challenger that a regulator reads.
    blend
        Scorecard plus a capped adjustment from the evidence.
    scale
        Grades from probabilities.
    bad
        The class that means default.
    config
        What the lender decided.
    record
        How it was fitted: rows, figures on the holdout of the blend, settings.
    typical
        What approved applicants typically have, which reasons are told against; None: it was not learned.
    """

    evidence: Classifier
    scorecard: Scorecard
    blend: Blend
    scale: MasterScale
    bad: Json
    config: Config = field(default_factory=Config)
    record: Mapping[str, Json] = field(default_factory=dict)
    typical: Typical | None = None

    @property
    def schema(self) -> Schema:
        return self.evidence.schema_

    @property
    def points(self) -> Points:
        return self.scorecard.points

    @cached_property
    def used(self) -> tuple[str, ...]:
        """Columns of the frame that the decision rests on: those of every source, and the scorecard's."""
        names = [name for source in self.schema.sources for name in source.columns]
        return tuple(dict.fromkeys([*names, *self.scorecard.columns]))

    @cached_property
    def tabular(self) -> tuple[str, ...]:
        """Those of them that hold numbers and categories."""
        return tabular(self.schema)

    def score(self, frame: DataFrame, sides: Mapping[str, Side] | None = None) -> Scores:
        """What the desk says of each row.

        Parameters
        ----------
        frame
            ``N`` rows with the columns that the model reads; a missing cell is missing evidence.
        sides
            Long tables by name.

        Raises
        ------
        DataError
            If a column is not there.
        """
        batches = self.batches(frame, sides)
        return self.scored(self.scorecard.log_odds(frame), self.evidence_log_odds(batches), batches)

    def log_odds(self, frame: DataFrame, sides: Mapping[str, Side] | None = None) -> Vector:
        """Log-odds of default, all evidence seen: float64 ``N``."""
        return self.score(frame, sides).log_odds

    def batches(self, frame: DataFrame, sides: Mapping[str, Side] | None = None) -> Batches:
        """The rows as the evidence model's rooms read them."""
        return self.evidence.model_.batches(frame, sides)

    def evidence_log_odds(self, batches: Batches) -> Vector:
        """Log-odds of default by the evidence model alone: float64 ``N``."""
        return _log_odds(self.evidence, self.bad, batches)

    def scored(self, scorecard: Vector, evidence: Vector, batches: Batches) -> Scores:
        """Join log-odds of default by the scorecard and by the evidence model (float64 ``N`` each)."""
        joined, adjustment, capped = self.blend.log_odds(scorecard, evidence)
        chance = expit(joined)
        return Scores(
            log_odds=joined,
            pd=chance,
            points=self.points.of(joined),
            scorecard=self.points.of(scorecard),
            evidence=self.points.of(evidence),
            adjustment=-self.points.factor * adjustment,
            capped=capped,
            grade=self.scale.assign(chance),
            present=batches.present,
            faults=batches.faults,
        )

    def save(self, folder: str | PathLike[str]) -> None:
        """Write ``model.plait`` and ``credit.json`` into a folder, each whole or not at all; nothing executable."""
        from plait.data.files import made_folder

        place = made_folder(folder)
        self.evidence.save(place / MODEL)
        self.write(place)

    def write(self, folder: Path) -> None:
        """Write ``credit.json`` beside a ``model.plait`` that is there already."""
        from plait.data.files import replacing

        content = {
            "bad": self.bad,
            "scorecard": self.scorecard.to_json(),
            "blend": self.blend.to_json(),
            "scale": self.scale.to_json(),
            "config": self.config.said,
            "record": self.record,
            "typical": None if self.typical is None else self.typical.to_json(),
            "model": _seal_of(folder / MODEL),
        }
        told = {"format": FORMAT, "version": VERSION, "sha256": _digest(content), "content": content}
        with replacing(folder / CREDIT) as beside:
            beside.write_text(json.dumps(told, ensure_ascii=False, allow_nan=False, indent=1) + "\n", "utf-8")

    @classmethod
    def read(cls, folder: str | PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ArtifactError
            If the folder holds no such model, or it is damaged, newer, or its two files do not belong together.
        """
        place = Path(folder)
        content = _content(place)
        evidence = load_estimator(place / MODEL)
        if content["model"] != _seal_of(place / MODEL):
            raise ArtifactError(f"{place}: {MODEL} is not the one that {CREDIT} was fitted with; fit the desk again")
        if not isinstance(evidence, Classifier):
            raise ArtifactError(f"{place}: {MODEL} predicts values, not classes")
        try:
            return cls(
                evidence=evidence,
                scorecard=Scorecard.from_json(content["scorecard"]),
                blend=Blend.from_json(content["blend"]),
                scale=MasterScale.from_json(content["scale"]),
                bad=content["bad"],
                config=Config.of(content["config"]),
                record=content["record"],
                typical=None if content["typical"] is None else Typical.from_json(content["typical"]),
            )
        except (KeyError, TypeError, PlaitError) as error:
            raise ArtifactError(f"{place / CREDIT} cannot be understood: {error}; fit the desk again") from None


def load(folder: str | PathLike[str]) -> CreditModel:
    """Read the model in a folder that ``plait credit fit`` or `CreditModel.save` wrote; raises as its `read` does."""
    return CreditModel.read(folder)


def log_odds_of_default(
    evidence: Classifier, bad: Json, frame: DataFrame, sides: Mapping[str, Side] | None = None
) -> Vector:
    """What an evidence model says of rows, `bad` being the class that means default: float64 ``N``."""
    return _log_odds(evidence, bad, evidence.model_.batches(frame, sides))


def _log_odds(evidence: Classifier, bad: Json, batches: Batches) -> Vector:
    scores = evidence.model_.fitted.score(View(batches, evidence.model_.rooms))[:, 0]
    return np.asarray(scores if evidence.classes_.tolist().index(bad) == 1 else -scores, np.float64)


def tabular(schema: Schema) -> tuple[str, ...]:
    """Columns of a schema that hold numbers and categories: those of sources that read many columns at once."""
    joint = [source for source in schema.sources if registry.room(source).joint]
    return tuple(name for source in joint for name in source.columns)


def _content(folder: Path) -> dict[str, Json]:
    path = folder / CREDIT
    try:
        told = json.loads(path.read_text("utf-8"))
    except OSError:
        raise ArtifactError(f"{folder} holds no {CREDIT}; name a folder that `plait credit fit -o` wrote") from None
    except ValueError:
        raise ArtifactError(f"{path} is damaged: it is no JSON; fit the desk again") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT or not isinstance(told.get("content"), dict):
        raise ArtifactError(f"{path} is no credit desk's model; name a folder that `plait credit fit -o` wrote")
    if told.get("version") != VERSION:
        raise ArtifactError(
            f"{path} has version {told.get('version')!r}, this plait reads {VERSION}; fit the desk again"
        )
    if told.get("sha256") != _digest(told["content"]):
        raise ArtifactError(f"{path} is damaged: its content is not what was written; fit the desk again")
    content: dict[str, Json] = told["content"]
    return content


def _digest(content: Json) -> str:
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _seal_of(model: Path) -> str:
    """SHA-256 of a saved model's manifest, which has the digests of all its files."""
    try:
        return hashlib.sha256((model / "manifest.json").read_bytes()).hexdigest()
    except OSError:
        raise ArtifactError(f"{model} holds no model; fit the desk again") from None
