"""A shelf file with another champion, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from plait.contracts import Json
from plait.data.files import replacing
from plait.errors import unknown
from plait.serving.shelf import digest_of, written

__all__ = ["swapped"]


def swapped(shelf: str | Path, model: str, champion: str | Path, version: str | None = None) -> dict[str, Json]:
    """Write another champion into a shelf file; services that serve it take over by themselves.

    The file is written anew, in one step: comments in it are not kept.

    Parameters
    ----------
    champion
        The path of a saved model.
    version
        What requests call it; None: the first 12 digits of its digest.

    Returns
    -------
    dict
        ``"model"``, ``"version"``, ``"before"`` (the version until now, None if it had none) and ``"path"``.

    Raises
    ------
    ConfigError
        If the file is no shelf, has no such model, nothing can be read at `champion`, or the shelf would be none with
        it.
    """
    path = Path(shelf)
    checked = written(path)
    if model not in checked["models"]:
        raise unknown(f"model of {path.name}", model, checked["models"])
    told = yaml.safe_load(path.read_text("utf-8"))
    before = told["models"][model]["champion"].get("version")
    version = version or digest_of(champion)[:12]
    place = os.path.relpath(Path(champion).resolve(), path.parent.resolve())
    told["models"][model]["champion"] = {"path": place, "version": version}
    with replacing(path) as beside:
        beside.write_text(yaml.safe_dump(told, sort_keys=False, allow_unicode=True), "utf-8")
        written(beside)
    return {"model": model, "version": version, "before": before, "path": place}
