"""What is particular to text; what every room must do is in test_conformance.py."""

from __future__ import annotations

import math
import os
import unicodedata
from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import plait
from plait.contracts import Batch, Column, Features, FitContext, Ragged, Source, State
from plait.data.schema import ColumnSpec, Schema
from plait.errors import ArtifactError, ConfigError
from plait.modalities.text import Text

FEATURES = frozenset({"features"})
TOKENS = frozenset({"tokens"})


def column(cells: list[Any]) -> Column:
    values = np.empty(len(cells), object)
    values[:] = cells
    return Column("note", values, np.array([cell is not None for cell in cells], bool))


def context(targets: Any, **changes: Any) -> FitContext:
    targets = np.asarray(targets, np.float64)
    made = FitContext(targets, "binary", 1, np.ones(len(targets)), folds=np.arange(len(targets)) % 5, doors=FEATURES)
    return replace(made, **changes)


def room(**options: Any) -> Text:
    return Text(Source("note", "text", ("note",), {"note": options}))


def fitted(cells: list[Any], doors: frozenset[str] = FEATURES, **options: Any) -> Text:
    return room(**options).fit([(column(cells),)], context(np.arange(len(cells)) % 2, doors=doors))


def read(text: Text, cells: list[Any]) -> Features:
    return text.features(text.transform((column(cells),)))


def ids(text: Text, cells: list[Any]) -> Ragged:
    found = text.inputs(text.transform((column(cells),))).arrays["ids"]
    assert isinstance(found, Ragged)
    return found


def weights(text: Text, features: Features) -> list[dict[str, float]]:
    """The wide form as a mapping of term to weight for each row."""
    wide = features.wide
    assert wide is not None
    rows = zip(wide.indptr[:-1], wide.indptr[1:], strict=True)
    return [{text.terms[i]: float(w) for i, w in zip(wide.indices[a:b], wide.data[a:b], strict=True)} for a, b in rows]


# the vectoriser, against a slow one in plain Python


def fold(char: str) -> str:
    code = ord(char)
    if 0xFF01 <= code <= 0xFF5E:
        char = chr(code - 0xFEE0)
    return "'" if char in "'’" else char.lower()[0]


def is_cjk(char: str) -> bool:
    name = "CJK UNIFIED" if 0x20000 <= ord(char) < 0x3FFFE else unicodedata.name(char, "")
    return name.startswith(("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA LETTER", "KATAKANA LETTER"))


def is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN" and not is_cjk(char)


def words(text: str) -> list[str]:
    found, current = [], ""
    for i, char in enumerate(text):
        inside = fold(char) == "'" and 0 < i < len(text) - 1 and is_letter(text[i - 1]) and is_letter(text[i + 1])
        if is_letter(char) or inside:
            current += fold(char)
            continue
        found += [current] if current else []
        current = ""
        found += [fold(char)] if is_cjk(char) else []
    return [*found, current] if current else found


def terms(text: str, grams: bool) -> Counter[str]:
    said = words(text)
    found = Counter(said)
    found.update(a + ("" if is_cjk(a[0]) and is_cjk(b[0]) else " ") + b for a, b in pairwise(said))
    for word in said if grams else ():
        edged = f"·{word}·"
        for start, stop in combinations(range(len(edged) + 1), 2):
            if 2 <= stop - start <= 4 and not is_cjk(word[0]):
                found[("…" if start else "") + edged[start:stop] + ("…" if stop < len(edged) else "")] += 1
    return found


def reference(texts: list[str], grams: bool) -> list[dict[str, float]]:
    counts = [terms(text, grams) for text in texts]
    documents = Counter(term for count in counts for term in count)
    rows = []
    for count in counts:
        row = {t: (1 + math.log(n)) * (1 + math.log((1 + len(texts)) / (1 + documents[t]))) for t, n in count.items()}
        norm = math.sqrt(sum(weight**2 for weight in row.values()))
        rows.append({term: weight / norm for term, weight in row.items()})
    return rows


ALPHABET = "abcABC XYZ''’.,!-_ 019９Ａｚéßσ\n\t贷款利率 ひカ日本豈 नमस्ते สวัส 😀İñ\u0301\u200d𠀀½²"


