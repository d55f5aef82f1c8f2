"""Dates and times written as text: one reading of them, the same for frames and for plain cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from plait.errors import DataError

__all__ = ["FORMATS", "read_dates"]

FORMATS = (  # besides ISO 8601, in the codes of strptime
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d-%b-%Y",
    "%b-%Y",
    "%b-%y",
    "%d %b %Y",
    "%b %d, %Y",
    "%Y年%m月%d日",
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
SAMPLE = 50  # texts that a format is tried on before it is tried on all
YEARS = range(1678, 2262)  # of which 64 bits hold every nanosecond, as frames count them
CODES = {
    "%Y": r"(?P<year>\d{4})",
    "%y": r"(?P<short>\d\d)",
    "%m": r"(?P<month>\d\d?)",
    "%b": rf"(?P<name>{'|'.join(MONTHS)})",
    "%d": r"(?P<day>\d\d?)",
    "%H": r"(?P<hour>\d\d?)",
    "%M": r"(?P<minute>\d\d?)",
    "%S": r"(?P<second>\d\d?)",
}
ISO = re.compile(
    r"(\d{4})(?:(\d\d)(\d\d)|([-/. ])(\d\d?)(?:\4(\d\d?))?)?"
    r"(?:[T ](?:(\d\d)(\d\d)(\d\d)?|(\d\d?)(?::(\d\d?)(?::(\d\d?))?)?)(?:\.(\d*))?(?: ?(Z|[+-]\d\d(?::?\d\d)?))?)?",
    re.ASCII,
)


def read_dates(texts: Sequence[str], name: str) -> npt.NDArray[np.datetime64]:
    """Moments of texts that are all in one format: ISO 8601 (also with other separators), or one of `FORMATS`.

    Parameters
    ----------
    texts
        Without spaces around them. Months in words are English, whatever the locale; what follows microseconds is cut.
    name
        What to call the column in errors.

    Returns
    -------
    numpy.ndarray
        datetime64[ns] ``N``, in UTC; a text without a zone is taken to be in UTC, whatever its neighbours are.

    Raises
    ------
    DataError
        If a text does not parse (the first is shown), or if day and month cannot be told apart.
    """
    known = list(dict.fromkeys(texts))
    found = [_iso(text) for text in known]
    if None in found:
        found = _in_one_format(known, found, name)
    by_text = dict(zip(known, found, strict=True))
    return np.array([by_text[text] for text in texts], "datetime64[us]").astype("datetime64[ns]")


def _in_one_format(texts: Sequence[str], iso: Sequence[datetime | None], name: str) -> list[datetime | None]:
    """All texts under the one format that reads them; all readings alike if there are several."""
    some = {form: sum(_by(form, text) is not None for text in texts[:SAMPLE]) for form in FORMATS}
    likely = max(some, key=lambda form: some[form])
    full = {form: [_by(form, text) for text in texts] for form in FORMATS if some[form] == some[likely]}
    fits = [found for found in full.values() if None not in found]
    if not fits:
        first = texts[(full[likely] if some[likely] else iso).index(None)]
        raise DataError(
            f"time column {name!r}: {first[:40]!r} does not parse as a date; "
            "use one format in all rows, best 2011-07-01 or 2011-07-01 12:30:00"
        )
    for one, other in combinations(fits, 2):
        if one != other:
            raise DataError(
                f"time column {name!r}: {texts[0][:40]!r} may be day-month or month-day; write dates as 2011-07-01"
            )
    return fits[0]


def _iso(text: str) -> datetime | None:
    found = ISO.fullmatch(text)
    if found is None:
        return None
    year, month, day, _, month_, day_, *clock, fraction, zone = found.groups()
    hour, minute, second = (one or other for one, other in zip(clock[:3], clock[3:], strict=True))
    if (hour and not (day or day_)) or (fraction is not None and not second):
        return None
    micros = (fraction or "")[:6].ljust(6, "0")
    moment = _moment(year, month or month_, day or day_, hour, minute, second, micros)
    return moment if moment is None or zone in (None, "Z") else _in_utc(moment, zone)


def _in_utc(moment: datetime, zone: str) -> datetime | None:
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        return None
    shift = timedelta(hours=hours, minutes=minutes)
    return moment + shift if zone[0] == "-" else moment - shift


@cache
def _pattern(form: str) -> re.Pattern[str]:
    written = re.sub("%[A-Za-z]", lambda code: CODES[code[0]], form.replace(".", r"\."))
    return re.compile(written, re.ASCII | re.IGNORECASE)


def _by(form: str, text: str) -> datetime | None:
    found = _pattern(form).fullmatch(text)
    if found is None:
        return None
    told = found.groupdict()
    if "short" in told:  # as POSIX has it: 69 is 1969, 68 is 2068
        told["year"] = f"{19 if told['short'] >= '69' else 20}{told['short']}"
    if "name" in told:
        told["month"] = str(1 + MONTHS.index(told["name"].lower()))
    return _moment(*(told.get(part) for part in ("year", "month", "day", "hour", "minute", "second")))


def _moment(
    year: str | None,
    month: str | None,
    day: str | None,
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None = None,
) -> datetime | None:
    """What is not said is the start; a day or an hour that does not exist is None."""
    parts = [int(part or least) for part, least in ((year, 0), (month, 1), (day, 1))]
    clock = [int(part or 0) for part in (hour, minute, second, fraction)]
    if parts[0] not in YEARS:
        return None
    try:
        return datetime(*parts, *clock)  # type: ignore[arg-type]
    except ValueError:
        return None
