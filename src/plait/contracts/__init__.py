"""What crosses rooms: frozen dataclasses of numpy arrays (`crossing`), and the protocols of the parts (`parts`).

Shapes: ``N`` rows, ``F`` features, ``K`` scores a row, ``B`` rows of a mini-batch, ``T`` tokens, ``D`` width.

A *score* is the common currency of learners, fusions and heads (float64, ``N x K``): log-odds of the second class
(binary, ``K = 1``), logits of the classes (multiclass, ``K`` classes), or the standardised value (regression,
``K = 1``).
"""

from plait.contracts.arrays import Array, Ragged, Sparse
from plait.contracts.crossing import (
    MAX_FEATURES,
    Batch,
    Batches,
    Column,
    Fault,
    Features,
    FitContext,
    Items,
    Json,
    Nested,
    Prediction,
    Progress,
    Side,
    Source,
    State,
    Task,
    Tokens,
)
from plait.contracts.parts import (
    ByColumn,
    Calibrator,
    Divisible,
    Embedder,
    Encoder,
    Head,
    Learner,
    Modality,
    Predictor,
    Readable,
    Reader,
    Traceable,
)
from plait.contracts.shares import Contributions, FeatureShares, Origin, Origins
from plait.contracts.shown import Exhibit, Form, Place, PlaceKind

__all__ = [
    "MAX_FEATURES",
    "Array",
    "Batch",
    "Batches",
    "ByColumn",
    "Calibrator",
    "Column",
    "Contributions",
    "Divisible",
    "Embedder",
    "Encoder",
    "Exhibit",
    "Fault",
    "FeatureShares",
    "Features",
    "FitContext",
    "Form",
    "Head",
    "Items",
    "Json",
    "Learner",
    "Modality",
    "Nested",
    "Origin",
    "Origins",
    "Place",
    "PlaceKind",
    "Prediction",
    "Predictor",
    "Progress",
    "Ragged",
    "Readable",
    "Reader",
    "Side",
    "Source",
    "Sparse",
    "State",
    "Task",
    "Tokens",
    "Traceable",
]