@example(["'0"], False)
@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(ALPHABET, max_size=30) | st.text(max_size=10), min_size=1, max_size=8), st.booleans())
def test_weights_equal_a_plain_implementation(texts: list[str], grams: bool) -> None:
    present = [text.encode("utf-8", "replace").decode() for text in texts if text.strip()]
    text = fitted(present, min_count=1, ngrams="words+chars" if grams else "words")
    found, wanted = weights(text, read(text, present)), reference(present, grams)
    for ours, plain in zip(found, wanted, strict=True):
        assert ours.keys() == plain.keys()
        for term, weight in plain.items():
            assert ours[term] == pytest.approx(2 * weight, abs=2e-5)


def test_weights_equal_scikit_learn() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [f"The borrower's {a} pays {b} of {a}, {b} in all" for a in ("card", "loan", "rent") for b in range(9)]
    theirs = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"[a-z0-9]+(?:'[a-z0-9]+)*"
    ).fit(texts)
    text = fitted(texts, ngrams="words")
    assert sorted(text.terms) == sorted(theirs.get_feature_names_out())
    dense, names = theirs.transform(texts).toarray(), list(theirs.get_feature_names_out())
    for row, ours in zip(dense, weights(text, read(text, texts)), strict=True):
        for term, weight in ours.items():
            assert 2 * row[names.index(term)] == pytest.approx(weight, abs=2e-6)


def test_much_text_is_read_in_slices() -> None:
    texts = [f"{'lorem ipsum ' * (i % 700)}word{i % 7} 贷款" for i in range(300)]
    text = fitted(texts, ngrams="words+chars", min_count=1)
    whole = weights(text, read(text, texts))
    assert whole[5::50] == [weights(text, read(text, [one]))[0] for one in texts[5::50]]


def test_most_frequent_terms_are_kept() -> None:
    text = fitted(["a b", "a b", "a c", "a", "d d d d"], ngrams="words", max_features=2, min_count=1, components=0)
    assert "a" in text.terms
    assert len(text.terms) == 2
    assert "d" not in text.terms


def test_rare_terms_are_not_learned() -> None:
    assert set(fitted(["pay rent", "pay debt"], ngrams="words").terms) == {"pay"}


def test_case_matters_if_wished() -> None:
    cells = ["US dollar", "us dollar", "Us dollar"]
    assert "us" in fitted(cells, ngrams="words").terms
    kept = fitted(cells, ngrams="words", lowercase=False, min_count=1)
    assert {"US", "us", "Us"} <= set(kept.terms)


def test_characters_join_where_texts_are_short() -> None:
    short, long = ["card lost", "card stolen"] * 5, ["my card was lost in a shop on the way " * 4] * 5
    assert any("…" in term for term in fitted(short).terms)
    assert not any("…" in term for term in fitted(long).terms)
    assert not any("…" in term for term in fitted(short, ngrams="words").terms)


def test_chinese_words_are_found_without_spaces() -> None:
    text = fitted(["我想申请贷款", "申请贷款，利率多少？", "信用卡还款"], ngrams="words", min_count=1)
    assert {"贷", "贷款", "申请", "还款", "款利"} <= set(text.terms)
    assert not any("…" in term for term in fitted(["贷款", "还款"], min_count=1).terms)


# statistics


def test_statistics_of_a_text() -> None:
    cell = "Paid $1,250 late, LATE 贷款"
    text = fitted([cell])
    told = dict(zip(read(text, [cell]).names, read(text, [cell]).values[0].tolist(), strict=True))
    assert told["characters"] == len(cell)
    assert told["words"] == 7
    assert told["numbers"] == 2
    assert told["mean word length"] == pytest.approx((4 + 1 + 3 + 4 + 4 + 1 + 1) / 7)
    assert told["digit share"] == pytest.approx(4 / len(cell))
    assert told["upper-case share"] == pytest.approx(5 / len(cell))
    assert told["punctuation share"] == pytest.approx(3 / len(cell))
    assert told["CJK share"] == pytest.approx(2 / len(cell))
    assert told["distinct word share"] == pytest.approx(6 / 7)


