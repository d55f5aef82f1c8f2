"""Columns that must not decide about a person's credit, known by their names and by what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Self

import numpy as np

from plait.contracts import Json
from plait.data.frame import column
from plait.data.schema import Schema
from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REGIONS", "Blocked", "ProhibitedSettings", "Rule", "check_columns", "refuse_prohibited"]

REGIONS = ("us", "eu", "china")
KEYS = ("regions", "allow", "block")
LOOKED_AT = 5_000  # cells of a column that its contents are judged by
SHARE = 0.95  # of them that must be of a kind
LONGEST = 40  # characters beyond which a cell is prose, not a category
PAIRS = ({"m", "f"}, {"男", "女"})  # letters that tell only together
FILLERS = frozenset(["other", "others", "unknown", "undocumented", "na", "n/a", "none", "x", "未知", "其他", "不详"])


@dataclass(frozen=True)
class ProhibitedSettings:
    """The section ``prohibited`` of a credit.yaml.

    Parameters
    ----------
    regions
        Whose rules hold: of ``us``, ``eu``, ``china``.
    allow
        Column to the reason why it may decide all the same; kept with the model.
    block
        Further columns that must not decide, with the reason.
    """

    regions: tuple[str, ...] = REGIONS
    allow: Mapping[str, str] = field(default_factory=dict)
    block: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, said: Mapping[str, Json]) -> Self:
        """Read the section.

        Raises
        ------
        ConfigError
            If a key or region is unknown, or a reason is no words.
        """
        for key in said:
            if key not in KEYS:
                raise unknown("key of prohibited", key, KEYS)
        listed = said.get("regions", REGIONS)
        regions = (listed,) if isinstance(listed, str) else listed
        if not isinstance(regions, list | tuple) or not regions:
            raise ConfigError(f"prohibited: regions takes one or more of {', '.join(REGIONS)}, not {listed!r}")
        for region in regions:
            if region not in REGIONS:
                raise unknown("region", region, REGIONS)
        return cls(tuple(regions), *(_reasons(name, said.get(name) or {}) for name in ("allow", "block")))

    def to_json(self) -> Json:
        return {"regions": list(self.regions), "allow": dict(self.allow), "block": dict(self.block)}


def _reasons(name: str, said: object) -> dict[str, str]:
    """Column to reason; a list, or a column without words, is a mistake."""
    if not isinstance(said, Mapping):
        raise ConfigError(f"prohibited: {name} takes columns with reasons, as in {{age: why it is lawful}}")
    for column_name, why in said.items():
        if not isinstance(why, str) or not why.strip():
            raise ConfigError(f"prohibited: {name}: {column_name!r} needs a reason in words")
    return {str(key): str(why) for key, why in said.items()}


@dataclass(frozen=True)
class Rule:
    """A demand of the law in our own words, and where it stands; ``check``: have counsel look at it."""

    id: str
    region: str
    source: str
    check: bool
    says: Mapping[str, str]


@dataclass(frozen=True)
class Blocked:
    """A column that must not decide.

    Parameters
    ----------
    column
        Its name.
    ground, title
        What it is, as a key and by language.
    how
        How it was known: ``"name"``, ``"contents"`` or ``"settings"``.
    why
        In words.
    rules
        Those of the regions that hold; none where settings block it.
    """

    column: str
    ground: str
    title: Mapping[str, str]
    how: str
    why: str
    rules: tuple[Rule, ...] = ()

    def __str__(self) -> str:
        first = {rule.region: rule.source for rule in reversed(self.rules)}
        cited = "; ".join(first[region] for region in REGIONS if region in first)
        return f"{self.column!r} ({self.title['en']}, {self.why}{': ' + cited if cited else ''})"


@dataclass(frozen=True)
class _Ground:
    id: str
    title: Mapping[str, str]
    names: tuple[tuple[str, ...], ...]
    unless: tuple[tuple[str, ...], ...]
    words: frozenset[str]
    telling: tuple[tuple[str, ...], ...]
    rules: tuple[Rule, ...]


def check_columns(
    columns: Schema | Iterable[str], settings: ProhibitedSettings, frame: pd.DataFrame | None = None
) -> tuple[Blocked, ...]:
    """Find the columns that must not decide and are not allowed, in their order.

    Parameters
    ----------
    columns
        Names; of a schema those of its evidence, and of the long tables behind it as ``TABLE.COLUMN``.
    settings
        Whose rules hold, and what is allowed for a stated reason.
    frame
        Also look at what its columns hold: ``male`` and ``female`` tell, whatever the column is called.

    Raises
    ------
    ConfigError
        If settings allow a column that nothing blocks.

    Notes
    -----
    Names and cells tell what a column *says* it is. Free text, pictures and voices can tell the same: whether groups
    can be told from them is measured by `plait.judgement.proxies`.
    """
    found: dict[str, Blocked] = {}
    for name in _names(columns):
        if (blocked := _blocked(name, settings, frame)) is not None:
            found[name] = blocked
    for name in settings.allow:
        if name not in found:
            raise ConfigError(f"prohibited: allow: {unknown('blocked column', name, found)}")
    return tuple(blocked for name, blocked in found.items() if name not in settings.allow)


def refuse_prohibited(
    columns: Schema | Iterable[str], settings: ProhibitedSettings, frame: pd.DataFrame | None = None
) -> None:
    """Raise `ConfigError` if a column must not decide (`check_columns`): which, by what rule, and the ways out."""
    blocked = check_columns(columns, settings, frame)
    if not blocked:
        return
    names = ",".join(each.column for each in blocked)
    raise ConfigError(
        f"must not decide about a person's credit: {', '.join(map(str, blocked))}. Keep for checks only "
        f"(--sensitive {names}), or record why it is lawful (prohibited: {{allow: {{{blocked[0].column}: WHY}}}} in "
        "credit.yaml; check with counsel)"
    )


def _names(columns: Schema | Iterable[str]) -> list[str]:
    if not isinstance(columns, Schema):
        return list(columns)
    tables = [f"{side.name}.{name}" for side in columns.sides for name in side.columns]
    return [*columns.names("source"), *tables]


def _blocked(name: str, settings: ProhibitedSettings, frame: pd.DataFrame | None) -> Blocked | None:
    if name in settings.block:
        title = {"en": "house rule", "zh": "内部规定"}
        return Blocked(name, "house", title, "settings", settings.block[name])
    grounds = [(ground, [r for r in ground.rules if r.region in settings.regions]) for ground in _grounds()]
    holding = [(ground, tuple(rules)) for ground, rules in grounds if rules]
    tokens = _tokens(name)
    for ground, rules in holding:
        if _stands(ground.names, name, tokens) and not _stands(ground.unless, name, tokens):
            return Blocked(name, ground.id, ground.title, "name", "by its name", rules)
    cells = _categories(frame, name)
    for ground, rules in holding:
        if told := _told(cells, ground):
            why = "by what it holds, " + ", ".join(map(repr, told[:2]))
            return Blocked(name, ground.id, ground.title, "contents", why, rules)
    return None


def _tokens(name: str) -> tuple[str, ...]:
    """Words of a name: ``DateOfBirth``, ``date_of_birth`` and ``date-of-birth2`` alike."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return tuple(word.lower() for word in re.findall(r"[A-Za-z]+", parted))


