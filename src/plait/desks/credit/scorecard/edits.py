"""What a person says of a scorecard's bins: a bins.yaml that is written by one fit, edited, and holds in the next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import yaml

from plait.contracts import Json
from plait.data.files import replacing
from plait.desks.credit.scorecard.binned import TRENDS, Trend
from plait.desks.credit.scorecard.cells import level
from plait.desks.credit.written import understood
from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    from plait.desks.credit.scorecard.card import Scorecard

__all__ = ["USES", "Edit", "Use", "as_special", "edits_of", "read_edits", "write_edits"]

Use: TypeAlias = Literal["chosen", "always", "never"]

USES: tuple[Use, ...] = ("chosen", "always", "never")
KEYS = ("edges", "levels", "special", "trend", "use")
HEAD = """\
# Bins of a scorecard. Edit and pass the file back: what stands here holds, what does not is found again.
#   edges: [a, b]          ranges (-inf, a), [a, b), [b, inf)
#   levels: [[x, y], [z]]  groups of levels; "*" in a group: every level that is named nowhere
#   special: {name: [-1]}  codes that are no values, each name a bin of its own
#   trend: NAME            of the bad rate where edges are to be found: monotone, rising, falling, peak, valley, any
#   use: NAME              chosen (if it says enough; the default), always, never
# Variables that were left out stand here as never; take that line away to have them judged again.
"""


@dataclass(frozen=True)
class Edit:
    """What a person said of one variable; None and empty: nothing.

    Parameters
    ----------
    edges
        Rising inner edges of numbers, or of a date's days.
    levels
        Groups of levels; ``"*"`` in one of them stands for every level that is named nowhere.
    special
        Name to codes.
    trend
        Trend of the bad rate where edges are to be found.
    use
        ``"always"`` and ``"never"`` go before every choice.
    """

    edges: tuple[float, ...] | None = None
    levels: tuple[tuple[str, ...], ...] | None = None
    special: Mapping[str, tuple[float | str, ...]] | None = None
    trend: Trend | None = None
    use: Use = "chosen"

    @property
    def fixed(self) -> bool:
        """Whether it says where the bins lie."""
        return self.edges is not None or self.levels is not None

    def to_json(self) -> dict[str, Json]:
        """What `edits_of` reads, without what was not said."""
        told: dict[str, Json] = {}
        if self.edges is not None:
            told["edges"] = list(self.edges)
        if self.levels is not None:
            told["levels"] = [list(group) for group in self.levels]
        if self.special:
            told["special"] = {name: list(codes) for name, codes in self.special.items()}
        if self.trend is not None:
            told["trend"] = self.trend
        if self.use != "chosen":
            told["use"] = self.use
        return told


def edits_of(said: Mapping[str, Any]) -> dict[str, Edit]:
    """Edits as a file says them, variable to edit.

    Raises
    ------
    ConfigError
        If a key is unknown, edges do not rise, a level stands twice, or a value is of the wrong kind.
    """
    if not isinstance(said, Mapping):
        raise ConfigError("expected variables with what is said of them")
    return {str(name): _edit(str(name), each) for name, each in said.items()}


def _edit(name: str, said: Any) -> Edit:
    if not isinstance(said, Mapping):
        raise ConfigError(f"bins: {name}: expected {', '.join(KEYS)} with values, not {said!r}")
    for key in said:
        if key not in KEYS:
            raise ConfigError(f"bins: {name}: {unknown('key', key, KEYS)}")
    if "edges" in said and "levels" in said:
        raise ConfigError(f"bins: {name}: edges are for numbers and levels for words; keep one")
    for key, allowed in (("trend", TRENDS), ("use", USES)):
        if said.get(key) is not None and said[key] not in allowed:
            raise ConfigError(f"bins: {name}: {unknown(key, said[key], allowed)}")
    return Edit(
        edges=_edges(name, said["edges"]) if "edges" in said else None,
        levels=_groups(name, said["levels"]) if "levels" in said else None,
        special=as_special(name, said["special"]) if "special" in said else None,
        trend=said.get("trend"),
        use=said.get("use") or "chosen",
    )


def _edges(name: str, said: Any) -> tuple[float, ...]:
    listed = _listed(f"bins: {name}: edges", said)
    if not all(isinstance(edge, int | float) and not isinstance(edge, bool) and math.isfinite(edge) for edge in listed):
        raise ConfigError(f"bins: {name}: edges must be finite numbers, not {listed!r}")
    for low, high in pairwise(listed):
        if not low < high:
            raise ConfigError(f"bins: {name}: edges must rise, but {high:g} follows {low:g}")
    return tuple(map(float, listed))


def _groups(name: str, said: Any) -> tuple[tuple[str, ...], ...]:
    groups = tuple(tuple(map(level, _listed(f"bins: {name}: levels", group))) for group in _listed(f"{name}", said))
    if not groups or not all(groups):
        raise ConfigError(f"bins: {name}: levels must be groups of at least one level each; take empty ones away")
    seen: set[str] = set()
    for each in (each for group in groups for each in group):
        if each in seen:
            raise ConfigError(f"bins: {name}: the level {each!r} stands twice; keep it in one group")
        seen.add(each)
    return groups


def as_special(name: str, said: Any) -> dict[str, tuple[float | str, ...]]:
    """Special codes as name to codes; of a list, each code is its own bin's name.

    Raises
    ------
    ConfigError
        If a code stands twice or is neither number nor text.
    """
    if isinstance(said, Mapping):
        named = {str(key): tuple(each if isinstance(each, list | tuple) else [each]) for key, each in said.items()}
    else:
        named = {level(code): (code,) for code in _listed(f"special codes of {name}", said)}
    codes = [code for each in named.values() for code in each]
    for code in codes:
        if isinstance(code, bool) or not isinstance(code, int | float | str) or code != code:
            raise ConfigError(f"special codes of {name}: {code!r} is neither a number nor text (missing is kept apart)")
    if len(set(codes)) < len(codes):
        raise ConfigError(f"special codes of {name}: a code stands twice in {codes!r}; keep it once")
    return named


def _listed(where: str, said: Any) -> Sequence[Any]:
    if not isinstance(said, list | tuple):
        raise ConfigError(f"{where}: expected a list, not {said!r}")
    return said


def read_edits(path: str | Path) -> dict[str, Edit]:
    """Read a bins.yaml.

    Raises
    ------
    ConfigError
        If it cannot be read or understood; the file is named.
    """
    return understood(path, edits_of)


def write_edits(path: str | Path, scorecard: Scorecard, edits: Mapping[str, Edit]) -> None:
    """Write a scorecard's bins and choice, so that the next fit has the same ones; `edits` are those it was made with.

    Candidates that were left out stand there with ``use: never``.
    """
    chosen = {each.name for each in scorecard.variables}
    told = {name: edit for name, edit in edits.items() if name not in chosen}
    for bins in scorecard.binned:
        said = edits.get(bins.name, Edit())
        told[bins.name] = Edit(
            edges=None if bins.kind == "levels" else bins.edges,
            levels=bins.groups if bins.kind == "levels" else None,
            special=bins.special or None,
            trend=bins.trend if bins.kind != "levels" and bins.trend != "monotone" else None,
            use=said.use if bins.name in chosen else "never",
        )
    order = dict.fromkeys([*(bins.name for bins in scorecard.binned), *sorted(told)])
    with replacing(path) as beside:
        beside.write_text("\n".join([HEAD, *(_yaml(name, told[name]) for name in order)]), "utf-8")


def _yaml(name: str, edit: Edit) -> str:
    said = {name: edit.to_json()}
    return str(yaml.safe_dump(said, allow_unicode=True, sort_keys=False, width=120, default_flow_style=None))