def test_a_text_without_words_is_present() -> None:
    features = read(fitted(["some words"] * 3), ["?!"])
    assert features.present[0, 0]
    assert features.wide is not None
    assert len(features.wide.data) == 0


# cells


def test_blank_cells_are_missing() -> None:
    batch = room().transform((column(["", " \n\t", "　", None, float("nan"), "x"]),))
    assert batch.present.tolist() == [False] * 5 + [True]
    assert batch.faults == ()


def test_other_types_are_faults() -> None:
    batch = room().transform((column([b"caf\xc3\xa9", b"\xff", 3, ["a"], {"a": 1}, "ok"]),))
    assert batch.present.tolist() == [True, False, False, False, False, True]
    assert [fault.row for fault in batch.faults] == [1, 2, 3, 4]
    assert "UTF-8" in batch.faults[0].reason
    assert "int" in batch.faults[1].reason


def test_a_number_column_is_all_faults() -> None:
    batch = room().transform((Column("note", np.array([1.0, np.nan]), np.array([True, False])),))
    assert not batch.present.any()
    assert [fault.row for fault in batch.faults] == [0]


def test_long_cells_are_cut() -> None:
    text = fitted(["word " * 3] * 3)
    assert read(text, ["贷" * 30_000]).values[0, 0] == 20_000


