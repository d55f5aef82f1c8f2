"""``reasons``: why applications are declined, where in the evidence it shows, and what would change it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.contracts import Json, Operation, Progress, Rows, asked
from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    from plait.desks.credit.model import CreditModel
    from plait.desks.credit.reasons.change import Alternative
    from plait.desks.credit.reasons.find import Told

__all__ = ["OPERATION", "ReasonsRequest", "ReasonsResult"]

SHOWN = 3  # applications
LINES = "reasons.jsonl"
ENDINGS = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class ReasonsRequest:
    """Applications, and the model that declines some of them."""

    model: CreditModel = asked("fitted", "A folder that `plait credit fit` wrote.", shown="RUN")
    rows: Rows = asked("rows", "The applications.")
    cut_off: float | None = asked(
        "number",
        "Approve below this probability of default (under 1), or from these points; by default the policy's, or else "
        "the rate of default that the model was fitted on.",
        default=None,
        shown="PD|POINTS",
    )
    language: str = asked("choice", "Of sentences and letters.", default="both", choices=("en", "zh", "both"))
    most: int | None = asked("count", "Reasons at most; by default 4.", default=None, least=1, most=8)
    first: int | None = asked("count", "Only the first so many declined applications.", default=None, least=1)
    changes: bool = asked("flag", "Also what would bring an application to the cut-off.", default=False)
    without_places: bool = asked("flag", "Do not look inside letters, accounts, pages and recordings.", default=False)
    output: Path | None = asked(
        "file", "Write JSON lines (*.jsonl), or a folder with drafts of letters and pictures.", default=None, short="o"
    )


@dataclass(frozen=True)
class ReasonsResult:
    """Why applications are declined.

    Parameters
    ----------
    rows, declined
        Applications that were looked at, and how many of them are below the cut-off.
    cut_off
        In points.
    keys
        Identifiers of those explained, a mapping each.
    told, changes
        Reasons, and what would change it (None: not asked for), of each.
    languages
        Of the sentences that are shown and written.
    output
        What was written.
    """

    rows: int
    declined: int
    cut_off: float
    keys: tuple[dict[str, Json], ...]
    told: tuple[Told, ...]
    changes: tuple[tuple[Alternative, ...], ...] | None
    languages: tuple[str, ...]
    output: Path | None = None

    def __str__(self) -> str:
        cut = f"the cut-off of {self.cut_off:.0f} points"
        lines = [f"{self.declined:,} of {self.rows:,} applications are below {cut}; {len(self.told):,} explained"]
        for i, (key, told) in enumerate(list(zip(self.keys, self.told, strict=True))[:SHOWN]):
            lines += ["", f"{_name(key)}: {told.points:.0f} points, cut-off {told.cut_off:.0f}"]
            for reason in told.reasons:
                first, *others = (reason.sentences[language] for language in self.languages)
                lines += [f"  {reason.share:4.0f}  {first}", *(f"        {other}" for other in others)]
            lines += [f"        {each.sentences[name]}" for each in self._changes(i) for name in self.languages]
        if len(self.told) > SHOWN:
            lines += ["", f"... and {len(self.told) - SHOWN:,} more"]
        named = Counter(reason.code for told in self.told for reason in told.reasons)
        if named:
            lines += ["", "named most: " + ", ".join(f"{code} ({n:,})" for code, n in named.most_common(6))]
        if bare := sum(not told.reasons for told in self.told):
            lines.append(f"{bare:,} have no reason that is worth half a point: a person has to look at them")
        return "\n".join([*lines, *([f"written to {self.output}"] if self.output else [])])

    def to_json(self) -> Json:
        counts = {"rows": self.rows, "declined": self.declined, "explained": len(self.told), "cut_off": self.cut_off}
        if self.output is not None:
            return {**counts, "output": str(self.output)}
        return {**counts, "applications": self.lines()}

    def lines(self) -> list[dict[str, Json]]:
        """A mapping for each application, as it is written: keys, points, reasons, changes."""
        return [
            {**key, **_line(told.to_json(), self.languages), **self._changed(i)}
            for i, (key, told) in enumerate(zip(self.keys, self.told, strict=True))
        ]

    def _changes(self, i: int) -> tuple[Alternative, ...]:
        return () if self.changes is None else self.changes[i]

    def _changed(self, i: int) -> dict[str, Json]:
        told = [each.to_json() for each in self._changes(i)]
        kept = [{**each, "sentences": {name: each["sentences"][name] for name in self.languages}} for each in told]
        return {} if self.changes is None else {"changes": kept}


def _line(told: Any, languages: tuple[str, ...]) -> dict[str, Json]:
    reasons = [
        {**reason, "sentences": {name: reason["sentences"][name] for name in languages}} for reason in told["reasons"]
    ]
    return {**{name: told[name] for name in ("points", "cut_off", "neutral")}, "reasons": reasons}


def _name(key: dict[str, Json]) -> str:
    return " ".join(map(str, key.values()))


def run(request: ReasonsRequest, report: Callable[[Progress], None]) -> ReasonsResult:
    """Explain the declined rows, and write what was found where that is asked."""
    import numpy as np

    from plait.data.asof import sides
    from plait.data.files import check_file, made_folder
    from plait.desks.credit.reasons.change import alternatives
    from plait.desks.credit.reasons.decided import Decided
    from plait.desks.credit.reasons.find import reasons_of
    from plait.desks.credit.reasons.settings import LANGUAGES
    from plait.metrics.shown import plain

    output, model, frame = request.output, request.model, request.rows.frame
    if output is not None:
        if output.suffix and output.suffix not in ENDINGS:
            raise unknown("kind of file", output.suffix, ("a folder", *ENDINGS))
        check_file(output) if output.suffix else made_folder(output)
    goal = _goal(request)
    report(Progress("scoring", 0, len(frame)))
    decided = Decided.of(model, frame, sides(model.schema, request.rows.sides))
    declined = np.flatnonzero(decided.prediction > goal)
    some = decided.take(declined[: request.first])
    told = reasons_of(
        some, cut_off=goal, most=request.most, places=() if request.without_places else None, report=report
    )
    changes = alternatives(some, cut_off=goal, report=report) if request.changes else None
    named = [name for name in model.schema.names("id") if name in frame.columns]
    keys = plain(some.rows[named].to_dict("records")) if named else [{"row": each.row} for each in told]
    languages = LANGUAGES if request.language == "both" else (request.language,)
    cut_off = float(model.points.of(goal))
    found = ReasonsResult(len(frame), len(declined), cut_off, tuple(keys), told, changes, languages, output)
    if output is not None:
        _write(found, model, output)
    return found


def _goal(request: ReasonsRequest) -> float:
    """Highest log-odds of default that are approved."""
    from scipy.special import logit

    from plait.desks.credit.reasons.neutral import cut_off_of

    said = request.cut_off
    if said is None:
        return cut_off_of(request.model)
    if said <= 0:
        raise ConfigError(f"--cut-off {said:g} is neither a probability between 0 and 1 nor points above 1")
    return float(logit(said)) if said < 1 else request.model.points.log_odds(said)


def _write(found: ReasonsResult, model: CreditModel, output: Path) -> None:
    """JSON lines; in a folder also a letter a row and language, and pictures."""
    import json

    from plait.data.files import made_folder, replacing
    from plait.desks.credit.reasons.letters import file_name, letter
    from plait.desks.credit.reasons.pictures import counted, ladder
    from plait.desks.credit.reasons.sentences import Words
    from plait.report.canvas import save

    with replacing(output if output.suffix else output / LINES) as beside:
        lines = (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in found.lines())
        beside.write_text("".join(lines), "utf-8")
    if output.suffix:
        return
    letters = made_folder(output / "letters")
    for language in found.languages:
        words = Words(language, model.config.reasons)
        for i, (key, told) in enumerate(zip(found.keys, found.told, strict=True)):
            with replacing(letters / file_name(_name(key), language)) as beside:
                beside.write_text(letter(told, found._changes(i), _name(key), words) + "\n", "utf-8")
    if found.told:
        save(counted(found.told, model.config.reasons), output / "reasons.png")
        save(ladder(found.told[0], model.config.reasons), output / "first.png")


OPERATION = Operation(
    name="reasons",
    request=ReasonsRequest,
    run=run,
    summary="Say why applications are declined, specifically and truly, in English and Chinese, and what would change "
    "it.",
    effect="reads",
    policies=("cut-off",),
    example={"model": "runs/credit", "rows": "new.parquet", "output": "reasons"},
)
