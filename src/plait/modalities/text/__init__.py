"""The text room: n-grams, topics and scores for classical learners, subwords for the neural body."""

from __future__ import annotations

from plait.modalities.text.room import Text

__all__ = ["Text"]