# options and claims


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ngram": "words"}, "did you mean 'ngrams'"),
        ({"ngrams": "word"}, "did you mean 'words'"),
        ({"components": -1}, "0..227"),
        ({"components": 3.5}, "whole number"),
        ({"max_tokens": True}, "whole number"),
        ({"lowercase": "yes"}, "true or false"),
        ({"vocabulary": 10}, "300..64000"),
        ({"encoder": "lstms"}, "did you mean 'lstm'"),
        ({"encoder": "patches"}, "allowed: auto, gru"),
        ({"units": "letters"}, "allowed: subwords, words"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        room(**options)


def claim(cells: list[Any]) -> float:
    return Text.accepts(column(cells))


def test_claims_sentences_and_names_but_no_labels() -> None:
    rng = np.random.default_rng(0)
    sentence = [f"I would like to borrow {i} dollars for a used car" for i in range(100)]
    assert claim(sentence) > 0.9
    assert claim([f"我想申请一笔用于装修房屋的贷款，金额{i}元" for i in range(100)]) > 0.9
    assert claim([f"{a} {b} Limited" for a in ("Acme", "North", "Blue") for b in map(chr, range(65, 91))]) == 0.5
    assert claim(list(rng.choice(["Fully Paid", "Charged Off"], 100))) < 0.1
    assert claim([f"user{i}@mail.example" for i in range(100)]) < 0.1
    assert claim([f"https://mail.example/{i}/a-page" for i in range(100)]) < 0.1
    assert claim([f"2024-01-{i % 28 + 1:02d} 10:00:00" for i in range(100)]) < 0.1
    assert claim([f"AC-{i:06d}" for i in range(100)]) < 0.1
    assert claim([["one", "two words"], {"a": "b"}]) == 0
    assert claim([1, 2.5, None]) == 0
    assert claim([]) == 0


# scores


def letters(n: int, seed: int = 0) -> tuple[list[Any], Any]:
    """Letters of random words, some of which go with the label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    told = [["late", "debt", "lost"][i % 3] if y else ["owner", "saved", "stable"][i % 3] for i, y in enumerate(labels)]
    filler = rng.integers(0, 300, (n, 12))
    return [f"{told[i] if i % 4 else ''} {' '.join(f'w{w}' for w in filler[i])}" for i in range(n)], labels


def area(scores: Any, labels: Any) -> float:
    return float((scores[labels == 1][:, None] > scores[labels == 0]).mean())


def test_scores_find_words_that_go_with_the_label() -> None:
    cells, labels = letters(600)
    others, later = letters(300, seed=1)
    text = room().fit([(column(cells),)], context(labels))
    assert not read(text, others).present[:, -1].any()
    trained = text.fit_features(text.transform((column(cells),)), context(labels))
    told = read(text, others)
    assert trained.names == told.names
    assert trained.names[-1] == "score"
    assert area(trained.values[:, -1], labels) > 0.8
    assert area(told.values[:, -1], later) > 0.8


def test_scores_learn_from_present_rows_alone() -> None:
    cells, labels = letters(200)
    text = room().fit([(column(cells),)], context(labels))
    batch = text.transform((column(cells),))
    seen = np.arange(200) % 4 > 0
    masked = text.fit_features(batch.mask(seen), context(labels))
    rows = np.flatnonzero(seen)
    alone = text.fit_features(batch.take(rows), context(labels[rows], folds=rows % 5))
    np.testing.assert_allclose(masked.values[rows], alone.values, rtol=1e-4, atol=1e-5)


def test_rows_without_weight_teach_nothing() -> None:
    cells, labels = letters(300)
    batch = room().transform((column(cells),))
    wrong, weight = labels.copy(), np.ones(300)
    wrong[200:] = 1 - wrong[200:]
    weight[200:] = 0
    text = room().fit([(column(cells),)], context(labels))
    text.fit_features(batch, context(wrong, weight=weight))
    light = text.features(batch).values[:, -1]
    text.fit_features(batch, context(labels, weight=weight))
    np.testing.assert_array_equal(light, text.features(batch).values[:, -1])


@pytest.mark.parametrize(("classes", "columns"), [(3, 3), (40, 20)])
def test_scores_of_many_classes(classes: int, columns: int) -> None:
    labels = np.arange(400) % classes
    cells = [f"topic{label} of some letter" for label in labels]
    task = context(labels, task="multiclass", outputs=classes, folds=np.arange(400) // 80)
    text = room(components=4, ngrams="words").fit([(column(cells),)], task)
    features = text.fit_features(text.transform((column(cells),)), task)
    assert features.names[-columns:] == tuple(f"score {i + 1}" for i in range(columns))
    scores = features.values[:, -columns:]
    centres = np.stack([scores[labels == label].mean(axis=0) for label in range(classes)])
    assert ((scores[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1).tolist() == labels.tolist()


def test_scores_of_values() -> None:
    cells, labels = letters(400)
    targets = labels * 2.0 - 1 + np.random.default_rng(2).normal(size=400)
    task = context(targets, task="regression")
    text = room().fit([(column(cells),)], task)
    features = text.fit_features(text.transform((column(cells),)), task)
    assert np.corrcoef(features.values[:, -1], targets)[0, 1] > 0.4


def test_folds_are_made_where_none_are_given() -> None:
    cells, labels = letters(200)
    text = room().fit([(column(cells),)], context(labels))
    features = text.fit_features(text.transform((column(cells),)), context(labels, folds=None))
    assert features.present[:, -1].all()


# subwords


@pytest.mark.parametrize(
    "cells", [["a"], ["?"], ["好"], ["😀😀"], ["\u202e"], ["a b", "贷款"] * 10, ["x" * 5000], [None, ""]]
)
def test_subwords_of_little_text(cells: list[Any]) -> None:
    text = fitted(cells, doors=TOKENS)
    found = ids(text, [*cells, "something never seen 没见过", None])
    assert found.values.dtype == np.int32
    assert found.lengths[-2] > 0
    assert found.lengths[-1] == 0
    assert (found.values > 0).all()
    assert found.values.max() < text.encoder(8).embedding.num_embeddings  # type: ignore[attr-defined]


def test_subwords_are_cut_and_deterministic() -> None:
    cells = [f"the borrower number {i} pays {i * 7} every month, 每月还款" for i in range(60)]
    first, second = (fitted(cells, doors=TOKENS, max_tokens=5) for _ in range(2))
    assert ids(first, cells).lengths.tolist() == [5] * 60
    np.testing.assert_array_equal(first.state().arrays["subwords"], second.state().arrays["subwords"])
    whole = ids(fitted(cells, doors=TOKENS), cells)
    np.testing.assert_array_equal(whole.row(3)[:5], ids(first, cells).row(3))


def test_common_words_become_pieces() -> None:
    stems, ends = ["borrow", "lend", "invest", "trad", "pay", "earn"], ["er", "ing", "ed", "s", "able", "ers"]
    rng = np.random.default_rng(0)
    said = [" ".join(rng.choice(stems) + rng.choice(ends) for _ in range(8)) for _ in range(300)]
    assert len(ids(fitted(said, doors=TOKENS), ["borrowers lending investable"]).values) <= 9


# encoders

ENCODERS: list[dict[str, Any]] = [
    {"encoder": "subwords"},
    {"encoder": "gru"},
    {"encoder": "lstm"},
    {"encoder": "words"},
    {"encoder": "words", "units": "subwords"},
]


@pytest.mark.parametrize("options", ENCODERS, ids=lambda options: "-".join(options.values()))
def test_every_encoder_learns_which_words_count(options: dict[str, Any]) -> None:
    cells, labels = letters(300)
    columns = (ColumnSpec("letter", "source", "text", options),)
    body = {"width": 16, "layers": 1, "heads": 2, "epochs": 12, "batch_size": 32, "learning_rate": 0.01}
    model = plait.Classifier(schema=Schema(columns), fusion="attention", n_jobs=1, options={"attention": body})
    model.fit(pd.DataFrame({"letter": cells}), labels)
    later, true = letters(300, seed=1)
    assert area(model.predict_proba(pd.DataFrame({"letter": later}))[:, 1], true) > 0.8


def test_word_inputs_are_the_weights_of_the_commonest_terms() -> None:
    cells = [f"common word number {i} {'rare' if i < 3 else ''}" for i in range(400)]
    text = fitted(cells, doors=TOKENS, encoder="words", min_count=1, vocabulary=300, ngrams="words")
    inputs = text.inputs(text.transform((column([cells[0], None]),)))
    found, weight = inputs.arrays["ids"], inputs.arrays["weights"]
    assert isinstance(found, Ragged)
    assert isinstance(weight, Ragged)
    assert len(text.terms) > 300
    assert found.lengths.tolist()[1] == 0
    assert (weight.values > 0).all()
    assert text.encoder(8).embedding.num_embeddings == 300  # type: ignore[attr-defined]
    again = Text.from_state(text.source, text.state())
    np.testing.assert_array_equal(
        again.inputs(again.transform((column(cells),))).arrays["ids"].values,
        text.inputs(text.transform((column(cells),))).arrays["ids"].values,
    )  # type: ignore[union-attr]


# the disk


def test_a_newer_state_is_refused() -> None:
    state = fitted(["a b c"] * 3).state()
    newer = State(state.version + 1, state.values, state.arrays, state.texts, state.parts)
    with pytest.raises(ArtifactError, match="newer plait"):
        Text.from_state(Source("note", "text", ("note",)), newer)


def test_terms_come_back() -> None:
    text = fitted(["我想申请贷款 pay rent"] * 3)
    again = Text.from_state(text.source, text.state())
    assert again.terms == text.terms
    assert isinstance(again.transform((column(["x"]),)), Batch)


# real letters


@pytest.mark.realdata
def test_borrowers_own_words_tell_something() -> None:
    import pandas as pd

    folder = os.environ.get("PLAIT_DATA")
    if not folder:
        pytest.skip("PLAIT_DATA names no folder of real data")
    loans = pd.read_parquet(Path(folder) / "lendingclub" / "loans.parquet").dropna(subset=["desc"])
    loans = loans[loans["loan_status"].isin(["Fully Paid", "Charged Off"]) & (loans["desc"].str.strip() != "")]
    labels = (loans["loan_status"] == "Charged Off").to_numpy().astype(int)
    early = (pd.to_datetime(loans["issue_d"]) < "2011-07-01").to_numpy()
    cells = loans["desc"].str.replace("<br/>", " ").to_numpy(object)
    train, test = (Column("desc", cells[rows], np.ones(rows.sum(), bool)) for rows in (early, ~early))
    text = Text(Source("desc", "text", ("desc",)))
    known = context(labels[early])
    text.fit([(train,)], known).fit_features(text.transform((train,)), known)
    assert area(text.features(text.transform((test,))).values[:, -1], labels[~early]) > 0.59
