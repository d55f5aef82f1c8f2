from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import Column, Features, FitContext, Source
from plait.errors import ConfigError
from plait.modalities.table import Table

DAY = 86_400.0


def column(name: str, cells: Any, row_time: Any = None) -> Column:
    """A column of given cells; None is missing."""
    if isinstance(cells, np.ndarray):
        return Column(name, cells, np.ones(len(cells), bool), row_time)
    values = np.empty(len(cells), object)
    for i, cell in enumerate(cells):
        values[i] = cell
    return Column(name, values, np.array([cell is not None for cell in cells], bool), row_time)


def context(n: int, **changes: Any) -> FitContext:
    rng = np.random.default_rng(0)
    labels = (np.arange(n) % 2).astype(np.float64)
    return replace(FitContext(labels, "binary", 1, np.ones(n), folds=rng.permutation(n) % 5), **changes)


def fitted(*columns: Column, options: Any = None, **changes: Any) -> Table:
    source = Source("facts", "table", tuple(c.name for c in columns), options or {})
    return Table(source).fit([columns], context(len(columns[0]), **changes))


def features(room: Table, *columns: Column) -> Features:
    return room.features(room.transform(columns))


def feature(found: Features, name: str) -> np.ndarray:
    return found.values[:, found.names.index(name)]


def read(cells: Any, kind: str) -> tuple[np.ndarray, list[str]]:
    """What cells say as a kind, and the reasons of the faults among them."""
    one = column("x", cells)
    room = fitted(one, options={"x": {"as": kind}})
    batch = room.transform((one,))
    return np.asarray(batch.arrays["moments" if kind == "date" else "numbers"])[:, 0], [f.reason for f in batch.faults]


# cells


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (3, 3),
        ("12.5", 12.5),
        (" 7 ", 7),
        ("1e3", 1_000),
        ("1,234,567.5", 1_234_567.5),
        ("-1,200", -1_200),
        ("$5", 5),
        ("¥ 1,000", 1_000),
        ("(3.20)", -3.2),
        ("7%", 0.07),
        (Decimal("2.5"), 2.5),
        (np.float32(0.5), 0.5),
        (True, 1),
    ],
)
def test_numbers(cell: Any, value: float) -> None:
    found, faults = read([cell], "number")
    assert found[0] == pytest.approx(value)
    assert faults == []


@pytest.mark.parametrize("cell", ["twelve", "1,23", "1.2.3", "12-", "%", "--5", [1], b"1", 1j, object()])
def test_not_numbers(cell: Any) -> None:
    found, faults = read([cell, 1], "number")
    assert np.isnan(found[0])
    assert faults == ["not a number"]


@pytest.mark.parametrize("cell", [np.inf, "-inf", 1e300, 10**400])
def test_infinity_is_a_fault(cell: Any) -> None:
    found, faults = read([cell, 1], "number")
    assert np.isnan(found[0])
    assert faults == ["infinite"]


@settings(deadline=None, max_examples=50)
@given(st.floats(-1e30, 1e30))
def test_a_number_is_the_same_in_any_writing(value: float) -> None:
    found, faults = read([value, repr(value), f" {value!r} ", np.float64(value)], "number")
    assert faults == []
    assert set(found) == {value}


@pytest.mark.parametrize(
    ("cell", "value"), [(True, 1), ("No", 0), ("T", 1), (0.0, 0), ("1.0", 1), ("是", 1), (np.False_, 0)]
)
def test_booleans(cell: Any, value: float) -> None:
    assert read([cell], "boolean")[0] == value


def test_not_booleans() -> None:
    assert read(["perhaps", 2, True], "boolean")[1] == ["neither true nor false"] * 2


MOMENT = datetime(2024, 2, 29, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("2024/02/29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("2024-02", datetime(2024, 2, 1, tzinfo=UTC)),
        (20240229, datetime(2024, 2, 29, tzinfo=UTC)),
        ("2024-02-29 13:30", MOMENT),
        ("2024-02-29T13:30:00Z", MOMENT),
        ("2024-02-29T15:30:00+02:00", MOMENT),
        (datetime(2024, 2, 29, 13, 30), MOMENT),
        (date(2024, 2, 29), datetime(2024, 2, 29, tzinfo=UTC)),
        (np.datetime64("2024-02-29T13:30"), MOMENT),
    ],
)
def test_dates(cell: Any, value: datetime) -> None:
    found, faults = read([cell], "date")
    assert found[0] == value.timestamp()
    assert faults == []


