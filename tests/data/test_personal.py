"""Personal data: what is found, what is not, and what is left after masking."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.judgement.personal import LOOKALIKES, MADE, negatives, written
from plait.data.personal import KINDS, find, hidden, mask
from plait.data.persons import spans
from plait.data.quality import inspect
from plait.data.read import read
from plait.errors import ConfigError


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "name"])
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_made_values_are_found_whole_in_text(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    text, value = written(kind, rng)
    assert [text[s.start : s.end] for s in spans(text) if s.kind == kind] == [value]
    assert value not in hidden(text)
    assert f"[{kind}]" in hidden(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Dear Ms. Anna O'Brien, thank you", "Anna O'Brien"),
        ("My name is Søren Kierk and I", "Søren Kierk"),
        ("我叫欧阳建国，想申请贷款", "欧阳建国"),
        ("请联系王小明先生", "王小明"),
        ("姓名：李伟", "李伟"),
    ],
)
def test_introduced_names_are_found(text: str, name: str) -> None:
    assert [text[s.start : s.end] for s in spans(text)] == [name]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_wrong_check_digits_are_not_taken(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for kind in ("resident_id", "card", "iban"):
        value = MADE[kind](rng)
        digits = [i for i, sign in enumerate(value) if sign.isdigit() and i > 3]
        place = digits[-2]
        wrong = value[:place] + str((int(value[place]) + 1 + int(rng.integers(8))) % 10) + value[place + 1 :]
        assert kind not in {span.kind for span in spans(wrong)}


@pytest.mark.parametrize("number", ["4111 1111 1111 1111", "5555-5555-5555-4444", "4242424242424242"])
def test_cards_of_few_digits_are_cards(number: str) -> None:
    assert [span.kind for span in spans(f"charge {number} please")] == ["card"]


@pytest.mark.parametrize("text", LOOKALIKES)
def test_what_looks_alike_is_left(text: str) -> None:
    assert spans(text) == []


def test_amounts_dates_and_words_are_no_personal_data() -> None:
    assert find(negatives(np.random.default_rng(0), 300)) == ()


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "client_name": rng.choice(["Zed Quixote", "Mary Jones", "王小明"], 40),
            "card_number": [int(MADE["card_plain"](rng)) for _ in range(40)],
            "amount": rng.normal(size=40).round(3),
            "note": ["call 212-555-0147 or mail a.b@c.org"] * 3 + ["nothing here"] * 36 + [None],
            "log": [[{"who": "x@y.org", "n": 1}]] * 20 + ['{"who": "x@y.org"}'] * 20,
            "bad": np.arange(40) % 2,
        }
    )


def test_columns_texts_and_nested_cells_are_found_and_shown_by_shape() -> None:
    made = frame()
    found = {(f.columns[0], f.evidence["of"]): f for f in find(made)}
    assert {key: f.evidence["cells"] for key, f in found.items()} == {
        ("client_name", "name"): 40,
        ("card_number", "card"): 40,
        ("note", "phone"): 3,
        ("note", "email"): 3,
        ("log", "email"): 40,
    }
    assert found["note", "phone"].evidence["examples"] == ["###-###-####"]
    seen = inspect(made, target="bad")
    told = json.dumps([seen.to_json(), seen.rows(), [str(f) for f in seen.findings]], ensure_ascii=False)
    for value in ("Quixote", "小明", "555", "a.b@c", "x@y", str(made["card_number"][0])):
        assert value not in told


def test_masked_frames_hold_tokens_and_nothing_else_changes() -> None:
    made = frame()
    out = mask(made)
    assert find(out) == ()
    assert set(out["client_name"]) == {"[name]"}
    assert out["note"].tolist()[:3] == ["call [phone] or mail [email]"] * 3
    assert out["note"].isna().sum() == 1
    assert out["log"][0] == [{"who": "[email]", "n": 1}]
    assert out["log"][39] == '{"who": "[email]"}'
    pd.testing.assert_frame_equal(out[["amount", "bad"]], made[["amount", "bad"]])
    pd.testing.assert_frame_equal(made, frame())
    again = mask(out)
    pd.testing.assert_frame_equal(again, out)


def test_salted_tokens_are_equal_for_equal_values_alone() -> None:
    made = pd.DataFrame({"a": ["212-555-0147", "(212) 555-0147", "212-555-0199"], "b": ["212-555-0147", None, None]})
    one, other = mask(made, salt="x"), mask(made, salt="y")
    assert one["a"][0] == one["b"][0]
    assert one["a"][0] == one["a"][1]
    assert len({one["a"][0], one["a"][2], other["a"][0]}) == 3
    assert one["a"][0].startswith("[phone:")


def test_columns_and_kinds_can_be_chosen_and_mistakes_are_told() -> None:
    made = frame()
    assert mask(made, kinds=["email"])["note"][0] == "call 212-555-0147 or mail [email]"
    assert mask(made, columns=["note"])["client_name"].equals(made["client_name"])
    with pytest.raises(ConfigError, match="did you mean 'note'"):
        mask(made, columns=["notes"])
    with pytest.raises(ConfigError, match="did you mean 'card'"):
        mask(made, kinds=["cards"])
    with pytest.raises(ConfigError, match="salt=''"):
        mask(made, salt="")


def test_files_are_masked_on_reading(tmp_path: Path) -> None:
    made = pd.DataFrame({"note": ["mail a.b@c.org now", "or not"], "n": [1, 2]})
    made.to_csv(tmp_path / "notes.csv", index=False)
    assert read(tmp_path / "notes.csv", mask=True)["note"].tolist() == ["mail [email] now", "or not"]
    assert read(tmp_path / "notes.csv", mask=["phone"])["note"][0] == "mail a.b@c.org now"
    out = read(tmp_path / "notes.csv", mask=True, salt="s")
    assert out["note"][0].startswith("mail [email:")
    assert out.attrs["folder"] == str(tmp_path)


def test_empty_frames_hold_nothing() -> None:
    assert find(pd.DataFrame({"a": [None, None], "b": pd.Series([], dtype=object).reindex([0, 1])})) == ()
    assert mask(pd.DataFrame({"a": pd.Series([], dtype=object)})).shape == (0, 1)
