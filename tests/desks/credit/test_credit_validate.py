"""The validation pack: every section of a run, and findings where faults were planted."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import plait
from plait.cli import main
from plait.desks.credit import validation
from plait.desks.credit.validation import RULES, Finding, Validation, validate
from plait.desks.credit.validation.findings import light
from plait.desks.credit.validation.pack import ENDINGS, check_output
from plait.desks.credit.validation.run import CreditRun
from plait.desks.credit.validation.sections import SECTIONS, repeat, sensitivity
from plait.errors import ConfigError, DataError
from plait.report.page import Section
from plait.report.run import Asked

ROOM = Path(validation.__file__).parent
FAST = {"evidence": {"fusion": "early", "learner": "linear"}}
PACKS = ("us", "eu", "china")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def fitted(folder: Path, rows: pd.DataFrame, sensitive: str, time: str | None, **settings: Any) -> Path:
    """A folder with data and a run of the desk beside each other."""
    rows.to_parquet(folder / "rows.parquet")
    (folder / "credit.yaml").write_text(yaml.safe_dump({**FAST, **settings}))
    command = ["credit", "fit", str(folder / "rows.parquet"), "--target", "default", "--sensitive", sensitive]
    command += [*(["--time", time] if time else []), "--config", str(folder / "credit.yaml"), "--jobs", "1"]
    with pytest.raises(SystemExit) as left:
        main([*command, "-o", str(folder / "run")])
    assert not left.value.code
    return folder / "run"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = plait.samples.loans(1200, seed=3).drop(columns="balance")
    rows["sex"] = np.random.default_rng(0).choice(["f", "m"], len(rows))
    policy = {"policy": {"approve_below": 0.3}}
    return fitted(tmp_path_factory.mktemp("clean"), rows, "sex", "issued_at", **policy)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A group treated worse through where it lives; later rows with an unknown kind of home and outcomes too young."""
    rows = plait.samples.biased(2000, seed=1)
    rows["applied_at"] = pd.date_range("2023-01-01", periods=len(rows), freq="6h")
    rows["home"] = np.where(np.arange(len(rows)) > 1600, "boat", np.where(rows["income"] > 40_000, "own", "rent"))
    rows.loc[1900:, "default"] = 0
    rows["late_payments"] += 1.0 * (np.arange(len(rows)) > 1500)
    return fitted(tmp_path_factory.mktemp("faulty"), rows.drop(columns=["age", "letter"]), "origin", "applied_at")


@pytest.fixture(scope="module")
def pack(clean: Path) -> Validation:
    return validate(clean, rows=1)


