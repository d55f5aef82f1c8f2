"""Well-known models by name: configurations of rooms, encoders, fusions and learners.

A recipe is a function from its hyper-parameters to an estimator, not yet fitted. `make` calls it by name, and hands
whatever else it is told to the estimator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

from plait import registry
from plait.contracts import Json
from plait.data.schema import ColumnSpec, Schema
from plait.data.splits import split
from plait.errors import ConfigError, unknown
from plait.estimators import Classifier, Regressor

if TYPE_CHECKING:
    import pandas as pd

    from plait.metrics.evaluation import Evaluation

__all__ = [
    "bert_classifier",
    "conv1d_columns",
    "conv1d_series",
    "conv_classifier",
    "forest_signals",
    "gradient_boosting",
    "image_conv_lstm",
    "make",
    "names",
    "svm",
    "tfidf_logistic",
    "two_splits",
]

ROLES = ("time", "label_time", "group")
TASKS = {"classification": Classifier, "regression": Regressor}

Size = int | Literal["auto"]
Task = Literal["classification", "regression"]


def names() -> tuple[str, ...]:
    """All recipes, sorted."""
    return registry.names("recipes")


def make(name: str, **overrides: Any) -> Classifier | Regressor:
    """The estimator of a recipe, not yet fitted.

    Parameters
    ----------
    name
        One of `names`.
    overrides
        Hyper-parameters of the recipe (the columns that it reads among them), and any other argument of the estimator:
        ``time``, ``n_jobs``, ``random_state`` and so on.

    Raises
    ------
    ConfigError
        If there is no such recipe or argument, or one that it needs is missing.
    """
    recipe = registry.get("recipes", name)
    parameters = signature(recipe).parameters
    missing = [key for key, known in parameters.items() if known.default is known.empty and key not in overrides]
    if missing:
        raise ConfigError(f"recipe {name!r} needs {', '.join(missing)}, as in make({name!r}, {missing[0]}=...)")
    model: Classifier | Regressor = recipe(**{key: value for key, value in overrides.items() if key in parameters})
    others = {key: value for key, value in overrides.items() if key not in parameters}
    known = model.get_params(deep=False)
    for key in others:
        if key not in known:
            raise unknown(f"argument of recipe {name}", key, [*parameters, *known])
    if isinstance(model.schema, Schema):  # roles are in the schema where there is one
        roles = [ColumnSpec(others.pop(role), role) for role in ROLES if others.get(role) is not None]
        model.schema = replace(model.schema, columns=(*model.schema.columns, *roles))
    return model.set_params(**others)  # type: ignore[no-any-return]


# pictures


def image_conv_lstm(
    column: str,
    *,
    size: int = 64,
    augment: str = "light",
    width: int = 64,
    dropout: float = 0.1,
    epochs: Size = "auto",
    batch_size: Size = "auto",
    learning_rate: float = 1e-3,
) -> Classifier:
    """Convolutions over a picture, an LSTM over their 4 x 4 places, softmax attention over its states, a sigmoid.

    Parameters
    ----------
    column
        The pictures.
    size
        Pixels a side.
    augment
        ``"none"``, ``"light"`` or ``"strong"``.
    width
        Of places and states.
    dropout, epochs, batch_size, learning_rate
        Of the training.
    """
    body = _body(width, dropout, epochs, batch_size, learning_rate)
    seen = _reads(column, "image", size=size, augment=augment, encoder="pixel_conv")
    return Classifier(schema=seen, fusion="sequence", options={"sequence": {**body, "cell": "lstm", "layers": 1}})


def conv_classifier(
    column: str,
    *,
    size: int = 28,
    grey: bool = True,
    augment: str = "none",
    width: int = 128,
    dropout: float = 0.25,
    epochs: Size = "auto",
    batch_size: Size = "auto",
    learning_rate: float = 1e-3,
) -> Classifier:
    """Three convolutions of 32, 64 and 128 channels with ReLU, max pooling and dropout, then dense layers to classes.

    Made for small pictures such as scanned digits: 28 x 28, 10 classes.

    Parameters
    ----------
    column
        The pictures.
    size, grey
        Pixels a side, and whether in one channel.
    augment
        ``"none"``, ``"light"`` or ``"strong"``.
    width
        Of the dense layers.
    dropout, epochs, batch_size, learning_rate
        Of the dense layers (that of the convolutions is .25), and of the training.
    """
    body = _body(width, dropout, epochs, batch_size, learning_rate)
    seen = _reads(column, "image", size=size, grey=grey, augment=augment, fit="stretch", encoder="pixel_conv3")
    return Classifier(schema=seen, fusion="parallel", options={"parallel": body})


# words


def tfidf_logistic(
    column: str,
    *,
    ngrams: str = "words",
    max_features: int = 50_000,
    min_count: int = 2,
    strength: float | None = None,
) -> Classifier:
    """TF-IDF of words and pairs of words into logistic regression with an L2 penalty.

    Parameters
    ----------
    column
        The texts.
    ngrams
        ``"words"`` or ``"words+chars"``.
    max_features, min_count
        Of the vocabulary.
    strength
        Inverse penalty (scikit-learn's ``C``); None: chosen on held-out rows.
    """
    seen = _reads(column, "text", ngrams=ngrams, max_features=max_features, min_count=min_count, components=0)
    return Classifier(schema=seen, fusion="early", learner="linear", options={"linear": {"strength": strength}})


def bert_classifier(
    column: str,
    folder: str,
    *,
    tuning: Literal["full", "lora", "frozen"] = "full",
    max_words: int = 512,
    width: int = 64,
    dropout: float = 0.1,
    epochs: Size = 3,
    batch_size: Size = 16,
    learning_rate: float = 1e-3,
) -> Classifier:
    """A pretrained Transformer of BERT's kind, fine-tuned: up to 512 tokens, attention pooling, a linear layer.

    Parameters
    ----------
    column
        The texts.
    folder
        The checkpoint: a local folder in Hugging Face format, or the name of an installed package that carries one.
    tuning
        ``"full"``: all weights learn on; ``"lora"``: low-rank adapters do; ``"frozen"``: none.
    max_words
        Tokens read of a text.
    width
        Of what the classifier reads.
    dropout, epochs, batch_size
        Of the training.
    learning_rate
        Of the new layers; the pretrained ones move at a share of it.
    """
    body = _body(width, dropout, epochs, batch_size, learning_rate)
    seen = _reads(column, "text", pretrained=folder, tuning=tuning, max_words=max_words)
    return Classifier(schema=seen, fusion="parallel", options={"parallel": body})


# numbers


def conv1d_columns(
    columns: Sequence[str],
    *,
    width: int = 64,
    dropout: float = 0.1,
    epochs: Size = "auto",
    batch_size: Size = "auto",
    learning_rate: float = 1e-3,
) -> Regressor:
    """Two convolutions with max pooling along standardised columns, in an order that should mean something.

    Parameters
    ----------
    columns
        The numbers, neighbours side by side.
    width
        Channels of the second convolution; the first has half of them.
    dropout, epochs, batch_size, learning_rate
        Of the training.
    """
    options: dict[str, Json] = {"as": "number", "encoder": "conv_columns"}
    seen = Schema(tuple(ColumnSpec(name, "source", "table", options) for name in columns))
    body = _body(width, dropout, epochs, batch_size, learning_rate)
    return Regressor(schema=seen, fusion="parallel", options={"parallel": body})


def conv1d_series(
    column: str,
    *,
    patch: int | None = None,
    width: int = 64,
    dropout: float = 0.1,
    epochs: Size = "auto",
    batch_size: Size = "auto",
    learning_rate: float = 1e-3,
) -> Regressor:
    """Two convolutions with max pooling over the steps of a series.

    Parameters
    ----------
    column
        The series.
    patch
        Steps a token; None: by the series' lengths.
    width
        Channels of the second convolution; the first has half of them.
    dropout, epochs, batch_size, learning_rate
        Of the training.
    """
    options = {"encoder": "conv"} if patch is None else {"encoder": "conv", "patch": patch}
    body = _body(width, dropout, epochs, batch_size, learning_rate)
    return Regressor(schema=_reads(column, "series", **options), fusion="parallel", options={"parallel": body})


# any columns


def forest_signals(
    *, trees: int = 200, leaf_rows: int | None = None, feature_share: float = 0.3, row_share: float = 0.632
) -> Classifier:
    """A random forest that tells up from down, as it is often fitted: to be judged by `two_splits`.

    Parameters
    ----------
    trees, leaf_rows, feature_share, row_share
        Of the forest; see `plait.learners.forest.Forest`.
    """
    own = {"trees": trees, "leaf_rows": leaf_rows, "feature_share": feature_share, "row_share": row_share}
    return Classifier(fusion="early", learner="forest", options={"forest": own})


def svm(
    *,
    task: Task = "classification",
    kernel: Literal["nystroem", "linear"] = "nystroem",
    strength: float | None = None,
    gamma: float | None = None,
    components: int = 300,
) -> Classifier | Regressor:
    """A support vector machine with a Gaussian kernel (by Nystroem's method), or a linear one.

    Parameters
    ----------
    task
        ``"classification"`` or ``"regression"``.
    kernel, strength, gamma, components
        See `plait.learners.svm.SVM`.
    """
    own = {"kernel": kernel, "strength": strength, "gamma": gamma, "components": components}
    return _estimator(task)(fusion="early", learner="svm", options={"svm": own})


def gradient_boosting(
    *,
    task: Task = "classification",
    learning_rate: float = 0.03,
    leaves: int | None = None,
    trees: int | None = None,
    members: int = 3,
) -> Classifier | Regressor:
    """Gradient-boosted trees of LightGBM.

    Parameters
    ----------
    task
        ``"classification"`` or ``"regression"``.
    learning_rate, leaves, trees, members
        See `plait.learners.lightgbm.LightGBM`.
    """
    own = {"learning_rate": learning_rate, "leaves": leaves, "trees": trees, "members": members}
    return _estimator(task)(fusion="early", learner="lightgbm", options={"lightgbm": own})


def two_splits(
    model: Classifier | Regressor, frame: pd.DataFrame, target: str, time: str, *, test: float = 0.2, seed: int = 0
) -> dict[str, Evaluation]:
    """Judge a model on a random fifth of the rows, and on the last fifth of the time.

    The first is how trading signals are often published, and it is wrong for markets: rows next to each other share
    most of what they say (a label of the next 20 days shares 19 of them with its neighbour's), so a random test row has
    near copies among the training rows; and the model knows the future of every row that it is judged on. Only the
    second is what the model would have earned. The gap between them is what the random split made up.

    Parameters
    ----------
    model
        An estimator; copies of it are fitted.
    frame
        Rows with `target` and `time`.
    target, time
        Columns of `frame`. The time divides the rows and is not read by the model.
    test
        Share of rows judged.
    seed
        Of the random split.

    Returns
    -------
    dict
        ``"random"`` and ``"time"``, an `Evaluation` each.
    """
    from sklearn.base import clone

    found = {}
    for how, divided in (
        ("random", split(frame, test=test, seed=seed)),
        ("time", split(frame, time=time, test=test)),
    ):
        known, later = (part.drop(columns=time) for part in divided)
        fitted = clone(model).fit(known.drop(columns=target), known[target])
        found[how] = fitted.evaluate(later.drop(columns=target), later[target])
    return found


def _reads(column: str, modality: str, **options: Json) -> Schema:
    return Schema((ColumnSpec(column, "source", modality, options),))


def _body(width: int, dropout: float, epochs: Size, batch_size: Size, learning_rate: float) -> Mapping[str, Json]:
    return {
        "width": width,
        "dropout": dropout,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
    }


def _estimator(task: str) -> type[Classifier | Regressor]:
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    return TASKS[task]
