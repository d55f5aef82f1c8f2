"""Ask all questions of one folder, each in a process of its own."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.__main__ import HERE, names
from benchmarks.runner import markdown
from plait.errors import unknown

__all__ = ["ask"]


def ask(group: str, arguments: Sequence[str] | None = None) -> int:
    """Run the questions one after the other; the exit code is the worst of theirs, and what succeeded is printed."""
    questions = [name.partition(".")[2] for name in names() if name.startswith(f"{group}.")]
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{group}", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of tables")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--only", action="append", metavar="NAME", help=f"ask this one ({', '.join(questions)})")
    options = parser.parse_args(arguments)
    results, worst = [], 0
    for name in options.only or questions:
        if name not in questions:
            print(f"benchmarks.{group}: {unknown('question', name, questions)}", file=sys.stderr)
            return 2
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", f"benchmarks.{group}.{name}", "--json", "--seed", str(options.seed)]
        done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, encoding="utf-8", check=False)
        if done.returncode:
            worst = max(worst, done.returncode)
            continue
        results.append(json.loads(done.stdout))
        if not options.json:
            print(markdown(results[-1]) + "\n", flush=True)
    if options.json:
        print(json.dumps(results, ensure_ascii=False))
    return worst
