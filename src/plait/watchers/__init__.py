"""Watchers: where the figures of a long job are written, while it runs."""
