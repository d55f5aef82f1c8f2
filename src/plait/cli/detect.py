"""``plait detect``: odd rows of a file, without labels, within a budget of alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plait.cli.options import (
    AsJson,
    Data,
    DataFolder,
    Encoding,
    Group,
    Ignore,
    Jobs,
    MaskPersonal,
    Output,
    SchemaFile,
    Seed,
    SidePaths,
    Time,
    names,
    part_options,
)
from plait.cli.screen import Screen
from plait.cli.shown import show_sources
from plait.cli.tables import long_tables
from plait.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Json, Side, Source
    from plait.estimators import Detector
    from plait.estimators.odd import Odd

__all__ = ["detect"]

MODEL, SCORES, RECORD, PICTURE = "model.plait", "scores.parquet", "detection.json", "detection.png"
LISTED = 10  # of the oddest rows


def detect(
    data: Data,
    output: Output = None,
    model: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Score by what `plait detect` fitted before, and fit nothing.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="1%", help="Share of new rows that may alert, or `50 a day` (needs --time). Default: 5%."),
    ] = None,
    detector: Annotated[
        list[str] | None, typer.Option(metavar="NAME,...", help="Of `plait list detectors`; by default all of ours.")
    ] = None,
    option: Annotated[list[str] | None, typer.Option(metavar="PART.OPTION=VALUE", help="Option of a detector.")] = None,
    time: Time = None,
    group: Group = None,
    ignore: Ignore = None,
    schema_file: SchemaFile = None,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be looked at; write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find odd rows, without labels.

    Learns what is usual and scores all rows of the file, or scores them by a model that did so before. Writes
    scores.parquet (a row each, with what makes it odd), detection.json, a picture, and model.plait where it was fitted.
    """
    from plait.cli.rows import rows_of, say_faults, say_ignored
    from plait.data.faults import counted
    from plait.data.files import made_folder

    screen = Screen(as_json)
    roles = {"time": time, "group": group, "ignore": names(ignore)}
    told = {"budget": budget, "detector": detector, "option": option, "schema": schema_file, **roles}
    if model is not None and (said := next((name for name, value in told.items() if value), None)):
        raise ConfigError(f"--{said} is known to the model; leave it out, or fit anew without --model")
    if output is None and not dry_run:
        raise ConfigError("nowhere to write to; name a folder (-o), or look only (--dry-run)")
    frame = rows_of(data, data_folder, encoding, mask_personal)
    asked = _Asked(model, budget, names(detector), part_options(option), roles, schema_file, side, seed, jobs)
    fitted, sources, sides = asked.detector(frame)
    columns = show_sources(screen, f"{data}: {len(frame):,} rows", sources)
    if output is None or dry_run:
        screen.result({"dry_run": True, "rows": len(frame), "sources": columns})
        return
    if model is None:
        with screen.progress() as progress:
            fitted.fit(frame, sides=sides, progress=progress)
    else:
        say_ignored(screen, fitted.ignored_columns(frame))
    found = fitted.explain(frame, sides=sides)
    say_faults(screen, counted(fault for odd in found for fault in odd.faults))
    record = _record(data, fitted, found)
    _show(screen, record, found)
    folder = made_folder(output)
    if model is None:
        fitted.save(folder / MODEL)
    written = _write(folder, fitted, found, frame, record)
    screen.heading(f"written to {output}: {', '.join([*([MODEL] if model is None else []), *written])}")
    screen.result(record)


@dataclass(frozen=True)
class _Asked:
    """What the command line says of the detector."""

    model: Path | None
    budget: str | None
    detectors: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]]
    roles: Mapping[str, Any]
    schema_file: Path | None
    side: Sequence[str] | None
    seed: int
    jobs: int | None

    def detector(self, frame: pd.DataFrame) -> tuple[Detector, tuple[Source, ...], Mapping[str, Side]]:
        """The detector, fitted already or not, its sources, and the long tables of the rows."""
        from plait.cli.rows import schema_of
        from plait.estimators import Detector, load

        tables = long_tables(self.side)
        if self.model is not None:
            loaded = load(self.model)
            if not isinstance(loaded, Detector):
                raise ConfigError(f"{self.model} predicts a target and finds no odd rows; give what plait detect wrote")
            return loaded, loaded.schema_.sources, tables.of(loaded.schema_)
        schema = schema_of(frame, self.schema_file, self.roles, tables)
        made = Detector(
            schema=schema,
            budget=self.budget or 0.05,
            options=self.options or None,
            n_jobs=self.jobs,
            random_state=self.seed,
        )
        if self.detectors:
            made.set_params(detectors=self.detectors)
        made.check()
        return made, schema.sources, tables.of(schema)


def _record(data: Path, fitted: Detector, found: Sequence[Odd]) -> dict[str, Json]:
    """What was found, for a program; the oddest rows first."""
    oddest = sorted(found, key=lambda odd: -odd.score)[:LISTED]
    return {
        "data": str(data),
        "rows": len(found),
        "alerts": sum(odd.alert for odd in found),
        "alarm": fitted.record_["alarm"],
        "detectors": list(fitted.model_.detectors),
        "oddest": [odd.to_json() for odd in oddest],
        "fit": dict(fitted.record_),
    }


def _show(screen: Screen, record: Mapping[str, Json], found: Sequence[Odd]) -> None:
    alarm = record["alarm"]
    screen.heading(f"{record['alerts']:,} of {record['rows']:,} rows alert (score above {alarm['threshold']:.2f})")
    between = f"{alarm['low']:.2%} to {alarm['high']:.2%}"
    screen.say(
        f"of new rows {alarm['promised']:.2%} are to alert, {between} given the {alarm['rows']:,} rows that the "
        "threshold was learned on"
    )
    if alarm["short"]:
        screen.note(f"{alarm['rows']:,} rows held out are too few for {alarm['asked']:.2%}; more will alert")
    oddest = sorted(found, key=lambda odd: -odd.score)[:LISTED]
    rows = [(odd.row, f"{odd.score:.2f}", f"{odd.p_value:.3g}", odd.text) for odd in oddest]
    screen.table([("row", "score", "p", "because"), *rows])


def _write(
    folder: Path, fitted: Detector, found: Sequence[Odd], frame: pd.DataFrame, record: Mapping[str, Json]
) -> list[str]:
    """The scores and reasons of all rows, what was found, and a picture of it; the names of the files."""
    import json

    import pandas as pd

    from plait.data.files import replacing
    from plait.data.read import write_frame
    from plait.report.odd import draw_odd

    carried = [n for n in (*fitted.schema_.names("id"), *fitted.schema_.names("time")) if n in frame.columns]
    columns = {
        "row": [odd.row for odd in found],
        **{name: frame[name].to_numpy() for name in carried},
        "score": [odd.score for odd in found],
        "p_value": [odd.p_value for odd in found],
        "alert": [odd.alert for odd in found],
        **{f"share_{name}": [odd.sources[name] for odd in found] for name in fitted.model_.rooms},
        "because": [odd.text for odd in found],
    }
    write_frame(pd.DataFrame(columns), folder / SCORES)
    with replacing(folder / RECORD) as path:
        path.write_text(json.dumps(record, ensure_ascii=False, indent=1), "utf-8")
    time = fitted.schema_.time
    draw_odd(found, fitted.model_.alarm.threshold, folder / PICTURE, frame[time] if time in frame.columns else None)
    return [SCORES, RECORD, PICTURE]
