"""Market bars, sensors, irregular times and encoders of the series room."""

from __future__ import annotations

import numpy as np
import pytest

from plait.contracts import Batch, Column, Features, FitContext, Ragged, Source
from plait.errors import ConfigError
from plait.modalities.series import Series

RNG = np.random.default_rng(0)


def column(cells):
    values = np.empty(len(cells), object)
    for i, cell in enumerate(cells):
        values[i] = cell
    return Column("s", values, np.array([cell is not None for cell in cells], bool))


def read(cells, **options) -> tuple[Series, Batch]:
    room = Series(Source("s", "series", ("s",), {"s": options}))
    context = FitContext(np.zeros(len(cells)), "binary", 1, np.ones(len(cells)))
    room.fit([(column(cells),)], context)
    return room, room.transform((column(cells),))


def named(features: Features, i: int = 0) -> dict[str, float]:
    return {n.removeprefix("s."): v for n, v in zip(features.names, features.values[i].tolist(), strict=True)}


def bars(days: int = 80, level: float = 100.0, **changes):
    rng = np.random.default_rng(days)
    close = level * np.exp(rng.normal(0, 0.02, days).cumsum())
    opened = np.concatenate([[level], close[:-1]]) * np.exp(rng.normal(0, 0.01, days))
    made = {
        "Open": opened,
        "High": np.maximum(opened, close) * np.exp(rng.exponential(0.01, days)),
        "Low": np.minimum(opened, close) * np.exp(-rng.exponential(0.01, days)),
        "Close": close,
        "Volume": rng.integers(1000, 2000, days).astype(float),
    }
    return {**made, **changes}


def inputs(room: Series, batch: Batch, i: int = 0) -> np.ndarray:
    values = room.inputs(batch).arrays["values"]
    assert isinstance(values, Ragged)
    return values.row(i)


# bars


def test_bars_by_their_formulas():
    cell = bars()
    room, batch = read([cell])
    told = named(room.features(batch))
    o, h, low, c, v = (np.asarray(cell[name], np.float32).astype(float) for name in cell)
    r = np.diff(np.log(c))
    assert told["return_20"] == pytest.approx(np.log(c[-1] / c[-21]), rel=1e-4)
    assert told["volatility_20"] == pytest.approx(r[-20:].std(), rel=1e-4)
    hl, co = np.log(h / low)[-20:], np.log(c / o)[-20:]
    assert told["parkinson_20"] == pytest.approx(np.sqrt((hl**2).sum() / (4 * 20 * np.log(2))), rel=1e-4)
    garman_klass = np.sqrt((0.5 * hl**2 - (2 * np.log(2) - 1) * co**2).mean())
    assert told["garman_klass_20"] == pytest.approx(garman_klass, rel=1e-4)
    assert told["gap_last"] == pytest.approx(np.log(o[-1] / c[-2]), rel=1e-3)
    ranges = np.max([h[1:] - low[1:], np.abs(h[1:] - c[:-1]), np.abs(low[1:] - c[:-1])], axis=0)
    assert told["atr_14"] == pytest.approx(ranges[-14:].mean() / c[-1], rel=1e-4)
    ups, downs = np.maximum(r[-14:], 0).mean(), np.maximum(-r[-14:], 0).mean()
    assert told["rsi_14"] == pytest.approx(100 - 100 / (1 + ups / downs), rel=1e-4)
    assert told["averages_5_to_20"] == pytest.approx(c[-5:].mean() / c[-20:].mean() - 1, rel=1e-3)
    assert told["volume_score_20"] == pytest.approx((v[-1] - v[-20:].mean()) / v[-20:].std(), rel=1e-4)
    assert told["drawdown"] == pytest.approx((1 - c / np.maximum.accumulate(c)).max(), rel=1e-4)
    assert told["amihud_20"] == pytest.approx(np.log10((np.abs(r[-20:]) / (c * v)[-20:]).mean()), rel=1e-4)


