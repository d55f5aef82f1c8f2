"""Losses, stages and company ratings: do they agree with closed forms, published examples and known truths?"""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pandas as pd
from scipy.special import ndtri

from benchmarks.runner import Beside, Measured, Report, areas, main
from plait.calc.altman import PUBLIC
from plait.calc.discounting import monthly
from plait.calc.expected_loss import basel_capital, loss_distribution
from plait.calc.money import total
from plait.calc.vasicek import conditional_pd
from plait.contracts import Array
from plait.data import samples
from plait.desks.credit.companies.judged import out_of_fold
from plait.desks.credit.companies.rating import HandWeighted
from plait.desks.credit.companies.ratios import altman, ratios
from plait.desks.credit.companies.statements import read_statements
from plait.desks.credit.losses.book import Book
from plait.desks.credit.losses.expected import lifetime_losses, portfolio_loss
from plait.desks.credit.losses.scenarios import Scenarios
from plait.desks.credit.losses.survival import fit_hazards, kaplan_meier
from plait.desks.credit.losses.term import TermStructure

# Basel Committee, "International convergence of capital measurement and capital standards" (June 2006), annex 5: risk
# weights in per cent, LGD 45%; corporate (M 2.5), corporate of 5 million turnover, mortgage, other retail, revolving.
ANNEX_5 = {
    0.0003: (14.44, 11.30, 4.15, 4.45, 0.98),
    0.0010: (29.65, 23.30, 10.69, 11.16, 2.71),
    0.0050: (69.61, 54.91, 35.08, 32.36, 10.04),
    0.0100: (92.32, 72.40, 56.40, 45.77, 17.22),
    0.0200: (114.86, 88.55, 87.94, 57.99, 28.92),
}
# Crystal Brands, a textbook's example: the parts of Z that it prints for the first year, and the figures behind them.
PRINTED = (0.323798, 0.096737, 0.409801, 0.404488, 1.255979)
CRYSTAL = (
    (351_726 - 167_558) / 682_528,
    47_161 / 682_528,
    84_758 / 682_528,
    9_078 * 33.03 / 444_779,
    857_241 / 682_528,
)
SCENARIOS = {
    "sensitivity": {"unemployment": 0.15},
    "normal": {"unemployment": 5.0},
    "scenarios": {
        "base": {"weight": 0.5, "unemployment": [5.2, 5.1, 5.0]},
        "good": {"weight": 0.2, "unemployment": [4.5, 4.0, 4.2]},
        "bad": {"weight": 0.3, "unemployment": [7.5, 9.0, 8.0], "lgd": [0.05, 0.08, 0.05]},
    },
}
FIRMS, LIVES, MONTHS = 4000, 20_000, 60


def run(seed: int) -> Report:
    """Arithmetic first, then what is learned from made loans and made companies."""
    return Report(
        data="a textbook portfolio and closed forms; annex 5 of Basel II; a textbook's Z; made loans with a known "
        f"rising hazard ({LIVES:,}, seen for 6 to {MONTHS} months); companies (made, {FIRMS:,})",
        split="companies: 5 folds at random; the rest has nothing to hold out: the truth is known",
        figures=(*arithmetic(), *published(), *scenarios(seed), *survival(seed), *companies(seed)),
        notes=(
            "risk weights: annex 5 prints two decimals, not always rounded ones: gaps of up to .006 are no fault",
            "Z: the textbook rounds the weight .999 of sales to 1; the example is recomputed with that weight",
            "mean scenario: the same paths averaged before losses are worked out, which leaves out part of the loss",
            "known hazards: largest gap of the mean PD along 60 months; beside it a flat one of the true 12-month PD",
        ),
    )


def arithmetic() -> tuple[Measured, ...]:
    """Expected losses against exact fractions, and of an annuity with a flat hazard against its closed form."""
    rng = np.random.default_rng(0)
    pds, lgd, ead = rng.integers(0, 2000, 1000) / 10_000, rng.integers(0, 101, 1000) / 100, rng.integers(1, 10**7, 1000)
    exact = sum(
        Fraction(round(p * 10_000), 10_000) * Fraction(round(share * 100), 100) * int(e)
        for p, share, e in zip(pds, lgd, ead, strict=True)
    )
    found = float((pds * lgd * ead).sum())
    shown = portfolio_loss(pds, lgd, ead.astype(float))
    worst = 0.0
    for rate in (0.03, 0.12):
        for months in (1, 7, 36, 240):
            for pd_year in (0.001, 0.05, 0.4):
                book = Book(*(np.array([x]) for x in (pd_year, 0.45, 1e4, rate)), np.array([months]))
                ours = lifetime_losses(book, TermStructure.flat()).life[0]
                worst = max(worst, abs(ours / _annuity(pd_year, 0.45, 1e4, rate, months) - 1))
    n, rho = 200_000, 0.15
    tail = loss_distribution(np.full(n, 0.02), np.ones(n), rho).quantile(0.999)
    limit = n * float(conditional_pd(0.02, -ndtri(0.999), rho))
    exact_coins = sum((Fraction(str(round(loss, 2))) for loss in shown.loss), Fraction(0))
    return (
        Measured("textbook portfolio: relative error of the expected loss", abs(found / float(exact) - 1)),
        Measured("... of the sum of its rows to the coin", float(abs(Fraction(str(shown.expected)) - exact_coins))),
        Measured("annuity, flat hazard: largest relative error of the lifetime loss (24 loans)", worst),
        Measured("200,000 equal loans: 99.9% loss against Vasicek's limit, relative error", abs(tail / limit - 1)),
    )


