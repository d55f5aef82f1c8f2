"""Altman's scores: against worked examples."""

from __future__ import annotations

import numpy as np
import pytest

from plait.calc.altman import ANY_TRADE, BOND_RATINGS, EMERGING, PRIVATE, PUBLIC, bond_rating

NAMES = tuple(PUBLIC.weights)


def test_the_worked_example_of_a_textbook_comes_out() -> None:
    """Crystal Brands: the parts of Z that are printed with it, for the first of its years."""
    sales, ebit, current, owed, assets, debt, kept = 857_241, 84_758, 351_726, 167_558, 682_528, 444_779, 47_161
    parts = ((current - owed) / assets, kept / assets, ebit / assets, 9_078 * 33.03 / debt, sales / assets)
    printed = (0.323798, 0.096737, 0.409801, 0.404488, 1.255979)
    for name, part, shown in zip(NAMES, parts, printed, strict=True):
        weight = 1.0 if name == "sales_to_assets" else PUBLIC.weights[name]  # the book rounds .999
        assert weight * part == pytest.approx(shown, abs=2e-6)
    z = PUBLIC.score(dict(zip(NAMES, map(np.array, parts), strict=True)))
    assert z == pytest.approx(sum(printed) - 0.001 * parts[-1], abs=4e-6)
    assert PUBLIC.zone(z) == "grey"


def test_mean_companies_of_1968_are_on_their_sides() -> None:
    bankrupt, sound = (-0.061, -0.626, -0.318, 0.401, 1.5), (0.414, 0.355, 0.153, 2.477, 1.9)
    columns = {name: np.array(pair) for name, pair in zip(NAMES, zip(bankrupt, sound, strict=True), strict=True)}
    z = PUBLIC.score(columns)
    assert z == pytest.approx([-0.2599, 4.8819], abs=2e-3)
    assert PUBLIC.zone(z).tolist() == ["distress", "safe"]


def test_zones_have_their_published_ends() -> None:
    for model, low, high in (
        (PUBLIC, 1.81, 2.99),
        (PRIVATE, 1.23, 2.90),
        (ANY_TRADE, 1.10, 2.60),
        (EMERGING, 4.35, 5.85),
    ):
        ends = np.array([low - 0.001, low, high, high + 0.001, np.nan])
        assert model.zone(ends).tolist() == ["distress", "grey", "grey", "safe", ""]


def test_ratings_fall_with_the_score() -> None:
    names = [name for name, _ in BOND_RATINGS]
    assert bond_rating(np.array([9.0, 8.15, 8.14, 5.85, 1.7, np.nan])).tolist() == ["AAA", "AAA", "AA+", "BBB", "D", ""]
    found = bond_rating(np.linspace(9, 1, 200)).tolist()
    assert [names.index(name) for name in found] == sorted(names.index(name) for name in found)


def test_a_missing_ratio_leaves_no_score() -> None:
    assert np.isnan(ANY_TRADE.score({name: np.array([np.nan]) for name in ANY_TRADE.weights}))
