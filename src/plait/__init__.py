"""Plait learns from every kind of financial evidence at once and decides in a way people can stand behind.

Public names load on first use: ``import plait`` imports neither torch nor scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "Classifier": "plait.estimators:Classifier",
    "Client": "plait.client:Client",
    "Detector": "plait.estimators:Detector",
    "MultiTask": "plait.estimators:MultiTask",
    "PlaitError": "plait.errors:PlaitError",
    "Regressor": "plait.estimators:Regressor",
    "Schema": "plait.data.schema:Schema",
    "data": "plait.data",
    "inspect": "plait.data.quality:inspect",
    "load": "plait.estimators:load",
    "read": "plait.data.read:read",
    "recipes": "plait.recipes",
    "samples": "plait.data.samples",
    "split": "plait.data.splits:split",
}

__all__ = [
    "Classifier",
    "Client",
    "Detector",
    "MultiTask",
    "PlaitError",
    "Regressor",
    "Schema",
    "inspect",
    "load",
    "read",
    "samples",
    "split",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'plait' has no attribute {name!r}")
    module, _, attribute = _WHERE[name].partition(":")
    loaded = import_module(module)
    value = getattr(loaded, attribute) if attribute else loaded
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
