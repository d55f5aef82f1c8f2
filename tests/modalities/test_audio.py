"""The audio room: what it reads, what it refuses, what it learns, and what its encoders hear."""

from __future__ import annotations

import base64
import io
import os

import av
import numpy as np
import pandas as pd
import pytest

from plait import registry
from plait.contracts import Batch, Column, FitContext, Ragged, Source
from plait.errors import ArtifactError, ConfigError
from plait.media.sound import wav
from plait.modalities.audio import Audio

RATE = 8_000


def tone(hertz=200.0, seconds=0.3, rate=RATE):
    return np.rint(9000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def sound(hertz=200.0, seconds=0.3, rate=RATE):
    return wav(tone(hertz, seconds, rate), rate)


def column(cells, folder=None):
    values = np.empty(len(cells), object)
    for i, cell in enumerate(cells):
        values[i] = cell
    return Column("call", values, np.array([cell is not None for cell in cells], bool), folder=folder)


def fitted(cells, **options):
    cells = cells if isinstance(cells, Column) else column(cells)
    context = FitContext(np.zeros(len(cells)), "binary", 1, np.ones(len(cells)))
    return Audio(Source("call", "audio", ("call",), {"call": options})).fit([(cells,)], context)


def read(cells, **options) -> tuple[Audio, Batch]:
    cells = cells if isinstance(cells, Column) else column(cells)
    room = fitted(cells, **options)
    return room, room.transform((cells,))


def samples(batch: Batch, i: int):
    array = batch.arrays["samples"]
    assert isinstance(array, Ragged)
    return array.row(i)


def figures(room: Audio, batch: Batch, i: int = 0):
    features = room.features(batch)
    return {name.partition(".")[2]: value for name, value in zip(features.names, features.values[i], strict=True)}


# cells


def test_one_sound_in_every_form(tmp_path):
    (tmp_path / "a.wav").write_bytes(sound())
    flac = io.BytesIO()
    with av.open(flac, "w", format="flac") as file:
        stream = file.add_stream("flac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone()[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    forms = [
        *(sound(), "a.wav", tmp_path / "a.wav", {"bytes": sound(), "path": None}, {"bytes": None, "path": "a.wav"}),
        *(base64.b64encode(sound()).decode(), {"array": tone() / 32768, "sampling_rate": RATE}, (RATE, tone())),
        *((RATE, tone().tolist()), (np.int64(RATE), np.stack([tone(), tone()])), flac.getvalue()),
    ]
    _, batch = read(column(forms, str(tmp_path)))
    assert batch.faults == ()
    assert batch.present.all()
    for i in range(len(forms)):
        np.testing.assert_array_equal(samples(batch, i), tone())


def test_samples_alone_need_a_rate():
    _, batch = read([tone(), (tone() / 32768).tolist()], rate=RATE)
    np.testing.assert_array_equal(samples(batch, 0), samples(batch, 1))
    _, batch = read([tone()])
    assert "rate" in batch.faults[0].reason


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        *((b"", "0 bytes"), (b"text with an ending", "decoded"), ("missing.wav", "opened"), ("../up.wav", "leaves")),
        *(("https://example.org/a.wav", "URL"), (7.5, "float"), (object(), "object"), (sound(seconds=0), "no sound")),
        *(({"array": [np.nan], "sampling_rate": RATE}, "finite"), ((0, tone()), "samples a second")),
        *(
            ((RATE, np.zeros((3, 3, 3))), "no sound"),
            ({"bytes": None, "path": None}, "NoneType"),
            (b"\x00" * 99, "decoded"),
        ),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_broken_cells_are_faults(cell, reason, tmp_path):
    _, batch = read(column([sound(), cell], str(tmp_path)))
    (fault,) = batch.faults
    assert (fault.row, fault.column) == (1, "call")
    assert reason in fault.reason
    assert batch.present.tolist() == [True, False]


def test_text_in_a_file_called_wav_is_a_fault(tmp_path):
    (tmp_path / "note.wav").write_text("please call back\n" * 50)
    _, batch = read(column(["note.wav"], str(tmp_path)))
    assert "decoded" in batch.faults[0].reason


@pytest.mark.parametrize(
    ("cells", "sure"),
    [
        *(([sound()] * 3, True), (["a.wav", "calls/b.MP3", "c.ogg"], True), ([(RATE, tone())], True)),
        *(([{"array": tone(), "sampling_rate": RATE}], True), ([{"bytes": sound(), "path": "a"}], True)),
        *((["a.png", "b.txt"], False), (["hello there"], False), ([[1.0, 2.0]], False), ([tone()], False)),
        *(
            ([(1.0, 2.0)], False),
            ([{"array": [1], "sampling_rate": "x"}], False),
            ([], False),
            ([sound(), 1, 2], False),
        ),
    ],
)
def test_accepts(cells, sure):
    assert (Audio.accepts(column(cells)) > 0.8) == sure


# options


def test_the_rate_is_learned_from_the_training_cells():
    assert fitted([sound()] * 9 + [sound(rate=44_100)]).state().values["rate"] == 8_000
    assert fitted([sound()] * 5 + [sound(rate=44_100)] * 5).state().values["rate"] == 16_000
    assert fitted([(8_000, tone()), None, b"broken"]).state().values["rate"] == 8_000
    assert fitted([None, b"broken"]).state().values["rate"] == 16_000
    assert fitted([sound()], rate=22_050).state().values["rate"] == 22_050


def test_long_sounds_are_cut_and_told():
    room, batch = read([sound(seconds=1.0), sound(seconds=0.3)], max_seconds=0.5)
    assert [len(samples(batch, i)) for i in (0, 1)] == [4000, 2400]
    assert [figures(room, batch, i)["cut"] for i in (0, 1)] == [1, 0]
    assert [figures(room, batch, i)["seconds"] for i in (0, 1)] == [0.5, pytest.approx(0.3)]


@pytest.mark.parametrize("allowed", [True, False])
def test_paths_leave_the_data_folder_only_where_they_may(tmp_path, allowed):
    (tmp_path / "inside").mkdir()
    (tmp_path / "a.wav").write_bytes(sound())
    source = Source("s", "audio", ("s",), {"s": {"rate": RATE, "outside": allowed}})
    batch = Audio(source).transform((column(["../a.wav"], str(tmp_path / "inside")),))
    assert batch.present.tolist() == [allowed]


def test_large_cells_are_faults():
    _, batch = read([sound()], max_bytes=1000)
    assert "allowed: 1,000" in batch.faults[0].reason


@pytest.mark.parametrize(
    ("options", "said"),
    [
        *(({"rates": 1}, "did you mean 'rate'"), ({"rate": 12}, "from 1,000"), ({"rate": "fast"}, "whole number")),
        *(({"max_seconds": 0}, "from 0.1"), ({"max_bytes": True}, "whole number"), ({"tokens": 0}, "from 1")),
        *(({"augment": "yes"}, "true, false"), ({"encoder": "mel_grue"}, "did you mean 'mel_gru'")),
    ],
)
def test_wrong_options_are_told(options, said):
    with pytest.raises(ConfigError, match=said):
        Audio(Source("call", "audio", ("call",), {"call": options}))


def test_newer_state_is_refused():
    from dataclasses import replace

    room = fitted([sound()])
    with pytest.raises(ArtifactError, match="update plait"):
        Audio.from_state(room.source, replace(room.state(), version=99))


# both doors


def test_features_tell_pitch_and_words():
    room, batch = read([sound(120), sound(240), None])
    assert figures(room, batch, 0)["pitch"] == pytest.approx(120, rel=0.01)
    assert figures(room, batch, 1)["pitch"] == pytest.approx(240, rel=0.01)
    features = room.features(batch)
    assert not features.present[2].any()
    assert "call.part1.mfcc1" in features.names
    assert len(features.names) <= 256


def test_pretrained_encoders_are_given_waves():
    room, batch = read([sound(), None])
    items = room.items(batch)
    assert (items.form, items.rate) == ("waves", RATE)
    assert isinstance(items.values, Ragged)
    assert items.values.values.dtype == np.int16


@pytest.mark.parametrize("kind", ["mel_gru", "mel_conv"])
def test_encoders_by_name(kind):
    import torch

    cells = [sound(), None, sound(300, 1.2), sound(seconds=0.001)]
    room, batch = read(cells, encoder=kind, tokens=6)
    torch.manual_seed(0)
    encoder = room.encoder(16)
    assert type(encoder) is registry.get("encoders", kind)
    tensors = encoder.collate(room.inputs(batch))
    encoder.eval()
    tokens = encoder(tensors)
    assert tokens.values_BTD.shape == (4, 6, 16)
    assert tokens.mask_BT.sum(dim=1).tolist() == [6, 0, 6, 1]
    torch.testing.assert_close(encoder(tensors).values_BTD, tokens.values_BTD)
    louder = {**tensors, "samples": tensors["samples"] * 3}
    torch.testing.assert_close(encoder(louder).values_BTD, tokens.values_BTD, atol=1e-3, rtol=1e-2)


def test_sounds_are_altered_in_training_alone_and_by_torchs_own_draws():
    import torch

    for augment in (True, False):
        room, batch = read([sound(150), sound(300, 0.5), None], augment=augment)
        encoder = room.encoder(16)
        tensors = encoder.collate(room.inputs(batch))
        drawn = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            mel, there = encoder.mel(tensors["samples"], tensors["lengths"])
            assert torch.isfinite(mel).all()
            assert there.any(dim=1).tolist() == [True, True, False]
            assert mel.shape[1:2] == (2,)
            assert (mel.transpose(1, 2)[~there] == 0).all()
            drawn.append(mel)
        assert torch.equal(drawn[0], drawn[1])
        assert (drawn[0].shape == drawn[2].shape and torch.equal(drawn[0], drawn[2])) != augment


def test_long_sounds_are_encoded_a_few_at_a_time_with_the_same_result():
    import torch

    room, batch = read([sound(100 + 40 * i, 25.0) for i in range(6)])
    encoder = room.encoder(8)
    encoder.eval()
    with torch.inference_mode():
        together = encoder(encoder.collate(room.inputs(batch))).values_BTD
        alone = [encoder(encoder.collate(room.inputs(batch.take(np.array([i]))))).values_BTD for i in range(6)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)
    encoder.train()
    assert torch.isfinite(encoder(encoder.collate(room.inputs(batch))).values_BTD).all()


def test_gradients_reach_every_weight():
    import torch

    room, batch = read([sound(150), sound(300, 0.5)])
    torch.manual_seed(0)
    encoder = room.encoder(16)
    encoder(encoder.collate(room.inputs(batch))).values_BTD.square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in encoder.parameters())


