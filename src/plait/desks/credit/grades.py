"""Master scales: probabilities of default to ordinal grades, and back to one probability a grade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, TypeAlias

import numpy as np

from plait.contracts import Array, Json
from plait.errors import ConfigError, DataError, InputError, unknown
from plait.metrics.shown import aligned
from plait.metrics.weights import as_weight, finite, ratio

__all__ = ["GradesSettings", "MasterScale", "checked", "fit_scale", "names_of"]

Naming: TypeAlias = Literal["numbers", "letters"]

# From few grades to many; the second is that of the standard scale.
LETTERS = (
    ("AAA", "AA", "A", "BBB", "BB", "B", "CCC", "CC", "C"),
    ("AAA", "AA", "A+", "A", "BBB+", "BBB", "BB+", "BB", "B+", "B", "CCC", "CC", "C"),
    (
        *("AAA", "AA+", "AA", "AA-", "A+", "A", "A-", "BBB+", "BBB", "BBB-", "BB+", "BB", "BB-", "B+", "B", "B-"),
        *("CCC+", "CCC", "CCC-", "CC", "C"),
    ),
)
CELLS = 64  # candidate bounds of a fitted scale, geometric in odds
DIGITS = 4  # that a fitted bound keeps: people quote them
FLOOR = 0.0003  # first bound of the standard scale, in odds: the floor of Basel II for PDs


@dataclass(frozen=True)
class MasterScale:
    """Grades of rising risk, each an interval of probabilities of default.

    Parameters
    ----------
    names
        Best to worst, ``G`` of them.
    edges
        Highest PD of each grade, itself included, rising; the last is 1.
    pds
        The PD that stands for each grade (its mid), rising, within its bounds.

    Raises
    ------
    ConfigError
        If names repeat, lengths differ, bounds do not rise to 1, or a mid lies outside its grade.
    """

    names: tuple[str, ...]
    edges: tuple[float, ...]
    pds: tuple[float, ...]

    def __post_init__(self) -> None:
        names, edges, pds = self.names, np.array(self.edges), np.array(self.pds)
        if not names or not len(names) == len(edges) == len(pds):
            told = f"{len(names)} names, {len(edges)} bounds and {len(pds)} mid-PDs"
            raise ConfigError(f"a master scale has {told}; it needs one of each for every grade")
        if len(set(names)) < len(names) or not all(names):
            raise ConfigError(f"the names of grades must differ and not be empty, but are {', '.join(names)}")
        below = np.append(0.0, edges[:-1])
        if not (edges > below).all() or edges[-1] != 1:
            listed = ", ".join(f"{edge:g}" for edge in edges)
            raise ConfigError(f"bounds of grades must rise within 0..1 and end with 1, but are {listed}")
        outside = np.flatnonzero(~((pds >= below) & (pds <= edges)))
        if len(outside):
            i = outside[0]
            raise ConfigError(f"the mid-PD of grade {names[i]!r}, {pds[i]:g}, is not within {below[i]:g}..{edges[i]:g}")

    @classmethod
    def standard(cls) -> Self:
        """Thirteen grades from AAA to C; from each to the next the odds of default double (20 points at ``pdo=20``).

        The best ends at odds of .03% (the floor that Basel II set under PDs), the worst begins at odds of 61%.
        """
        odds = FLOOR * 2.0 ** np.arange(len(LETTERS[1]) - 1)
        return cls.of({"edges": (odds / (1 + odds)).tolist(), "names": list(LETTERS[1])})

    @classmethod
    def of(cls, mapping: Mapping[str, Json]) -> Self:
        """A scale made by hand.

        Parameters
        ----------
        mapping
            ``edges``: highest PDs of the grades, rising; a last one of 1 may be left out. ``names``: a list of texts,
            or ``numbers`` (default) or ``letters``. ``pds``: mids; default: the middle of each grade in log-odds,
            where the first and the last are taken to be as wide as their neighbours.

        Raises
        ------
        ConfigError
            If a key is unknown, something is no number, or the scale does not hold together (see the class).
        """
        for key in mapping:
            if key not in ("edges", "names", "pds"):
                raise unknown("key of a master scale", key, ("edges", "names", "pds"))
        edges = _numbers("edges", mapping.get("edges"))
        edges = edges if edges and edges[-1] == 1 else (*edges, 1.0)
        if len(edges) < 2:
            raise ConfigError("a master scale of one grade tells nothing; give at least one bound between 0 and 1")
        named = mapping.get("names", "numbers")
        names = tuple(map(str, named)) if isinstance(named, list | tuple) else names_of(len(edges), named)
        scale = cls(names, edges, edges) if "pds" not in mapping else None  # checks the bounds before their middles
        pds = _middles(edges) if scale else _numbers("pds", mapping["pds"])
        return cls(names, edges, pds)

    def __len__(self) -> int:
        return len(self.names)

    def assign(self, pd: Array) -> Array:
        """Grade of each PD (float64 ``N``): int64 ``N``, 0 = best.

        Raises
        ------
        InputError
            If a PD is no number within 0..1.
        """
        return np.searchsorted(self.edges, checked(pd, len(pd)), side="left").astype(np.int64)

    def named(self, grades: Array) -> list[str]:
        """Names of grades (int64 ``N``)."""
        return [self.names[grade] for grade in grades]

    def mids(self, grades: Array) -> Array:
        """PD that stands for each grade (int64 ``N``): float64 ``N``."""
        return np.array(self.pds)[grades]

    def replaced(self, pds: Array) -> Self:
        """The same grades with other mids (float64 ``G``)."""
        return type(self)(self.names, self.edges, tuple(map(float, pds)))

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Grades as a table of strings, the header first."""
        bounds = [0.0, *self.edges]
        lines = [
            (name, f"{100 * bounds[i]:.3g}%", f"{100 * bounds[i + 1]:.3g}%", f"{100 * pd:.3g}%")
            for i, (name, pd) in enumerate(zip(self.names, self.pds, strict=True))
        ]
        return ("grade", "PD above", "up to", "mid"), *lines

    def to_json(self) -> dict[str, Json]:
        return {"names": list(self.names), "edges": list(self.edges), "pds": list(self.pds)}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(tuple(state["names"]), tuple(state["edges"]), tuple(state["pds"]))

    def __str__(self) -> str:
        return "\n".join(aligned(self.rows()))


