"""What verbs ask of a frame and its schema: the schema itself, the target, the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.errors import DataError, SchemaError, unknown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from plait.cli.screen import Screen
    from plait.cli.tables import LongTables
    from plait.data.schema import Schema
    from plait.data.stream import Stream

__all__ = ["check_folder", "label_of", "rows_of", "say_faults", "say_ignored", "schema_of", "target_of", "weight_of"]

SHOWN = 8  # kinds of faults that are shown


def rows_of(data: Path, folder: Path | None, encoding: str | None = None, mask_personal: bool = False) -> pd.DataFrame:
    """The rows of a file, with the folder of their paths and how they were read; personal data is masked where asked.

    Raises
    ------
    DataError
        If the file cannot be read, or the folder is none.
    """
    from plait.data.read import read

    check_folder(folder)
    frame = read(data, encoding=encoding, mask=mask_personal)
    if folder is not None:
        frame.attrs["folder"] = str(folder)
    frame.attrs["read"] = {"encoding": encoding, "mask": mask_personal}
    return frame


def check_folder(folder: Path | None) -> None:
    """Is there a folder, where one is named?

    Raises
    ------
    DataError
        If there is none.
    """
    if folder is not None and not folder.is_dir():
        raise DataError(f"--data-folder {folder} is no folder")


def schema_of(frame: pd.DataFrame | Stream, path: Path | None, roles: Mapping[str, Any], tables: LongTables) -> Schema:
    """The schema in the file at `path`, or the inferred one; a role named as an option must not contradict the file.

    It is told where the long tables lie.

    Raises
    ------
    SchemaError
        If a role's column is not there, or option and file differ.
    """
    from plait.data.schema import Schema

    if path is None:
        from plait.cli.stream import sampled

        return tables.placed(Schema.infer(sampled(frame), **roles, sides=tables.keyed()))
    schema = tables.placed(Schema.read(path))
    for option, said in roles.items():
        role = "ignored" if option == "ignore" else option
        wanted = {said} if isinstance(said, str) else set(said or ())
        if strangers := sorted(wanted - set(schema.names(role))):
            raise SchemaError(f"--{role.replace('_', '-')} {strangers[0]} is not what {path} says; change it there")
    return schema


def target_of(frame: pd.DataFrame | Stream, schema: Schema) -> pd.Series[Any]:
    """The target's column.

    Raises
    ------
    SchemaError
        If the schema names none.
    DataError
        If the frame does not have it, has no row, or no value of it.
    """
    if schema.target is None:
        raise SchemaError("no column is the target; `plait fit` is told it by --target, a schema by the role target")
    if schema.target not in frame.columns:
        raise DataError(f"the target is not in the data: {unknown('column', schema.target, frame.columns)}")
    if not len(frame):
        raise DataError("the data has no rows")
    target = frame[schema.target]
    if target.isna().all():
        raise DataError(
            f"the target {schema.target!r} is missing in all {len(target)} rows; give rows whose outcome is known"
        )
    return target


def weight_of(frame: pd.DataFrame | Stream, schema: Schema) -> npt.NDArray[np.float64] | None:
    """The rows' weights, or None where the schema names no such column.

    Raises
    ------
    DataError
        If a weight is no finite number, or negative.
    """
    import numpy as np
    import pandas as pd

    if schema.weight is None:
        return None
    weight = pd.to_numeric(frame[schema.weight], errors="coerce").to_numpy(np.float64)
    if wrong := int((~np.isfinite(weight) | (weight < 0)).sum()):
        raise DataError(
            f"weight column {schema.weight!r} is no finite number of 0 or more in {wrong} row(s); mend them"
        )
    return weight


def label_of(said: str, classes: npt.NDArray[Any]) -> Any:
    """The class whose label reads as it was written on the command line.

    Raises
    ------
    ConfigError
        If there is none.
    """
    by_text = {str(label): label for label in classes.tolist()}
    if said not in by_text:
        raise unknown("class", said, by_text)
    return by_text[said]


def say_faults(screen: Screen, faults: Sequence[Mapping[str, Any]]) -> None:
    """Tell which cells could not be read, and why."""
    for fault in faults[:SHOWN]:
        rows = ", ".join(map(str, fault["rows"])) + (", ..." if fault["cells"] > len(fault["rows"]) else "")
        screen.note(
            f"column {fault['column']!r}: {fault['cells']:,} cell(s) count as missing: {fault['reason']} (row {rows})"
        )
    if rest := sum(fault["cells"] for fault in faults[SHOWN:]):
        screen.note(f"{rest:,} more cell(s) count as missing")


def say_ignored(screen: Screen, columns: Sequence[str]) -> None:
    """Tell which columns of the data the model does not read."""
    if columns:
        shown = ", ".join(columns[:8]) + (", ..." if len(columns) > 8 else "")
        screen.note(f"{len(columns)} column(s) that the model does not know are ignored: {shown}")
