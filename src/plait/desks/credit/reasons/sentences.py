"""Reasons and changes in words, in English and Chinese, from the applicant's own cells; one table a language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, reduce
from importlib.resources import files
from typing import Any

import numpy as np

from plait.contracts import Place
from plait.desks.credit.reasons.settings import ReasonSettings
from plait.errors import unknown
from plait.explain import words
from plait.explain.explanation import CellShares
from plait.report import words as report_words

__all__ = ["Words", "check_codes", "past"]

SMALL = 100.0  # numbers under it are told with digits behind the point
DIGITS = 2


class Words:
    """What is said of reasons in one language.

    Parameters
    ----------
    language
        ``"en"`` or ``"zh"``.
    settings
        Names of columns, and general texts of codes.

    Raises
    ------
    ConfigError
        If there is no table for the language.
    """

    def __init__(self, language: str, settings: ReasonSettings) -> None:
        self.language = language
        self.settings = settings
        self._words = report_words.Words(language, "plait.desks.credit.reasons")

    def say(self, key: str, **values: Any) -> str:
        """The words at `key` of the language's table, with values put in."""
        return self._words(key, **values)

    def listed(self, names: Sequence[str]) -> str:
        """Names in a row."""
        *before, last = names
        if not before:
            return last
        first = reduce(lambda one, other: self.say("told.pair", one=one, other=other), before)
        return self.say("told.two", one=first, other=last)

    def name(self, column: str) -> str:
        return self.settings.name(column, self.language)

    def column(self, column: str, value: object, reference: object) -> str:
        """What a cell is beside what approved applicants typically have; None stands for a missing one."""
        name, (told, typical) = self.name(column), self._both(column, value, reference)
        if value is None:
            return self.say("told.absent", name=name, reference=typical)
        if reference is None:
            return self.say("told.given", name=name, value=told)
        said = {"name": name, "value": told, "reference": typical}
        if isinstance(value, np.datetime64):
            return self.say("told.later" if value > np.datetime64(str(reference)) else "told.earlier", **said)
        if isinstance(value, str | bool) or isinstance(reference, str | bool):
            return self.say("told.other", **said)
        return self.say("told.above" if value > reference else "told.below", **said)  # type: ignore[operator]  # numbers

    def source(self, source: str, column: str, present: bool, found: CellShares | None, places: Sequence[Place]) -> str:
        """What a source of its own tells, and where."""
        name = self.name(column if source not in self.settings.labels else source)
        if not present:
            return self.say("told.missing", name=name)
        if found is None or not places:
            return self.say("told.whole", name=name)
        return self.say("told.inside", name=name, places=self.listed([self.place(column, p, found) for p in places]))

    def place(self, column: str, place: Place, found: CellShares) -> str:
        """A place inside a cell; steps of a history by what the lender calls them."""
        step = getattr(self.settings.labels.get(column), "step", "")
        if place.kind != "steps" or not step:
            return words.LANGUAGES[self.language].place(place, found)
        first, last = int(place.where[0]) + 1, int(place.where[1])
        return self.say(
            "told.step" if first == last else "told.steps", unit=self.say(f"period.{step}"), first=first, last=last
        )

    def sentence(self, code: str, told: str, beside: Sequence[str] = ()) -> str:
        """A reason as a whole: the general text of its code, if it has one, then what was seen."""
        if beside:
            told = self.say("told.beside", told=told, names=self.listed([self.name(column) for column in beside]))
        text = getattr(self.settings.texts.get(code), self.language, "") or _codes().get(code, {}).get(self.language)
        return self.say("told.stop", told=self.say("told.coded", text=text, told=told) if text else told)

    def change(self, changes: Sequence[tuple[str, object, object]]) -> str:
        """What would have to be otherwise: columns with their cells before and after."""
        clauses = []
        for column, before, after in changes:
            was, becomes = self._both(column, before, after)
            key = "told.from_nothing" if before is None else "told.from"
            name = self.name(column)
            if self.language == "en":
                name = f"{name[:1].lower()}{name[1:]}" if not name[1:2].isupper() else name
            clauses.append(self.say(key, name=name, before=was, after=becomes))
        return self.say("told.change", changes=self.listed(clauses))

    def _both(self, column: str, one: object, other: object) -> tuple[str, str]:
        """Two cells of a column, numbers with digits enough to be told apart."""
        told = "", ""
        for digits in range(DIGITS, 9):
            told = self._shown(column, one, digits), self._shown(column, other, digits)
            if one == other or told[0] != told[1]:
                break
        return told

    def _shown(self, column: str, value: object, digits: int) -> str:
        if isinstance(value, bool):
            return self.say("answer.yes" if value else "answer.no")
        if isinstance(value, np.datetime64):
            return str(value)[:10]
        if isinstance(value, int | float):
            unit = getattr(self.settings.labels.get(column), "unit", "")
            return _number(float(value), digits if abs(value) < SMALL else digits - DIGITS) + unit
        return "" if value is None else str(value)


def past(code: str | None) -> bool:
    """Whether a code of Regulation B tells of what has happened, which nobody can undo."""
    return bool(_codes().get(code or "", {}).get("past", False))


def check_codes(settings: ReasonSettings) -> None:
    """Refuse a code that has no text.

    Raises
    ------
    ConfigError
        If there is one: neither a sample reason of Regulation B, nor one of the lender's own `texts`.
    """
    known = {*_codes(), *settings.texts}
    for column, code in settings.codes.items():
        if code not in known:
            raise unknown(f"code of {column!r} in reasons (texts: {{CODE: ...}} adds one)", code, known)


def _number(value: float, digits: int) -> str:
    text = f"{value:,.{max(digits, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@cache
def _codes() -> Mapping[str, Mapping[str, Any]]:
    """The sample reasons of Regulation B: texts by language, and whether each tells of the past."""
    import yaml

    told = files("plait.desks.credit.reasons").joinpath("languages/codes.yaml").read_text("utf-8")
    read: dict[str, Any] = yaml.safe_load(told)
    return read
