"""Numbers, categories, booleans, dates and durations: all tabular columns as one source."""

from plait.modalities.table.room import Table

__all__ = ["Table"]
