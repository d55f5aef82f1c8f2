"""Plain baselines in scikit-learn and LightGBM alone, as a practitioner writes them: nothing of Plait is in here.

Their options were chosen on the latest fifth of LendingClub's training rows and are the same for all data.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["blend", "boosted", "boosted_model", "column_kinds", "joined", "linear_text", "logistic", "logits", "tfidf"]

Scores = npt.NDArray[np.float64]
LEVELS = 20  # levels up to which LightGBM's own handling of categories was better than ordinal codes


def boosted_model(seed: int, n_jobs: int, trees: int = 200) -> Any:
    """LightGBM: trees of 8 leaves, which were better than 15 and 31."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=trees,
        learning_rate=0.05,
        num_leaves=8,
        min_child_samples=20,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.8,
        reg_lambda=5.0,
        random_state=seed,
        n_jobs=n_jobs,
        deterministic=True,
        force_col_wise=True,
        verbose=-1,
    )


def boosted(train: pd.DataFrame, y: Scores, test: pd.DataFrame, *, seed: int, n_jobs: int) -> Scores:
    """Probabilities of LightGBM: categories its own way up to 20 levels, and beyond (zip codes) as ordinal codes."""
    both = train.copy(), test.copy()
    for name in column_kinds(train)[1]:
        levels = sorted(train[name].dropna().unique())
        for frame in both:
            cells = pd.Categorical(frame[name], categories=levels)
            frame[name] = cells if len(levels) <= LEVELS else cells.codes
    model = boosted_model(seed, n_jobs).fit(both[0], y)
    return np.asarray(model.predict_proba(both[1])[:, 1])


def logistic(train: pd.DataFrame, y: Scores, test: pd.DataFrame) -> Scores:
    """Probabilities of a logistic regression on one-hot categories, and numbers by quantiles: scaled, and in bins."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, QuantileTransformer

    numbers, categories = column_kinds(train)
    scaled = QuantileTransformer(n_quantiles=min(1000, len(train)), output_distribution="normal", random_state=0)
    bins = KBinsDiscretizer(10, strategy="quantile", quantile_method="averaged_inverted_cdf")
    rare = max(2, min(100, len(train) // 200))
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median", add_indicator=True), scaled), numbers),
        (make_pipeline(SimpleImputer(strategy="median"), bins), numbers),
        (OneHotEncoder(min_frequency=rare, handle_unknown="infrequent_if_exist"), categories),
    )
    model = make_pipeline(columns, LogisticRegression(C=0.03, max_iter=2000))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Bins whose width|Feature .* is constant")  # whole numbers have few quantiles
        return np.asarray(model.fit(train, y).predict_proba(test)[:, 1])


def tfidf(**options: Any) -> Any:
    """scikit-learn's vectoriser of words and pairs of words; `options` change it."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    given = {"ngram_range": (1, 2), "min_df": 5, "sublinear_tf": True, "max_features": 50_000}
    return TfidfVectorizer(**{**given, **options})


def joined(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Text columns of each row as one text."""
    return [" | ".join(row) for row in frame[list(columns)].fillna("").itertuples(index=False)]


def linear_text(train: Sequence[str], y: Scores, test: Sequence[str]) -> Scores:
    """Probabilities of a logistic regression on the TF-IDF of texts."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(tfidf(), LogisticRegression(C=0.3, max_iter=1000))
    return np.asarray(model.fit(train, y).predict_proba(test)[:, 1])


def logits(probabilities: Scores) -> Scores:
    """Log-odds."""
    clipped = np.clip(probabilities, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(clipped / (1 - clipped)))


def blend(members: Mapping[str, Scores]) -> Scores:
    """The mean of the members' log-odds: weights that no test row has chosen."""
    return np.asarray(np.mean([logits(each) for each in members.values()], axis=0))


def column_kinds(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Names of the columns of numbers, and of the others."""
    numbers = list(frame.select_dtypes("number"))
    return numbers, [name for name in frame.columns if name not in numbers]
