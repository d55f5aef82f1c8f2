"""Processes that train together come to what one comes to, and end with a clear error where one of them fails."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import samples, threads
from plait.errors import ConfigError
from plait.training.feed import Mini
from plait.training.team import Team

WORKER = Path(__file__).with_name("team_worker.py")
LIMIT = 150  # seconds after which a team of tests is ended


@settings(deadline=None, max_examples=60)
@given(rows=st.integers(1, 40), size=st.integers(1, 7), seed=st.integers(0, 9))
def test_the_mean_of_shares_is_the_mean_of_all_rows(rows: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mini = Mini({}, rng.normal(size=rows), rng.random(rows), np.arange(rows))
    total, seen = 0.0, []
    for rank in range(size):
        part, share = Team(rank, size).share(mini)
        total += share * float((part.weight * part.targets).mean()) / size
        seen += part.rows.tolist() if share else []
        assert len(part)  # gradients are averaged over all: none may have nothing to do
    assert total == pytest.approx(float((mini.weight * mini.targets).mean()))
    assert sorted(seen) == list(range(rows))


def test_processes_share_the_cores_of_a_machine_and_one_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert (threads.cores(), threads.leads(), threads.together()) == (8, True, False)
    for name, value in {"WORLD_SIZE": "6", "LOCAL_WORLD_SIZE": "3", "RANK": "4"}.items():
        monkeypatch.setenv(name, value)
    assert (threads.cores(), threads.leads(), threads.together()) == (2, False, True)
    assert threads.threads_of(5) == 2
    monkeypatch.setenv("RANK", "0")
    assert threads.leads()


def test_what_does_not_go_with_several_processes_is_refused(
    monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any], folder: Path
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    samples.loans(n=60, seed=0)[["income", "default"]].to_csv(folder / "rows.csv", index=False)
    said = run("fit", "rows.csv", "--target", "default", "--time-budget", "1s", "-o", "out")
    assert said.code == 2
    assert "a time budget is that of one process" in said.err
    with pytest.raises(ConfigError, match="private training runs in one process"):
        Team(0, 2).own(__import__("torch").nn.Linear(1, 1), False, object())  # type: ignore[arg-type]


Fit = tuple[str, dict[str, Any], str]  # a name, options, and how it behaves (`team_worker`)
Told = dict[str, list[dict[str, Any]]]  # by fit, what each process says of it

PLAIN, PARTS, DROPPED = {}, {"accumulate": 3, "ema": 0.7}, {"dropout": 0.2}


def team(folder: Path, size: int, *fits: Fit) -> Told:
    """What the processes of a team say of their fits; nothing of one that they did not live to say it of."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
    }
    usual = {**os.environ, **told, "OMP_NUM_THREADS": "1", "PLAIT_TEAM_TIMEOUT": "12"}
    command = [sys.executable, str(WORKER), str(folder), json.dumps(fits)]
    started = [
        subprocess.Popen(command, env={**usual, "RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(size)
    ]
    lost = any(behaviour in ("die", "hang") for _, _, behaviour in fits)
    try:
        for process in started[:1] if lost else started:
            process.wait(LIMIT)
    finally:
        for process in started:
            process.send_signal(signal.SIGKILL)
            process.wait()
    named = {name: [folder / name / f"{rank}.json" for rank in range(size)] for name, _, _ in fits}
    return {
        name: [json.loads(file.read_text()) if file.exists() else {} for file in files] for name, files in named.items()
    }


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Fits of one process."""
    return team(tmp_path_factory.mktemp("alone"), 1, ("plain", PLAIN, "well"), ("parts", PARTS, "well"))


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Fits of two processes, with weights that each holds whole, and divided."""
    asked = {"plain": PLAIN, "parts": PARTS, "dropped": DROPPED}
    fits = [
        (f"{name} {how}", {**options, "shard": how == "divided"}, "well")
        for name, options in asked.items()
        for how in ("whole", "divided")
    ]
    return team(tmp_path_factory.mktemp("together"), 2, *fits, ("nan", PLAIN, "nan"))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["whole", "divided"])
@pytest.mark.parametrize("name", ["plain", "parts"])
def test_two_processes_and_divided_weights_come_to_what_one_process_comes_to(
    alone: Told, together: Told, name: str, how: str
) -> None:
    (one,) = alone[name]
    first, second = together[f"{name} {how}"]
    assert first == second
    for what in ("losses", "judged", "predicted"):
        np.testing.assert_allclose(first[what], one[what], atol=1e-4)


@pytest.mark.slow
def test_a_team_goes_on_from_what_its_leader_kept(tmp_path: Path, together: Told) -> None:
    divided, whole = ("divided", {**DROPPED, "shard": True}), ("whole", {**DROPPED, "shard": False})
    cut = team(tmp_path, 2, (*divided, "stop"), (*whole, "end"))
    assert cut == {"divided": [{}, {}], "whole": [{}, {}]}
    for name, (again, _) in team(tmp_path, 2, (*divided, "well"), (*whole, "well")).items():
        assert again == together[f"dropped {name}"][0]


@pytest.mark.slow
def test_where_one_process_fails_the_others_say_so(tmp_path: Path, together: Told) -> None:
    first, second = together["nan"]
    assert first == second
    assert first["error"].startswith("the training loss is not finite in training rows ")
    for behaviour in ("die", "hang"):
        told, _ = team(tmp_path, 2, (behaviour, PLAIN, behaviour))[behaviour]
        assert "process 0 of 2 lost the others of its training" in told["error"]


@pytest.mark.slow
def test_under_torchrun_the_leader_alone_speaks_and_writes(tmp_path: Path) -> None:
    rows = samples.loans(n=120, seed=0)[["income", "amount", "balance", "issued_at", "default"]]
    rows.to_parquet(tmp_path / "rows.parquet")
    options = [f"--option=attention.{told}" for told in ("epochs=2", "width=8", "heads=2")]
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "plait"]
    fit = ["fit", "rows.parquet", "--target=default", "--time=issued_at", "--fusion=attention", "-o", "out", "--json"]
    told = {**os.environ, "OMP_NUM_THREADS": "1", "PLAIT_TEAM_TIMEOUT": "60"}
    said = subprocess.run(
        [*start, *fit, *options], cwd=tmp_path, env=told, capture_output=True, text=True, timeout=LIMIT
    )
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["data"]["test_rows"] == 30  # one object, of one process
    assert said.stderr.count("written to out") == 1
    assert (tmp_path / "out" / "model.plait").is_dir()
