"""How the decisions of a classifier fall on groups of people that it must not treat worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json, Progress
from plait.contracts.crossing import unheard
from plait.data.frame import as_frame, source_columns
from plait.errors import ConfigError, DataError, unknown
from plait.estimators.base import as_target
from plait.judgement.groups import FEW, MISSING, crossed_groups, groups_of
from plait.judgement.proxies import Proxy, proxies_of
from plait.metrics import classification
from plait.metrics.fairness import gap, group_rates, odds_gap, selection_ratio
from plait.metrics.intervals import Bootstrap, bootstrap
from plait.metrics.shown import Span, aligned, number, plain
from plait.metrics.weights import as_weight, mean

if TYPE_CHECKING:
    import pandas as pd

    from plait.data.schema import Schema
    from plait.estimators import Classifier, Regressor
    from plait.estimators.base import Sides

__all__ = [
    "BETWEEN",
    "WITHIN",
    "Attribute",
    "Curve",
    "Decided",
    "FairnessReport",
    "Group",
    "fairness",
    "fairness_of",
]

WITHIN = ("favoured", "deserving", "tpr", "fpr", "ppv", "roc_auc", "ece", "in_the_large")
BETWEEN = ("ratio", "parity_gap", "opportunity_gap", "odds_gap")
RESAMPLES = 1_000
WORK = 100_000_000  # rows times resamples beyond which fewer are drawn, never under 200

Report: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True)
class Group:
    """One group of rows.

    Parameters
    ----------
    few
        Too few rows (or no value in the column): shown, but not compared.
    figures
        95% intervals of `WITHIN`. ``favoured``: share of rows that get the favourable decision. ``deserving``: share
        whose outcome was favourable. ``tpr``: favoured among these. ``fpr``: favoured among the others. ``ppv``:
        deserving among the favoured. ``roc_auc``, ``ece``: of the favourable outcome's probability. ``in_the_large``:
        its mean minus the share that it came true.
    """

    name: str
    rows: int
    few: bool
    figures: Mapping[str, Span]


@dataclass(frozen=True)
class Curve:
    """The four-fifths ratio if the favourable decision went to any other share of the rows, the likeliest first.

    float64 ``P`` each; `groups` is ``P x G``: favoured share of every compared group.
    """

    shares: npt.NDArray[np.float64]
    ratio: npt.NDArray[np.float64]
    groups: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Attribute:
    """What one sensitive column (or two crossed) shows.

    Parameters
    ----------
    name
        The column; crossed columns are joined by ``" x "``.
    groups
        In order of their favoured share, the least favoured first; those too small or without a value last.
    figures
        95% intervals of `BETWEEN`, over the groups compared: the lowest favoured share over the highest; its gap; the
        gap of true positive rates (equal opportunity); the wider gap of true and false positive rates (equalised odds).
    proxies
        All columns together first, then each that the model reads, the most telling first; empty if not asked for.
    """

    name: str
    groups: tuple[Group, ...]
    figures: Mapping[str, Span]
    curve: Curve
    proxies: tuple[Proxy, ...] = ()

    @property
    def compared(self) -> tuple[Group, ...]:
        return tuple(group for group in self.groups if not group.few)

    @property
    def ratio(self) -> Span:
        """The four-fifths ratio."""
        return self.figures["ratio"]

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table: the header, then each group."""
        header = ("group", "rows", *(name.replace("_", " ") for name in WITHIN))
        body = [
            (
                f"{each.name} (few)" if each.few else each.name,
                f"{each.rows:,}",
                *(number(each.figures[name].value) for name in WITHIN),
            )
            for each in self.groups
        ]
        return (header, *body)


