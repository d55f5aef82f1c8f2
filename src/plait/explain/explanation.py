"""What explanation finds: frozen dataclasses that reports draw and programs read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Exhibit, Fault, Json, Place
from plait.explain.subject import Scale
from plait.metrics.shown import aligned, number, plain

__all__ = ["CellShares", "ColumnShares", "Explanation", "SourceShares"]

SHOWN = 10  # rows, and columns, in a table
FEATURES = 20  # of a row in JSON
NOTHING = 1e-9  # residuals that are rounding alone


LOOKED = "where the network looked (attention weights, which are not what made it decide)"


@dataclass(frozen=True)
class SourceShares:
    """What each source adds: ``base + values.sum(axis=1) == prediction``, on the explanation's scale.

    Parameters
    ----------
    sources, modalities
        ``S`` names, and the modality of each.
    base
        float64 ``N``: what is predicted for the explained output when nothing is present.
    values
        float64 ``N x S``; 0 where the source is absent.
    error
        float64 ``N x S``: standard error of each value; 0 where the values are exact.
    seen
        bool ``N x S``: which sources each row has; None: all of them.
    """

    sources: tuple[str, ...]
    modalities: tuple[str, ...]
    base: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]
    seen: npt.NDArray[np.bool_] | None = None

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which sources each row has: bool ``N x S``."""
        return np.ones(self.values.shape, bool) if self.seen is None else self.seen

    def of(self, row: int) -> dict[str, Json]:
        """One row as JSON."""
        shares = [
            {"source": name, "modality": modality, "present": seen, "value": value, "error": error}
            for name, modality, seen, value, error in zip(
                self.sources, self.modalities, self.present[row], self.values[row], self.error[row], strict=True
            )
        ]
        return {
            "base": self.base[row],
            "shares": shares,
            "by_modality": {name: values[row] for name, values in self.by_modality.items()},
        }

    @property
    def by_modality(self) -> dict[str, npt.NDArray[np.float64]]:
        """Values summed over the sources of a modality: name to float64 ``N``."""
        names = np.asarray(self.modalities)
        return {name: self.values[:, names == name].sum(axis=1) for name in dict.fromkeys(self.modalities)}


@dataclass(frozen=True)
class ColumnShares:
    """What each column of the frame adds to the score: ``base + values.sum(axis=1) + residual == score``.

    Always on the scale of scores (log-odds, logits, standardised value), on which learners and networks are taken
    apart by their own methods.

    Parameters
    ----------
    columns, sources
        ``F`` columns of the frame, and the source of each.
    base, score, residual
        float64 ``N``; the residual is what the methods leave unexplained.
    values
        float64 ``N x F``.
    methods
        Part of the model to the method that took it apart.
    features
        Feature names and their values (float64 ``N x G``), finer than columns, where parts tell them.
    attention
        Source to attention weights on its tokens, float64 ``N`` (summed over tokens), where a part has attention:
        where the network looked, which is not what made it decide.
    """

    columns: tuple[str, ...]
    sources: tuple[str, ...]
    base: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    residual: npt.NDArray[np.float64]
    methods: Mapping[str, str]
    features: tuple[tuple[str, ...], npt.NDArray[np.float64]] | None = None
    attention: Mapping[str, npt.NDArray[np.float64]] | None = None

    def of(self, row: int) -> dict[str, Json]:
        """One row as JSON, of the features those `FEATURES` that add or take most."""
        told = zip(self.sources, self.columns, self.values[row], strict=True)
        names, values = self.features or ((), np.zeros((row + 1, 0)))
        most = np.argsort(-np.abs(values[row]), kind="stable")[:FEATURES]
        return {
            "base": self.base[row],
            "score": self.score[row],
            "residual": self.residual[row],
            "shares": [{"source": source, "column": column, "value": value} for source, column, value in told],
            "features": [{"feature": names[i], "value": values[row, i]} for i in most],
            "attention": {source: weights[row] for source, weights in (self.attention or {}).items()},
        }


@dataclass(frozen=True)
class CellShares:
    """What the places inside one cell add to the prediction, on the explanation's scale.

    Parameters
    ----------
    row, source
        Position of the row in the explanation, and whose cell it is.
    exhibit
        The cell as a person looks at it.
    places, values, error
        ``P`` places, what each adds (float64 ``P``), and its standard error.
    """

    row: int
    source: str
    exhibit: Exhibit
    places: tuple[Place, ...]
    values: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]

    def told(self) -> dict[str, Json]:
        """The places and what they add, as JSON; not the cell itself."""
        shares = zip(self.places, self.values, self.error, strict=True)
        return {
            "source": self.source,
            "places": [
                {"kind": place.kind, "where": place.where, "label": place.label, "value": value, "error": error}
                for place, value, error in shares
            ],
        }


