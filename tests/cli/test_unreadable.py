"""Cells that cannot be read: told by every verb, kept with the model, and never in the way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import plait
from plait.cli import main
from plait.contracts import Fault, Progress
from plait.data.faults import counted, look
from plait.data.read import read
from plait.data.schema import Schema
from plait.media.decode import counts

ROWS = 80
BROKEN = {5: b"", 9: b"no picture, though it says so" * 3}
FAST = ("--fusion", "early", "--learner", "linear", "--jobs", "1", "--test", "0")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A file of rows that name pictures beside it: two are broken, one lies elsewhere, one is missing."""
    rng = np.random.default_rng(0)
    bad = rng.integers(0, 2, ROWS)
    (tmp_path / "scans").mkdir()
    for i in range(ROWS):
        pixels = (rng.random((12, 12, 3)) * 100 + 100 * bad[i]).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "scans" / f"{i}.png")
    for i, data in BROKEN.items():
        (tmp_path / "scans" / f"{i}.png").write_bytes(data)
    names: list[str | None] = [f"scans/{i}.png" for i in range(ROWS)]
    names[20], names[30] = "../outside.png", None
    frame = pd.DataFrame({"x": rng.normal(size=ROWS).round(3), "scan": names, "bad": bad})
    frame.loc[3, "x"] = np.inf
    frame.to_csv(tmp_path / "loans.csv", index=False)
    return tmp_path / "loans.csv"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[dict, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([*map(str, arguments), "--json"])
    said = capsys.readouterr()
    assert not left.value.code, said.err
    return json.loads(said.out), said.err


def cells(faults: list[dict]) -> dict[str, list[tuple[int, list[int]]]]:
    found: dict[str, list[tuple[int, list[int]]]] = {}
    for fault in faults:
        found.setdefault(fault["column"], []).append((fault["cells"], fault["rows"]))
    return {name: sorted(kinds) for name, kinds in found.items()}


EXPECTED = {"scan": [(1, [5]), (1, [9]), (1, [20])], "x": [(1, [3])]}


def test_every_verb_tells_them(capsys, scans, tmp_path):
    found, said = run(capsys, "inspect", scans, "--target", "bad")
    assert cells(found["faults"]) == EXPECTED
    assert found["rows_read"] == ROWS
    assert "column 'scan': 1 cell(s) count as missing: 0 bytes (row 5)" in said
    model = tmp_path / "run" / "model.plait"
    record, said = run(capsys, "fit", scans, "--target", "bad", *FAST, "-o", tmp_path / "run")
    assert cells(record["faults"]) == EXPECTED
    assert "(row 20)" in said
    assert cells(json.loads((tmp_path / "run" / "run.json").read_text())["faults"]) == EXPECTED
    assert cells(plait.load(model).faults_) == EXPECTED
    judged, said = run(capsys, "evaluate", model, scans)
    assert cells(judged["faults"]) == EXPECTED
    assert "(row 20)" in said
    predicted, said = run(capsys, "predict", model, scans, "-o", tmp_path / "p.csv")
    assert cells(predicted["faults"]) == EXPECTED
    assert "(row 20)" in said
    assert len(pd.read_csv(tmp_path / "p.csv")) == ROWS


def test_files_may_lie_in_another_folder(capsys, scans, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    moved = scans.rename(other / "loans.csv")
    lost, _ = run(capsys, "inspect", moved, "--target", "bad")
    assert sum(fault["cells"] for fault in lost["faults"] if fault["column"] == "scan") == ROWS - 1
    found, _ = run(capsys, "inspect", moved, "--target", "bad", "--data-folder", tmp_path)
    assert cells(found["faults"]) == EXPECTED


def test_a_data_folder_that_is_none_is_refused(capsys, scans):
    with pytest.raises(SystemExit) as left:
        main(["inspect", str(scans), "--data-folder", str(scans)])
    assert left.value.code == 2
    assert "is no folder" in capsys.readouterr().err


def test_a_fit_says_how_far_reading_is_and_reads_once(scans):
    frame = read(scans)
    said: list[Progress] = []
    model = plait.Classifier(fusion="early", learner="linear", n_jobs=1)
    before = counts()
    model.fit(frame[["x", "scan"]], frame["bad"], progress=said.append)
    once = counts()
    assert Progress("reading scan", ROWS - 1, ROWS - 1) in said
    model.fit(frame[["x", "scan"]], frame["bad"])
    model.predict(frame)
    assert once.decoded - before.decoded <= ROWS
    assert counts().decoded == once.decoded


def test_some_rows_are_looked_at_or_all(scans):
    frame = read(scans)
    schema = Schema.infer(frame, target="bad")
    faults, looked = look(frame, schema, None)
    assert looked == ROWS
    assert {fault.row for fault in faults} == {3, 5, 9, 20}
    some, looked = look(frame, schema, 40)
    assert looked == 40
    assert {fault.row for fault in some} <= {3, 5, 9, 20}
    assert look(frame.iloc[:0], schema) == ((), 0)


def test_rare_reasons_are_one():
    faults = [Fault(row, "x", f"reason {row}") for row in range(60)] + [Fault(9, "x", "often"), Fault(2, "x", "often")]
    found = counted(faults)
    assert found[0] == {"column": "x", "reason": "often", "cells": 2, "rows": [2, 9]}
    assert found[-1]["reason"] == "other reasons"
    assert sum(fault["cells"] for fault in found) == 62
    assert len(found) == 51