@dataclass(frozen=True)
class GradesSettings:
    """The section ``grades:`` of a credit.yaml: which master scale a model has.

    Parameters
    ----------
    scale
        ``"fitted"``: to rows that the model has not seen. ``"standard"``: `MasterScale.standard`. A mapping:
        `MasterScale.of`.
    grades
        At most so many in a fitted scale.
    least, most
        Shares of the rows that every grade of a fitted scale holds: at least, always; at most, where there is such a
        scale of two grades or more.
    apart
        p-value at which neighbours of a fitted scale are told apart.
    names
        Of a fitted scale: ``"numbers"`` (1, 2, ...) or ``"letters"`` (AAA, AA, ...).
    """

    scale: str | Mapping[str, Any] = "fitted"
    grades: int = 10
    least: float = 0.02
    most: float = 0.35
    apart: float = 0.05
    names: Naming = "numbers"

    def __post_init__(self) -> None:
        if isinstance(self.scale, str) and self.scale not in ("fitted", "standard"):
            raise unknown("master scale", self.scale, ("fitted", "standard", "a mapping with edges"))
        if isinstance(self.scale, Mapping):
            MasterScale.of(self.scale)
        if self.names not in ("numbers", "letters"):
            raise unknown("naming of grades", self.names, ("numbers", "letters"))
        _limits(self.grades, self.least, self.most, self.apart)
        if self.names == "letters":
            names_of(self.grades, self.names)

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> Self:
        """The section as it was read.

        Raises
        ------
        ConfigError
            If a key is unknown, or a value is out of range.
        """
        known = [each.name for each in fields(cls)]
        for key in mapping:
            if key not in known:
                raise unknown("key of grades", key, known)
        fixed = mapping.get("scale", "fitted") != "fitted"
        idle = [key for key in mapping if key != "scale"]
        if fixed and idle:
            raise ConfigError(f"grades: {', '.join(idle)} do nothing beside a scale that is given; leave them out")
        for key in ("grades", "least", "most", "apart"):
            if key in mapping and (isinstance(mapping[key], bool) or not isinstance(mapping[key], int | float)):
                raise ConfigError(f"grades: {key}={mapping[key]!r} is not a number")
        return cls(**mapping)

    def make(self, pd: Array, bad: Array, weight: Array | None = None) -> MasterScale:
        """The scale: fitted to these rows (see `fit_scale`), or as given."""
        if isinstance(self.scale, Mapping):
            return MasterScale.of(self.scale)
        if self.scale == "standard":
            return MasterScale.standard()
        limits = {"least": self.least, "most": self.most, "apart": self.apart}
        return fit_scale(pd, bad, grades=self.grades, names=self.names, weight=weight, **limits)

    def to_json(self) -> dict[str, Json]:
        return asdict(self) if self.scale == "fitted" else {"scale": asdict(self)["scale"]}


