"""A finished run, read again: its model, its rows divided as they were, and what is asked of both, each once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json, Progress, Side
from plait.contracts.crossing import unheard
from plait.errors import DataError
from plait.report.words import Words

if TYPE_CHECKING:
    import pandas as pd

    from plait.data.division import Division
    from plait.data.findings import Finding
    from plait.data.quality import Inspection
    from plait.data.schema import Schema
    from plait.data.stream import Stream
    from plait.estimators import Classifier, Regressor
    from plait.estimators.judged import Judged
    from plait.explain.explanation import Explanation
    from plait.explain.importance import Importance
    from plait.judgement.drift import DriftReport
    from plait.judgement.fairness import FairnessReport
    from plait.judgement.membership import MembershipReport
    from plait.judgement.robustness import RobustnessReport
    from plait.metrics.calibration import CalibrationReport
    from plait.metrics.evaluation import Evaluation
    from plait.metrics.value import Costs

__all__ = ["Asked", "Run"]

SOME, STRESSED, ATTACKED = 500, 150, 1_000  # rows
SEEN = 50_000  # rows of either side that are looked at where rows were streamed


@dataclass(frozen=True)
class Asked:
    """What a report was asked for.

    Parameters
    ----------
    language
        ``"en"`` or ``"zh"``.
    rows
        Rows held out that are explained one by one.
    show_personal
        Show personal data that cells hold, instead of masking it.
    data, sides
        Where the data and the long tables by name lie now, if not where the run says.
    progress
        Called with `plait.contracts.Progress`.
    """

    language: str = "en"
    rows: int = 3
    show_personal: bool = False
    data: Path | None = None
    sides: Mapping[str, object] = field(default_factory=dict)
    progress: Callable[[Progress], None] = unheard


class Run:
    """What `plait fit -o` wrote, with the data that it was fitted on.

    `record` is its ``run.json``; `division` holds the rows on both sides of the split; `say` speaks the language
    that was asked for. Where `costs` are set (and `amounts` of the rows held out), decisions are judged by them.
    Everything that takes work is done on first use, and once.

    Of rows that were streamed, `division` holds at most `SEEN` a side, drawn at random; `counts` are those that there
    were to fit and to judge, `left_out` those that the split left out.
    """

    words: str | None = None  # a package with further words
    left_out: int = 0

    def __init__(
        self,
        folder: Path,
        record: Mapping[str, Json],
        model: Classifier | Regressor,
        division: Division[pd.DataFrame],
        sides: Mapping[str, Side],
        asked: Asked,
    ) -> None:
        self.folder = folder
        self.record = record
        self.model = model
        self.division = division
        self.sides = sides
        self.asked = asked
        self.say = Words(asked.language, self.words)
        self.costs: Costs | None = None
        self.amounts: npt.NDArray[np.float64] | None = None

    @classmethod
    def read(cls, folder: Path, asked: Asked) -> Self:
        """Read a run and its data, and divide the rows again.

        Raises
        ------
        DataError
            If the folder is no run, or the data is not where the run says, not the same, or divided otherwise.
        ArtifactError
            If the model is damaged.
        """
        from plait.data.asof import sides
        from plait.data.division import divide
        from plait.data.read import read
        from plait.data.stream import Stream
        from plait.estimators import load_one

        record = _record(folder)
        data = record["data"]
        path = _data_path(folder, data, asked.data)
        _check_content(path, data["sha256"], "the data", "--data FILE")
        model = load_one(folder / ("model.plait" if record.get("accepted", True) else "refused.plait"))
        schema = model.schema_
        frame = Stream.open(path) if data.get("streamed") else read(path, **data["read"])
        moved = asked.data is not None
        if data["folder"] is not None and not moved:
            if Path(data["folder"]).is_dir():
                frame.attrs["folder"] = data["folder"]
            elif Path(data["folder"]) != Path(data["path"]).parent:
                raise DataError(
                    f"the files that cells name lay in {data['folder']}, which is no folder now; put it back, or lay "
                    f"them beside the data and name that by --data FILE"
                )
        tables = sides(schema, asked.sides)
        for name, known in data["sides"].items():
            place = asked.sides.get(name, known["path"])
            if known["sha256"] and isinstance(place, str | Path):
                _check_content(Path(place), known["sha256"], f"the long table {name!r}", f"--side {name}=FILE")
        division = divide(
            frame,
            schema,
            classifies=record["task"] == "classification",
            test=data["test"],
            seed=record["configuration"]["random_state"],
        )
        if division.digest() != data["division"]:
            raise DataError(
                f"{folder}: the rows divide otherwise than in the run, so none would be known to be unseen; "
                f"fit it again with this version of plait"
            )
        seed = record["configuration"]["random_state"]
        found = cls(folder, record, model, _in_memory(division, seed), tables, asked)
        found.left_out = len(frame) - sum(found.counts)
        return found

    # What it is about

    @property
    def schema(self) -> Schema:
        return self.model.schema_

    @property
    def target(self) -> str:
        return str(self.schema.target)

    @property
    def classifies(self) -> bool:
        return bool(self.record["task"] == "classification")

    @property
    def train(self) -> pd.DataFrame:
        return self.division.train

    @property
    def test(self) -> pd.DataFrame | None:
        return self.division.test

    @property
    def counts(self) -> tuple[int, int]:
        """Rows that were fitted on, and rows held out."""
        data = self.record["data"]
        return int(data["rows"] - data["test_rows"]), int(data["test_rows"])

    @property
    def seed(self) -> int:
        return int(self.record["configuration"]["random_state"])

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All rows of the run, in their order; rows that the split left out are not among them."""
        import pandas as pd

        sides = [side for side in (self.train, self.test) if side is not None]
        whole = pd.concat(sides).sort_index()
        whole.attrs.update(self.train.attrs)
        return whole

    def judged(self) -> pd.DataFrame:
        """The rows held out.

        Raises
        ------
        DataError
            If there are none.
        """
        if self.test is None:
            raise DataError("this run held no rows out; there is nothing to judge it by")
        return self.test

    @property
    def classes(self) -> Array | None:
        """The classes, in the order of probabilities; None for values."""
        return getattr(self.model, "classes_", None)

    @property
    def positive(self) -> str | None:
        """The class whose probability is told, of two; None otherwise."""
        classes = self.classes
        return None if classes is None or len(classes) != 2 else str(classes[1])

    # What takes work

    @cached_property
    def weight(self) -> npt.NDArray[np.float64] | None:
        """Weights of the rows held out, if rows have any."""
        name = self.schema.weight
        return None if name is None else self.judged()[name].to_numpy(np.float64)

    @cached_property
    def told(self) -> Judged:
        """The rows held out and what the model says of them, predicted once."""
        judged = self.judged()
        return self.model.judge(judged, judged[self.target], self.weight, sides=self.sides)

    @cached_property
    def evaluation(self) -> Evaluation:
        """How good that is, beside baselines."""
        return self.told.evaluate()

    @cached_property
    def calibration(self) -> CalibrationReport:
        """Whether probabilities come true on the rows held out."""
        judged = self.judged()
        return self.model.calibration_report(judged, judged[self.target], self.weight, sides=self.sides)

    @cached_property
    def inspection(self) -> Inspection:
        """What the columns are, and what is wrong with them."""
        from plait.data.quality import inspect

        return inspect(self.frame, self.schema, sides=self.sides)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the columns, and what stands on both sides of the split."""
        from plait.data.across import across

        both = () if self.test is None else across(self.train, self.test, self.schema)
        known = {(finding.kind, finding.columns) for finding in both}
        return (*both, *(f for f in self.inspection.findings if (f.kind, f.columns) not in known))

    @cached_property
    def personal(self) -> tuple[Finding, ...]:
        """Personal data in the columns, by kind."""
        from plait.data.personal import find

        return find(self.frame, self.schema)

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Columns whose values are not shown, since they hold personal data and nobody asked to see it."""
        if self.asked.show_personal:
            return frozenset()
        return frozenset(name for finding in self.personal for name in finding.columns)

    @cached_property
    def some(self) -> pd.DataFrame:
        """At most `SOME` of the rows held out, evenly spread: enough for what asks the model many times."""
        judged = self.judged()
        rows = np.linspace(0, len(judged) - 1, min(SOME, len(judged))).astype(np.int64)
        return judged.iloc[rows]

    @cached_property
    def importance(self) -> Importance:
        """What the model rests on."""
        return self.model.importance(self.some, self.some[self.target].to_numpy(), sides=self.sides, seed=self.seed)

    @cached_property
    def fairness(self) -> FairnessReport:
        """How decisions fall on groups, by every sensitive column."""
        from plait.judgement.fairness import fairness

        judged = self.judged()
        return fairness(self.model, judged, judged[self.target], sample_weight=self.weight, sides=self.sides)

    @cached_property
    def drift(self) -> DriftReport:
        """What changed from the rows fitted on to those held out."""
        from plait.judgement.drift import drift

        # outcomes of rows that the model was fitted on would promise too much of others
        fitted = self.train.drop(columns=self.target)
        return drift(fitted, self.judged(), model=self.model, sides=self.sides, seed=self.seed)

    @cached_property
    def robustness(self) -> RobustnessReport:
        """What is left of the model as rows get worse."""
        from plait.judgement.robustness import robustness

        return robustness(
            self.model, self.some, self.some[self.target], rows=STRESSED, sides=self.sides, seed=self.seed
        )

    @cached_property
    def membership(self) -> MembershipReport:
        """Whether the model gives away which rows it was fitted on."""
        from plait.judgement.membership import membership

        sides = [(rows, rows[self.target].to_numpy()) for rows in (self.train, self.judged())]
        return membership(self.model, sides[0], sides[1], sides=self.sides, rows=ATTACKED, seed=self.seed)

    @cached_property
    def cases(self) -> pd.DataFrame:
        """Rows held out that are explained one by one: from the highest prediction to the lowest, in even steps, of
        those rows with the most evidence."""
        evidence = self.told.present.sum(axis=1)
        full = np.flatnonzero(evidence == evidence.max())
        values = self.told.prediction.values
        score = values if values.ndim == 1 else values[:, -1] if values.shape[1] == 2 else values.max(axis=1)
        ranked = full[np.argsort(-score[full], kind="stable")]
        chosen = np.linspace(0, len(ranked) - 1, min(self.asked.rows, len(ranked))).astype(np.int64)
        return self.judged().iloc[ranked[chosen]]

    @cached_property
    def explanation(self) -> Explanation:
        """Why the model says what it says of the cases, personal data in their cells masked unless asked otherwise."""
        from plait.report.masking import masked

        found = self.model.explain(self.cases, sides=self.sides, seed=self.seed, progress=self.asked.progress)
        return found if self.asked.show_personal else masked(found)

    @property
    def dated(self) -> bool:
        """Whether the time of rows is a moment, and not a plain number."""
        from pandas.api.types import is_numeric_dtype

        return self.schema.time is not None and not is_numeric_dtype(self.train[self.schema.time])

    @cached_property
    def moments(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
        """Seconds (or the numbers that times are) of the rows to fit and of those held out, where rows have a time."""
        from plait.data.frame import seconds

        if self.schema.time is None:
            return None
        first, then = self.train[self.schema.time], self.judged()[self.schema.time]
        return seconds(first), seconds(then)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Tell what is being done."""
        self.asked.progress(Progress(stage, done, total))


def _in_memory(division: Division[pd.DataFrame | Stream], seed: int) -> Division[pd.DataFrame]:
    """The division itself; of streamed rows at most `SEEN` a side, under the labels that they have among all."""
    from plait.data.division import Division
    from plait.data.stream import Stream

    def looked_at(rows: pd.DataFrame | Stream) -> pd.DataFrame:
        if not isinstance(rows, Stream):
            return rows
        some = rows.take(rows.drawn(SEEN, np.random.default_rng(seed)))
        return some.frame().set_index(some.index)

    test = None if division.test is None else looked_at(division.test)
    return Division(looked_at(division.train), test, division.kind)


def _record(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    try:
        record = json.loads(path.read_text("utf-8"))
    except OSError:
        raise DataError(
            f"{folder} is no run: it holds no run.json; name the folder that `plait fit -o` wrote"
        ) from None
    except ValueError:
        raise DataError(f"{path} cannot be read; fit the run again") from None
    if not isinstance(record, dict) or not {"division", "read"} <= set(record.get("data", {})):
        raise DataError(f"{path} does not say how its rows were divided; fit the run again with this version of plait")
    return record


def _data_path(folder: Path, data: Mapping[str, Json], moved: Path | None) -> Path:
    """Where the data lies: as told now, else as the run says, else as it lay beside the run."""
    if moved is not None:
        return moved
    for place in (Path(data["path"]), folder / str(data["from_run"])):
        if place.exists():
            return place
    raise DataError(f"the data of {folder} is not at {data['path']}; say where it lies now with --data FILE")


def _check_content(path: Path, wanted: str, what: str, option: str) -> None:
    from plait.data.read import digest

    if digest(path) != wanted:
        raise DataError(
            f"{what} at {path} is not what the run was fitted on (its SHA-256 differs); name the right file by {option}"
        )
