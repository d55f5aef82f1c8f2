"""How the risk of a default is spread over time: term structures, from survival, from migrations, or flat."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from plait.calc import expected_loss
from plait.contracts import Array, Json
from plait.errors import ConfigError, DataError

__all__ = ["TermStructure", "of_migrations", "read_term"]

Floats = npt.NDArray[np.float64]

SUREST = 1 - 1e-12  # a PD of 1 has no finite intensity


@dataclass(frozen=True)
class TermStructure:
    """Monthly intensities of default along time, a curve a name; the last month's goes on for ever.

    Parameters
    ----------
    names
        ``C`` names, of grades or segments.
    intensities
        float64 ``C x T``, 0 or more: the probability to survive month `t` is ``exp(-intensity)``.
    source
        What the curves were learned from.

    Raises
    ------
    DataError
        If an intensity is negative or not finite, or there is none within the first twelve months of a curve.
    """

    names: tuple[str, ...]
    intensities: Floats
    source: str = "flat"

    def __post_init__(self) -> None:
        known = self.intensities
        if known.ndim != 2 or len(known) != len(self.names) or not np.isfinite(known).all() or (known < 0).any():
            raise DataError("a term structure takes a row of finite intensities, 0 or more, for each of its names")
        if (known[:, :12].sum(1) <= 0).any():
            name = self.names[int(np.flatnonzero(known[:, :12].sum(1) <= 0)[0])]
            raise DataError(f"curve {name!r} has no default within twelve months; join it with its neighbour")

    @classmethod
    def flat(cls, months: int = 12) -> Self:
        """The same hazard in every month: its level comes with each row's own PD."""
        return cls(("flat",), np.ones((1, months)))

    def over(self, months: int) -> Self:
        """The same curves along exactly so many months."""
        known = self.intensities[:, :months]
        more = np.repeat(self.intensities[:, -1:], max(0, months - known.shape[1]), axis=1)
        return replace(self, intensities=np.hstack([known, more]))

    @property
    def pd(self) -> Floats:
        """Probability of a default by the end of each month: float64 ``C x T``."""
        return expected_loss.cumulative(self.intensities)

    def rows(self, pd: Array, months: int, curve: Array | None = None) -> Floats:
        """Monthly intensities of rows: each its curve, raised or lowered so that its own PD comes out within a year.

        Parameters
        ----------
        pd
            float64 ``N``, within twelve months.
        months
            ``T``, how far.
        curve
            int ``N``; None: the first curve.

        Returns
        -------
        float64 ``N x T``.
        """
        known = self.over(max(months, 12)).intensities
        year = known[:, :12].sum(1)
        at = np.zeros(len(pd), np.int64) if curve is None else curve
        level = expected_loss.intensity(np.minimum(pd, SUREST), 1) / year[at]
        return np.asarray(level[:, None] * known[at, :months])

    def to_json(self) -> dict[str, Json]:
        return {"source": self.source, "names": list(self.names), "intensities": self.intensities.tolist()}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(tuple(said["names"]), np.asarray(said["intensities"], np.float64), str(said["source"]))


def of_migrations(matrix: Array, names: Sequence[str], years: int = 10) -> TermStructure:
    """Term structures of grades from powers of their yearly migration matrix (Jarrow, Lando & Turnbull, 1997).

    Between the ends of years the hazard is constant.

    Parameters
    ----------
    matrix
        float64 ``G x (G + 1)`` or ``(G + 1) x (G + 1)``: from each grade to each grade and, last, to default; rows sum
        to 1.
    names
        ``G`` names of the grades.
    years
        How far the powers are taken.

    Raises
    ------
    ConfigError
        If shape, signs or sums are wrong, or a grade cannot default at all.
    """
    grades = len(names)
    full = np.asarray(matrix, np.float64)
    if full.shape == (grades, grades + 1):
        full = np.vstack([full, np.eye(grades + 1)[-1]])
    if full.shape != (grades + 1, grades + 1):
        raise ConfigError(
            f"the migration matrix is {' x '.join(map(str, full.shape))}; {grades} grades and default need "
            f"{grades} x {grades + 1}"
        )
    if (full < 0).any() or np.abs(full.sum(1) - 1).max() > 1e-6 or full[-1, -1] != 1:
        raise ConfigError("a migration matrix holds probabilities whose rows sum to 1, and nothing leaves default")
    defaulted = [np.zeros(grades)]
    power = np.eye(grades + 1)
    for _ in range(years):
        power = power @ full
        defaulted.append(np.minimum(power[:grades, -1], SUREST))
    yearly = -np.diff(np.log1p(-np.array(defaulted)), axis=0)  # years x grades
    return TermStructure(tuple(names), np.repeat(np.maximum(yearly, 0).T / 12, 12, axis=1), "migrations")


def read_term(path: str | Path | None) -> TermStructure:
    """From a JSON of `TermStructure.to_json`, or a table of yearly migrations; without a file, flat.

    The table has a row a grade, its name in the first column; then a column a grade and, last, default.

    Raises
    ------
    DataError
        If the file cannot be read or understood.
    """
    from plait.data.read import read

    if path is None:
        return TermStructure.flat()
    if Path(path).suffix == ".json":
        try:
            return TermStructure.from_json(json.loads(Path(path).read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = " ".join(str(getattr(error, "strerror", None) or error).split())
            raise DataError(f"{path} is no term structure: {why}") from None
    frame = read(path)
    try:
        return of_migrations(frame.iloc[:, 1:].to_numpy(np.float64), tuple(frame.iloc[:, 0].astype(str)))
    except ValueError as error:
        raise DataError(f"{path} is no table of migrations: {error}") from None
