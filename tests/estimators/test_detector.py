"""Detectors as scikit-learn meets them, what their alerts promise, and what they say of odd rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

import plait

QUICK = {"isolation": {"trees": 60, "sample": 128}}


@parametrize_with_checks([plait.Detector(n_jobs=1, options=QUICK)])
def test_scikit_learn_checks(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)
