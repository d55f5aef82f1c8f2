"""Judge predictions of grades, quantiles, rankings and sets of labels: their figures with intervals, beside baselines.

Classes and values have figures of their own (`plait.metrics.measures`); `plait.metrics.evaluation.evaluate` judges all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plait.contracts import Array, Prediction
from plait.errors import InputError
from plait.metrics import classification, multilabel, ordinal, quantile, ranking, regression
from plait.metrics.checked import labels_of, truth_of
from plait.metrics.intervals import Bootstrap, Metric, bootstrap
from plait.metrics.weights import finite

__all__ = ["OTHER_KINDS", "Kind", "bootstrap_of", "kind_of", "middle_grade"]

OTHER_KINDS = ("grade", "quantiles", "ranking", "labels")


@dataclass(frozen=True)
class Kind:
    """What a kind of prediction is judged by.

    Parameters
    ----------
    higher
        Figure to whether higher is better; the first one leads.
    metric
        All figures at once: (targets, scores, weight) to ``(R x) M``.
    targets
        The truth as the metric takes it.
    centred
        Figures that are absolute gaps.
    """

    higher: Mapping[str, bool]
    metric: Metric
    targets: Array
    centred: Array | bool = False


def bootstrap_of(
    kind: Kind, predictions: Mapping[str, Prediction], weight: Array, groups: Array | None, resamples: int, seed: int
) -> Bootstrap:
    """The figures of several predictions of one kind on the same resamples."""
    scores = {name: finite(each.values, len(kind.targets), f"{name!r}") for name, each in predictions.items()}
    return bootstrap(
        kind.metric,
        kind.targets,
        scores,
        weight=weight,
        groups=groups,
        resamples=resamples,
        seed=seed,
        centred=kind.centred,
    )


def kind_of(prediction: Prediction, targets: Array) -> Kind:
    """How a prediction of one of `OTHER_KINDS` is judged against targets in the form that its head takes.

    Raises
    ------
    InputError
        If targets are missing or of another form.
    """
    made = {"grade": _grades, "quantiles": _quantiles, "ranking": _ranking, "labels": _labels}
    return made[prediction.kind](prediction, targets)


def middle_grade(probabilities: Array) -> Array:
    """The grade at or below which half of the probability lies, int64 ``N``."""
    below = (probabilities.cumsum(axis=1) < 0.5).sum(axis=1)
    return np.asarray(below.clip(max=probabilities.shape[1] - 1), np.int64)


def _together(figures: Callable[[Array, Array, Array], Sequence[Array]]) -> Metric:
    """One metric of several, in which an undefined figure is NaN, as it is of a resample."""

    def metric(targets: Array, scores: Array, weight: Array) -> Array:
        found = np.stack(figures(targets, scores, np.atleast_2d(weight)), axis=-1)
        return found.reshape(*weight.shape[:-1], found.shape[-1])

    return metric


def _grades(prediction: Prediction, targets: Array) -> Kind:
    grades = len(labels_of(prediction))
    higher = {
        "ranked_probability_score": False,
        "log_loss": False,
        "grade_error": False,
        "accuracy": True,
        "adjacent_accuracy": True,
    }

    def figures(targets: Array, scores: Array, weight: Array) -> list[Array]:
        confusion = classification.confusion_matrix(targets, middle_grade(scores), grades, weight)
        return [
            ordinal.ranked_probability_score(targets, scores, weight),
            classification.log_loss(targets, scores if grades > 2 else scores[:, 1], weight),
            ordinal.grade_error(confusion),
            classification.accuracy(confusion),
            ordinal.adjacent_accuracy(confusion),
        ]

    plain = Prediction("class", prediction.values, prediction.classes)
    return Kind(higher, _together(figures), truth_of(plain, targets))


def _quantiles(prediction: Prediction, targets: Array) -> Kind:
    levels = prediction.levels
    middle = int(np.abs(np.array(levels) - 0.5).argmin())
    held = levels[-1] - levels[0]

    def figures(targets: Array, scores: Array, weight: Array) -> list[Array]:
        low, high = scores[:, 0], scores[:, -1]
        return [
            quantile.pinball(targets, scores, levels, weight),
            regression.mae(targets, scores[:, middle], weight),
            np.abs(quantile.coverage(targets, low, high, weight) - held),
            quantile.width(low, high, weight),
        ]

    higher = {"pinball": False, "mae_of_middle": False, "coverage_gap": False, "width": False}
    gaps = np.array([name == "coverage_gap" for name in higher])
    return Kind(higher, _together(figures), truth_of(Prediction("value", prediction.values[:, middle]), targets), gaps)


def _ranking(prediction: Prediction, targets: Array) -> Kind:
    cells = np.asarray(targets)
    paired = cells.ndim == 1 and len(cells) > 0 and isinstance(cells[0], tuple | list)
    relevance = np.array([cell[0] for cell in cells], np.float64) if paired else cells
    group = np.array([str(cell[1]) for cell in cells]) if paired else np.zeros(len(cells), np.int64)
    truth = truth_of(Prediction("value", prediction.values), relevance)
    gains = truth - truth.min()  # only the order counts, and gains are not negative

    def figures(targets: Array, scores: Array, weight: Array) -> list[Array]:
        return [ranking.ndcg(targets, scores, group, weight), regression.spearman(targets, scores, weight)]

    return Kind({"ndcg": True, "spearman": True}, _together(figures), gains)


def _labels(prediction: Prediction, targets: Array) -> Kind:
    cells, labels = np.asarray(targets), labels_of(prediction)
    truth = cells.astype(np.float64) if cells.ndim == 2 else _named(cells, [str(label) for label in labels])
    higher = {"macro_roc_auc": True, "micro_roc_auc": True, "log_loss": False, "exact": True}

    def figures(targets: Array, scores: Array, weight: Array) -> list[Array]:
        return [getattr(multilabel, name)(targets, scores, weight) for name in higher]

    return Kind(higher, _together(figures), truth)


def _missing(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)


def _named(cells: Array, labels: Sequence[str]) -> Array:
    """Lists of names, or mappings of them, as 0 and 1, float64 ``N x L``; NaN where a label is not known."""
    place = {label: i for i, label in enumerate(labels)}
    truth = np.zeros((len(cells), len(place)))
    for row, cell in enumerate(cells):
        said = cell if isinstance(cell, Mapping) else dict.fromkeys(() if _missing(cell) else cell, 1.0)
        if _missing(cell) or isinstance(cell, Mapping):
            truth[row] = np.nan
        for label, has in said.items():
            if str(label) not in place:
                raise InputError(f"the label {label!r} of row {row} is not known (the model knows {', '.join(place)})")
            truth[row, place[str(label)]] = np.nan if has is None else has
    return truth
