"""How reasons are told: names of columns, codes of a lender, and what an applicant cannot change."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Self

from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    from plait.contracts import Json

__all__ = ["DIRECTIONS", "LANGUAGES", "STEPS", "Label", "ReasonSettings", "readable"]

LANGUAGES = ("en", "zh")
DIRECTIONS = ("up", "down")
STEPS = ("day", "week", "month", "quarter", "year")
MOST = 8  # reasons that may be asked for: a longer list hides the principal ones


@dataclass(frozen=True)
class Label:
    """What a column is called where people read it.

    Parameters
    ----------
    en, zh
        Its name; "" is made from the column's own.
    unit
        Stands right behind its numbers, ``"%"``, say.
    step
        What one step of a history is: ``"day"``, ``"week"``, ``"month"``, ``"quarter"``, ``"year"``, or "".
    """

    en: str = ""
    zh: str = ""
    unit: str = ""
    step: str = ""

    @classmethod
    def of(cls, column: str, said: Json) -> Self:
        """A name for all languages, or a mapping.

        Raises
        ------
        ConfigError
            If it is neither, a key is unknown, or the step is.
        """
        if isinstance(said, str):
            return cls(said, said)
        names = tuple(each.name for each in fields(cls))
        if not isinstance(said, Mapping) or not all(isinstance(value, str) for value in said.values()):
            raise ConfigError(f"reasons: label of {column!r} is {said!r}; give a name, or texts by {', '.join(names)}")
        for name in said:
            if name not in names:
                raise unknown(f"key in reasons, label of {column!r},", name, names)
        if said.get("step", "") not in ("", *STEPS):
            raise unknown(f"step in reasons, label of {column!r},", said["step"], STEPS)
        return cls(**said)


@dataclass(frozen=True)
class ReasonSettings:
    """The section ``reasons:`` of a ``credit.yaml``.

    Parameters
    ----------
    most
        Reasons named at most, 1 to 8. Regulation B's commentary (12 CFR 1002.9(b)(2), comment 1) holds that more than
        four are not likely to help an applicant.
    labels
        Column to what it is called.
    codes
        Column (or source) to the code of its reason: one of `texts`, or of the sample reasons of Regulation B,
        Appendix C, form C-1 (``languages/en.yaml`` lists them). Columns of one code are one reason.
    texts
        Codes of the lender's own, each with its general text by language.
    fixed
        Columns that no applicant can change. Those whose code tells of the past are fixed anyway.
    one_way
        Columns that can only rise (``"up"``) or fall (``"down"``).
    twins
        Correlation, 0..1, from which two columns say the same and are told as one reason.

    Raises
    ------
    ConfigError
        If a value is out of range or of a wrong kind.
    """

    most: int = 4
    labels: Mapping[str, Label] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, Label] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    one_way: Mapping[str, str] = field(default_factory=dict)
    twins: float = 0.9

    def __post_init__(self) -> None:
        if not isinstance(self.most, int) or isinstance(self.most, bool) or not 1 <= self.most <= MOST:
            raise ConfigError(f"reasons: most={self.most!r} is out of range (allowed: 1 to {MOST})")
        if not isinstance(self.twins, int | float) or not 0 < self.twins <= 1:
            raise ConfigError(f"reasons: twins={self.twins!r} is out of range (allowed: above 0 to 1)")
        for column, direction in self.one_way.items():
            if direction not in DIRECTIONS:
                raise unknown(f"direction of {column!r} in reasons", direction, DIRECTIONS)

    @classmethod
    def of(cls, said: Mapping[str, Json]) -> Self:
        """Understand the section.

        Raises
        ------
        ConfigError
            If a key is unknown, or what it says is not allowed.
        """
        known = tuple(each.name for each in fields(cls))
        for name in said:
            if name not in known:
                raise unknown("setting in reasons", name, known)
        kept = dict(said)
        for name in ("labels", "texts"):
            kept[name] = {column: Label.of(column, own) for column, own in _mapping(name, said).items()}
        for name in ("codes", "one_way"):
            kept[name] = {column: _text(name, column, own) for column, own in _mapping(name, said).items()}
        fixed = said.get("fixed", ())
        if isinstance(fixed, str) or not isinstance(fixed, list | tuple):
            raise ConfigError(f"reasons: fixed is {fixed!r}; give a list of columns")
        return cls(**{**kept, "fixed": tuple(map(str, fixed))})

    def check(self, columns: Collection[str]) -> None:
        """Refuse settings for columns that a model does not read.

        Raises
        ------
        ConfigError
            If there is one.
        """
        for name in ("labels", "codes", "fixed", "one_way"):
            for column in getattr(self, name):
                if column not in columns:
                    raise unknown(f"column in reasons, {name},", column, columns)

    def name(self, column: str, language: str) -> str:
        """What a column is called in a language."""
        said = getattr(self.labels.get(column), language, "")
        return str(said) or readable(column)


def readable(name: str) -> str:
    """A column's name as words: ``months_sinceDelinq`` becomes ``Months since delinq``."""
    words = [word for part in name.replace("-", "_").split("_") for word in _humps(part)]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]]) if words else name


def _humps(part: str) -> Iterator[str]:
    """Words that are told apart by capitals; a word all in capitals stays."""
    start = 0
    for i in range(1, len(part)):
        if part[i].isupper() and part[i - 1].islower():
            yield part[start:i] if start == 0 else part[start:i].lower()
            start = i
    if part:
        yield part if start == 0 else part[start:].lower()


def _mapping(name: str, said: Mapping[str, Json]) -> Mapping[str, Json]:
    own = said.get(name, {})
    if not isinstance(own, Mapping):
        raise ConfigError(f"reasons: {name} is {own!r}; give columns with what is said of each")
    return {str(column): value for column, value in own.items()}


def _text(name: str, column: str, value: Json) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"reasons: {name} of {column!r} is {value!r}; give a text")
    return value