@pytest.fixture(scope="module")
def faults(faulty: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a Chinese document says of the faulty run, and why the gate refuses it."""
    folder = tmp_path_factory.mktemp("faults")
    command = ["credit", "validate", str(faulty), "--rules", "us", "--rows", "0", "--language", "zh", "--require"]
    with pytest.raises(SystemExit) as left:
        main([*command, "-o", str(folder / "pack")])
    assert left.value.code == 3
    assert {path.name for path in (folder / "pack").iterdir()} == {f"validation{end}" for end in ENDINGS}
    assert "发现" in (folder / "pack" / "validation.html").read_text("utf-8")
    found: dict[str, Any] = json.loads((folder / "pack" / "validation.json").read_text("utf-8"))
    return found


@pytest.mark.slow
def test_every_question_has_its_section(pack: Validation) -> None:
    keys = [section.key for section in pack.sections]
    assert keys == ["summary", *SECTIONS, *(f"rules_{name}" for name in PACKS)]
    assert all(section.applies for section in pack.sections)
    assert [f'<section id="{key}"' in pack.html for key in keys] == [True] * len(keys)
    titles = [section.title for section in pack.sections]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if f"# {title}\n" not in pack.markdown]


@pytest.mark.slow
def test_the_document_stands_alone(pack: Validation) -> None:
    assert "<script" not in pack.html
    assert not re.findall(r"(?:src|href)=[\"'](?!data:|#)", pack.html)
    assert "http://" not in pack.markdown


@pytest.mark.slow
def test_the_overview_lists_every_finding(pack: Validation) -> None:
    told = str(pack.sections[0].blocks)
    assert all(each.told in told or repr(each.told)[1:-1] in told for each in pack.findings)
    assert set(pack.lights.values()) <= {"red", "amber", "green", "grey"}
    assert json.loads(json.dumps(pack.to_json()))["lights"]["repeat"] == "green"


def test_figures_are_of_the_whole_desk(clean: Path) -> None:
    run = CreditRun.read(clean, Asked())
    rows = run.judged()
    pd_of = run.desk.score(rows).pd
    np.testing.assert_allclose(run.told.prediction.values[:, 1], pd_of)
    assert run.calibration.predicted == pytest.approx(pd_of.mean())
    recorded = json.loads((clean / "judged.json").read_text())
    assert run.evaluation["roc_auc"].value == pytest.approx(recorded["standings"]["blend"]["roc_auc"]["value"])


def test_a_hidden_source_is_one_that_was_not_given(clean: Path) -> None:
    run = CreditRun.read(clean, Asked())
    hidden = sensitivity.without_each(run)
    np.testing.assert_allclose(hidden["letter"], run.desk.log_odds(run.some.assign(letter=None)))
    bare = run.some.assign(**dict.fromkeys(run.desk.tabular))
    joint = next(source.name for source in run.schema.sources if "income" in source.columns)
    np.testing.assert_allclose(hidden[joint], run.desk.log_odds(bare))


@pytest.mark.slow
def test_planted_faults_are_found(faults: dict[str, Any]) -> None:
    told = {each["rule"]: each["told"] for each in faults["findings"]}
    assert {"four_fifths", "proxy", "no_policy", "range", "young", "population", "drift"} <= set(told)
    assert "origin" in told["four_fifths"]
    assert "district" in told["proxy"]
    assert any("home" in each["told"] for each in faults["findings"] if each["rule"] == "range")
    assert faults["lights"]["fairness"] == "red"
    assert all(max(words) >= "\u4e00" for words in told.values())


@pytest.mark.slow
def test_a_red_finding_refuses_where_that_is_asked(pack: Validation) -> None:
    red = replace(pack, findings=(Finding("repeat", "repeat", "red", "Figures differ."),), required=True)
    assert red.refusal == "1 red finding(s): repeat: Figures differ."
    assert replace(red, required=False).refusal == ""
    assert replace(red, findings=()).refusal == ""


@pytest.mark.slow
def test_a_sound_run_is_not_red_for_them(pack: Validation) -> None:
    found = {each.rule for each in pack.findings}
    assert not found & {"leaks", "prohibited", "sign", "ranks", "baseline", "range", "young", "repeat", "stranger"}
    assert "no_policy" not in found


def test_figures_that_were_changed_are_seen(clean: Path, tmp_path: Path) -> None:
    shutil.copytree(clean, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    record["judged"]["standings"]["blend"]["roc_auc"]["value"] += 0.01
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    found = repeat.part(CreditRun.read(tmp_path / "run", Asked(data=clean.parent / "rows.parquet")))
    assert [each.rule for each in found.findings] == ["repeat"]
    assert "0.010" in found.section.verdict


def test_other_data_is_refused(run: Callable[..., Any], clean: Path, tmp_path: Path) -> None:
    plait.samples.loans(50, seed=9).to_parquet(tmp_path / "other.parquet")
    said = run("credit", "validate", clean, "--data", "other.parquet")
    assert said.code == 2
    assert "SHA-256" in said.err


@pytest.mark.slow
def test_a_run_that_held_no_rows_out_cannot_be_validated(tmp_path: Path) -> None:
    rows = plait.samples.loans(600, seed=1).drop(columns=["balance", "letter", "issued_at"])
    rows.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "credit.yaml").write_text(yaml.safe_dump(FAST))
    words = ["--target", "default", "--config", str(tmp_path / "credit.yaml"), "--test", "0", "--jobs", "1"]
    with pytest.raises(SystemExit) as left:
        main(["credit", "fit", str(tmp_path / "rows.parquet"), *words, "-o", str(tmp_path / "run")])
    assert not left.value.code
    with pytest.raises(DataError, match="held no rows out"):
        validate(tmp_path / "run")


def test_where_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.html, \.md, \.json"):
        check_output(tmp_path / "pack.pdf")
    with pytest.raises(DataError, match="no folder"):
        check_output(tmp_path / "none" / "pack.html")
    check_output(tmp_path / "pack.md")
    check_output(tmp_path)


def test_the_worst_finding_is_the_light() -> None:
    section, absent = Section("a", "A", ()), Section.absent("a", "A", "why")
    red, amber = Finding("repeat", "a", "red", ""), Finding("rows", "a", "amber", "")
    other = Finding("repeat", "b", "red", "")
    assert [light(section, found) for found in ((amber, red), (amber,), (other,), ())] == [
        "red",
        "amber",
        "green",
        "green",
    ]
    assert light(absent, (red,)) == "grey"


# Words


def table(language: str) -> dict[str, str]:
    nested = yaml.safe_load((ROOM / "languages" / f"{language}.yaml").read_text("utf-8"))
    return {f"{group}.{key}": words for group, own in nested.items() for key, words in own.items()}


def test_both_languages_say_the_same() -> None:
    english, chinese = table("en"), table("zh")
    assert set(english) == set(chinese)
    for key, words in english.items():
        places = [{name for _, name, _, _ in Formatter().parse(each) if name} for each in (words, chinese[key])]
        assert places[0] == places[1], key
        assert words.count("|") == chinese[key].count("|"), key


def test_every_rule_and_every_key_has_words() -> None:
    known = table("en")
    assert {key.removeprefix("rule.") for key in known if key.startswith("rule.")} == set(RULES)
    report = yaml.safe_load((Path(plait.__file__).parent / "report" / "languages" / "en.yaml").read_text("utf-8"))
    code = "\n".join(path.read_text("utf-8") for path in ROOM.rglob("*.py"))
    used = set(re.findall(r"say(?:\.drawn)?\(\s*[\"']([a-z]+\.[a-z_]+)[\"']", code))
    assert used
    assert not used - set(known) - {f"{group}.{key}" for group, own in report.items() for key in own}
    raised = set(re.findall(r"KEY, \"([a-z_]+)\"", code))
    assert raised
    assert not {f"found.{rule}" for rule in raised} - set(known)


# In a browser


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open pages with")
@pytest.mark.parametrize("width", [375, 1200])
def test_the_page_asks_for_nothing_and_fits(pack: Validation, tmp_path: Path, width: int) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    (page,) = pack.write(tmp_path / "pack.html")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": width, "height": 900})
        said: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on(
            "request", lambda asked: said.append(asked.url) if not asked.url.startswith(("data:", "file:")) else None
        )
        tab.goto(page.as_uri())
        assert said == []
        assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        assert tab.evaluate("Array.from(document.images).every(image => image.complete && image.naturalWidth > 0)")
        assert len(tab.query_selector_all("main > section")) == len(pack.sections)
        browser.close()
