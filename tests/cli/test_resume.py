"""``plait fit --resume``: killed at any moment, also within a write, a fit ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plait import artifact, samples
from plait.contracts import State
from plait.data.fingerprint import fingerprint

COMMAND = ("fit", "loans.parquet", "--target", "default", "--time", "issued_at", "--jobs", "1", "-o", "run")
SMALL = ("--fusion", "early", "--learner", "linear")
NETWORK = ("--fusion", "attention", "--option", "attention.epochs=2", "--option", "attention.width=8")
OFTEN = (*COMMAND, *NETWORK, "--test", "0", "--checkpoint", "0s")

# Fits, each in a process that kills itself at a rename: before it, right after it, or (0) at none. They are forks of a
# process that has loaded the libraries, which takes longer than the fits.
FRAGILE = """
import json, os, signal, sys
import torch._dynamo
import plait.estimators, plait.report.curves, plait.report.written, plait.training.fitting
from plait.cli import main

def fit(place, left, after, arguments):
    signal.alarm(240)  # seconds after which it is ended
    os.chdir(place)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    rename = os.rename
    def fragile(*paths, **named):
        nonlocal left
        left -= "state-" in str(paths[-1])
        if not after and not left:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(*paths, **named)
        if after and not left:
            os.kill(os.getpid(), signal.SIGKILL)
    if left:
        os.rename = os.replace = fragile
    main(arguments)

