"""Arguments that several verbs take, and what is written in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from plait.errors import ConfigError

__all__ = [
    "AsJson",
    "Data",
    "DataFolder",
    "Encoding",
    "Group",
    "Ignore",
    "Jobs",
    "LabelTime",
    "MaskPersonal",
    "Model",
    "Output",
    "SchemaFile",
    "Seed",
    "Sensitive",
    "SidePaths",
    "Target",
    "Targets",
    "Time",
    "Weight",
    "keyed",
    "names",
    "part_options",
    "valued",
]

Data: TypeAlias = Annotated[
    Path, typer.Argument(metavar="DATA", help="A CSV, TSV, JSONL, Parquet or Arrow file, or a folder of such files.")
]
DataFolder: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where files named in cells lie; by default the folder of the data."),
]
Encoding: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of text files, such as gb18030, cp1252 or utf-16; by default UTF-8.")
]
MaskPersonal: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--mask-personal",
        help="Replace names, identities, cards, phones, mails and addresses on reading, as by [card].",
    ),
]
Model: TypeAlias = Annotated[Path, typer.Argument(metavar="MODEL", help="A model that `plait fit` wrote.")]
Target: TypeAlias = Annotated[str | None, typer.Option(metavar="COLUMN", help="What to predict.")]
Targets: TypeAlias = Annotated[
    list[str] | None, typer.Option("--target", metavar="COLUMN", help="What to predict; several: one each time.")
]
Time: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="The moment of a row: past to fit, future to judge.")
]
LabelTime: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="When a row's outcome became known; needs --time.")
]
Group: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Rows that agree in it stay on one side of every split.")
]
Weight: TypeAlias = Annotated[str | None, typer.Option(metavar="COLUMN", help="How much a row counts.")]
Ignore: TypeAlias = Annotated[list[str] | None, typer.Option(metavar="C,...", help="Columns to leave out.")]
Sensitive: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="C,...", help="Columns to keep for fairness checks, never to learn from.")
]
SchemaFile: TypeAlias = Annotated[
    Path | None, typer.Option("--schema", metavar="FILE", help="What each column is, as YAML; instead of inference.")
]
SidePaths: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--side",
        metavar="NAME=FILE",
        help="A long table beside the rows; without a schema also its key and time: NAME=FILE,key=COLUMN,time=COLUMN.",
    ),
]
Output: TypeAlias = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder for what is written.")
]
Seed: TypeAlias = Annotated[int, typer.Option(help="Same seed, same result.", min=0, max=2**32 - 1)]
Jobs: TypeAlias = Annotated[int | None, typer.Option(metavar="N", help="Threads; by default every core it may use.")]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="One JSON object on standard output; all else goes to standard error.")
]


def names(listed: Sequence[str] | None) -> tuple[str, ...]:
    """Column names of a repeatable option with commas: ``["a,b", "c"]`` is ``("a", "b", "c")``."""
    return tuple(name.strip() for entry in listed or () for name in entry.split(",") if name.strip())


def keyed(what: str, given: Sequence[str] | None) -> dict[str, str]:
    """``NAME=VALUE`` entries of a repeatable option.

    Raises
    ------
    ConfigError
        If an entry lacks its name, ``=`` or value, or a name comes twice.
    """
    found: dict[str, str] = {}
    for entry in given or ():
        name, _, value = entry.partition("=")
        if not name or not value:
            raise ConfigError(f"{what} {entry!r} is not NAME=VALUE")
        if name in found:
            raise ConfigError(f"{what} {name!r} is given twice")
        found[name] = value
    return found


def part_options(given: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    """``part.option=value`` entries by part; a value is read as YAML, so numbers, booleans and lists can be written.

    Raises
    ------
    ConfigError
        If an entry has no part, option or value, or the value is no YAML.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, text in keyed("option", given).items():
        part, _, option = name.partition(".")
        if not part or not option:
            raise ConfigError(f"option {name!r} is not PART.OPTION, as in lightgbm.leaves=31; see `plait list`")
        found.setdefault(part, {})[option] = valued(f"option {name!r}", text)
    return found


def valued(what: str, text: str) -> Any:
    """A value that is written as YAML.

    Raises
    ------
    ConfigError
        If it is none.
    """
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"{what}: the value {text!r} cannot be read; quote it") from None
    plain = isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]+e[-+]?[0-9]+", text)  # 1e-3 is text to YAML 1.1
    return float(text) if plain else value
