"""Market bars: open, high, low, close and volume by step, as features that no price level moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Ragged

__all__ = ["Bars", "describe", "relative"]

Floats: TypeAlias = npt.NDArray[np.float64]

PRICES = ("open", "high", "low", "close")
VOLUMES = ("volume", "vol")
ADJUSTED = ("adj close", "adjusted close", "adjclose", "close adj")
WINDOWS = (5, 20, 60)  # bars: of daily ones a week, a month, a quarter


@dataclass(frozen=True)
class Bars:
    """Which channels are which: positions of open, high, low, close; of volume and of the adjusted close, if any."""

    prices: tuple[int, int, int, int]
    volume: int | None
    adjusted: int | None

    @classmethod
    def among(cls, channels: Sequence[str]) -> Bars | None:
        """The bars among channels, by name in any case (``Open``, ``adj_close``); None where a price is missing."""
        place = {" ".join(name.lower().replace("_", " ").split()): i for i, name in reversed([*enumerate(channels)])}
        if any(price not in place for price in PRICES):
            return None
        first, high, low, close = (place[price] for price in PRICES)
        volume = next((place[name] for name in VOLUMES if name in place), None)
        adjusted = next((place[name] for name in ADJUSTED if name in place), None)
        return cls((first, high, low, close), volume, adjusted)

    @property
    def channels(self) -> frozenset[int]:
        """The channels that are parts of the bars."""
        return frozenset(i for i in (*self.prices, self.volume, self.adjusted) if i is not None)


class _Prices(NamedTuple):
    """Open, high, low, close and volume (or None), float64 ``R x T`` each; prices adjusted where that is known."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats | None


def _prices(dense: Floats, bars: Bars) -> _Prices:
    first, high, low, close = (dense[:, i] for i in bars.prices)
    volume = None if bars.volume is None else dense[:, bars.volume]
    if bars.adjusted is None:
        return _Prices(first, high, low, close, volume)
    factor = np.divide(dense[:, bars.adjusted], close, out=np.ones_like(close), where=close > 0)
    return _Prices(first * factor, high * factor, low * factor, close * factor, volume)


def relative(values: Ragged, bars: Bars) -> Floats:
    """Channels as the encoder reads them: prices as log-returns on the close before, volumes on the volume before.

    Parameters
    ----------
    values
        float64 ``T x C`` a row, without NaN. Other channels stay as they are.

    Returns
    -------
    float64, as `values.values`. A row's first bar is relative to its own open; what is not positive counts as no move.
    """
    out = values.values.astype(np.float64)
    first = values.offsets[:-1][values.lengths > 0]
    close, opened = out[:, bars.prices[3]], out[:, bars.prices[0]]
    before = np.concatenate([close[:0], opened[:1], close[:-1]])
    before[first] = opened[first]
    moved = {i: _log_ratio(out[:, i], before) for i in bars.prices}
    if bars.adjusted is not None:
        adjusted = out[:, bars.adjusted]
        earlier = np.concatenate([adjusted[:1], adjusted[:-1]])
        earlier[first] = adjusted[first]
        moved[bars.adjusted] = _log_ratio(adjusted, earlier)
    if bars.volume is not None:
        volume = np.maximum(out[:, bars.volume], 0.0) + 1.0
        earlier = np.concatenate([volume[:1], volume[:-1]])
        earlier[first] = volume[first]
        moved[bars.volume] = _log_ratio(volume, earlier)
    for i, moves in moved.items():
        out[:, i] = moves
    return out


def _log_ratio(above: Floats, below: Floats) -> Floats:
    """``ln(above / below)``, 0 where either is not positive."""
    fine = (above > 0) & (below > 0)
    return np.log(np.where(fine, above, 1.0)) - np.log(np.where(fine, below, 1.0))


def describe(dense: Floats, bars: Bars) -> dict[str, Floats]:
    """Features of bars of one length.

    Parameters
    ----------
    dense
        float64 ``R x C x T``, without NaN, contiguous in time.

    Returns
    -------
    Name to float64 ``R``; NaN where a price is not positive, or there are too few bars. Windows longer than the history
    look at all of it. Sources: Parkinson (1980), Garman & Klass (1980), Wilder (1978; with simple instead of
    exponential means), Amihud (2002).
    """
    bar = _prices(dense, bars)
    fine = np.all([(price > 0).all(axis=1) for price in bar[:4]], axis=0)
    safe = bar._replace(**{name: np.where(fine[:, None], getattr(bar, name), 1.0) for name in PRICES})
    return {name: np.where(fine, values, np.nan) for name, values in _features(safe)}