@dataclass(frozen=True)
class Explanation:
    """Why a model says what it says of ``N`` rows.

    Parameters
    ----------
    index
        ``N`` labels of the rows in the frame.
    output
        ``N``: the class that each row is explained for, or None for values.
    prediction
        float64 ``N``, on `scale` (see `plait.explain.subject.Subject`).
    sources, columns, cells
        The depths that were asked for; None or empty otherwise.
    target
        What is predicted, where the model's schema names it.
    faults
        Cells that could not be read and count as missing.
    """

    index: tuple[object, ...]
    output: Array | None
    scale: Scale
    prediction: npt.NDArray[np.float64]
    sources: SourceShares | None = None
    columns: ColumnShares | None = None
    cells: tuple[CellShares, ...] = ()
    target: str | None = None
    faults: tuple[Fault, ...] = ()

    def __len__(self) -> int:
        return len(self.prediction)

    def to_text(self, language: str = "en") -> list[str]:
        """A few sentences a row, in English (``"en"``) or Chinese (``"zh"``).

        Raises
        ------
        ConfigError
            If the language is unknown.
        """
        from plait.explain.words import texts

        return texts(self, language)

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table of strings, the header first: base, shares and prediction of each row, by source or else column."""
        return next(iter(self.tables().values()))

    def tables(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """By title, a table for each depth: sources; the columns that add most; the strongest place of each cell."""
        found: dict[str, tuple[tuple[str, ...], ...]] = {}
        if self.sources is not None:
            shares = np.column_stack([self.sources.base, self.sources.values, self.prediction])
            found["what each source adds"] = self._table(("base", *self.sources.sources, "prediction"), shares)
        if self.columns is not None:
            values = self.columns.values
            order = np.argsort(-np.abs(values).sum(axis=0), kind="stable")[:SHOWN]
            rest = np.delete(values, order, axis=1).sum(axis=1)
            left = np.where(np.abs(self.columns.residual) < NOTHING, 0.0, self.columns.residual)
            shares = np.column_stack([self.columns.base, values[:, order], rest, left, self.columns.score])
            names = [self.columns.columns[i] for i in order]
            found["what each column adds to the score"] = self._table(
                ("base", *names, "others", "unexplained", "score"), shares
            )
            if self.columns.attention:
                weights = np.column_stack(list(self.columns.attention.values()))
                found[LOOKED] = self._table(tuple(self.columns.attention), weights)
        if self.cells:
            found["what counts inside cells"] = (("row", "cell", "place", "adds"), *map(self._strongest, self.cells))
        return found or {"predictions": self._table(("prediction",), self.prediction[:, None])}

    def _table(self, names: tuple[str, ...], numbers: npt.NDArray[np.float64]) -> tuple[tuple[str, ...], ...]:
        of = [()] * len(self) if self.output is None else [(str(label),) for label in self.output]
        head = ("row",) if self.output is None else ("row", "of")
        rows = zip(self.index, of, numbers.tolist(), strict=True)
        return ((*head, *names), *((str(label), *own, *map(number, shares)) for label, own, shares in rows))

    def _strongest(self, cell: CellShares) -> tuple[str, ...]:
        most = int(np.abs(cell.values).argmax())
        return str(self.index[cell.row]), cell.source, cell.places[most].label, number(float(cell.values[most]))

    def __str__(self) -> str:
        told = [f"{label}: {text}" for label, text in zip(self.index[:SHOWN], self.to_text()[:SHOWN], strict=True)]
        rest = [f"... and {len(self) - SHOWN:,} more rows"] if len(self) > SHOWN else []
        return "\n".join([*aligned(self.rows()[: SHOWN + 1]), "", *told, *rest])

    def to_json(self, language: str = "en") -> Json:
        """All of it but the cells' own contents, as what `json.dumps` accepts; its words in that language."""
        told = [self._row(row, text) for row, text in enumerate(self.to_text(language))]
        methods = {} if self.columns is None else dict(self.columns.methods)
        return plain(
            {"target": self.target, "scale": self.scale, "methods": methods, "rows": told, "faults": self.faults}
        )

    def _row(self, row: int, text: str) -> dict[str, Json]:
        label = None if self.output is None else self.output[row]
        told = {"row": self.index[row], "of": label, "prediction": self.prediction[row], "words": text}
        if self.sources is not None:
            told["sources"] = self.sources.of(row)
        if self.columns is not None:
            told["columns"] = self.columns.of(row)
        told["cells"] = [cell.told() for cell in self.cells if cell.row == row]
        return told
