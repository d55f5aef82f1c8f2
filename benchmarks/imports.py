"""How long does `import plait` take above bare Python, how long `plait --help`, and what do they load?"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.runner import Beside, Measured, Report, main, side_by_side, timed

HEAVY = ("lightgbm", "matplotlib", "pandas", "pyarrow", "scipy", "sklearn", "torch")
LOADED = f"import json, sys; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
HELP = """
import contextlib, os, sys
from plait.cli import main
sys.argv = ["plait", "--help"]
with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing), contextlib.suppress(SystemExit):
    main()
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def loaded(code: str) -> list[str]:
    """The heavy modules that a piece of code loads."""
    done = subprocess.run(python(f"{code}\n{LOADED}"), stdout=subprocess.PIPE, text=True, check=True)
    return list(json.loads(done.stdout))


def run(seed: int, repeats: int = 9) -> Report:
    """Measure processes in turn; nothing here is random."""
    commands = {
        "bare": python("pass"),
        "import": python("import plait"),
        "numpy": python("import numpy"),
        "sklearn": python("import sklearn"),
        "help": [str(Path(sys.executable).with_name("plait")), "--help"],
    }
    calls = {
        name: lambda command=command: subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        for name, command in commands.items()
    }
    seconds = side_by_side(calls, repeats)
    bare = statistics.median(seconds["bare"])
    above = {name: [each - bare for each in taken] for name, taken in seconds.items()}
    beside = {f"import {name}": Beside(statistics.median(above[name])) for name in ("numpy", "sklearn")}
    heavy = {"import plait": loaded("import plait"), "plait --help": loaded(HELP)}
    counts = [Measured(f"heavy modules that {what} loads", len(found)) for what, found in heavy.items()]
    return Report(
        data="none",
        split=f"{repeats} processes of each kind, in turn; medians",
        figures=(
            timed("import plait, above bare Python", above["import"], beside),
            timed("plait --help, above bare Python", above["help"], beside),
            timed("bare Python", seconds["bare"]),
            *counts,
        ),
        notes=(
            f"heavy are {', '.join(HEAVY)}",
            *(f"{what} loads {', '.join(found)}" for what, found in heavy.items() if found),
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
