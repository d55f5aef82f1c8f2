"""Runs as reports and cards: written from the folder that a fit left, or refused with what to do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from plait.cli import main
from plait.errors import DataError
from plait.report.card import CARD, VALIDATION
from plait.report.rulebook import PACKS, assess, pack
from plait.report.run import Asked, Run
from plait.report.sections import SECTIONS

KEYS = {"summary", *SECTIONS}
WORDS = ("I was never late", "my card is overdrawn", "we moved house", "I look forward to it")


class Said(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        return Said(int(left.value.code or 0), *capsys.readouterr())

    return call


def made(rows: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x, sex = rng.normal(size=rows).round(3), rng.choice(["f", "m"], rows)
    said = rng.choice(WORDS, (rows, 2))
    note = [f"{one}, and {other} {i} days ago; call me at 13812345678." for i, (one, other) in enumerate(said)]
    return pd.DataFrame(
        {
            "when": pd.date_range("2020-01-01", periods=rows).strftime("%Y-%m-%d"),
            "income": x,
            "kind": rng.choice(["a", "b"], rows),
            "sex": sex,
            "note": note,
            "bad": np.where(x + rng.normal(size=rows) > 0, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a run beside each other."""
    folder = tmp_path_factory.mktemp("reported")
    made().to_csv(folder / "loans.csv", index=False)
    roles = ["--target", "bad", "--time", "when", "--sensitive", "sex", "--test", "0.5"]
    fast = ["--fusion", "early", "--learner", "linear", "--jobs", "1"]
    with pytest.raises(SystemExit) as left:
        main(["fit", str(folder / "loans.csv"), *roles, *fast, "-o", str(folder / "run")])
    assert not left.value.code
    return folder