# whole


@pytest.mark.slow
def test_a_network_hears_what_differs_and_comes_back_from_disk(tmp_path):
    import plait

    rng = np.random.default_rng(0)
    rising = rng.random(120) < 0.5
    cells = []
    for up in rising:
        sweep = 2.0 ** (rng.uniform(6.8, 7.5) + (1 if up else -1) * np.linspace(-0.4, 0.4, 2000))
        cells.append(wav((8000 * np.sin(2 * np.pi * np.cumsum(sweep) / RATE * 3)).astype(np.int16), RATE))
    frame = pd.DataFrame({"call": cells, "rising": rising.astype(int)})
    frame.loc[[3, 7], "call"] = None
    X, y = frame[["call"]], frame["rising"]
    model = plait.Classifier(
        fusion="attention", options={"attention": {"width": 32, "layers": 1, "epochs": 6}}, n_jobs=1, random_state=0
    ).fit(X[:90], y[:90])
    assert [spec.modality for spec in model.schema_.columns if spec.name == "call"] == ["audio"]
    assert (model.predict(X[90:]) == y[90:]).mean() > 0.8
    model.save(tmp_path / "model")
    again = plait.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(X[90:]), model.predict_proba(X[90:]))


@pytest.mark.realdata
def test_spoken_digits_of_a_speaker_never_heard():
    from plait.data import public
    from plait.data.schema import ColumnSpec, Schema

    if not os.environ.get("PLAIT_DATA"):
        pytest.skip("PLAIT_DATA names no folder")
    import plait

    frame = public.fsdd().frame
    few = frame[frame["digit"].isin([0, 1, 6])].iloc[::2]
    heard, other = few[few["speaker"] != "theo"], few[few["speaker"] == "theo"]
    schema = Schema((ColumnSpec("sound", "source", "audio"),))
    model = plait.Classifier(
        fusion="attention", schema=schema, options={"attention": {"layers": 1, "epochs": 6}}, n_jobs=1, random_state=0
    ).fit(heard[["sound"]], heard["digit"])
    assert (model.predict(other[["sound"]]) == other["digit"]).mean() > 0.6  # by chance: a third