def _annuity(pd_year: float, lgd: float, owed: float, rate: float, months: int) -> float:
    """``h LGD A / i (v (1 - (sv)^n) / (1 - sv) - v^(n+1) (1 - s^n) / (1 - s))``: two geometric sums."""
    s, i = (1 - pd_year) ** (1 / 12), float(monthly(rate))
    v = 1 / (1 + i)
    paid = owed * i / (1 - v**months)
    summed = v * (1 - (s * v) ** months) / (1 - s * v) - v ** (months + 1) * (1 - s**months) / (1 - s)
    return (1 - s) * lgd * paid / i * summed


def published() -> tuple[Measured, ...]:
    """Risk weights and Z-scores as others printed them."""
    gaps = []
    for pd_year, row in ANNEX_5.items():
        ours = [
            basel_capital(pd_year, 0.45, "corporate"),
            basel_capital(pd_year, 0.45, "corporate", sales=5.0),
            *(basel_capital(pd_year, 0.45, kind) for kind in ("mortgage", "retail", "revolving")),  # type: ignore[arg-type]
        ]
        gaps += [abs(1250 * float(k) - printed) for k, printed in zip(ours, row, strict=True)]
    weights = [*list(PUBLIC.weights.values())[:4], 1.0]
    parts = [weight * part for weight, part in zip(weights, CRYSTAL, strict=True)]
    names = list(PUBLIC.weights)
    means = {"bankrupt": (-0.061, -0.626, -0.318, 0.401, 1.5), "sound": (0.414, 0.355, 0.153, 2.477, 1.9)}
    z = {
        kind: float(PUBLIC.score({n: np.array(x) for n, x in zip(names, row, strict=True)}))
        for kind, row in means.items()
    }
    return (
        Measured("Basel annex 5: largest gap of 25 risk weights", max(gaps), unit="percentage points"),
        Measured("Z of a textbook company", sum(parts), baselines={"printed": Beside(sum(PRINTED))}),
        Measured("Z of the mean bankrupt company of 1968 (distress below 1.81)", z["bankrupt"]),
        Measured("Z of the mean sound company of 1968 (safe above 2.99)", z["sound"]),
    )


def scenarios(seed: int) -> tuple[Measured, ...]:
    """Weighted losses against the loss of the weighted scenario."""
    rng = np.random.default_rng([seed, 1])
    n = 5000
    book = Book(
        rng.beta(1, 30, n),
        rng.uniform(0.2, 0.7, n),
        rng.lognormal(9, 1, n),
        rng.uniform(0.03, 0.15, n),
        rng.integers(1, 120, n),
    )
    weighted = Scenarios.of(SCENARIOS)
    ours, mean = (total(lifetime_losses(book, TermStructure.flat(), s).life) for s in (weighted, weighted.average))
    return (
        Measured(
            "lifetime loss, weighted over three scenarios",
            float(ours),
            unit="money",
            baselines={"mean scenario": Beside(float(mean))},
        ),
    )


def survival(seed: int) -> tuple[Measured, ...]:
    """Known hazards that rise with time and multiply with two columns."""
    rng = np.random.default_rng([seed, 2])
    frame = pd.DataFrame({"burden": rng.normal(size=LIVES), "kind": rng.choice(["own", "rent"], LIVES, p=[0.6, 0.4])})
    ratio = np.exp(0.6 * frame["burden"] + 0.8 * (frame["kind"] == "rent")).to_numpy()
    grown = np.cumsum(3e-4 * np.diff(np.arange(MONTHS + 1.0) ** 1.4)) * ratio[:, None]
    truth = 1 - np.exp(-grown)
    life = (grown < rng.exponential(size=(LIVES, 1))).sum(1) + 1
    seen = rng.integers(6, MONTHS + 1, LIVES)
    months, bad = np.minimum(life, seen), life <= seen
    steps = np.arange(1, MONTHS + 1)
    flat = float(np.abs((1 - (1 - truth[:, 11:12]) ** (steps / 12)).mean(0) - truth.mean(0)).max())
    made = [
        Measured(
            f"known hazards, {method}: largest gap of the mean PD",
            _gap(fit_hazards(frame, months, bad, method=method, horizon=MONTHS).pd(frame, MONTHS), truth),
            baselines={"flat hazard": Beside(flat)},
        )
        for method in ("cox", "weibull", "discrete")
    ]
    curve = kaplan_meier(months, bad, horizon=MONTHS).pd
    gap = float(np.abs(curve[0] - truth.mean(0)).max())
    return (
        *made,
        Measured(
            "known hazards, Kaplan-Meier: largest gap of the mean PD", gap, baselines={"flat hazard": Beside(flat)}
        ),
    )


def _gap(found: Array, truth: Array) -> float:
    return float(np.abs(found.mean(0) - truth.mean(0)).max())


def companies(seed: int) -> tuple[Measured, ...]:
    """A scorecard of ratios out of fold, hand-weighted ratios and the oracle beside Altman's scores."""
    frame, truth = samples.companies(FIRMS, seed), samples.companies_oracle(FIRMS, seed)
    table = read_statements(frame).table
    last = ~table.duplicated("company", keep="last")
    values = ratios(table).values[last].reset_index(drop=True)
    bad = table["default"][last].to_numpy(float)
    z = {name: -altman(values, name)["z"].to_numpy() for name in ("any", "private")}
    scores = {
        "company rating: scorecard of ratios, out of fold": out_of_fold(values, bad, seed=seed),
        "company rating: ratios weighted by hand": HandWeighted().log_odds(values),
        "company rating: the simulator's own probability": truth["probability"].to_numpy(),
        "Altman Z''": z["any"],
        "Altman Z'": z["private"],
    }
    found = areas(bad, scores, ("Altman Z''", "Altman Z'"), seed=seed)
    return tuple(found[name] for name in list(scores)[:3])


if __name__ == "__main__":
    sys.exit(main(run))
