"""Does a fit that is killed at any moment end, resumed, as if it had never been killed?

Fits on the command line are killed (SIGKILL to the process group) at random moments and resumed with ``--resume``; of
each the bytes of the model's arrays and texts, its state and its probabilities are compared with those of a fit that
nobody killed.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.runner import Beside, Measured, Report, main
from plait import artifact, load, samples
from plait.contracts import State
from plait.data.fingerprint import fingerprint
from plait.errors import PlaitError
from plait.report.written import write_json

ROWS = 800
KILLS = 20
PICTURE = Path(__file__).parents[2] / "docs" / "learning" / "pictures" / "resume.png"
PARTS = ("lightgbm", "attention")
OPTIONS = {"lightgbm": {"trees": 120, "leaves": 8}, "attention": {"width": 32, "epochs": 4}}


class Killed(NamedTuple):
    """A fit that was killed and resumed: seconds before the kill, seconds after it, and whether it ended the same."""

    before: float
    after: float
    same: bool


@dataclass(frozen=True)
class Fits:
    """Fits of one plan on the same rows, each into a folder of its own."""

    folder: Path
    rows: int
    seed: int

    def prepare(self) -> None:
        """Write the rows and the plan: a booster and a network, stacked."""
        samples.loans(n=self.rows, seed=self.seed).to_parquet(self.folder / "loans.parquet")
        early, network = PARTS
        parts = [
            {"name": f"early/{early}", "fusion": "early", "learner": early},
            {"name": network, "fusion": network},
        ]
        plan = {"fusion": "auto", "learner": None, "options": OPTIONS, "parts": parts}
        write_json(self.folder / "plan.json", {"plan": plan})

    def command(self, name: str, *more: str) -> list[str]:
        named = {"--target": "default", "--time": "issued_at", "--plan": "plan.json", "--jobs": "1", "-o": name}
        given = [word for pair in named.items() for word in pair]
        return [sys.executable, "-m", "plait", "fit", "loans.parquet", *given, "--checkpoint", "0.2s", *more]

    def start(self, arguments: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            arguments,
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, process: subprocess.Popen[str]) -> str:
        """What a fit said on standard error.

        Raises
        ------
        PlaitError
            If it failed.
        """
        _, said = process.communicate()
        if process.returncode:
            raise PlaitError(f"a fit left with {process.returncode}: {said.strip().splitlines()[-1]}")
        return said

    def whole(self, name: str) -> float:
        """Seconds of a fit that nobody kills."""
        start = time.perf_counter()
        self.ended(self.start(self.command(name)))
        return time.perf_counter() - start

    def kill(self, name: str, moment: float, *more: str) -> float | None:
        """Kill a fit after so many seconds; seconds until then, or None where it was over before."""
        start = time.perf_counter()
        process = self.start(self.command(name, *more))
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return time.perf_counter() - start if process.returncode == -signal.SIGKILL else None

    def resume(self, name: str) -> float:
        """Seconds of going on."""
        start = time.perf_counter()
        self.ended(self.start(self.command(name, "--resume")))
        return time.perf_counter() - start

    def told(self, name: str) -> str:
        """All that is in a model but the seconds of its fit, and its probabilities of all rows, as a short text."""
        path = self.folder / name / "model.plait"
        _, state = artifact.read(path)
        values = {key: value for key, value in state.values.items() if key != "record"}
        values["training"] = state.values["record"]["training"]
        bare = State(state.version, values, state.arrays, state.texts, state.parts)
        raw = (path / "arrays.safetensors").read_bytes()
        said = load(path).predict_proba(samples.loans(n=self.rows, seed=self.seed))
        return fingerprint(bare, np.frombuffer(raw, np.uint8), said)


def draw(found: Sequence[Killed], seconds: float, path: Path) -> None:
    """Each kill as a bar: the seconds before it, those after, and where a fit that starts again would have ended."""
    from matplotlib import pyplot as plt

    rows = sorted(found)
    before, after = np.array([killed.before for killed in rows]), np.array([killed.after for killed in rows])
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    places = np.arange(len(rows))
    axes.barh(places, before, color="#b8c4ce", label="until the kill")
    axes.barh(places, after, left=before, color="#2f6f9f", label="resumed, until the end")
    axes.plot(before + seconds, places, "|", color="#c0504d", markersize=9, label="end of a fit that starts again")
    axes.axvline(seconds, color="black", linewidth=1, linestyle="--", label="nobody kills it")
    axes.set(xlabel="seconds", yticks=[], ylabel=f"{len(rows)} fits")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def run(seed: int, rows: int = ROWS, kills: int = KILLS, picture: Path | None = PICTURE) -> Report:
    """Kill and resume so many fits, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        fits = Fits(Path(folder), rows, seed)
        fits.prepare()
        seconds = fits.whole("whole")
        right = fits.told("whole")
        rng, found = np.random.default_rng(seed), list[Killed]()
        while len(found) < kills:
            name = f"killed {len(found)}"
            before = fits.kill(name, float(rng.uniform(0.02, 1.0)) * seconds)
            if before is None:  # it was over: another moment
                continue
            after = fits.resume(name)
            found.append(Killed(before, after, fits.told(name) == right))
            print(f"{len(found)} of {kills}: killed after {before:.1f} s, {after:.1f} s to its end", file=sys.stderr)
    if picture is not None:
        draw(found, seconds, picture)
    lost = [killed.before + killed.after - seconds for killed in found]
    again = statistics.median(killed.before for killed in found)
    same = sum(killed.same for killed in found)
    return Report(
        data=f"{rows:,} made loans; a booster and a network, stacked, on one thread",
        split=f"killed at {kills} random moments of {seconds:.1f} s, resumed with the same command and --resume",
        figures=(
            Measured("models that are the same, byte by byte", same, unit=f"of {kills}"),
            Measured(
                "seconds lost by a kill (median, least, most)",
                statistics.median(lost),
                min(lost),
                max(lost),
                "s",
                {"starting again": Beside(again)},
            ),
        ),
        notes=(f"seconds include starting Python and reading the rows; a fit that nobody killed took {seconds:.1f} s",),
    )


if __name__ == "__main__":
    sys.exit(main(run))
