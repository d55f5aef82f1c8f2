"""Made card payments in time: some cards are stolen, and then pay fast, in strange shops, beyond their habits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["card_payments", "card_payments_windows"]

START = np.datetime64("2025-01-01", "ms").astype(np.int64)
DAY = 86_400.0
CHANNELS = ("chip", "contactless", "online")
BURST = 6.0  # payments of a stolen card after the first, on average
QUICK = 240.0  # seconds between them, on average


def card_payments(
    n: int = 10_000, *, seed: int = 0, cards: int = 1_000, shops: int = 200, days: float = 10.0, share: float = 0.02
) -> pd.DataFrame:
    """Payments of many cards, by time.

    Parameters
    ----------
    n
        Rows.
    seed
        Of all that is random.
    cards, shops
        How many there are; both are used unequally (log-normal).
    days
        From the first to the last.
    share
        Of payments that are fraud, about.

    Returns
    -------
    pandas.DataFrame
        ``id`` and ``card``, ``device``, ``shop``, ``channel`` (str), ``time`` (datetime64[ms], rising), ``amount``
        (float64), ``fraud`` (int64 0 or 1).

    Notes
    -----
    A card has a usual amount, a device and three usual shops. A stolen card pays 1 + Poisson(6) times, about four
    minutes apart, online, in any shop, around three times its usual amount. A single such payment looks like many
    honest ones (a tenth of these are in a strange shop, and amounts of one card vary by 60%): what tells is how many
    there were within the hour, and how large they are beside the card's own.
    """
    rng = np.random.default_rng(seed)
    usual = rng.lognormal(3.2, 0.6, cards)
    owner = rng.choice(cards, n, p=_shares(rng, cards, 0.7))
    popular = _shares(rng, shops, 1.0)
    favourite = rng.choice(shops, (cards, 3), p=popular)
    moment = np.sort(rng.uniform(0, days * DAY, n))
    amount = usual[owner] * rng.lognormal(0, 0.6, n)
    strange = rng.random(n) < 0.1
    shop = np.where(strange, rng.choice(shops, n, p=popular), favourite[owner, rng.integers(3, size=n)])
    channel = rng.choice(3, n, p=[0.4, 0.3, 0.3])
    device = np.where(rng.random(n) < 0.05, rng.integers(cards, size=n), owner)
    fraud = np.zeros(n, np.int64)
    thefts = round(n * share / (1 + BURST))
    for start in rng.integers(0, max(n, 1), thefts).tolist():
        length = 1 + int(rng.poisson(BURST))
        rows = np.arange(start, min(start + length, n))
        owner[rows] = owner[start]
        moment[rows] = moment[start] + np.concatenate([[0.0], rng.exponential(QUICK, len(rows) - 1).cumsum()])
        amount[rows] = 3.0 * usual[owner[start]] * rng.lognormal(0, 0.6, len(rows))
        shop[rows] = rng.integers(shops, size=len(rows))
        channel[rows], device[rows], fraud[rows] = 2, rng.integers(cards), 1
    order = np.argsort(moment, kind="stable")
    frame = pd.DataFrame(
        {
            "id": [f"p{i:08d}" for i in range(n)],
            "time": (START + (1000 * moment[order]).astype(np.int64)).astype("datetime64[ms]"),
            "card": [f"card{i:06d}" for i in owner[order].tolist()],
            "device": [f"device{i:06d}" for i in device[order].tolist()],
            "shop": [f"shop{i:05d}" for i in shop[order].tolist()],
            "channel": np.array(CHANNELS, object)[channel[order]],
            "amount": amount[order].round(2),
            "fraud": fraud[order],
        }
    )
    return frame.astype({"channel": object})


def card_payments_windows() -> dict[str, dict[str, list[str]]]:
    """Windows that see what `card_payments` hides, as `plait.data.windows.Windows.of` takes them."""
    card = ["count", "sum(amount)", "max(amount)", "ratio(amount)", "distinct(shop)", "since"]
    return {
        "card": {"over": ["1h", "1d", "7d"], "features": card},
        "device": {"over": ["1h", "1d"], "features": ["count", "distinct(card)"]},
        "shop": {"over": ["1h"], "features": ["count", "mean(amount)"]},
    }


def _shares(rng: np.random.Generator, count: int, spread: float) -> npt.NDArray[np.float64]:
    weight = rng.lognormal(0, spread, count)
    shares: npt.NDArray[np.float64] = weight / weight.sum()
    return shares
