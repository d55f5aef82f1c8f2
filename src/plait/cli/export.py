"""``plait export``: a model as a folder that runs on numpy and ONNX Runtime alone, and the package that runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.options import AsJson, DataFolder, SidePaths
from plait.cli.screen import Screen
from plait.cli.tables import long_tables
from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    from plait.export import Exported, Plan

__all__ = ["export"]

FORMATS = ("onnx",)


def export(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PATH", help="A folder to be, or a file ending in .zip.")
    ],
    model: Annotated[
        Path | None, typer.Argument(metavar="MODEL", help="A model that `plait fit` wrote.", show_default=False)
    ] = None,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="onnx: graphs of boosters and networks.")] = "onnx",
    rows: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Real rows to compare on; by default made ones.")
    ] = None,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    int8: Annotated[bool, typer.Option("--int8", help="Round the weights of networks to eight bits.")] = False,
    runtime: Annotated[
        bool, typer.Option("--runtime", help="Write the wheel of plait_edge: without MODEL into -o, else beside it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written and what cannot.")] = False,
    as_json: AsJson = False,
) -> None:
    """Export a model to where there is little room: numpy and ONNX Runtime, without torch, scikit-learn and pandas.

    It is compared with the model on the same rows, at once, one by one and with sources hidden, and written only if the
    answers differ by at most 1e-4. `plait_edge.load(PATH).predict([{...}])` asks it.
    """
    from plait.estimators import load
    from plait.export import build, plan
    from plait.export import export as exported

    screen = Screen(as_json)
    if to not in FORMATS:
        raise unknown("format to export to", to, FORMATS)
    if model is None:
        if not runtime or rows or side or int8 or dry_run:
            raise ConfigError("name the MODEL to export; without one, only --runtime -o FOLDER can be asked for")
        wheel = build(output)
        screen.say(f"{wheel} ({wheel.stat().st_size / 1e3:,.0f} kB)")
        screen.result({"wheel": str(wheel)})
        return
    estimator = load(model)
    planned = plan(estimator, int8=int8)
    if dry_run:
        _say_plan(screen, planned, output)
        screen.result({"path": str(output), **planned.to_json()})
        return
    frame = None if rows is None else _read(rows, data_folder)
    tables = long_tables(side).of(estimator.schema_) if not planned.refused else {}
    made = exported(estimator, output, rows=frame, sides=tables, int8=int8)
    _say(screen, made)
    wheel_path = str(build(output.resolve().parent)) if runtime else None
    if wheel_path is not None:
        screen.say(f"runtime: {wheel_path}")
    screen.result({**made.to_json(), "wheel": wheel_path})


def _read(path: Path, folder: Path | None) -> object:
    from plait.data.read import read

    frame = read(path)
    if folder is not None:
        frame.attrs["folder"] = str(folder)
    return frame


def _say_plan(screen: Screen, planned: Plan, output: Path) -> None:
    if planned.refused:
        screen.say("nothing would be written:")
    else:
        read = ", ".join(f"{name} ({modality})" for name, modality in planned.sources.items())
        screen.say(f"{output}: {planned.fusion} over {read}")
    for line in planned.refused:
        screen.say(f"  cannot be exported: {line}")
    for line in planned.left_out:
        screen.say(f"  left out: {line}")


def _say(screen: Screen, made: Exported) -> None:
    parity, (ours, slow), (theirs, _) = made.parity, made.speed.exported, made.speed.eager
    screen.say(f"{made.path}: {made.size / 1e6:.2f} MB")
    screen.say(f"largest difference over {parity.count:,} rows: {parity.most:.1e}")
    if made.rounded is not None:
        screen.say(f"with weights in int8: {made.rounded:.1e}")
    screen.say(f"one row: p50 {ours:.2f} ms, p99 {slow:.2f} ms; the model itself: p50 {theirs:.2f} ms")
    for line in made.plan.left_out:
        screen.say(f"left out: {line}")
