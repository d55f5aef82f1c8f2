"""The runner of the benchmarks: what it prints, what it writes, and how it fails."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

import benchmarks.__main__ as everything
from benchmarks import imports, runner
from benchmarks.runner import Beside, Measured, Report
from plait.contracts import Prediction
from plait.errors import ConfigError, DataError
from plait.metrics.evaluation import evaluate


def run(seed: int) -> Report:
    print("noise of a library")
    beside = {"linear": Beside(0.7, 0.68, 0.72, 0.01, 0.002, 0.018), "constant": Beside(0.5)}
    figures = (Measured("AUC | all", 0.71, 0.69, 0.73, "roc_auc", beside), Measured("rows", 12_493 + seed))
    return Report("made data", "by time", figures, ("a note",))


def refuse(seed: int) -> Report:
    raise DataError("PLAIT_DATA is not set")


def test_json_is_one_object_with_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(run, ["--json", "--seed", "3"]) == 0
    out, err = capsys.readouterr()
    assert "noise" in err
    told = json.loads(out)
    wanted = {"name", "command", "data", "split", "figures", "seconds", "peak_mb", "seed", "version"}
    assert wanted <= set(told)
    assert told["command"].endswith("--seed 3")
    assert told["figures"][1]["value"] == 12_496
    assert set(told["figures"][0]) == {"what", "value", "low", "high", "unit", "baselines"}
    assert told["figures"][0]["baselines"]["linear"]["difference_low"] == 0.002
    assert told["peak_mb"] > 10


def test_the_table_has_a_column_for_each_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(run, []) == 0
    lines = capsys.readouterr().out.splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len({len(line) for line in table}) == 1
    cells = [cell.strip() for cell in table[2].replace("\\|", "/").strip("|").split("|")]
    assert cells == [
        "AUC / all",
        "0.7100",
        "0.6900 to 0.7300",
        "roc_auc",
        "0.7000 (+0.0100: +0.0020 to +0.0180)",
        "0.5000",
    ]
    assert "- a note" in lines


def test_wrong_input_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(refuse, []) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "PLAIT_DATA is not set" in err


def test_an_evaluation_becomes_a_figure_and_the_undefined_none() -> None:
    values, targets = np.arange(20.0), np.arange(20.0) ** 2
    found = evaluate(
        Prediction("value", values), targets, baselines={"constant": Prediction("value", np.ones(20))}, resamples=30
    )
    figure = runner.judged("rank correlation", found, "spearman")
    assert figure.value == pytest.approx(1)
    assert figure.unit == "spearman"
    assert figure.baselines["constant"].value is None
    rmse = runner.judged("error", found, "rmse").baselines["constant"]
    assert rmse.difference == pytest.approx(found["rmse"].value - rmse.value)


def test_calls_run_in_turn_and_the_first_turn_is_not_counted() -> None:
    order: list[str] = []
    seconds = runner.side_by_side({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, repeats=2)
    assert order == ["a", "b"] * 3
    assert [len(kept) for kept in seconds.values()] == [2, 2]
    found = runner.ratio(lambda: time.sleep(0.02), lambda: None, repeats=3)
    assert found.times == pytest.approx(found.baseline / found.ours)
    assert found.times > 1


def test_areas_are_paired_with_the_baselines() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 400)
    good, bad = targets + rng.normal(size=400), rng.normal(size=400)
    found = runner.areas(targets, {"ours": good, "plain": bad}, ["plain"])
    assert found["plain"].baselines == {}
    beside = found["ours"].baselines["plain"]
    assert beside.value == found["plain"].value
    assert beside.difference == pytest.approx(found["ours"].value - beside.value)
    assert 0 < beside.difference_low < beside.difference < beside.difference_high


def test_a_call_alone_has_a_process_and_a_peak_of_its_own() -> None:
    mine = np.ones(30_000_000)  # 240 MB that the other process must not be charged with
    process, peak = runner.alone(os.getpid)
    assert process != os.getpid()
    assert 5 < peak < mine.nbytes / 1e6


def test_what_goes_wrong_alone_is_raised_here() -> None:
    with pytest.raises(DataError, match="PLAIT_DATA"):
        runner.alone(refuse, 0)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A repository of two benchmarks, of which the second can be told to fail."""
    (tmp_path / "benchmarks").mkdir()
    here = Path(runner.__file__).parent
    for name in ("__init__", "runner"):
        (tmp_path / "benchmarks" / f"{name}.py").symlink_to(here / f"{name}.py")
    body = (
        '"""What is {name}?"""\nimport os, sys\nfrom benchmarks.runner import Measured, Report, main\n'
        'def run(seed):\n    return Report("none", "none", (Measured(os.environ["TOLD"], 1.5),))\n'
        'if __name__ == "__main__":\n    sys.exit(main(run))\n'
    )
    for name in ("first", "second"):
        (tmp_path / "benchmarks" / f"{name}.py").write_text(body.format(name=name))
    monkeypatch.setattr(everything, "HERE", tmp_path / "benchmarks")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return tmp_path / "benchmarks.md"


def test_all_are_written_and_only_one_is_rewritten(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLD", "before")
    assert everything.main([], two) == 0
    page = two.read_text()
    assert page.startswith("# Benchmarks")
    assert list(everything.sections(page)) == ["first", "second"]
    assert "python -m benchmarks.first" in page
    assert "What is second?" in page
    monkeypatch.setenv("TOLD", "after")
    assert everything.main(["--only", "second"], two) == 0
    first, second = everything.sections(two.read_text()).values()
    assert "before" in first
    assert "after" in second
    monkeypatch.delenv("TOLD")
    assert everything.main(["--only", "first"], two) == 1
    assert everything.sections(two.read_text())["first"] == first
    assert [path.name for path in two.parent.iterdir() if path.is_file()] == ["benchmarks.md"]


def test_an_unknown_benchmark_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'imports'"):
        everything.main(["--only", "import"])


def test_importing_plait_loads_nothing_heavy() -> None:
    assert imports.loaded("import plait") == []
    assert imports.loaded(imports.HELP) == []
    assert imports.loaded("import pyarrow") == ["pyarrow"]