for line in sys.stdin:
    child = os.fork()
    if not child:
        fit(*json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
Fits = Callable[..., int]  # where, at and after which rename it dies, and its arguments; how it left


@pytest.fixture(scope="module")
def fits() -> Iterator[Fits]:
    """Fits in processes of their own."""
    told = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", FRAGILE]
    with subprocess.Popen(command, env=told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        ask, answer = server.stdin, server.stdout

        def fit(place: Path, arguments: tuple[str, ...], at: int = 0, when: str = "before") -> int:
            ask.write(json.dumps([str(place), at, when == "after", arguments]) + "\n")
            ask.flush()
            return int(answer.readline())

        yield fit


@pytest.fixture(scope="module")
def loans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loans") / "loans.parquet"
    samples.loans(n=160, seed=0).to_parquet(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, loans: Path) -> Path:
    shutil.copy(loans, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, loans: Path, fits: Fits) -> str:
    """The network of a fit that nobody kills."""
    place = tmp_path_factory.mktemp("whole")
    shutil.copy(loans, place)
    assert fits(place, OFTEN) == 0
    return model(place)


def model(folder: Path) -> str:
    """A model without the seconds that its fit took."""
    _, state = artifact.read(folder / "run" / "model.plait")
    values = {name: value for name, value in state.values.items() if name != "record"}
    values["training"] = state.values["record"]["training"]
    return fingerprint(State(state.version, values, state.arrays, state.texts, state.parts))


def cut(fits: Fits, folder: Path, *arguments: str, at: int = 5, when: str = "before") -> None:
    """A fit that is killed while it writes a checkpoint."""
    assert fits(folder, arguments, at, when) == -signal.SIGKILL
    assert (folder / "run" / ".checkpoints" / "job.json").exists()
    assert not (folder / "run" / "model.plait").exists()


def abandon(folder: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """A fit that everything is done of but the writing of its model."""
    with monkeypatch.context() as patch:
        patch.setattr("plait.report.written.write_run", _unwritable)
        said = run(*COMMAND, *SMALL, *arguments)
    assert said.code == 2
    assert "disk is full" in said.err


def _unwritable(*given: object) -> None:
    from plait.errors import ArtifactError

    raise ArtifactError("run/model.plait: the model cannot be written: the disk is full")


def test_a_run_that_was_cut_off_is_gone_on_with_only_when_asked(
    run: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*COMMAND, *SMALL).code == 0
    whole = model(folder)
    assert not (folder / "run" / ".checkpoints").exists()
    shutil.rmtree(folder / "run")
    abandon(folder, run, monkeypatch)

    said = run(*COMMAND, *SMALL)
    assert said.code == 2
    assert said.err.strip() == (
        "plait: error: a run was cut off in run; go on with it (--resume), or remove run/.checkpoints to start again"
    )
    said = run(*COMMAND, *SMALL, "--seed", "1", "--resume")
    assert said.code == 2
    assert "run/.checkpoints keeps another fit: " in said.err
    assert "settings.seed was 0, is 1" in said.err

    said = run(*COMMAND, *SMALL, "--resume")
    assert said.code == 0
    assert "note: done before the run was cut off: rooms / table, " in said.err
    assert model(folder) == whole
    assert not (folder / "run" / ".checkpoints").exists()


@pytest.mark.slow
def test_a_resumed_run_without_anything_kept_starts_from_its_beginning(run: Callable[..., Any], folder: Path) -> None:
    said = run(*COMMAND, *SMALL, "--resume")
    assert said.code == 0
    assert "note: nothing was kept in run: the fit starts from its beginning" in said.err


def test_other_rows_are_another_run(run: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    abandon(folder, run, monkeypatch)
    samples.loans(n=160, seed=1).to_parquet(folder / "loans.parquet")
    said = run(*COMMAND, *SMALL, "--resume")
    assert said.code == 2
    assert "keeps another fit: data differs" in said.err


def test_off_keeps_nothing(run: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    abandon(folder, run, monkeypatch, "--checkpoint", "off")
    assert not (folder / "run" / ".checkpoints").exists()
    said = run(*COMMAND, *SMALL, "--checkpoint", "off", "--resume")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "leave one out" in said.err
    said = run(*COMMAND, *SMALL, "--checkpoint", "soon")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "--checkpoint 'soon' is not a duration" in said.err


@pytest.mark.slow
def test_a_time_budget_is_said(run: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    abandon(folder, run, monkeypatch, "--time-budget", "60s")
    said = run(*COMMAND, *SMALL, "--time-budget", "60s", "--resume")
    assert said.code == 0
    assert "note: with a time budget, the result may differ" in said.err


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_one_line_with_the_rows(run: Callable[..., Any], folder: Path) -> None:
    said = run(*COMMAND, *NETWORK, "--option", "attention.learning_rate=1e30", "--option", "attention.clip=1e30")
    assert said.code == 2
    last = said.err.strip().splitlines()[-1]
    assert last.startswith("plait: error: the training loss is not finite in training rows ")
    assert "lower the learning rate" in last
    assert not (folder / "run" / "model.plait").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("at", "when"), [(2, "before"), (6, "before"), (7, "after")])
def test_a_fit_that_is_killed_while_it_writes_goes_on(
    at: int, when: str, run: Callable[..., Any], folder: Path, fits: Fits, whole: str
) -> None:
    cut(fits, folder, *OFTEN, at=at, when=when)
    cut(fits, folder, *OFTEN, "--resume", at=2, when=when)  # and once more
    assert run(*OFTEN, "--resume").code == 0
    assert model(folder) == whole


@pytest.mark.slow
def test_of_a_damaged_checkpoint_the_one_before_is_gone_on_from(
    run: Callable[..., Any], folder: Path, fits: Fits, whole: str
) -> None:
    cut(fits, folder, *OFTEN, at=9, when="after")
    newest = max((folder / "run" / ".checkpoints").rglob("state-*"), key=lambda path: path.stat().st_mtime_ns)
    held = (newest / "arrays.safetensors").read_bytes()
    (newest / "arrays.safetensors").write_bytes(held[: len(held) // 2])
    said = run(*OFTEN, "--resume")
    assert said.code == 0
    assert "note: a checkpoint cannot be read, so the one before is gone on from: " in said.err
    assert model(folder) == whole


@pytest.mark.slow
def test_killed_at_random_moments_fits_end_as_they_would_have() -> None:
    root = Path(__file__).parents[2]
    asked = """
from benchmarks.learning import kills
kills.OPTIONS.update(lightgbm={"trees": 20, "leaves": 8}, attention={"width": 8, "epochs": 2})
command = kills.Fits.command
kills.Fits.command = lambda *given: [*command(*given), "--test", "0"]
print(kills.run(0, rows=160, kills=3, picture=None).figures[0].value)
"""
    ended = subprocess.run(
        [sys.executable, "-c", asked], cwd=root, capture_output=True, text=True, timeout=540, check=False
    )
    assert ended.stdout.split() == ["3"], ended.stderr