def test_a_report_has_every_section(run: Command, fitted: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    said = run("report", fitted / "run", "-o", page, "--rows", 1, "--cost", "FP=1,FN=4", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    sections = {section["key"]: section for section in told["sections"]}
    assert list(sections) == ["summary", *SECTIONS]
    assert all(section["applies"] for section in sections.values())
    assert told["bytes"] == page.stat().st_size < 3_000_000
    text = page.read_text("utf-8")
    for key in sections:
        assert f'<section id="{key}"' in text
    assert "13812345678" not in re.sub(r"<[^>]*>", "", text)  # a telephone number in a letter
    assert "note" in sections["privacy"]["verdict"]


def test_personal_data_is_shown_where_that_is_asked_for(run: Command, fitted: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    said = run("report", fitted / "run", "-o", page, "--rows", 1, "--show-personal", "--language", "zh")
    assert said.code == 0, said.err
    text = page.read_text("utf-8")
    assert "13812345678" in re.sub(r"<[^>]*>", "", text)  # marks may stand inside it
    assert 'lang="zh-Hans"' in text
    assert "模型报告" in text


def test_a_run_without_rows_held_out_says_what_cannot_be_told(run: Command, fitted: Path, tmp_path: Path) -> None:
    fast = ("--fusion", "early", "--learner", "linear", "--jobs", "1", "--test", "0")
    assert run("fit", fitted / "loans.csv", "--target", "income", *fast, "-o", tmp_path / "run").code == 0
    said = run("report", tmp_path / "run", "-o", tmp_path / "report.html", "--json")
    assert said.code == 0, said.err
    absent = {section["key"] for section in json.loads(said.out)["sections"] if not section["applies"]}
    assert {"metrics", "calibration", "fairness", "drift", "cases"} <= absent


def test_values_are_reported_too(run: Command, fitted: Path, tmp_path: Path) -> None:
    fast = ("--fusion", "early", "--learner", "linear", "--jobs", "1", "--ignore", "when")
    assert run("fit", fitted / "loans.csv", "--target", "income", *fast, "-o", tmp_path / "run").code == 0
    said = run("report", tmp_path / "run", "-o", tmp_path / "report.html", "--rows", 1, "--json")
    assert said.code == 0, said.err
    sections = {section["key"]: section for section in json.loads(said.out)["sections"]}
    assert "RMSE" in sections["metrics"]["verdict"]
    assert not sections["calibration"]["applies"]
    assert not sections["decisions"]["applies"]


def test_data_that_moved_is_found_beside_the_run_or_by_name(fitted: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(fitted, tmp_path / "moved")
    record = json.loads((moved / "run" / "run.json").read_text())
    record["data"]["path"] = "gone/loans.csv"
    (moved / "run" / "run.json").write_text(json.dumps(record))
    beside = Run.read(moved / "run", Asked())
    (moved / "loans.csv").rename(moved / "other.csv")
    with pytest.raises(DataError, match="say where it lies now with --data FILE"):
        Run.read(moved / "run", Asked())
    named = Run.read(moved / "run", Asked(data=moved / "other.csv"))
    pd.testing.assert_frame_equal(beside.judged(), named.judged())
    assert len(named.judged()) == record["data"]["test_rows"]


@pytest.mark.parametrize("verb", ["report", "card"])
def test_other_data_is_refused(run: Command, fitted: Path, tmp_path: Path, verb: str) -> None:
    made(200).to_csv(tmp_path / "other.csv", index=False)
    said = run(verb, fitted / "run", "-o", tmp_path / "x", "--data", tmp_path / "other.csv")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "is not what the run was fitted on" in said.err
    assert not (tmp_path / "x").exists()


def test_rows_that_divide_otherwise_are_refused(run: Command, fitted: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(fitted / "run", tmp_path / "run")
    record = json.loads((copy / "run.json").read_text())
    record["data"]["test"] = 0.3
    (copy / "run.json").write_text(json.dumps(record))
    said = run("report", copy, "-o", tmp_path / "x.html", "--data", fitted / "loans.csv")
    assert said.code == 2
    assert "divide otherwise than in the run" in said.err


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "holds no run.json"), ("{", "cannot be read"), ('{"data": {}}', "does not say how its rows were divided")],
)
def test_a_folder_that_is_no_run_is_refused(run: Command, tmp_path: Path, content: str | None, told: str) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    said = run("report", tmp_path, "-o", tmp_path / "x.html")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert told in said.err


def test_a_card_is_filled_from_the_run_and_marks_the_rest(run: Command, fitted: Path, tmp_path: Path) -> None:
    card, validation = tmp_path / "CARD.md", tmp_path / "VALIDATION.md"
    said = run("card", fitted / "run", "-o", card, "--rules", "us,eu,china", "--validation", validation, "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert set(told["rules"]) == set(PACKS)
    text = card.read_text("utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[: len(CARD)] == [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
    ]
    assert headings[len(CARD) :] == ["Rules: United States", "Rules: European Union", "Rules: China"]
    assert text.count("**For people to fill in:**") >= 9
    figures = json.loads((fitted / "run" / "evaluation.json").read_text())["figures"]
    auc = next(figure["value"] for figure in figures if figure["metric"] == "roc_auc")
    assert f"| ROC AUC | {auc:.3f} |" in text
    assert len(re.findall(r"^## ", validation.read_text("utf-8"), re.MULTILINE)) == len(VALIDATION)


def test_an_unknown_rule_pack_is_refused(run: Command, fitted: Path, tmp_path: Path) -> None:
    said = run("card", fitted / "run", "-o", tmp_path / "x.md", "--rules", "mars")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "unknown rule pack 'mars' (allowed: china, eu, us)" in said.err


@pytest.mark.parametrize("name", PACKS)
def test_rule_packs_are_whole(name: str) -> None:
    rules = pack(name)
    assert len({clause.id for clause in rules.clauses}) == len(rules.clauses) >= 7
    for clause in rules.clauses:
        assert set(clause.evidence) <= KEYS, clause.id
        for words in (clause.says, clause.people, rules.title):
            assert set(words) == {"en", "zh"}, clause.id
            assert all(words.values()), clause.id


def test_missing_evidence_is_told_with_its_reason() -> None:
    from plait.report.page import Section

    sections = [Section.absent(key, key, "because") if key == "fairness" else Section.of(key, key, []) for key in KEYS]
    shown = {each.clause.id: each for each in assess(pack("us"), sections)}
    assert [section.verdict for section in shown["four-fifths"].missing] == ["because"]
    assert not shown["four-fifths"].there
    assert not shown["regb-records"].missing