@pytest.mark.parametrize("cell", ["2024-02-30", "soon", "29.02.2024", 3.5, ["2024-02-29"]])
def test_not_dates(cell: Any) -> None:
    assert read([cell], "date")[1] == ["not a date"]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (timedelta(hours=36), 1.5),
        (np.timedelta64(12, "h"), 0.5),
        (2.0, 2),
        ("3 days 06:00:00", 3.25),
        ("06:00", 0.25),
        ("2 weeks", 14),
        ("10+ years", 3652.5),
        ("1 year 6 months", 547.875),
        ("-1 days", -1),
    ],
)
def test_durations(cell: Any, value: float) -> None:
    found, faults = read([cell], "duration")
    assert found[0] == pytest.approx(value)
    assert faults == []


@pytest.mark.parametrize("cell", ["a while", "3 moons", [1]])
def test_not_durations(cell: Any) -> None:
    assert read([cell], "duration")[1] == ["not a duration"]


def test_a_level_is_the_same_in_any_writing() -> None:
    training = column("code", ["3", "3", "003", "003", "2.5", "2.5", "a b", "a b", "True", "True"])
    room = fitted(training, options={"code": {"as": "category"}})
    names = ["3", 3, 3.0, "3.0", " 3 ", np.int64(3), "003", 2.5, "2.50", " a b", True, "A b", None]
    codes = np.asarray(room.transform((column("code", names),)).arrays["codes"])[:, 0]
    assert len(set(codes[:6])) == 1
    assert len({codes[0], codes[6], codes[7], codes[9], codes[10]}) == 5
    assert codes[7] == codes[8]
    assert codes[11:].tolist() == [1, 0]
    numbers = Column("code", np.array([3.0, 2.5, 7.0, 0.0]), np.array([True, True, True, False]))
    assert np.asarray(room.transform((numbers,)).arrays["codes"])[:, 0].tolist() == [codes[0], codes[7], 1, 0]


def test_empty_cells_are_missing_and_no_fault() -> None:
    for kind in ("number", "category", "boolean", "date", "duration"):
        one = column("x", ["", "  ", None])
        batch = fitted(one, options={"x": {"as": kind}}).transform((one,))
        assert batch.faults == ()
        assert not batch.present.any()


# kinds


def kind_of(room: Table) -> str:
    """The kind of the only column."""
    numbers = room.state().values["numbers"]
    return str(numbers[0]["kind"]) if numbers else "category"


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (np.arange(5.0), "number"),
        (np.array([True, False]), "boolean"),
        (["1", "2.5", "1,000"], "number"),
        ([1, 2, None], "number"),
        (["00123", "00456", "12345"], "category"),
        (["a", "b", "a"], "category"),
        (["true", "False", None], "boolean"),
        ([True, None, False], "boolean"),
        (["2024-01-31", "2023/12/01"], "date"),
        ([date(2024, 1, 31)], "date"),
        (np.array(["2024-01-31"], "datetime64[ns]"), "date"),
        (np.array([5], "timedelta64[ns]"), "duration"),
        ([timedelta(1)], "duration"),
        ([None, None], "category"),
        (["1"] * 39 + ["n/a"], "number"),
        ([""] * 99 + ["rent"], "category"),
        (["1"] * 9 + ["n/a"], "category"),
    ],
)
def test_kinds_are_judged(cells: Any, kind: str) -> None:
    assert kind_of(fitted(column("x", cells))) == kind


def test_kind_is_judged_by_the_first_cells_in_any_chunks() -> None:
    cells = [str(i) if i % 2 else " " for i in range(2_000)] + ["what?"] * 1_000
    source = Source("facts", "table", ("x",))
    for cuts in ([0, 3_000], [0, 1, 900, 3_000], [0, 0, 2_000, 3_000]):
        chunks = [(column("x", cells[a:b]),) for a, b in pairwise(cuts)]
        assert kind_of(Table(source).fit(chunks, context(3_000))) == "number"


