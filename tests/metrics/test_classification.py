"""Every figure against scikit-learn, on data with ties and weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from plait.errors import InputError
from plait.metrics import classification as m

SEEDS = st.integers(0, 10_000)


def made(seed: int, classes: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets, probabilities on a coarse grid (many ties) and weights, some 0."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3 * classes, 80))
    targets = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    raw = rng.integers(1, 6, (n, classes)).astype(float)
    scores = raw / raw.sum(1, keepdims=True)
    weight = rng.integers(0, 4, n) * rng.choice([1.0, 0.37])
    weight[:classes] = 1
    return targets, scores[:, 1] if classes == 2 else scores, weight


@given(SEEDS)
@settings(deadline=None, max_examples=40)
def test_binary_figures_agree_with_scikit_learn(seed: int) -> None:
    y, p, w = made(seed)
    assert m.roc_auc(y, p, w) == pytest.approx(reference.roc_auc_score(y, p, sample_weight=w))
    assert m.pr_auc(y, p, w) == pytest.approx(reference.average_precision_score(y, p, sample_weight=w))
    assert m.log_loss(y, p, w) == pytest.approx(reference.log_loss(y, p, sample_weight=w))
    assert m.brier(y, p, w) == pytest.approx(reference.brier_score_loss(y, p, sample_weight=w))
    guess = (p > 0.5).astype(int)
    confusion = m.confusion_matrix(y, guess, 2, w)
    np.testing.assert_allclose(confusion, reference.confusion_matrix(y, guess, sample_weight=w, labels=[0, 1]))
    known = {"sample_weight": w, "zero_division": 0}
    assert m.accuracy(confusion) == pytest.approx(reference.accuracy_score(y, guess, sample_weight=w))
    assert m.precision(confusion) == pytest.approx(reference.precision_score(y, guess, **known))
    assert m.recall(confusion) == pytest.approx(reference.recall_score(y, guess, **known))
    assert m.f1(confusion) == pytest.approx(reference.f1_score(y, guess, **known))


@given(SEEDS, st.integers(3, 5))
@settings(deadline=None, max_examples=40)
def test_multiclass_figures_agree_with_scikit_learn(seed: int, classes: int) -> None:
    y, p, w = made(seed, classes)
    expected = reference.roc_auc_score(y, p, sample_weight=w, multi_class="ovr", average="macro")
    assert m.roc_auc(y, p, w) == pytest.approx(expected)
    expected = reference.average_precision_score(np.eye(classes)[y], p, sample_weight=w, average="macro")
    assert m.pr_auc(y, p, w) == pytest.approx(expected)
    assert m.log_loss(y, p, w) == pytest.approx(reference.log_loss(y, p, sample_weight=w))
    assert m.brier(y, p, w) == pytest.approx(reference.brier_score_loss(y, p, sample_weight=w))
    guess = p.argmax(1)
    confusion = m.confusion_matrix(y, guess, classes, w)
    # scikit-learn averages over labels that occur in rows of weight 0 too; here such rows are not there.
    kept = w > 0
    known = {"sample_weight": w[kept], "zero_division": 0, "average": "macro"}
    assert m.accuracy(confusion) == pytest.approx(reference.accuracy_score(y, guess, sample_weight=w))
    assert m.precision(confusion) == pytest.approx(reference.precision_score(y[kept], guess[kept], **known))
    assert m.recall(confusion) == pytest.approx(reference.recall_score(y[kept], guess[kept], **known))
    assert m.f1(confusion) == pytest.approx(reference.f1_score(y[kept], guess[kept], **known))


@given(SEEDS)
@settings(deadline=None, max_examples=25)
def test_ks_is_the_gap_of_the_two_distributions(seed: int) -> None:
    from scipy.stats import ks_2samp

    y, p, w = made(seed)
    assert m.ks(y, p) == pytest.approx(ks_2samp(p[y == 1], p[y == 0], method="asymp").statistic)
    counts = np.round(w / w[w > 0].min()).astype(int)
    assert m.ks(y, p, counts) == pytest.approx(m.ks(np.repeat(y, counts), np.repeat(p, counts)))


@given(SEEDS)
@settings(deadline=None, max_examples=25)
def test_curves_agree_with_scikit_learn(seed: int) -> None:
    y, p, w = (values[made(seed)[2] > 0] for values in made(seed))  # scikit-learn drops rows of weight 0
    fpr, tpr, thresholds = reference.roc_curve(y, p, sample_weight=w, drop_intermediate=False)
    ours = m.roc_curve(y, p, w)
    np.testing.assert_allclose(ours.fpr, fpr, atol=1e-12)
    np.testing.assert_allclose(ours.tpr, tpr, atol=1e-12)
    np.testing.assert_allclose(ours.thresholds, thresholds)
    precision, recall, thresholds = reference.precision_recall_curve(y, p, sample_weight=w)
    found = m.pr_curve(y, p, w)
    np.testing.assert_allclose(found.precision[::-1], precision[:-1])
    np.testing.assert_allclose(found.recall[::-1], recall[:-1])
    np.testing.assert_allclose(found.thresholds[::-1], thresholds)


@given(SEEDS, st.sampled_from([2, 4]))
@settings(deadline=None, max_examples=25)
def test_no_figure_depends_on_row_order_and_counts_are_weights(seed: int, classes: int) -> None:
    y, p, _ = made(seed, classes)
    order = np.random.default_rng(seed).permutation(len(y))
    counts = np.concatenate([np.ones(classes, int), np.random.default_rng(seed).integers(0, 3, len(y) - classes)])
    for metric in (m.roc_auc, m.pr_auc, m.ks, m.log_loss, m.brier, m.ece):
        assert metric(y[order], p[order]) == pytest.approx(metric(y, p))
        both = metric(y, p, np.stack([np.ones(len(y)), counts]))
        assert both[0] == pytest.approx(metric(y, p))
        assert both[1] == pytest.approx(metric(y, p, counts))
        if metric is not m.ece:  # whose bins are made of the rows, not of their weights
            assert both[1] == pytest.approx(metric(np.repeat(y, counts), np.repeat(p, counts, axis=0)))


def test_ece_by_hand() -> None:
    p = np.repeat([0.1, 0.6], 5)
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0])
    assert m.ece(y, p, bins=2) == pytest.approx(0.5 * 0.1 + 0.5 * 0.2)
    assert m.ece(y, np.full(10, 0.5)) == pytest.approx(0)
    top = np.stack([p, 1 - p], axis=1)  # judged are .9 and .6: both right in 1 of 5
    assert m.ece(y, top, bins=2) == pytest.approx(0.5 * abs(0.9 - 0.2) + 0.5 * abs(0.6 - 0.2))


def test_reliability_bins_hold_equal_counts_and_wilson_intervals() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(1000)
    y = (rng.random(1000) < p).astype(int)
    bins = m.reliability(y, p)
    assert bins.rows.tolist() == [100] * 10
    assert (np.diff(bins.predicted) > 0).all()
    # statsmodels.proportion_confint(10, 100, method="wilson") = (0.05522914, 0.17436566)
    ten = m.reliability(np.repeat([1, 0], [10, 90]), np.full(100, 0.2))
    assert (ten.low[0], ten.high[0]) == (pytest.approx(0.05522914), pytest.approx(0.17436566))
    assert ((bins.low <= bins.observed) & (bins.observed <= bins.high)).all()
    doubled = m.reliability(y, p, np.full(1000, 2.0))
    np.testing.assert_allclose(doubled.high, bins.high)


def test_a_class_that_does_not_occur_is_left_out_of_the_mean() -> None:
    y, p, _ = made(3, 3)
    kept = y != 2
    expected = [m.roc_auc(y[kept] == c, p[kept, c]) for c in (0, 1)]
    assert m.roc_auc(y[kept], p[kept]) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("metric", [m.roc_auc, m.ks, m.roc_curve])
def test_one_class_is_an_error_and_nan_in_a_resample(metric) -> None:
    with pytest.raises(InputError, match="one class only"):
        metric(np.ones(4, int), np.arange(4) / 4)
    if metric is not m.roc_curve:
        weight = np.array([[1, 1, 1, 1.0], [1, 1, 0, 0]])
        value = metric(np.array([1, 1, 0, 0]), np.arange(4) / 4, weight)
        assert np.isnan(value).tolist() == [False, True]


def test_no_positives() -> None:
    for metric in (m.pr_auc, m.pr_curve):
        with pytest.raises(InputError, match="no target is of the positive class"):
            metric(np.zeros(4, int), np.arange(4) / 4)
    confusion = m.confusion_matrix(np.zeros(4, int), np.zeros(4, int), 2)
    assert (m.precision(confusion), m.recall(confusion), m.f1(confusion), m.accuracy(confusion)) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("targets", "scores", "weight", "message"),
    [
        ([0, 1], [0.1, np.nan], None, r"NaN or infinite in 1 rows \(1\)"),
        ([0, 1], [0.1], None, "shape"),
        ([], [], None, "no rows"),
        ([0, 2], [0.1, 0.2], None, "0..1"),
        ([0, 1], [0.1, 0.2], [1], "one weight for each of the 2 rows"),
        ([0, 1], [0.1, 0.2], [1, -1], "first in row 1"),
        ([0, 1], [0.1, 0.2], [1, np.inf], "not finite"),
        ([0, 1], [0.1, 0.2], [0, 0], "all weights are 0"),
    ],
)
def test_bad_input(targets, scores, weight, message) -> None:
    with pytest.raises(InputError, match=message):
        m.roc_auc(np.array(targets), np.array(scores), weight if weight is None else np.array(weight))


def test_a_curve_takes_one_column() -> None:
    with pytest.raises(InputError, match="give its column"):
        m.roc_curve(np.array([0, 1]), np.eye(2))