@dataclass(frozen=True)
class FairnessReport:
    """How decisions fall on groups.

    Parameters
    ----------
    n
        Rows judged.
    favourable
        The class that is the favourable decision, and the outcome that deserves it.
    decision
        When a row gets it, in words.
    attributes
        Every sensitive column, then crossed ones.
    notes
        What was left out, and why.
    """

    n: int
    favourable: Json
    decision: str
    attributes: tuple[Attribute, ...]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Attribute:
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        raise KeyError(name)

    def unfair(self, least: float) -> tuple[Attribute, ...]:
        """Sensitive columns whose four-fifths ratio is below `least`, or cannot be told.

        The value itself decides, not its interval: a gate that waits for certainty lets small samples pass.
        """
        return tuple(each for each in self.attributes if not each.ratio.value >= least)

    def refusal(self, least: float) -> str:
        """Why a gate at `least` refuses, in one line; empty if it does not."""
        told = []
        for each in self.unfair(least):
            if np.isnan(each.ratio.value):
                told.append(f"{each.name}: no ratio, for lack of two groups of {FEW} rows of which one is favoured")
                continue
            low, high = each.compared[0], each.compared[-1]
            told.append(
                f"{each.name}: four-fifths ratio {each.ratio}, {low.name} "
                f"{low.figures['favoured'].value:.1%} against {high.name} {high.figures['favoured'].value:.1%}"
            )
        return f"unfair below {least:g}: {'; '.join(told)}" if told else ""

    def __str__(self) -> str:
        lines = [f"{self.n:,} rows; favourable: {self.decision}"]
        for each in self.attributes:
            lines += ["", each.name, *aligned(each.rows())]
            lines += [f"{name.replace('_', ' ')}: {figure}" for name, figure in each.figures.items()]
            if each.proxies:
                shown = [
                    f"{proxy.column} {proxy.auc.value:.3f}{'*' if proxy.told else ''}" for proxy in each.proxies[:8]
                ]
                lines.append("told by (ROC AUC; * surely above .6): " + ", ".join(shown))
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain(self)


@dataclass(frozen=True)
class Decided:
    """Decisions about ``N`` rows, and what came of them.

    Parameters
    ----------
    probability
        float64 ``N``: of the favourable outcome.
    favoured, deserving
        bool ``N``: who got the favourable decision, and whose outcome was the favourable one.
    weight
        float64 ``N``, not negative.
    favourable, rule
        The favourable class, and when a row gets it, in words.
    seed
        Of the bootstrap, and of the search for proxies.
    """

    probability: npt.NDArray[np.float64]
    favoured: npt.NDArray[np.bool_]
    deserving: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float64]
    favourable: Json
    rule: str
    seed: int = 0


def fairness(
    model: Classifier | Regressor,
    X: object,
    y: object,
    *,
    sensitive: str | Sequence[str] | None = None,
    favourable: object = None,
    threshold: float = 0.5,
    bins: Mapping[str, Sequence[float]] | None = None,
    crossed: bool = False,
    proxies: bool = True,
    sample_weight: object = None,
    sides: Sides | None = None,
    progress: Report = unheard,
) -> FairnessReport:
    """Judge a fitted classifier's decisions by group, on rows that it was not fitted on.

    Parameters
    ----------
    model
        A fitted `Classifier`.
    X, y
        ``N`` rows, the sensitive columns among them, and their labels.
    sensitive
        Columns; by default those of the schema with the role ``sensitive``.
    favourable
        The class that is good for the person; of two classes by default the first, the one that is not the positive
        class (no default, no fraud). Of more it must be named.
    threshold
        Two classes: the positive class is decided where it is more probable than this. More: the likeliest class.
    bins
        Edges by column of numbers or dates (seconds), as in ``{"age": [25, 40, 62]}``; by default quartiles where it
        has more than 20 values.
    crossed
        Judge every two sensitive columns crossed, too.
    proxies
        Look for columns from which the groups can be told.

    Raises
    ------
    ConfigError
        If the model predicts values, no sensitive column or favourable class is known, or an option is out of range.
    DataError
        If a sensitive column is not there, or the target cannot be used.

    Notes
    -----
    Intervals are percentile bootstraps of rows (Efron and Tibshirani 1993), shifted by the mean error of the draws
    where resampling always widens a figure (gaps, ratio, ECE).
    """
    frame = as_frame(X)
    names = _named(model.schema_, frame, sensitive)
    index, decision = _decision(model, favourable, threshold)
    weight = as_weight(None if sample_weight is None else np.asarray(sample_weight), len(frame))
    labels = np.asarray(as_target(y))
    if len(labels) != len(frame):
        raise DataError(f"X has {len(frame)} rows but y has {len(labels)}")
    values = model.prediction(frame, sides=sides).values
    classes = np.asarray(model.classes_)
    if strangers := set(labels.tolist()) - set(classes.tolist()):
        raise unknown("class in y:", min(map(str, strangers)), map(str, classes.tolist()))
    positive = values[:, 1] > threshold if len(classes) == 2 else None
    favoured = values.argmax(1) == index if positive is None else positive == (index == 1)
    deserving = labels == classes[index]
    seed = int(model.record_["seed"])
    decided = Decided(values[:, index], favoured, deserving, weight, classes.tolist()[index], decision, seed)
    return fairness_of(
        decided,
        frame,
        model.schema_,
        names,
        bins=bins,
        crossed=crossed,
        proxies=proxies,
        sides=sides,
        progress=progress,
    )


