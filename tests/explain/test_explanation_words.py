"""Explanations in words, tables and JSON: what is said, how much, and in which language."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from plait.contracts import Exhibit, Place
from plait.errors import ConfigError
from plait.explain.explanation import CellShares, ColumnShares, Explanation, SourceShares

LETTER = "I juggle several cards. Thank you."


def sources(values: list[list[float]], error: float = 0.0, **changed: Any) -> SourceShares:
    shares = np.array(values)
    base = np.full(len(shares), 0.16)
    made = SourceShares(("facts", "letter", "call"), ("m", "m", "n"), base, shares, np.full(shares.shape, error))
    return replace(made, **changed)


def columns(rows: int) -> ColumnShares:
    values = np.tile([0.5, -0.4, 0.1], (rows, 1))
    names, base = ("income", "amount", "letter"), np.full(rows, -1.5)
    residual = np.full(rows, 0.002)
    score = base + values.sum(axis=1) + residual
    return ColumnShares(names, ("facts", "facts", "letter"), base, score, values, residual, {"part": "a method"})


def cell(row: int = 0) -> CellShares:
    places = (Place("span", (0, 23), "I juggle several cards."), Place("span", (24, 34), "Thank you."))
    values = np.array([0.07, -0.005])
    return CellShares(row, "letter", Exhibit("words", LETTER), places, values, np.zeros(2))


def explanation(**changed: Any) -> Explanation:
    shares = sources([[0.07, 0.11, 0.002], [-0.05, 0.0, 0.0]], seen=np.array([[True] * 3, [True, False, False]]))
    prediction = shares.base + shares.values.sum(axis=1)
    made = Explanation((17, 18), np.array([1, 1]), "output", prediction, shares, columns(2), (cell(),), "default")
    return replace(made, **changed)


def test_a_row_is_told_in_plain_sentences() -> None:
    first, second = explanation().to_text()
    assert first == (
        "The probability of default is 34%, 18 points above the base of 16% for a row of which nothing is known. "
        "The letter adds 11 points, above all by the words 'I juggle several cards.'; the facts adds 7 points, above "
        "all by income (against it: amount). Hardly anything comes from call."
    )
    assert second.startswith("The probability of default is 11%, 5 points below the base of 16%")
    assert second.endswith("Missing: letter and call.")


def test_the_same_in_chinese() -> None:
    first, second = explanation().to_text("zh")
    assert first.startswith("default 的概率为 34%，比一无所知时的基准 16% 高 18个百分点。letter 使其升高 11个百分点")
    assert "词句“I juggle several cards.”" in first
    assert second.endswith("缺失：letter和call。")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown language 'fr'"):
        explanation().to_text("fr")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"output": np.array(["A", "B"]), "target": None}, "The probability of A is 34%"),
        ({"output": np.array(["A", "B"])}, "The probability of default = A is 34%"),
        ({"output": None}, "The prediction of default is 0.342, 0.182 above the base of 0.16"),
        ({"scale": "score"}, "The score of default is +0.34, 0.18 above the base of +0.16"),
        (
            {"sources": None},
            "The probability of default is 34%. From -1.50 to -1.30 on the scale of scores, the income",
        ),
        ({"sources": None, "columns": None}, "In the letter, the words 'I juggle several cards.' and the words 'Thank"),
        ({"sources": sources([[0.1, 0.08, 0.0]] * 2, error=0.01)}, "The facts adds 10 points (give or take 1 point)"),
        ({"sources": sources([[0.0] * 3] * 2), "prediction": np.full(2, 0.16)}, "16%, as for a row of which nothing"),
        ({"prediction": np.full(2, 0.0004)}, "0.04%"),
        ({"prediction": np.full(2, 0.99999)}, "99.9990%"),
    ],
)
def test_what_is_predicted_is_named(changed: dict[str, Any], said: str) -> None:
    assert said in explanation(**changed).to_text()[0]


PLACES = {
    Place("box", (0.1, 0.2, 0.5, 0.6), "10 to 50% across, 20 to 60% down"): ("the area 10 to 50%", "横向10%至50%"),
    Place("seconds", (1.5, 2.0), "1.5 to 2.0 s"): ("what is heard at 1.5 to 2.0 s", "第1.5至2秒的声音"),
    Place("frames", (1.0, 2.0), "1 to 2 s"): ("what is seen at 1 to 2 s", "第1至2秒的画面"),
    Place("steps", (11, 15), "steps 12 to 15"): ("by steps 12 to 15", "第12至15步"),
    Place("records", (2, 3), "record 3"): ("by record 3", "第3条记录"),
    Place("points", (0, 0, 1, 0.5), "within 0.50 of (0, 0, 1)"): ("the part within 0.50", "半径0.50的部分"),
    Place("link", (4,), "A-17"): ("the link to A-17", "与A-17的联系"),
    Place("link", (4, 7), "A-17 and 2 others"): ("the link to A-17 and 2 others", "与A-17等3个对象的联系"),
    Place("items", (0, 1), "item 1"): ("item 1 ('a post')", "第1项“a post”"),
}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.kind}-{len(place.where)}")
def test_places_of_every_kind_have_words(place: Place) -> None:
    exhibit = Exhibit("items", (Exhibit("words", "a post"),))
    other = replace(place, label="other")
    shown = CellShares(0, "letter", exhibit, (place, other), np.array([0.08, 0.0]), np.zeros(2))
    english, chinese = PLACES[place]
    told = explanation(cells=(shown,))
    assert english in told.to_text()[0]
    assert chinese in told.to_text("zh")[0]


def test_long_words_are_cut() -> None:
    long = replace(cell(), places=(Place("span", (0, 99), "word " * 40), Place("span", (99, 100), "x")))
    said = explanation(cells=(long,)).to_text()[0]
    assert "…'" in said
    assert len(said) < 400


def test_tables_and_str_show_every_depth() -> None:
    found = explanation()
    assert found.rows()[0] == ("row", "of", "base", "facts", "letter", "call", "prediction")
    assert found.rows()[1] == ("17", "1", "0.1600", "0.0700", "0.1100", "0.0020", "0.3420")
    tables = list(found.tables().values())
    assert [len(table) for table in tables] == [3, 3, 2]
    assert tables[1][0] == ("row", "of", "base", "income", "amount", "letter", "others", "unexplained", "score")
    assert tables[2][1] == ("17", "letter", "I juggle several cards.", "0.0700")
    assert replace(found, sources=None).rows() == tables[1]
    assert replace(found, sources=None, columns=None, cells=()).rows()[0] == ("row", "of", "prediction")
    assert "18: The probability of default is 11%" in str(found)


def test_json_carries_every_depth_and_the_words() -> None:
    told = json.loads(json.dumps(explanation().to_json("zh"), allow_nan=False))
    assert told["target"] == "default"
    assert told["methods"] == {"part": "a method"}
    first = told["rows"][0]
    assert first["row"] == 17
    assert first["words"].startswith("default 的概率")
    assert first["sources"]["by_modality"] == {"m": pytest.approx(0.18), "n": pytest.approx(0.002)}
    assert [share["present"] for share in told["rows"][1]["sources"]["shares"]] == [True, False, False]
    total = first["columns"]["base"] + sum(share["value"] for share in first["columns"]["shares"])
    assert total + first["columns"]["residual"] == pytest.approx(first["columns"]["score"])
    assert first["cells"][0]["places"][0]["label"] == "I juggle several cards."
    assert told["rows"][1]["cells"] == []