def test_claims() -> None:
    rng = np.random.default_rng(0)
    words = np.array(["harbour", "stone", "valley", "north", "bright", "copper", "river", "labs", "works", "supply"])

    def names(parts: int, n: int = 500) -> list[str]:
        return [" ".join(rng.choice(words, parts)) + f" {i}" for i in range(n)]

    def sure(cells: Any) -> float:
        return Table.accepts(column("x", cells))

    assert sure(np.arange(5.0)) == sure(rng.random(50).tolist()) == 1
    assert sure([str(x) for x in range(50)]) == sure(["2024-01-01"] * 9) == 0.95
    assert sure(rng.choice(["rent", "own outright", "mortgage"], 500).tolist()) == pytest.approx(0.9)
    assert sure([f"{i:05d}" for i in rng.integers(0, 300, 500)]) > 0.7
    assert sure(names(3)) < 0.3
    assert sure(names(20)) < 0.1
    assert sure(["rent", "own", ""] * 50) == pytest.approx(0.9)
    assert sure([" "] * 5) == sure([]) == 0.5
    assert sure([[1, 2], [3]]) == sure([{"a": 1}]) == sure([b"raw"]) == 0


# options


def test_a_table_has_one_encoder() -> None:
    def table(*kinds: str) -> Table:
        names = tuple(f"c{i}" for i in range(len(kinds)))
        room = Table(Source("facts", "table", names, {n: {"encoder": k} for n, k in zip(names, kinds, strict=True)}))
        columns = tuple(Column(name, np.arange(20.0), np.ones(20, bool)) for name in names)
        return room.fit([columns], context(20))

    assert type(table("auto", "conv_columns").encoder(8)).__name__ == "ConvColumns"
    assert type(table("auto", "auto").encoder(8)).__name__ == "ColumnTokens"
    with pytest.raises(ConfigError, match="one encoder, but its columns name columns, conv_columns"):
        table("columns", "conv_columns")
    with pytest.raises(ConfigError, match="encoder"):
        table("patches")


def test_unknown_options_are_named() -> None:
    def make(options: Any) -> Table:
        return Table(Source("facts", "table", ("income",), options))

    with pytest.raises(ConfigError, match=r"option of column 'income' 'claen'; did you mean 'clean'"):
        make({"income": {"claen": "zscore"}})
    with pytest.raises(ConfigError, match=r"'clean' of column 'income'.*'z-score'; did you mean 'zscore'"):
        make({"income": {"clean": "z-score"}})
    with pytest.raises(ConfigError, match=r"'incme'; did you mean 'income'"):
        make({"incme": {"clean": "zscore"}})
    for value in (0, True, "many", 2.5):
        with pytest.raises(ConfigError, match="'max_levels' of column 'income'"):
            make({"income": {"max_levels": value}})


def test_cleaning() -> None:
    values = np.append(np.random.default_rng(0).normal(10, 2, 999), 1e6)
    one = column("x", values)

    def cleaned(how: str) -> np.ndarray:
        return features(fitted(one, options={"x": {"clean": how}}), one).values[:, 0].astype(float)

    np.testing.assert_array_equal(cleaned("none"), values.astype(np.float32))
    zscore = cleaned("zscore")
    assert (zscore.mean(), zscore.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-5))
    robust = cleaned("robust")
    assert np.subtract(*np.quantile(robust, [0.75, 0.25])) == pytest.approx(1, abs=1e-5)
    assert np.median(robust) == pytest.approx(0, abs=1e-5)
    scores = cleaned("quantile")
    assert np.abs(scores).max() < 3.1
    assert np.corrcoef(scores[:-1], values[:-1])[0, 1] > 0.99
    clipped = cleaned("clip")
    assert (clipped.min(), clipped.max()) == (
        pytest.approx(np.quantile(values, 0.01)),
        pytest.approx(np.quantile(values, 0.99)),
    )


def test_cleaning_a_constant_keeps_it_finite() -> None:
    one = column("x", np.full(50, 7.0))
    for how in ("zscore", "robust", "quantile", "clip"):
        assert np.isfinite(features(fitted(one, options={"x": {"clean": how}}), one).values).all()


def test_imputation_says_so() -> None:
    numbers = column("income", [1.0, 2.0, 9.0, None])
    levels = column("home", ["own", "own", "rent", None])
    options = {"income": {"missing": "impute"}, "home": {"missing": "impute"}}
    found = features(fitted(numbers, levels, options=options), numbers, levels)
    assert feature(found, "income").tolist()[:3] == [1, 2, 9]
    assert np.isnan(feature(found, "income")[3])  # nothing at all is known of this row
    one_known = features(fitted(numbers, levels, options=options), numbers, column("home", [None] * 3 + ["own"]))
    assert feature(one_known, "income")[3] == 2
    assert feature(one_known, "income: missing").tolist() == [0, 0, 0, 1]
    assert feature(one_known, "home").tolist() == [1, 1, 1, 1]
    assert feature(one_known, "home: missing").tolist() == [1, 1, 1, 0]