def _stands(phrases: Iterable[tuple[str, ...]], name: str, tokens: tuple[str, ...]) -> bool:
    """Whether a phrase stands in the name: words in a row, or Chinese anywhere."""
    for phrase in phrases:
        if not phrase[0].isascii():
            if phrase[0] in name:
                return True
        elif any(tokens[i : i + len(phrase)] == phrase for i in range(len(tokens) - len(phrase) + 1)):
            return True
    return False


def _categories(frame: pd.DataFrame | None, name: str) -> dict[str, int]:
    """Cells of a column of short words, in small letters, and how often each stands there; of any other column none."""
    if frame is None or name not in frame.columns:
        return {}
    known = column(frame[name])
    cells = known.values[known.present]
    if cells.dtype != object or not len(cells):
        return {}
    looked = cells[np.linspace(0, len(cells) - 1, min(len(cells), LOOKED_AT)).astype(np.int64)].tolist()
    if not all(isinstance(cell, str) and len(cell) <= LONGEST for cell in looked):
        return {}
    counts: dict[str, int] = {}
    for cell in looked:
        key = cell.strip().casefold()
        counts[key] = counts.get(key, 0) + 1
    return counts


def _told(cells: Mapping[str, int], ground: _Ground) -> list[str]:
    """The cells by which a column is of the ground, the most frequent first; none if it is not."""
    known = {cell: count for cell, count in cells.items() if cell not in FILLERS - ground.words}
    plainly = {cell for cell in known if _stands(ground.telling, cell, _tokens(cell))}
    told = [cell for cell in known if cell in plainly or cell in ground.words]
    enough = len(told) >= 2 and sum(known[cell] for cell in told) >= SHARE * sum(known.values())
    paired = any(pair <= set(told) for pair in PAIRS)
    return sorted(told, key=lambda cell: -known[cell]) if enough and (plainly or paired) else []


@cache
def _grounds() -> tuple[_Ground, ...]:
    import yaml

    said = yaml.safe_load(files("plait.desks.credit.policy").joinpath("grounds.yaml").read_text("utf-8"))
    rules = {name: Rule(name, **rule) for name, rule in said["rules"].items()}
    made = []
    for ground in said["grounds"]:
        contents, names = ground.get("contents", {}), tuple(map(_phrase, ground["names"]))
        others = [
            (*before, *name, *after)
            for name in names
            if name[0].isascii()
            for thing in ground.get("belongs_to", ())
            for before, after in (((thing,), ()), ((), (thing,)), ((), ("of", thing)), ((), ("of", "the", thing)))
        ]
        made.append(
            _Ground(
                ground["id"],
                ground["title"],
                names,
                (*map(_phrase, ground.get("unless", ())), *others),
                frozenset(contents.get("words", ())),
                tuple(map(_phrase, contents.get("telling", ()))),
                tuple(rules[name] for name in ground["rules"]),
            )
        )
    return tuple(made)


def _phrase(words: str) -> tuple[str, ...]:
    return tuple(words.split())
