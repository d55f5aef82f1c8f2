"""Odd cells: what is said of a column's types, encodings, dates, units, spellings and levels, and of columns alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plait.data.encodings import garbled, guess
from plait.data.quality import inspect
from plait.data.read import read
from plait.errors import DataError

N = 400
RNG = np.random.default_rng(0)
DAYS = pd.date_range("2024-01-01", periods=N, freq="D")


def said(column: Sequence[object], **roles: str) -> dict[str, str]:
    frame = pd.DataFrame({"it": pd.Series(list(column)), "other": np.arange(len(column)) % 7})
    return {f.kind: f.said for f in inspect(frame, **roles).findings if f.columns[0] == "it"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "kind", "says"),
    [
        ([*RNG.gamma(2, 100, N - 4), *RNG.gamma(2, 100_000, 4)], "outliers", "4 values"),
        ([*RNG.integers(18, 80, N - 9), *[999] * 9], "placeholder", "999 stands in 9 rows"),
        ([*RNG.normal(size=N - 9), *[-999.0] * 9], "placeholder", "-999 stands in 9"),
        (["Retail", "retail ", "Wholesale", "whole-sale"] * 100, "variants", "'Retail' = 'retail '"),
        ([f"shop{k}" for k in range(2000)] * 2, "many_levels", "2,000 categories, 2,000 of them"),
        ([0.0] * (N - 1) + [1.0], "constant", "almost constant: '0.0'"),
        ([str(k) for k in range(N - 3)] + ["n.a.", "n.a.", "12k"], "mixed_types", "3 cells such as 'n.a.', '12k'"),
        ([1.0, np.inf] * 40, "infinite", "40 infinite values"),
        ([1, "a"] * 40, "mixed_types", "40 number, 40 str"),
        ([*DAYS[:300].strftime("%Y-%m-%d"), *DAYS[:100].strftime("%d.%m.%Y")], "date_formats", "300 as 2011-07-01"),
        ([f"{1 + k % 12:02d}/{1 + k % 11:02d}/2024" for k in range(N)], "date_formats", "cannot be told apart"),
        ([*DAYS.strftime("%d/%m/%Y")[:200], *DAYS.strftime("%m/%d/%Y")[:200]], "date_formats", "both orders"),
        (["CafÃ© au lait", "thÃ©"] * 40, "encoding", "80 cells"),
        (["\u00d6\u00d0\u00b9\u00fa\u00d2\u00f8\u00d0\u00d0", "abc"] * 40, "encoding", "40 cells"),
        (["lost \ufffd", "fine"] * 40, "encoding", "40 cells"),
    ],
)
def test_oddities_are_told(column: Sequence[object], kind: str, says: str) -> None:
    assert says in said(column).get(kind, "nothing")


@pytest.mark.parametrize(
    "column",
    [
        RNG.lognormal(3, 2, N),
        RNG.gamma(0.3, 1000, N),
        RNG.integers(0, 100, N),
        np.where(RNG.random(N) < 0.9, 0.0, RNG.gamma(2, 5000, N)),
        RNG.choice(["north", "north-east", "east"], N),
        RNG.choice(["Zürich", "Genève", "São Paulo", "Łódź", "Ñuñoa", "北京", "Ångström", "ÅRE"], N),
        DAYS.strftime("%d/%m/%Y"),
        DAYS.strftime("%Y-%m-%d"),
        [f"A{k:04d}" for k in range(N)],
    ],
)
def test_common_columns_are_not_odd(column: Sequence[object]) -> None:
    assert said(list(column)) == {}


def test_columns_alike_are_told_once() -> None:
    rng = np.random.default_rng(1)
    number, kind = rng.normal(size=N), rng.choice(["car", "home", "trip"], N)
    frame = pd.DataFrame({"a": number, "b": np.exp(number) + 1e-4 * rng.normal(size=N), "c": kind})
    frame = frame.assign(d=frame["c"].map({"car": "x", "home": "y", "trip": "z"}), e=number, f=rng.normal(size=N))
    found = {f.columns: f.kind for f in inspect(frame).findings}
    assert found == {("e", "a"): "twin", ("b", "a"): "near_twin", ("d", "c"): "near_twin"}


def test_columns_that_move_in_time_are_told_and_others_not() -> None:
    rng = np.random.default_rng(2)
    n = 900
    frame = pd.DataFrame({f"still{k}": rng.normal(size=n) for k in range(20)})
    frame["moves"] = rng.normal(size=n) + np.linspace(0, 1.5, n)
    frame["fades"] = pd.Series(rng.normal(size=n)).mask(rng.random(n) < np.linspace(0, 0.8, n))
    frame["kind"] = np.where(rng.random(n) < np.linspace(0.1, 0.9, n), "web", "shop")
    frame["at"] = pd.date_range("2024-01-01", periods=n, freq="h")
    found = [f for f in inspect(frame, time="at").findings if f.kind == "drift"]
    assert {f.columns[0] for f in found} == {"moves", "fades", "kind"}
    assert all(f.evidence["psi"] >= 0.1 and f.evidence["columns_tested"] == 23 for f in found)


def test_files_in_other_encodings_are_named_and_read(tmp_path: Path) -> None:
    texts = {
        "gb18030": "姓名,金额\n王小明,100\n李华在中国银行的贷款,200\n",
        "cp1252": "name,amount\nJosé Muñoz,100\nZoë – Paris,200\n",
        "utf-16": "name,amount\nJosé,100\n",
    }
    for encoding, text in texts.items():
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(text.encode(encoding))
        assert guess(path.read_bytes()) == encoding
        with pytest.raises(DataError, match=f"looks like encoding='{encoding}'"):
            read(path)
        assert read(path, encoding=encoding).shape == (text.count("\n") - 1, 2)


def test_what_a_wrong_encoding_leaves_is_told_from_accents() -> None:
    for text in ("Ã©tÃ©", "â€œquotedâ€\x9d", "锟斤拷", "ä¸\xadæ\x96\x87"):
        assert garbled(text)
    for text in ("Ärger", "déjà vu", "ÅRE", "naïve façade", "Ðorđe", "Ñandú", "中文", "«»"):
        assert not garbled(text)
