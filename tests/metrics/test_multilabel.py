"""Figures of labels that do not exclude each other."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from plait.contracts import Prediction
from plait.errors import InputError
from plait.metrics import multilabel
from plait.metrics.checked import scores_of, truth_of
from plait.metrics.evaluation import evaluate


def made(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    chance = rng.random((n, 3))
    return (rng.random((n, 3)) < chance).astype(float), np.clip(chance + 0.1 * rng.normal(size=(n, 3)), 0.01, 0.99)


def test_they_are_those_of_scikit_learn() -> None:
    truth, told = made()
    assert multilabel.macro_roc_auc(truth, told) == pytest.approx(roc_auc_score(truth, told))
    assert multilabel.micro_roc_auc(truth, told) == pytest.approx(roc_auc_score(truth, told, average="micro"))
    assert multilabel.log_loss(truth, told) == pytest.approx(log_loss(truth.ravel(), told.ravel()))
    assert multilabel.exact(truth, told) == pytest.approx(((told > 0.5) == truth).all(axis=1).mean())


def test_unknown_cells_are_left_out() -> None:
    truth, told = made()
    truth[::2, 1] = np.nan
    own = [roc_auc_score(truth[:, i][k], told[:, i][k]) for i in range(3) for k in [~np.isnan(truth[:, i])]]
    assert multilabel.macro_roc_auc(truth, told) == pytest.approx(np.mean(own))
    known = ~np.isnan(truth)
    assert multilabel.micro_roc_auc(truth, told) == pytest.approx(roc_auc_score(truth[known], told[known]))
    assert multilabel.log_loss(truth, told) == pytest.approx(log_loss(truth[known], told[known]))
    assert multilabel.exact(truth, told) == pytest.approx((((told > 0.5) == truth) | ~known).all(axis=1).mean())


@pytest.mark.parametrize("name", multilabel.__all__)
def test_weights_repeat_rows_and_resamples_go_at_once(name: str) -> None:
    truth, told = made(60)
    truth[::3, 2] = np.nan
    figure, counts = getattr(multilabel, name), np.random.default_rng(1).integers(0, 3, (4, 60))
    each = [figure(np.repeat(truth, c, axis=0), np.repeat(told, c, axis=0)) for c in counts]
    np.testing.assert_allclose(figure(truth, told, counts.astype(float)), each)


def test_a_label_with_one_side_is_left_out_of_the_mean() -> None:
    truth, told = made(60)
    truth[:, 2] = 1.0
    assert multilabel.macro_roc_auc(truth, told) == pytest.approx(roc_auc_score(truth[:, :2], told[:, :2]))
    with pytest.raises(InputError, match="no label has both sides"):
        multilabel.macro_roc_auc(np.ones((5, 2)), told[:5, :2])


@pytest.mark.parametrize(
    ("truth", "message"),
    [(np.zeros((4, 2)), "both N x L"), (np.full((4, 3), 2.0), "0, 1 or NaN"), (np.zeros(4), "N x L")],
)
def test_other_targets_are_refused(truth: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        multilabel.log_loss(truth, np.full((4, 3), 0.5))


def test_evaluation_takes_lists_and_matrices() -> None:
    truth, told = made(80)
    prediction = Prediction("labels", told, np.array(["a", "b", "c"], object))
    names = np.empty(80, object)
    names[:] = [[label for label, has in zip("abc", row, strict=True) if has] for row in truth]
    one, other = (evaluate(prediction, targets, resamples=20) for targets in (truth, names))
    assert one["macro_roc_auc"] == other["macro_roc_auc"]
    assert one["log_loss"].value == pytest.approx(log_loss(truth.ravel(), told.ravel()))


@pytest.mark.parametrize("kind", ["grade", "quantiles", "ranking", "labels", "several"])
def test_what_is_for_classes_and_values_refuses_other_kinds(kind: str) -> None:
    prediction = Prediction(kind, np.full((4, 2), 0.5), np.array([0, 1]))
    with pytest.raises(InputError, match=f"classes or values, but the model predicts '{kind}'"):
        scores_of(prediction, 4)
    with pytest.raises(InputError, match=f"classes or values, but the model predicts '{kind}'"):
        truth_of(prediction, np.zeros(4))