def fairness_of(
    decided: Decided,
    frame: pd.DataFrame,
    schema: Schema,
    sensitive: str | Sequence[str] | None = None,
    *,
    bins: Mapping[str, Sequence[float]] | None = None,
    crossed: bool = False,
    proxies: bool = True,
    sides: Sides | None = None,
    progress: Report = unheard,
) -> FairnessReport:
    """Judge decisions by group, however they were made; `schema` says what they rest on. Otherwise as `fairness`."""
    names = _named(schema, frame, sensitive)
    notes = [
        f"the model reads the sensitive column {name!r} itself"
        for name in names
        if any(name in source.columns for source in schema.sources)
    ]
    for name in bins or {}:
        if name not in names:
            raise unknown("sensitive column in bins", name, names)
    grouped = {name: groups_of(frame[name], (bins or {}).get(name)) for name in names}
    if crossed:
        grouped |= {f"{a} x {b}": crossed_groups(grouped[a], grouped[b]) for a, b in combinations(names, 2)}
    columns = source_columns(frame, schema, sides) if proxies else {}
    made = []
    for step, (name, (codes, labels_of)) in enumerate(grouped.items()):
        progress(Progress("groups", step, len(grouped)))
        told: tuple[Proxy, ...] = ()
        if proxies and name in names:
            told = proxies_of(schema.sources, columns, codes, decided.seed)
        made.append(_Judge(decided).attribute(name, codes, labels_of, told))
        left = [each.name for each in made[-1].groups if each.few]
        if left:
            notes.append(f"{name}: {', '.join(left)} not compared (under {FEW} rows, or no value)")
    return FairnessReport(len(frame), decided.favourable, decided.rule, tuple(made), tuple(notes))


# What is asked for


def _named(schema: Schema, frame: pd.DataFrame, sensitive: str | Sequence[str] | None) -> list[str]:
    if sensitive is None:
        names = list(schema.names("sensitive"))
    else:
        names = [sensitive] if isinstance(sensitive, str) else list(sensitive)
    if not names:
        raise ConfigError("no column is sensitive; name some, or give them that role in the schema (--sensitive)")
    for name in names:
        if name not in frame.columns:
            raise DataError(f"the sensitive column is not in the data: {unknown('column', name, frame.columns)}")
    return names


def _decision(model: Classifier | Regressor, favourable: object, threshold: float) -> tuple[int, str]:
    """The favourable class by its position, and when a row gets it."""
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise ConfigError("fairness is judged of decisions between classes; this model predicts values")
    if not 0 <= threshold <= 1:
        raise ConfigError(f"threshold={threshold} is out of range; it is a probability, 0..1")
    known = {str(label): i for i, label in enumerate(np.asarray(classes).tolist())}
    if favourable is None:
        if len(known) > 2:
            raise ConfigError(f"name the favourable class of {', '.join(known)} (favourable=...)")
        index = 0
    elif str(favourable) not in known:
        raise unknown("favourable class", favourable, known)
    else:
        index = known[str(favourable)]
    label = list(known)[index]
    if len(known) > 2:
        return index, f"{label}, where it is the likeliest class"
    side = "above" if index else "at most"
    return index, f"{label}, where the probability of {list(known)[1]} is {side} {threshold:g}"


# What is found


