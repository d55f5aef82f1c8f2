"""Scorecards as files: JSON that is read back, and SQL that scores rows where they lie."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from plait.data.files import replacing
from plait.desks.credit.scorecard.binned import REST
from plait.desks.credit.scorecard.card import Scorecard, Variable
from plait.errors import ArtifactError, ConfigError

__all__ = ["days_column", "read_scorecard", "to_json", "to_sql", "write_scorecard"]


def days_column(name: str) -> str:
    """The column that SQL reads for a date: days from it to the row's moment, as a number."""
    return f"{name}_days"


def to_sql(scorecard: Scorecard, *, table: str = "applications", keys: Sequence[str] = ()) -> str:
    """One SELECT that gives points, a CASE a variable, in plain standard SQL.

    Names stand in double quotes and texts in single ones, both doubled inside. A missing cell is NULL. Dates have no
    difference in standard SQL: `days_column` says which column must hold it. Text compares as the database compares it.

    Parameters
    ----------
    table
        Where the rows lie.
    keys
        Columns that stand before ``points``.

    Raises
    ------
    ConfigError
        If a name or level holds a character that SQL text cannot.
    """
    cases = [_case(scorecard, each) for each in scorecard.variables]
    dates = [each.name for each in scorecard.variables if each.bins.kind == "days"]
    head = ["-- Points of a scorecard; more points are less risk."]
    for name in dates:
        shown = json.dumps(days_column(name), ensure_ascii=False)
        head.append(f"-- {shown}: days from {json.dumps(name, ensure_ascii=False)} to the row's moment, with fractions")
    columns = "".join(f"  {_name(key)},\n" for key in keys)
    total = "\n  + ".join(cases)
    return "\n".join(head) + f"\nSELECT\n{columns}  {total} AS points\nFROM {_name(table)};\n"


def _case(scorecard: Scorecard, variable: Variable) -> str:
    """Points of a variable's bin, by the first condition that holds."""
    worth = scorecard.bin_points(variable).tolist()
    bins = variable.bins
    column = _name(days_column(variable.name) if bins.kind == "days" else variable.name)
    lines = [f"WHEN {column} IS NULL THEN {worth[-1]!r}"]
    for i, codes in enumerate(bins.special.values(), bins.regular):
        listed = ", ".join(_text(code) if isinstance(code, str) else repr(code) for code in codes)
        lines.append(f"WHEN {column} IN ({listed}) THEN {worth[i]!r}")
    if bins.kind == "levels":
        for i, group in enumerate(bins.groups):
            if named := ", ".join(_text(each) for each in group if each != REST):
                lines.append(f"WHEN {column} IN ({named}) THEN {worth[i]!r}")
        last = worth[bins.of_others]
    else:
        lines += [f"WHEN {column} < {edge!r} THEN {worth[i]!r}" for i, edge in enumerate(bins.edges)]
        last = worth[bins.regular - 1]
    return "CASE\n    " + "\n    ".join([*lines, f"ELSE {last!r}"]) + "\n  END"


def _name(name: str) -> str:
    return '"' + _checked(name).replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + _checked(text).replace("'", "''") + "'"


def _checked(text: str) -> str:
    if "\0" in text:
        raise ConfigError(f"SQL cannot hold {text!r}: it has a zero character; rename it, or export JSON")
    return text


def to_json(scorecard: Scorecard) -> str:
    """The scorecard as JSON text, every digit kept; `read_scorecard` reads it."""
    return json.dumps(scorecard.to_json(), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def write_scorecard(scorecard: Scorecard, path: str | Path, form: str, *, keys: Sequence[str] = ()) -> None:
    """Write it as ``"json"`` or ``"sql"``; the file appears whole or not at all."""
    text = to_json(scorecard) if form == "json" else to_sql(scorecard, keys=keys)
    with replacing(path) as beside:
        beside.write_text(text, "utf-8")


def read_scorecard(path: str | Path) -> Scorecard:
    """The scorecard in a file of JSON.

    Raises
    ------
    ArtifactError
        If there is none, or it is damaged or newer.
    """
    try:
        said = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ArtifactError(f"cannot read the scorecard {str(path)!r}: {error.strerror}") from None
    except ValueError:
        raise ArtifactError(f"{str(path)!r} is no JSON; name a scorecard.json or a run's folder") from None
    return Scorecard.from_json(said)
