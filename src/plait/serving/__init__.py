"""Serving: models behind HTTP and on streams, with locked doors and an audit of every decision."""

__all__: list[str] = []
