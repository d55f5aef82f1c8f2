"""Settings that people write: a YAML file, understood, with the file's name before every mistake in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from plait.errors import ConfigError

__all__ = ["understood"]

T = TypeVar("T")


def understood(path: str | Path, understand: Callable[[Any], T]) -> T:
    """What `understand` makes of the content of a YAML file.

    Raises
    ------
    ConfigError
        If the file cannot be read or is no YAML, or `understand` raises it; the file is named.
    """
    try:
        return understand(yaml.safe_load(Path(path).read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise ConfigError(f"{path} cannot be read as YAML: {why}") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