def test_mostly_missing_columns_can_be_dropped() -> None:
    full, empty = column("a", [1.0, 2.0, 3.0]), column("b", [None, None, 5.0])
    options = {name: {"missing": "drop"} for name in "ab"}
    room = fitted(full, empty, options=options)
    assert features(room, full, empty).names == ("a",)
    nothing = fitted(empty, options={"b": {"missing": "drop"}})
    batch = nothing.transform((empty,))
    assert not batch.present.any()
    assert nothing.features(batch).values.shape == (3, 0)


def test_levels_can_be_limited() -> None:
    cells = ["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d"]

    def levels(**options: Any) -> list[str]:
        state = fitted(column("x", cells), options={"x": options}).state()
        return list(state.values["categories"][0]["levels"])

    assert levels() == ["a", "b", "c"]
    assert levels(min_count=1) == ["a", "b", "c", "d"]
    assert levels(min_count=4) == ["a", "b"]
    assert levels(max_levels=1) == ["a"]


# features


def test_small_categories_are_codes_and_one_hot() -> None:
    training = column("x", ["b", "b", "b", "a", "a", "rare", None])
    room = fitted(training)
    found = features(room, column("x", ["b", "a", "rare", "new", None]))
    assert found.names == ("x",)
    assert found.categorical.tolist() == [True]
    np.testing.assert_array_equal(found.values[:, 0], [1, 2, 0, 0, np.nan])
    assert found.wide is not None
    assert found.wide.width == 4
    assert found.wide.dot(np.eye(4))[:4].tolist() == [[0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0], [0, 1, 0, 0]]
    with_number = fitted(training, column("y", np.arange(7.0)))
    wide = features(with_number, column("x", [None]), column("y", np.ones(1))).wide
    assert wide is not None
    assert wide.indices.tolist() == [0]


def test_large_categories_carry_the_target() -> None:
    rng = np.random.default_rng(0)
    level = rng.integers(0, 60, 30_000)  # 500 rows a level: smoothing takes less than half of what they say
    one = column("shop", [f"s{i}" for i in level])
    targets = (rng.random(30_000) < np.where(level < 30, 0.6, 0.2)).astype(np.float64)
    given = context(30_000, targets=targets)
    room = fitted(one)
    trained = room.fit_features(room.transform((one,)), given)
    assert trained.names == ("shop: mean target", "shop: log frequency")
    found = feature(features(room, column("shop", ["s0", "s50", "unheard of", None])), "shop: mean target")
    assert found[0] > 0.1 > -0.1 > found[1]
    assert found[2] == 0
    assert np.isnan(found[3])
    out_of_fold = feature(trained, "shop: mean target")
    assert out_of_fold[level < 30].mean() > 0.1 > -0.1 > out_of_fold[level >= 30].mean()


def test_one_mean_a_class() -> None:
    one = column("shop", [f"s{i % 60}" for i in range(1_200)])
    targets = (np.arange(1_200) % 60 % 3).astype(np.float64)
    given = context(1_200, targets=targets, task="multiclass", outputs=3)
    room = fitted(one, task="multiclass", outputs=3)
    trained = room.fit_features(room.transform((one,)), given)
    assert trained.names[:3] == tuple(f"shop: mean of class {k}" for k in range(3))
    assert (trained.values[:, :3].argmax(axis=1) == targets).all()
    many = fitted(one, task="multiclass", outputs=9)
    assert features(many, one).names == ("shop: log frequency",)