def names_of(grades: int, naming: object = "numbers") -> tuple[str, ...]:
    """Names of so many grades, best to worst: numbers from 1, or letters from AAA.

    Raises
    ------
    ConfigError
        If there are more grades than letters, or no such naming.
    """
    if naming == "numbers":
        return tuple(str(i + 1) for i in range(grades))
    if naming != "letters":
        raise unknown("naming of grades", naming, ("numbers", "letters"))
    for ladder in LETTERS:
        if grades <= len(ladder):
            return ladder[:grades]
    raise ConfigError(f"there are letters for {len(LETTERS[-1])} grades, not for {grades}; name them by numbers")


def checked(pd: Array, rows: int) -> Array:
    """PDs as float64 ``N``.

    Raises
    ------
    InputError
        If there are not `rows` of them, or one is no number within 0..1; the first row is named.
    """
    pd = finite(pd, rows, "PDs")
    outside = np.flatnonzero((pd < 0) | (pd > 1))
    if len(outside):
        raise InputError(
            f"{len(outside)} PDs are not within 0..1, first {pd[outside[0]]:g} in row {outside[0]}; "
            "give probabilities, not per cent"
        )
    return pd


def fit_scale(
    pd: Array,
    bad: Array,
    *,
    grades: int = 10,
    least: float = 0.02,
    most: float = 0.35,
    apart: float = 0.05,
    names: Naming = "numbers",
    weight: Array | None = None,
) -> MasterScale:
    """The scale with the most grades that can be told apart; of those, the one most even in log-odds.

    Bounds are chosen among 63 that are geometric in odds, by dynamic programming over all ways to join their cells.
    A way is allowed if every grade holds enough rows and not too many, and defaults are more frequent in it than in the
    grade before by a one-sided test of two proportions. Observed rates therefore rise on these rows, as isotonic
    regression would have them rise; whether they do on others is what `plait.metrics.grades` tests. Of the ways with
    most grades, the one with the least sum of squared widths in log-odds is taken.

    Parameters
    ----------
    pd
        float64 ``N``, calibrated, of rows that the model was not fitted on.
    bad
        ``N``, 1 = default.
    grades, least, most, apart, names
        See `GradesSettings`.
    weight
        float64 ``N``; tests count by Kish's effective number of rows.

    Raises
    ------
    DataError
        If all rows or none are defaults.
    InputError
        If a PD is no number within 0..1, or lengths differ.
    ConfigError
        If an option is out of range.
    """
    _limits(grades, least, most, apart)
    pd, bad = checked(pd, len(bad)), np.asarray(bad, np.float64)
    weight = as_weight(weight, len(bad))
    if not 0 < weight @ bad < weight.sum():
        raise DataError("a master scale needs rows with and without a default; give more rows, or a scale by hand")
    eps = np.finfo(np.float64).eps
    odds = np.log(np.clip(pd, eps, 1 - eps)) - np.log1p(-np.clip(pd, eps, 1 - eps))
    low, high = np.quantile(odds[weight > 0], (0.005, 0.995))
    between = 1 / (1 + np.exp(-np.linspace(low, high, CELLS + 1)[1:-1]))
    between = np.unique([float(f"{edge:.{DIGITS}g}") for edge in between])
    between = between[(between > 0) & (between < 1)]
    cell = np.searchsorted(between, pd, side="left")
    counts = [np.bincount(cell, part, len(between) + 1) for part in (weight, weight * bad, weight**2)]
    chosen = _joined(counts, grades, least, most, apart) or _joined(counts, grades, least, 1.0, apart) or ()
    edges = (*(float(between[i - 1]) for i in chosen), 1.0)
    of = np.searchsorted(edges, pd, side="left")
    mids = np.bincount(of, weight * pd) / np.bincount(of, weight)
    return MasterScale(names_of(len(edges), names), edges, tuple(map(float, np.minimum(mids, edges))))


