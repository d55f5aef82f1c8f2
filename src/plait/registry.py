"""Names to parts: kind -> name -> ``"module:Class"``, plus the entry points ``plait.<kind>`` of other packages.

A new part is one file and one line here. Nothing is imported until a part is asked for by `get`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature
from typing import TYPE_CHECKING, Any

from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    from plait.contracts import Modality, Source

__all__ = ["KINDS", "get", "make", "names", "room", "target"]

KINDS: dict[str, dict[str, str]] = {
    "modalities": {
        "audio": "plait.modalities.audio:Audio",
        "events": "plait.modalities.events:Events",
        "table": "plait.modalities.table:Table",
        "text": "plait.modalities.text:Text",
        "series": "plait.modalities.series:Series",
        "graph": "plait.modalities.graph:Graph",
        "image": "plait.modalities.image:Image",
        "mesh": "plait.modalities.mesh:Mesh",
        "video": "plait.modalities.video:Video",
        "list": "plait.modalities.list:List",
    },
    "encoders": {
        "records": "plait.layers.records:RecordTokens",
        "record_states": "plait.layers.records:RecordStates",
        "conv": "plait.layers.conv1d:ConvTokens",
        "rnn": "plait.layers.recurrent:RNNTokens",
        "gru": "plait.layers.recurrent:GRUTokens",
        "lstm": "plait.layers.recurrent:LSTMTokens",
        "columns": "plait.layers.columns:ColumnTokens",
        "conv_columns": "plait.layers.conv_columns:ConvColumns",
        "subwords": "plait.layers.subwords:SubwordTokens",
        "subword_gru": "plait.layers.subwords:SubwordGRU",
        "subword_lstm": "plait.layers.subwords:SubwordLSTM",
        "words": "plait.layers.words:WordTokens",
        "patches": "plait.layers.patches:PatchTokens",
        "neighbours": "plait.layers.neighbours:NeighbourTokens",
        "mel_gru": "plait.layers.sound:MelGRUTokens",
        "mel_conv": "plait.layers.sound:MelConvTokens",
        "pixel_conv": "plait.layers.pictures:PixelConv",
        "pixel_conv3": "plait.layers.pictures:PixelConv3",
        "pixel_patches": "plait.layers.pictures:PixelPatches",
        "pixel_rows": "plait.layers.pictures:PixelRows",
        "points": "plait.layers.points:PointTokens",
        "pointnet": "plait.layers.points:PointNetTokens",
        "film_gru": "plait.layers.film:FilmGRU",
        "film_attention": "plait.layers.film:FilmAttention",
    },
    "embedders": {
        "minilm": "plait.embedders.minilm:MiniLM",
    },
    "learners": {
        "forest": "plait.learners.forest:Forest",
        "lightgbm": "plait.learners.lightgbm:LightGBM",
        "linear": "plait.learners.linear:Linear",
        "mlp": "plait.learners.mlp:MLP",
        "svm": "plait.learners.svm:SVM",
    },
    "fusions": {
        "attention": "plait.fusion.attention:Attention",
        "auto": "plait.fusion.auto:Auto",
        "average": "plait.fusion.average:Average",
        "bottleneck": "plait.fusion.bottleneck:Bottleneck",
        "early": "plait.fusion.early:Early",
        "hybrid": "plait.fusion.hybrid:Hybrid",
        "late": "plait.fusion.late:Late",
        "parallel": "plait.fusion.parallel:Parallel",
        "sequence": "plait.fusion.sequence:Sequence",
    },
    "heads": {
        "binary": "plait.heads.binary:Binary",
        "multiclass": "plait.heads.multiclass:Multiclass",
        "multilabel": "plait.heads.multilabel:Multilabel",
        "ordinal": "plait.heads.ordinal:Ordinal",
        "quantile": "plait.heads.quantile:Quantile",
        "ranking": "plait.heads.ranking:Ranking",
        "regression": "plait.heads.regression:Regression",
        "several": "plait.heads.several:Several",
    },
    "optimisers": {
        "adagrad": "plait.training.optimisers:Adagrad",
        "adam": "plait.training.optimisers:Adam",
        "adamw": "plait.training.optimisers:AdamW",
        "gradient_descent": "plait.training.optimisers:GradientDescent",
        "momentum": "plait.training.optimisers:Momentum",
        "rmsprop": "plait.training.optimisers:RMSprop",
        "sgd": "plait.training.optimisers:SGD",
    },
    "schedules": {
        "constant": "plait.training.schedules:Constant",
        "cosine": "plait.training.schedules:Cosine",
        "linear": "plait.training.schedules:Linear",
        "one_cycle": "plait.training.schedules:OneCycle",
        "plateau": "plait.training.schedules:Plateau",
        "steps": "plait.training.schedules:Steps",
    },
    "balances": {
        "alternation": "plait.training.balance:Alternation",
        "lookahead": "plait.training.lookahead:Lookahead",
        "modulation": "plait.training.balance:Modulation",
    },
    "maskings": {
        "adaptive": "plait.training.masking:Adaptive",
        "constant": "plait.training.masking:Masking",
        "ramp": "plait.training.masking:Ramp",
    },
    "watchers": {
        "jsonl": "plait.watchers.jsonl:Jsonl",
        "mlflow": "plait.watchers.mlflow:MLflow",
        "tensorboard": "plait.watchers.tensorboard:TensorBoard",
    },
    "recipes": {
        "bert_classifier": "plait.recipes:bert_classifier",
        "conv1d_columns": "plait.recipes:conv1d_columns",
        "conv1d_series": "plait.recipes:conv1d_series",
        "conv_classifier": "plait.recipes:conv_classifier",
        "forest_signals": "plait.recipes:forest_signals",
        "gradient_boosting": "plait.recipes:gradient_boosting",
        "image_conv_lstm": "plait.recipes:image_conv_lstm",
        "svm": "plait.recipes:svm",
        "tfidf_logistic": "plait.recipes:tfidf_logistic",
    },
    "calibrators": {
        "beta": "plait.calibrators.beta:Beta",
        "isotonic": "plait.calibrators.isotonic:Isotonic",
        "platt": "plait.calibrators.platt:Platt",
        "temperature": "plait.calibrators.temperature:Temperature",
    },
    "detectors": {
        "isolation": "plait.detectors.isolation:Isolation",
        "reconstruction": "plait.detectors.reconstruction:Reconstruction",
    },
    "desks": {
        "credit": "plait.desks.credit:DESK",
    },
    "event_sources": {
        "file": "plait.serving.stream.files:FileSource",
        "pipe": "plait.serving.stream.pipes:PipeSource",
        "redis": "plait.serving.stream.redis_streams:RedisSource",
    },
    "event_sinks": {
        "file": "plait.serving.stream.files:FileSink",
        "pipe": "plait.serving.stream.pipes:PipeSink",
        "redis": "plait.serving.stream.redis_streams:RedisSink",
    },
    "event_states": {
        "file": "plait.serving.stream.sqlite_state:SqliteState",
        "redis": "plait.serving.stream.redis_state:RedisState",
    },
    "readers": {},
    "wrappers": {
        "pretrained": "plait.modalities.pretrained:Pretrained",
    },
}


@cache
def _table(kind: str) -> dict[str, str]:
    if kind not in KINDS:
        raise unknown("kind of part", kind, KINDS)
    outside = {point.name: point.value for point in entry_points(group=f"plait.{kind}")}
    return {**outside, **KINDS[kind]}


def names(kind: str) -> tuple[str, ...]:
    """All names of a kind, sorted."""
    return tuple(sorted(_table(kind)))


def target(kind: str, name: str) -> str:
    """Where a part lives, as ``"module:Class"``.

    Raises
    ------
    ConfigError
        If there is no such kind or name; the nearest one is suggested.
    """
    table = _table(kind)
    if name not in table:
        raise unknown(kind.removesuffix("s") if kind != "modalities" else "modality", name, table)
    return table[name]


def get(kind: str, name: str) -> Any:
    """Import and return the class of a part.

    Raises
    ------
    ConfigError
        If there is no such part, or what an entry point names is not there.
    """
    module, _, attribute = target(kind, name).partition(":")
    try:
        return getattr(import_module(module), attribute)
    except AttributeError:
        raise ConfigError(f"the {kind} entry {name!r} points to {module}:{attribute}, which does not exist") from None


def room(source: Source) -> type[Modality]:
    """The class of a source's room: its modality's, seen through a pretrained encoder where an option names one.

    Rooms that hand their options on to another room (``nests``) leave that to the other room.
    """
    own: type[Modality] = get("modalities", source.modality)
    if any("pretrained" in options for options in source.options.values()) and not getattr(own, "nests", False):
        return get("wrappers", "pretrained")  # type: ignore[no-any-return]
    return own


def make(kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """Construct a part from its options.

    Raises
    ------
    ConfigError
        If the part has no such option; the nearest one is suggested.
    """
    part = get(kind, name)
    allowed = signature(part).parameters
    for option in options:
        if option not in allowed:
            raise unknown(f"option of {name}", option, allowed)
    return part(**options)