def _features(bar: _Prices) -> Iterator[tuple[str, Floats]]:
    steps = bar.close.shape[1]
    close, log_close = bar.close, np.log(bar.close)
    returns = np.diff(log_close, axis=1)
    gaps = np.log(bar.open[:, 1:]) - log_close[:, :-1]
    spread, body = np.log(bar.high) - np.log(bar.low), log_close - np.log(bar.open)
    for window in WINDOWS:
        w = min(window, steps)
        yield f"return_{window}", log_close[:, -1] - log_close[:, max(steps - 1 - window, 0)]
        yield f"volatility_{window}", _std(returns[:, -window:])
        yield f"parkinson_{window}", np.sqrt((spread[:, -w:] ** 2).mean(axis=1) / (4 * np.log(2)))
        garman_klass = 0.5 * spread[:, -w:] ** 2 - (2 * np.log(2) - 1) * body[:, -w:] ** 2
        yield f"garman_klass_{window}", np.sqrt(np.maximum(garman_klass.mean(axis=1), 0.0))
        yield f"average_ratio_{window}", close[:, -1] / close[:, -w:].mean(axis=1) - 1.0
        highest, lowest = bar.high[:, -w:].max(axis=1), bar.low[:, -w:].min(axis=1)
        yield f"range_position_{window}", _ratio(close[:, -1] - lowest, highest - lowest)
        yield f"gap_{window}", _mean(np.abs(gaps[:, -window:]))
        yield f"drawdown_{window}", _drawdown(close[:, -w:])
    yield "return_1", log_close[:, -1] - log_close[:, max(steps - 2, 0)]
    yield "gap_last", gaps[:, -1] if steps > 1 else np.full(len(close), np.nan)
    yield "drawdown", _drawdown(close)
    yield "drawdown_at_end", 1.0 - close[:, -1] / close.max(axis=1)
    short, long = close[:, -WINDOWS[0] :].mean(axis=1), close[:, -WINDOWS[1] :].mean(axis=1)
    yield "averages_5_to_20", short / long - 1.0
    yield "averages_20_to_60", long / close[:, -WINDOWS[2] :].mean(axis=1) - 1.0
    high, low, before = bar.high[:, 1:], bar.low[:, 1:], close[:, :-1]
    true_range = np.maximum(high, before) - np.minimum(low, before)
    yield "atr_14", _mean(true_range[:, -14:]) / close[:, -1]
    ups, downs = _mean(np.maximum(returns[:, -14:], 0.0)), _mean(np.maximum(-returns[:, -14:], 0.0))
    yield "rsi_14", np.where(ups + downs > 0, 100.0 * _ratio(ups, ups + downs), 50.0 + 0.0 * ups)
    yield "up_share_20", _mean((returns[:, -20:] > 0).astype(np.float64))
    if bar.volume is not None:
        yield from _traded(bar.volume, close, returns)


def _traded(volume: Floats, close: Floats, returns: Floats) -> Iterator[tuple[str, Floats]]:
    volume = np.maximum(volume, 0.0)
    for window in WINDOWS[1:]:
        recent = volume[:, -window:]
        spread = recent.std(axis=1)
        yield f"volume_score_{window}", np.where(spread > 0, _ratio(volume[:, -1] - recent.mean(axis=1), spread), 0.0)
        turnover = close[:, 1:][:, -window:] * volume[:, 1:][:, -window:]
        traded = turnover > 0
        share = np.divide(np.abs(returns[:, -window:]), turnover, out=np.zeros_like(turnover), where=traded)
        illiquid = _ratio(share.sum(axis=1), traded.sum(axis=1).astype(np.float64))
        # Amihud's ratio spans many powers of ten; 1e-20 keeps the logarithm where prices do not move.
        yield f"amihud_{window}", np.log10(illiquid + 1e-20)
    yield "volume_5_to_60", _ratio(volume[:, -5:].mean(axis=1), volume[:, -60:].mean(axis=1))


def _ratio(above: Floats, below: Floats) -> Floats:
    out = np.full(above.shape, np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out


def _mean(values: Floats) -> Floats:
    return values.mean(axis=1) if values.shape[1] else np.full(len(values), np.nan)


def _std(values: Floats) -> Floats:
    return values.std(axis=1) if values.shape[1] else np.full(len(values), np.nan)


def _drawdown(close: Floats) -> Floats:
    """The largest fall from a running peak, as a share of the peak."""
    worst: Floats = (1.0 - close / np.maximum.accumulate(close, axis=1)).max(axis=1)
    return worst
