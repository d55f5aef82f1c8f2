"""Detectors: how odd a row is, from its features alone; no label is looked at."""
