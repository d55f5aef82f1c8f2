"""Events as lines of files, and the windows that tests make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from plait.data.windows import Windows

WINDOWS = Windows.of({"card": {"over": ["1h", "1d"], "features": ["count", "sum(amount)", "distinct(shop)", "since"]}})


def written(path: Path, events: list[Any]) -> None:
    """Events as lines; text is a line as it is."""
    lines = [each if isinstance(each, str) else json.dumps(each) for each in events]
    path.write_text("".join(f"{line}\n" for line in lines))


def told(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of outcomes or dead letters."""
    return [json.loads(line) for line in path.read_text().splitlines()]
