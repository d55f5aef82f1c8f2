"""Run all benchmarks, each in a process of its own, and rewrite docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.runner import markdown
from plait.errors import PlaitError, unknown

HERE = Path(__file__).parent
MACHINERY = ("__init__", "__main__", "baselines", "group", "runner", "servers")
PAGE = HERE.parent / "docs" / "benchmarks.md"
HEAD = """\
# Benchmarks

Every figure is printed by the command above it, on the data and the split named there. An interval is a 95% bootstrap
interval of the test rows, and for seconds the fastest and the slowest run. In the column of a baseline stands its value
and in brackets ours minus the baseline's, with the interval of that paired difference. `make bench` writes this page.
"""


def names() -> list[str]:
    """All benchmarks: the modules here and one folder below that are not the machinery."""
    found = [path.relative_to(HERE).with_suffix("") for path in (*HERE.glob("*.py"), *HERE.glob("*/*.py"))]
    return sorted(".".join(path.parts) for path in found if path.stem not in MACHINERY)


def sections(page: str) -> dict[str, str]:
    """Name to section of a page."""
    parts = ("\n" + page).split("\n## ")[1:]
    return {part.partition("\n")[0].strip(): f"## {part.strip()}" for part in parts}


def write(path: Path, made: Mapping[str, str]) -> None:
    """Write the page under another name, then rename it into place."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text("\n".join([HEAD, *(f"{made[name]}\n" for name in sorted(made))]), encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None, page: Path = PAGE) -> int:
    """Run benchmarks and rewrite their sections; a section whose benchmark fails or was not asked for stays."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="run this one and keep the other sections")
    chosen = parser.parse_args(arguments).only or names()
    for name in chosen:
        if name not in names():
            raise unknown("benchmark", name, names())
    before = sections(page.read_text(encoding="utf-8")) if page.exists() else {}
    kept = {name: section for name, section in before.items() if name in names()}
    worst = 0
    for name in chosen:
        print(f"{name} ...", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json"]
        done = subprocess.run(
            command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=False
        )
        if done.returncode:
            print(f"{name} failed with exit code {done.returncode}; its section is as it was", file=sys.stderr)
            worst = 1 if 1 in (worst, done.returncode) else done.returncode
            continue
        kept[name] = markdown(json.loads(done.stdout))
        print(kept[name] + "\n", flush=True)
        write(page, kept)
    return worst


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PlaitError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        sys.exit(2)