def _joined(counts: Sequence[Array], grades: int, least: float, most: float, apart: float) -> tuple[int, ...] | None:
    """Where cells are parted, as numbers of cells before; None if there are no two grades that may stand."""
    from scipy.special import ndtri

    mass, bads, squares = (np.append(0, np.cumsum(part)) for part in counts)
    places = np.arange(len(mass))

    def within(total: Array) -> Array:
        return np.asarray(total[None, :] - total[:, None])  # [i, j]: cells i to j

    share = within(mass) / mass[-1]
    rate = ratio(within(bads), within(mass))
    later = places[None, :] > places[:, None]
    rows = np.where(later, ratio(within(mass) ** 2, within(squares)), np.nan)  # Kish's effective count
    inner = later & (share >= least) & (share <= most + 1e-12)
    both = rows[:, :, None] + rows[None, :, :]  # [h, i, j]: grades h to i and i to j
    pooled = ratio(rows[:, :, None] * rate[:, :, None] + rows[None, :, :] * rate[None, :, :], both)
    error = np.sqrt(np.maximum(pooled * (1 - pooled), 0) * both / (rows[:, :, None] * rows[None, :, :]))
    rises = rate[None, :, :] - rate[:, :, None] > max(float(ndtri(1 - apart)), 0) * error
    width = np.where(inner, (places[None, :] - places[:, None]) ** 2.0, np.inf)
    best = np.where(places[:, None] == 0, width, np.inf)  # [i, j]: the last grade is cells i to j
    found, before = None, []
    for _ in range(1, grades):
        ways = np.where(rises, best[:, :, None], np.inf)
        before.append(ways.argmin(0))
        best = ways.min(0) + width
        if np.isfinite(best[:, -1]).any():
            found = len(before), int(best[:, -1].argmin())
    if found is None:
        return None
    count, start = found
    end, cuts = len(mass) - 1, [start]
    for step in reversed(before[:count]):
        start, end = int(step[start, end]), start
        cuts.append(start)
    return tuple(reversed(cuts[:-1]))


def _limits(grades: int, least: float, most: float, apart: float) -> None:
    if isinstance(grades, float) or not 2 <= grades <= 30:
        raise ConfigError(f"grades={grades} is out of range; a scale has 2 to 30 grades")
    if not 0 < least < most <= 1:
        raise ConfigError(f"least={least:g} and most={most:g}: shares of the rows must be 0 < least < most <= 1")
    if not 0 < apart <= 0.5:
        raise ConfigError(
            f"apart={apart:g} is out of range; a p-value to tell grades apart at is in 0..0.5, 0 excluded"
        )


def _middles(edges: Sequence[float]) -> tuple[float, ...]:
    """The middle of each grade in log-odds."""
    inner = np.array(edges[:-1])
    bounds = np.log(inner) - np.log1p(-inner)
    first, last = (bounds[1] - bounds[0], bounds[-1] - bounds[-2]) if len(bounds) > 1 else (np.log(4), np.log(4))
    bounds = np.concatenate([[bounds[0] - first], bounds, [bounds[-1] + last]])
    return tuple(map(float, 1 / (1 + np.exp(-(bounds[1:] + bounds[:-1]) / 2))))


def _numbers(name: str, given: object) -> tuple[float, ...]:
    if not isinstance(given, list | tuple) or not all(
        isinstance(each, int | float) and not isinstance(each, bool) for each in given
    ):
        raise ConfigError(f"{name} of a master scale must be a list of numbers, not {given!r}")
    return tuple(map(float, given))
