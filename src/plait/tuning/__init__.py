"""Look for options of parts that do better on rows held out of training rows, within a budget."""

from plait.tuning.search import Tuned, tune
from plait.tuning.space import read_space, space_of
from plait.tuning.study import Trial, check_journal

__all__ = ["Trial", "Tuned", "check_journal", "read_space", "space_of", "tune"]
