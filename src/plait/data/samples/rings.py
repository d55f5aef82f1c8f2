"""Made transfers between accounts, with rings planted that move money around."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["transfers", "transfers_rings"]

DAYS = 180
START = np.datetime64("2024-01-01", "s")
PATTERNS = ("fan_in", "fan_out", "cycle", "gather_scatter", "stack")
SHARE = 0.07  # of accounts that are in a ring
BUSINESSES = 0.12

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


class _Ledger:
    """Transfers as they are made: payer, payee, days since the start, amount, kind."""

    def __init__(self) -> None:
        self.parts: list[tuple[Codes, Codes, Floats, Floats, str]] = []

    def add(self, payer: Codes, payee: Codes, day: Floats, amount: Floats, kind: str) -> None:
        inside = (day >= 0) & (day < DAYS) & (payer != payee)
        self.parts.append((payer[inside], payee[inside], day[inside], amount[inside], kind))


def transfers(n_accounts: int = 2000, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make accounts to be reviewed, and half a year of transfers between them; some are in rings.

    Parameters
    ----------
    n_accounts
        At least 100.
    seed
        Same seed, same accounts and transfers.

    Returns
    -------
    accounts
        ``account``, ``type`` (person, business), ``age_days`` of the account, ``country``, ``reviewed_at``,
        ``outcome_known`` (one to six weeks later), and the target ``ring`` (0 or 1; 7% at most).
    links
        ``account`` (who pays), ``payee``, ``time``, ``amount`` (euros) and ``kind`` (salary, card, rent, transfer).

    Raises
    ------
    ConfigError
        If there are fewer accounts.

    Notes
    -----
    Background: monthly salaries from businesses, which grow by preferential attachment; rents to landlords; card
    payments to shops, again by attachment; transfers in small circles of friends, and collections (many pay one within
    a day, and that one pays a shop), which look like rings and are none.

    Rings have 4 to 12 accounts, newer ones rather, a business one time in four at the centre, within some ten days:
    fan_in (many pay one), fan_out (one pays many), cycle, gather_scatter (many pay one who pays many at once) and stack
    (layers, each pays all of the next). Every step passes on what came in less up to 4%, within hours to two days.
    Amounts are those of rents and larger collections. A ring is over when its accounts are reviewed; other accounts are
    reviewed at moments of the same law. All ring transfers are of kind transfer; members live on as others do.

    Links after a row's ``reviewed_at`` are there and must not be used for it.
    """
    accounts, links, _ = _made(n_accounts, seed)
    return accounts, links


def transfers_rings(n_accounts: int = 2000, seed: int = 0) -> pd.DataFrame:
    """The truth behind `transfers`: ``ring`` (a number), ``pattern`` and ``account``, a row a member."""
    return _made(n_accounts, seed)[2]


