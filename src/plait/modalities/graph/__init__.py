"""Entities among others: a long table of links (who, whom; when, how much, of what kind) behind a column of keys."""

from plait.modalities.graph.room import Graph

__all__ = ["Graph"]
