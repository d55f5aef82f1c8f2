"""Exported models where there is little room: the whole pipeline on numpy and ONNX Runtime alone.

These files, and those of the rooms that they need, are also the package `plait_edge`, which `plait.export` packs.
"""

from plait.edge.model import Model, load

__all__ = ["Model", "load"]