@dataclass(frozen=True)
class _Judge:
    """How decisions fall on the groups of one column."""

    decided: Decided

    def attribute(
        self, name: str, codes: npt.NDArray[np.int64], labels: Sequence[str], proxies: tuple[Proxy, ...]
    ) -> Attribute:
        names = [*labels, MISSING]
        group = np.where(codes < 0, len(labels), codes)
        counts = np.bincount(group, minlength=len(names))
        seen = np.flatnonzero(counts)
        place = np.full(len(names), -1)
        place[seen] = np.arange(len(seen))
        enough = np.array([counts[i] >= FEW and i < len(labels) for i in seen])
        rates, gaps = self._rates(place[group], len(seen), enough)
        made = []
        for at, i in enumerate(seen.tolist()):
            figures = dict(zip(WITHIN, rates[at], strict=False)) | self._inside(np.flatnonzero(group == i))
            made.append(Group(names[i], int(counts[i]), not enough[at], figures))
        made.sort(key=lambda each: (each.few, 0.0 if each.few else each.figures["favoured"].value))
        return Attribute(name, tuple(made), gaps, self._curve(made, group, names), proxies)

    def _rates(
        self, group: npt.NDArray[np.int64], groups: int, enough: npt.NDArray[np.bool_]
    ) -> tuple[list[list[Span]], dict[str, Span]]:
        """Figures of each group, and between groups, on the same resamples."""

        def metric(deserving: Array, favoured: Array, weight: Array) -> Array:
            found = group_rates(favoured, deserving == 1, group, groups, weight)
            big = [rate[..., enough] for rate in found]
            apart = (selection_ratio(big[0]), gap(big[0]), gap(big[2]), odds_gap(big[2], big[3]))
            return np.concatenate([*found, np.stack(apart, axis=-1)], axis=-1)

        inner = 5 * groups
        centred = np.arange(inner + len(BETWEEN)) >= inner
        found = self._bootstrap(metric, np.arange(len(group)), self.decided.favoured, centred)
        value, low, high = np.stack(found.interval(""))
        high[inner] = min(high[inner], 1.0)  # a shifted ratio could end above 1
        spans = [Span(*each) for each in zip(value.tolist(), low.tolist(), high.tolist(), strict=True)]
        within = [[spans[figure * groups + at] for figure in range(5)] for at in range(groups)]
        return within, dict(zip(BETWEEN, spans[inner:], strict=True))

    def _inside(self, rows: npt.NDArray[np.int64]) -> dict[str, Span]:
        """How well a group's probabilities rank and are calibrated."""

        def metric(deserving: Array, probability: Array, weight: Array) -> Array:
            ranked = classification.rankings(deserving, probability, weight)[0].roc_auc()
            gaps = classification.ece(deserving, probability, weight)
            return np.stack([ranked, gaps, mean(probability - deserving, weight)], axis=-1)

        found = self._bootstrap(metric, rows, self.decided.probability, np.array([False, True, False]))
        value, low, high = np.stack(found.interval("")).tolist()
        return dict(zip(WITHIN[5:], map(Span, value, low, high), strict=True))

    def _bootstrap(
        self, metric: Callable[..., Array], rows: npt.NDArray[np.int64], scores: Array, centred: Array
    ) -> Bootstrap:
        return bootstrap(
            metric,
            self.decided.deserving[rows].astype(np.int64),
            {"": scores[rows]},
            weight=self.decided.weight[rows],
            resamples=min(RESAMPLES, max(200, WORK // len(self.decided.weight))),
            seed=self.decided.seed,
            centred=centred,
        )

    def _curve(self, made: Sequence[Group], group: npt.NDArray[np.int64], names: Sequence[str]) -> Curve:
        """Favoured shares of the compared groups at 5%, 10%, ... of all rows."""
        kept = [names.index(each.name) for each in made if not each.few]
        shares = np.arange(1, 20) / 20
        order = np.argsort(-self.decided.probability, kind="stable")
        mass = np.cumsum(self.decided.weight[order])
        last = np.searchsorted(mass, shares * mass[-1])
        own = self.decided.weight[:, None] * (group[:, None] == np.array(kept, np.int64))
        favoured = np.cumsum(own[order], axis=0)[np.minimum(last, len(order) - 1)] / np.maximum(own.sum(0), 1e-300)
        return Curve(shares, selection_ratio(favoured) if kept else np.full(len(shares), np.nan), favoured)