def _made(n: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    if n < 100:
        raise ConfigError(f"n_accounts={n!r} is out of range (allowed: 100 or more, to hide a ring among)")
    rng = np.random.default_rng([seed, 23])
    business = rng.random(n) < BUSINESSES
    business[:2] = True  # an employer and a shop there must be
    ledger = _Ledger()
    _background(ledger, business, rng)
    age = rng.gamma(2.0, 500.0, n) + 20
    ring, pattern, over = _rings(ledger, business, age, rng)
    reviewed = np.where(ring >= 0, over[ring], rng.uniform(20, 150, n) + rng.uniform(0, 8, n))
    reviewed = reviewed + rng.exponential(4.0, n)
    names = np.array([f"A{i:06d}" for i in rng.permutation(n)], object)
    accounts = pd.DataFrame(
        {
            "account": names,
            "type": np.where(business, "business", "person"),
            "age_days": np.round(age + reviewed),
            "country": rng.choice(["DE", "FR", "NL", "PL", "ES"], n, p=[0.4, 0.2, 0.15, 0.15, 0.1]),
            "reviewed_at": _moments(reviewed),
            "outcome_known": _moments(reviewed + rng.uniform(7, 42, n)),
            "ring": (ring >= 0).astype(np.int64),
        }
    ).sort_values("reviewed_at", ignore_index=True)
    columns = [np.concatenate([part[i] for part in ledger.parts]) for i in range(4)]
    order = np.argsort(columns[2], kind="stable")
    payer, payee, day, amount = (column[order] for column in columns)
    kinds = np.concatenate([np.full(len(part[0]), part[4], object) for part in ledger.parts])[order]
    links = pd.DataFrame(
        {
            "account": names[payer],
            "payee": names[payee],
            "time": _moments(day),
            "amount": np.maximum(np.round(amount, 2), 0.01),
            "kind": kinds,
        }
    )
    inside = np.flatnonzero(ring >= 0)
    truth = pd.DataFrame({"ring": ring[inside], "pattern": pattern[ring[inside]], "account": names[inside]})
    return accounts, links, truth.sort_values(["ring", "account"], ignore_index=True)


def _moments(day: Floats) -> npt.NDArray[np.datetime64]:
    return (START + np.round(day * 86_400).astype("timedelta64[s]")).astype("datetime64[ns]")


def _attached(count: int, among: Codes, rng: np.random.Generator) -> Codes:
    """Draw `count` of `among`, popular ones more: the law that preferential attachment ends in."""
    share = 1.0 / np.arange(1.0, len(among) + 1)
    return np.asarray(rng.choice(rng.permutation(among), count, p=share / share.sum()), np.int64)


def _background(ledger: _Ledger, business: npt.NDArray[np.bool_], rng: np.random.Generator) -> None:
    n, people, firms = len(business), np.flatnonzero(~business), np.flatnonzero(business)
    months = np.arange(0, DAYS, 30.0)
    wage, employer = rng.lognormal(7.7, 0.35, n), np.zeros(n, np.int64)
    employer[people] = _attached(len(people), firms, rng)
    landlord = rng.choice(people, n)
    for month in months:
        day = month + 27 + rng.normal(0, 0.3, len(people))
        ledger.add(employer[people], people, day, wage[people], "salary")
        day = month + 2 + rng.normal(0, 0.7, len(people))
        rents = rng.random(len(people)) < 0.6
        ledger.add(people[rents], landlord[people][rents], day[rents], 0.3 * wage[people][rents], "rent")
    count = rng.poisson(12.0 * rng.gamma(2.0, 0.5, len(people)))
    payer = np.repeat(people, count)
    shop = _attached(len(payer), firms, rng)
    ledger.add(payer, shop, rng.uniform(0, DAYS, len(payer)), rng.lognormal(3.3, 0.9, len(payer)), "card")
    suppliers = np.repeat(firms, rng.poisson(8.0, len(firms)))
    sold = rng.uniform(0, DAYS, len(suppliers))
    amount = rng.lognormal(7.5, 0.8, len(suppliers))
    ledger.add(suppliers, _attached(len(suppliers), firms, rng), sold, amount, "transfer")
    friends = people[(np.arange(len(people))[:, None] + rng.integers(-6, 7, (len(people), 5))) % len(people)]
    which = np.repeat(np.arange(len(people)), rng.poisson(6.0, len(people)))
    friend = friends[which, rng.integers(0, 5, len(which))]
    amount = rng.lognormal(4.2, 1.2, len(which))
    ledger.add(people[which], friend, rng.uniform(0, DAYS, len(which)), amount, "transfer")
    for host in rng.choice(len(people), max(1, len(people) // 25), replace=False):
        guests = people[(host + rng.choice(np.r_[-9:0, 1:10], rng.integers(4, 10), replace=False)) % len(people)]
        day, each = rng.uniform(0, DAYS), rng.lognormal(4.8, 0.9)
        here = np.full(len(guests), people[host])
        ledger.add(guests, here, day + rng.uniform(0, 1, len(guests)), np.full(len(guests), each), "transfer")
        paid = np.array([day + rng.uniform(1, 3)])
        ledger.add(here[:1], _attached(1, firms, rng), paid, np.array([each * len(guests)]), "transfer")


def _rings(
    ledger: _Ledger, business: npt.NDArray[np.bool_], age: Floats, rng: np.random.Generator
) -> tuple[Codes, npt.NDArray[np.object_], Floats]:
    """Plant rings: each account's ring (-1: none), each ring's pattern, and the day of its last transfer."""
    n = len(business)
    free = ~business
    ring = np.full(n, -1, np.int64)
    patterns: list[str] = []
    over: list[float] = []
    while (ring >= 0).sum() + 12 <= max(SHARE * n, 12):
        size, pattern = int(rng.integers(4, 13)), PATTERNS[len(over) % len(PATTERNS)]
        likely = free / np.sqrt(age)
        members = rng.choice(n, size, replace=False, p=likely / likely.sum())
        spare = np.flatnonzero(business & (ring < 0))
        if len(spare) and rng.random() < 0.25:
            members[0] = rng.choice(spare)
        ring[members], free[members] = len(over), False
        over.append(_ring(ledger, pattern, members.astype(np.int64), rng))
        patterns.append(pattern)
    return ring, np.array(patterns, object), np.array(over)


def _ring(ledger: _Ledger, pattern: str, members: Codes, rng: np.random.Generator) -> float:
    """Transfers of one ring; the day of its last."""
    start = rng.uniform(20, 150)
    held, day = np.zeros(len(members)), np.full(len(members), start)
    last = start
    for payers, payees in _layers(pattern, len(members)):
        out = np.where(held[payers] > 0, held[payers] * rng.uniform(0.96, 1.0, len(payers)), 0.0)
        out = np.where(out > 0, out, rng.lognormal(6.4, 0.5, len(payers)) * len(payees))
        a, b = np.repeat(payers, len(payees)), np.tile(payees, len(payers))
        share = rng.dirichlet(np.full(len(payees), 8.0), len(payers)).ravel()
        when = np.repeat(day[payers], len(payees)) + rng.exponential(0.5, len(a)).clip(0.02, 2.0)
        amount = np.repeat(out, len(payees)) * share
        ledger.add(members[a], members[b], when, amount, "transfer")
        held[payers] = 0.0
        np.add.at(held, b, amount)
        np.maximum.at(day, b, when)
        last = max(last, float(when.max()))
    return last


def _layers(pattern: str, size: int) -> list[tuple[Codes, Codes]]:
    """Who pays whom, step by step, by place in the ring; the first is the centre."""
    rest, centre = np.arange(1, size), np.zeros(1, np.int64)
    half = 1 + (size - 1) // 2
    if pattern == "fan_in":
        return [(rest, centre)]
    if pattern == "fan_out":
        return [(centre, rest)]
    if pattern == "gather_scatter":
        return [(rest[: half - 1], centre), (centre, rest[half - 1 :])]
    if pattern == "cycle":
        return [(np.array([i]), np.array([(i + 1) % size])) for i in range(size)]
    layers = np.array_split(np.arange(size), 3)
    return [(layers[0], layers[1]), (layers[1], layers[2])]
