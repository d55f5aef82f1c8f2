"""``plait compare``: two saved models on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.options import AsJson, Data, DataFolder, Encoding, MaskPersonal, SidePaths
from plait.cli.screen import Screen
from plait.cli.tables import long_tables
from plait.errors import SchemaError

if TYPE_CHECKING:
    from plait.data.schema import Schema

__all__ = ["compare"]


def compare(
    model_a: Annotated[Path, typer.Argument(metavar="MODEL_A", help="A model that `plait fit` wrote.")],
    model_b: Annotated[Path, typer.Argument(metavar="MODEL_B", help="The model that it is compared with.")],
    data: Data,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    as_json: AsJson = False,
) -> None:
    """Compare two models on the same rows: better, worse, or cannot tell.

    Paired intervals of every figure's difference, a permutation test of the first, and McNemar's test of classes.
    """
    from plait.cli.rows import rows_of, say_faults, target_of, weight_of
    from plait.data.faults import counted
    from plait.estimators import load_one
    from plait.media.decode import running

    screen = Screen(as_json)
    ours, theirs = load_one(model_a), load_one(model_b)
    schema = ours.schema_
    _same_target(schema, theirs.schema_)
    frame = rows_of(data, data_folder, encoding, mask_personal)
    target = target_of(frame, schema)
    weight = weight_of(frame, schema) if schema.weight in frame.columns else None
    tables = long_tables(side)
    with screen.progress() as report, running(report):
        judged = ours.judge(frame, target, weight, sides=tables.of(schema))
        other = theirs.prediction(frame, sides=tables.of(theirs.schema_))
    say_faults(screen, counted(judged.prediction.faults))
    paired = judged.compare(other, _told_apart(model_a, model_b))
    screen.say(str(paired))
    screen.result({"models": [str(model_a), str(model_b)], **paired.to_json()})


def _same_target(schema: Schema, other: Schema) -> None:
    if schema.target != other.target:
        raise SchemaError(
            f"the models predict different columns, {schema.target!r} and {other.target!r}; compare two of one target"
        )


def _told_apart(first: Path, second: Path) -> tuple[str, str]:
    """The shortest ends of two paths that differ; ``A`` and ``B`` where none do."""
    one, other = first.resolve().parts, second.resolve().parts
    for count in range(1, max(len(one), len(other)) + 1):
        if one[-count:] != other[-count:]:
            return one[-count], other[-count]
    return "A", "B"