def test_bars_do_not_know_the_price_level():
    cell = bars()
    dear = {name: values * (1000 if name != "Volume" else 1) for name, values in cell.items()}
    room, batch = read([cell, dear])
    features, one, other = room.features(batch), inputs(room, batch, 0), inputs(room, batch, 1)
    kept = [i for i, name in enumerate(features.names) if "amihud" not in name]
    np.testing.assert_allclose(features.values[0, kept], features.values[1, kept], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("spelling", [str.upper, str.title, str.lower])
def test_bars_are_recognised_in_any_case_with_adjusted_closes(spelling):
    cell = bars(Adj_Close=bars()["Close"] * 0.5)
    cell = {spelling(name.replace("_", " ")): values for name, values in cell.items()}
    split = dict(cell)
    halved = np.where(np.arange(80) < 40, 2.0, 1.0)
    for name in split:
        if spelling("adj close") != name and spelling("volume") != name:
            split[name] = split[name] * halved
    room, batch = read([cell, split])
    features = room.features(batch)
    assert "s.rsi_14" in features.names
    assert not any("last_score" in name for name in features.names)
    of_price = [i for i, name in enumerate(features.names) if "amihud" not in name]
    np.testing.assert_allclose(features.values[0, of_price], features.values[1, of_price], rtol=2e-3, atol=1e-5)


def test_three_prices_are_no_bars():
    cell = bars()
    del cell["Low"]
    room, batch = read([cell])
    assert "s.Close.last" in room.features(batch).names


def test_bars_with_a_channel_more_few_days_and_bad_prices():
    negative = bars(Low=-np.ones(80))
    room, batch = read([bars(spread=np.arange(80.0)), bars(1), negative, None, bars(2)])
    features = room.features(batch)
    assert "s.spread.slope" in features.names
    np.testing.assert_array_equal(np.isnan(features.values), ~features.present)
    told = named(features, 2)
    assert np.isnan(told["volatility_20"])
    assert told["length"] == 80
    assert np.isnan(named(features, 1)["volatility_5"])
    assert np.isfinite(named(features, 4)["rsi_14"])
    assert np.isfinite(inputs(room, batch, 2)).all()


def test_the_first_bar_the_encoder_reads_knows_the_close_before():
    cell = bars(60)
    room, batch = read([cell], patch=1)
    whole, scale = inputs(room, batch), room.state().arrays
    assert len(whole) == 16
    close = np.asarray(cell["Close"], np.float32).astype(float)
    moved = np.log(close[-16] / close[-17])
    expected = np.arcsinh((moved - scale["location"][3]) / scale["scale"][3])
    assert whole[0, 3] == pytest.approx(expected, abs=1e-4)


# sensors


def wave(steps: int, cycles: float, noise: float = 0.0):
    return np.sin(2 * np.pi * cycles * np.arange(steps) / steps) + noise * RNG.normal(size=steps)


def test_where_the_power_of_a_signal_lies():
    room, batch = read([wave(1024, 64), wave(1024, 400), RNG.normal(size=1024), np.ones(1024)])
    features = room.features(batch)
    slow, fast, noise, still = (named(features, i) for i in range(4))
    assert slow["dominant_frequency"] == pytest.approx(1 / 16)
    assert slow["band_0.03125_0.0625"] + slow["band_0.0625_0.125"] > 0.99
    assert slow["crest_factor"] == pytest.approx(np.sqrt(2), rel=1e-3)
    assert slow["kurtosis"] == pytest.approx(-1.5, abs=1e-2)
    assert slow["crossings"] == pytest.approx(1 / 8, abs=0.01)
    assert fast["band_0.25_0.5"] > 0.99
    assert noise["kurtosis"] == pytest.approx(0, abs=0.5)
    assert noise["spectral_entropy"] > 0.8
    assert still["dominant_frequency"] == still["crest_factor"] == 0


def test_frequencies_of_timed_signals_are_a_day():
    cell = {"v": wave(512, 32), "time": 19_000 + np.arange(512) / 24}
    room, batch = read([cell])
    assert named(room.features(batch))["v.dominant_frequency"] == pytest.approx(24 / 16, rel=1e-2)


def test_spectra_are_told_of_long_series_or_where_asked():
    short, long = [wave(64, 4)] * 3, [wave(300, 4)] * 3
    for cells, options, told in ((short, {}, False), (long, {}, True), (short, {"sensor": True}, True)):
        room, batch = read(cells, **options)
        assert ("s.crest_factor" in room.features(batch).names) == told
    room, batch = read(long, sensor=False)
    assert "s.crest_factor" not in room.features(batch).names
    with pytest.raises(ConfigError, match="true or false"):
        read(short, sensor="yes")


# irregular times


def test_gaps_in_time_reach_features_and_encoder():
    regular = {"v": wave(40, 2), "time": np.arange(40.0)}
    holed = {"v": wave(40, 2), "time": np.concatenate([np.arange(20.0), 300 + np.arange(20.0)])}
    room, batch = read([regular, holed])
    told = named(room.features(batch), 1)
    assert (told["longest_gap"], told["span"]) == (281, 319)
    gaps = inputs(room, batch, 1)[:, -1]
    assert gaps.argmax() == 20
    np.testing.assert_allclose(inputs(room, batch, 0)[1:, -1], np.log(2), atol=1e-6)


# encoders


@pytest.mark.parametrize("kind", ["auto", "patches", "conv", "lstm", "gru", "rnn"])
def test_every_encoder_reads_long_and_short_series(kind):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    room, batch = read([RNG.normal(size=(2000, 3)), RNG.normal(size=(2, 3)), None, bars(50)], encoder=kind)
    encoder = room.encoder(8)
    tokens = encoder(encoder.collate(room.inputs(batch)))
    assert tokens.mask_BT.any(dim=1).tolist() == batch.present.tolist()
    assert tokens.mask_BT.shape[1] <= 17
    assert torch.isfinite(tokens.values_BTD).all()


def test_encoders_are_checked_by_name_and_by_what_they_read():
    with pytest.raises(ConfigError, match="did you mean 'lstm'"):
        read([[1.0]], encoder="lstn")
    room, _ = read([[1.0, 2.0]], encoder="columns")
    with pytest.raises(ConfigError, match="channels"):
        room.encoder(8)
