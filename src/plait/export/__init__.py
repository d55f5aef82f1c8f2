"""Exported models: graphs and plain state in one folder, and the small package that runs them."""

from plait.export.folder import Exported, Plan, export, plan
from plait.export.runtime import build

__all__ = ["Exported", "Plan", "build", "export", "plan"]
