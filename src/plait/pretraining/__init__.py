"""Learning from rows without labels: a base that fits start from, and vectors that find rows across modalities."""

from plait.pretraining.base import Base, Nearest
from plait.pretraining.fitting import pretrain
from plait.pretraining.settings import Pretraining

__all__ = ["Base", "Nearest", "Pretraining", "pretrain"]