def test_weights_count() -> None:
    one = column("shop", [f"s{i % 60}" for i in range(1_200)])
    targets = (np.arange(1_200) // 60 % 2).astype(np.float64)
    weight = np.where(targets > 0, 2.0, 0.0)
    weight[np.arange(1_200) % 60 == 0] = 1.0
    room = fitted(one)
    room.fit_features(room.transform((one,)), context(1_200, targets=targets, weight=weight))
    found = feature(features(room, column("shop", ["s0", "s1"])), "shop: mean target")
    assert found[0] < 0 < found[1]


def test_dates_are_ages_at_the_row() -> None:
    opened = np.array(["2020-01-01", "2020-06-15", "2021-03-09"], "datetime64[ns]")
    row_time = np.array(["2021-01-01", "2021-01-01", "2022-03-09"], "datetime64[s]").astype(float)
    one = column("opened", opened, row_time)
    room = fitted(one)
    found = features(room, one)
    assert found.names == ("opened", "opened: month", "opened: weekday", "opened: day")
    assert found.values.tolist() == [[366, 1, 2, 1], [200, 6, 0, 15], [365, 3, 1, 9]]
    unknown = features(room, replace(one, row_time=np.full(3, np.nan)))
    assert np.isnan(feature(unknown, "opened")).all()
    assert feature(unknown, "opened: month").tolist() == [1, 6, 3]


def test_dates_without_a_row_time_count_from_their_median() -> None:
    one = column("opened", ["2020-01-01", "2020-02-01", "2020-03-01"])
    found = features(fitted(one), one)
    assert found.names == ("opened", "opened: month")
    assert feature(found, "opened").tolist() == [-31, 0, 29]


def test_hours_where_dates_have_them() -> None:
    one = column("at", ["2024-05-01 09:00", "2024-05-01 17:45", "1969-12-31 23:00"])
    assert feature(features(fitted(one), one), "at: hour").tolist() == [9, 17, 23]


def test_at_most_256_features() -> None:
    rng = np.random.default_rng(0)
    stamps = (rng.integers(0, 10**9, 120).astype("datetime64[s]")).astype("datetime64[ns]")
    dates = [column(f"d{i}", stamps) for i in range(60)]
    numbers = [column(f"n{i}", rng.normal(size=120)) for i in range(80)]
    levels = [column(f"c{i}", [f"v{k % 60}" for k in range(120)]) for i in range(50)]
    found = features(fitted(*dates, *numbers, *levels), *dates, *numbers, *levels)
    assert len(found.names) == 256
    assert sum(name.endswith("mean target") for name in found.names) == 50
    assert sum(name.endswith("log frequency") for name in found.names) == 50
    assert sum(name.startswith("d") and ":" in name for name in found.names) == 16  # what room is left


def test_no_column_is_lost_beyond_256() -> None:
    rng = np.random.default_rng(0)
    columns = [column(f"n{i}", rng.normal(size=50)) for i in range(400)]
    levels = [column(f"c{i}", [f"v{k % 4}" for k in range(50)]) for i in range(10)]
    found = features(fitted(*columns, *levels), *columns, *levels)
    assert found.names == (*(f"n{i}" for i in range(400)), *(f"c{i}" for i in range(10)))
    assert np.isfinite(found.values).all()


def test_names_stay_unique() -> None:
    one, two = column("x", [1.0, None, 2.0]), column("x: missing", [1.0, 2.0, 3.0])
    found = features(fitted(one, two, options={"x": {"missing": "impute"}}), one, two)
    assert found.names == ("x", "x: missing", "x: missing *")


# the encoder's inputs


def test_inputs_are_normal_scores_and_codes() -> None:
    rng = np.random.default_rng(0)
    skewed = column("amount", np.exp(rng.normal(5, 2, 3_000)))
    level = column("home", ["own", "rent", None] * 1_000)
    opened = column("opened", np.array(["2024-01-01", "2024-06-01", "NaT"] * 1_000, "datetime64[ns]"))
    room = fitted(skewed, level, opened)
    inputs = room.inputs(room.transform((skewed, level, opened)))
    numbers, present, codes = (np.asarray(inputs.arrays[key]) for key in ("numbers", "numbers_present", "codes"))
    assert abs(numbers[:, 0].mean()) < 0.05
    assert numbers[:, 0].std() == pytest.approx(1, abs=0.05)
    assert present[:3, 1].tolist() == [True, True, False]
    assert numbers[2, 1] == 0
    assert codes[:3].tolist() == [[2, 3], [3, 8], [0, 0]]  # home; month 1 and 6 after missing and rare


def test_a_value_that_repeats_scores_at_its_middle() -> None:
    flag = column("flag", np.array([0.0] * 90 + [1.0] * 10))
    room = fitted(flag)
    scores = np.asarray(room.inputs(room.transform((flag,))).arrays["numbers"])[[0, -1], 0]
    assert scores[0] == pytest.approx(-0.13, abs=0.03)
    assert scores[1] == pytest.approx(1.64, abs=0.1)
