"""The room of films: what it reads, what it refuses, what it says of motion, and what hostile files cost."""

from __future__ import annotations

import base64
import io
import subprocess
import sys

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plait
from plait import registry
from plait.contracts import MAX_FEATURES, Batch, Column, FitContext, Ragged, Source
from plait.data.samples import films
from plait.errors import ArtifactError, ConfigError
from plait.media.content import UnreadableError
from plait.media.film import read_film
from plait.media.motion import CHANNELS, motion_track
from plait.modalities.video import NUMBERS, Video


def moving(count=24, dx=1.0, dy=0.0, side=48, grow=0.0, start=(10, 20), size=10):
    """A white square over a grey pattern, uint8 T x H x W x 3."""
    y, x = np.mgrid[:side, :side]
    ground = (90 + 20 * np.sin(x / 3) * np.cos(y / 4)).astype(np.uint8)
    out = np.repeat(ground[None, :, :, None], count, axis=0).repeat(3, axis=3)
    for t in range(count):
        left, top, half = start[0] + dx * t, start[1] + dy * t, (size + grow * t) / 2
        inside = (np.abs(x - left) < half) & (np.abs(y - top) < half)
        out[t][inside] = 240
    return out


def encoded(frames, codec="mpeg4", container="mp4", rate=16, sound=None, **options) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as made:
        stream = made.add_stream(codec, rate=rate, options={k: str(v) for k, v in options.items()})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.thread_count = 1
        track = None if sound is None else made.add_stream("aac", rate=16_000, layout="mono")
        for picture in frames:
            made.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        made.mux(stream.encode(None))
        if track is not None:
            heard = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), format="fltp", layout="mono")
            heard.sample_rate = 16_000
            made.mux(track.encode(heard))
            made.mux(track.encode(None))
    return file.getvalue()


def only_sound() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as made:
        track = made.add_stream("aac", rate=16_000, layout="mono")
        heard = av.AudioFrame.from_ndarray(tone()[None].astype(np.float32), format="fltp", layout="mono")
        heard.sample_rate = 16_000
        made.mux(track.encode(heard))
        made.mux(track.encode(None))
    return file.getvalue()


def tone(seconds=1.5, hertz=220.0):
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(int(16_000 * seconds)) / 16_000)


def column(cells, folder=None):
    values = np.empty(len(cells), object)
    for i, each in enumerate(cells):
        values[i] = each
    return Column("film", values, np.array([each is not None for each in cells], bool), folder=folder)


def fitted(**options) -> Video:
    context = FitContext(np.zeros(1), "binary", 1, np.ones(1))
    return Video(Source("film", "video", ("film",), {"film": options})).fit([(column([moving(6)]),)], context)


def read(cells, folder=None, **options) -> Batch:
    return fitted(**options).transform((column(cells, folder),))


def told(cell, **options) -> dict[str, float]:
    batch = read([cell], **options)
    assert batch.present.all(), batch.faults
    return dict(zip(NUMBERS, np.asarray(batch.arrays["numbers"])[0].tolist(), strict=True))


def reason(cell, **options) -> str:
    batch = read([cell], **options)
    assert not batch.present.any()
    (fault,) = batch.faults
    return fault.reason


# cells


def test_every_form_of_a_cell(tmp_path):
    data = encoded(moving())
    (tmp_path / "crash.mp4").write_bytes(data)
    (tmp_path / "crash.dat").write_bytes(data)
    forms = [
        *("crash.mp4", "crash.dat", tmp_path / "crash.mp4", data, base64.b64encode(data).decode()),
        *({"path": "crash.mp4"}, {"bytes": data, "path": None}),
    ]
    batch = read(forms, str(tmp_path))
    assert batch.present.all(), batch.faults
    assert np.asarray(batch.arrays["frames"]).shape == (7, 8, 48, 48, 3)
    numbers = np.nan_to_num(np.asarray(batch.arrays["numbers"]))
    assert len(np.unique(numbers, axis=0)) == 1


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("mpeg4", "mp4"),
        ("mpeg4", "matroska"),
        ("mjpeg", "avi"),
        ("mpeg4", "avi"),
        ("mpeg2video", "mpegts"),
        ("ffv1", "nut"),
    ],
)
def test_every_container(codec, container):
    values = told(encoded(moving(), codec, container, rate=25))
    assert values["seconds"] == pytest.approx(24 / 25, abs=0.1)
    assert values["frame_rate"] == pytest.approx(25, abs=0.1)
    assert (values["width"], values["height"], values["frames_seen"]) == (48, 48, 24)


def test_arrays_are_films():
    frames = moving()
    batch = read([frames, frames[..., 0], frames[:1], frames[:, :, ::2]])
    assert batch.present.all()
    np.testing.assert_array_equal(batch.arrays["frames"][0][0], frames[0])
    assert not np.asarray(batch.arrays["track"][2]).any()
    assert batch.arrays["numbers"][3][NUMBERS.index("aspect")] == pytest.approx(np.log(0.5))


def test_sound_is_heard_where_there_is_some():
    batch = read([encoded(moving(), sound=tone()), encoded(moving())])
    samples = batch.arrays["samples"]
    assert isinstance(samples, Ragged)
    assert samples.lengths[0] == pytest.approx(12_000, abs=1100)
    assert samples.lengths[1] == 0
    numbers = np.asarray(batch.arrays["numbers"])
    assert numbers[0, NUMBERS.index("sound_pitch")] == pytest.approx(220, rel=0.02)
    assert np.isnan(numbers[1, NUMBERS.index("sound_pitch")])
    assert read([encoded(moving(), sound=tone())], sound_seconds=0.5).arrays["samples"].lengths[0] == 4000
    assert read([encoded(moving(), sound=tone())], sound_seconds=0).arrays["samples"].lengths[0] == 0


def test_features_are_few_enough():
    assert len(NUMBERS) == len(set(NUMBERS)) <= MAX_FEATURES


# motion


@pytest.mark.parametrize(("dx", "dy"), [(1.2, 0), (-1.2, 0), (0, 1.0), (0, -1.0)])
def test_direction(dx, dy):
    film = moving(dx=dx, dy=dy, start=(24 - 12 * dx, 24 - 12 * dy))
    values = told(encoded(film))
    assert values["motion_flow_x_mean"] * dx >= 0
    assert values["motion_flow_y_mean"] * dy >= 0
    main = "x" if dx else "y"
    assert abs(values[f"motion_flow_{main}_mean"]) > 3 * abs(values[f"motion_flow_{'y' if dx else 'x'}_mean"])
    assert values[f"motion_figure_{main}_trend"] * (dx or dy) > 0.2
    heading = f"motion_heading_{round(np.degrees(np.arctan2(dy, dx))) % 360}"
    assert values[heading] > 0.5


def test_speed_is_in_sides_a_second():
    frames = np.stack([np.roll(np.random.default_rng(0).random((32, 32)), t, axis=1) for t in range(12)])
    track = motion_track(np.repeat(frames, 1, axis=0), step=0.1)
    assert track[:, CHANNELS.index("flow_x")].mean() == pytest.approx(10 / 32, rel=0.1)
    assert track[:, CHANNELS.index("speed")].mean() == pytest.approx(10 / 32, rel=0.1)


def test_growing_and_shrinking():
    grown, shrunk = (told(moving(grow=g, size=s, start=(24, 24), dx=0)) for g, s in ((1.2, 8), (-1.2, 36)))
    assert grown["motion_expansion_mean"] > 0 > shrunk["motion_expansion_mean"]


def test_stillness_and_cuts():
    still = told(np.repeat(moving(1), 24, axis=0))
    assert still["motion_change_most"] == still["motion_speed_most"] == still["motion_cuts"] == 0
    dark = moving(24, dx=0)
    dark[12:] //= 4
    assert told(dark)["motion_cuts"] >= 1


def test_rhythm_of_a_swing():
    side = np.rint(24 + 8 * np.sin(np.arange(32) * 2 * np.pi / 8))
    swing = np.stack([moving(1, start=(x, 24))[0] for x in side])
    assert told(swing)["motion_figure_x_rhythm"] > 0.5
    assert told(moving(32, dx=0.8))["motion_figure_x_rhythm"] < 0.3


# refusals and limits


def test_what_is_no_film_is_a_fault():
    data = encoded(moving(60))
    assert "no pictures" in reason(only_sound())
    assert "cannot be decoded" in reason(b"\x00\x00\x00\x18ftypisom" + b"\0" * 100)
    assert "0 bytes" in reason(b"")
    assert reason(data[: len(data) // 2])  # the index of an MP4 stands at its end
    assert reason(np.zeros((3, 4), np.uint8))
    assert reason(np.zeros((3, 4, 4, 3)))
    assert reason(np.zeros((0, 4, 4, 3), np.uint8))
    assert "no path is opened" in reason("a film with nobody in it")
    assert "float" in reason(3.0)


@pytest.mark.parametrize(("codec", "container"), [("mjpeg", "avi"), ("mpeg4", "matroska")])
def test_a_film_that_breaks_off_is_a_fault(codec, container):
    frames = np.random.default_rng(0).integers(0, 255, (80, 48, 48, 3), np.uint8)
    data = encoded(frames, codec, container)
    assert read([data]).present.all()
    assert reason(data[: len(data) // 3])


def test_limits_can_be_set():
    data = encoded(moving(80))
    assert "48 x 48 pixels (allowed: 2,000" in reason(data, max_pixels=2000)
    assert "allowed: 100" in reason(data, max_bytes=100)
    assert told(data, max_seconds=2)["seconds"] == pytest.approx(2, abs=0.1)
    assert told(data, max_seconds=2)["frames_seen"] == 32
    assert read([data], frames=4, size=32).arrays["frames"].shape == (1, 4, 32, 32, 3)


def test_long_films_are_read_by_their_key_frames():
    frames = np.repeat(moving(50, dx=0.5), 24, axis=0)
    values = told(encoded(frames, rate=30, g=15))
    assert values["seconds"] == pytest.approx(40, abs=1)
    assert values["frames_seen"] <= 1200 / 15 + 2
    assert values["motion_figure_x_trend"] > 0.2
    assert told(encoded(frames, rate=30, g=600))["frames_seen"] > 900


def test_paths_stay_in_the_folder(tmp_path):
    inside = tmp_path / "data"
    inside.mkdir()
    (tmp_path / "a.mp4").write_bytes(encoded(moving(8)))
    (inside / "link.mp4").symlink_to(tmp_path / "a.mp4")
    assert not read(["../a.mp4", "link.mp4", "https://example.org/a.mp4"], str(inside)).present.any()
    assert read(["../a.mp4"], str(inside), outside=True).present.all()


def test_playlists_open_nothing(tmp_path):
    (tmp_path / "a.ts").write_bytes(encoded(moving(8), "mpeg2video", "mpegts"))
    lists = [
        f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/a.ts\n#EXT-X-ENDLIST\n".encode(),
        f"ffconcat version 1.0\nfile '{tmp_path}/a.ts'\n".encode(),
    ]
    assert not read(lists).present.any()


@pytest.mark.parametrize(
    "options",
    [
        {"frame": 8},
        {"frames": 1},
        {"frames": 8.5},
        {"size": "big"},
        {"max_seconds": 0},
        {"sound_seconds": True},
        {"outside": 1},
        {"encoder": "film_gruu"},
    ],
)
def test_options_are_checked(options):
    with pytest.raises(ConfigError, match=r"film"):
        fitted(**options)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_broken_bytes_never_raise_anything_else(data):
    whole = WHOLE[data.draw(st.sampled_from(sorted(WHOLE)))]
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 12))):
        broken[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(broken[: data.draw(st.integers(1, len(whole)))])
    try:
        film = read_film(cut, frames=4, size=16, max_seconds=5, max_pixels=100_000)
    except UnreadableError:
        return
    assert film.frames.shape == (4, 16, 16, 3)
    assert np.isfinite(motion_track(film.grey, film.step)).all()


WHOLE = {kind: encoded(moving(8), codec, kind) for codec, kind in (("mpeg4", "mp4"), ("mjpeg", "avi"))}

HOSTILE = """
import resource, struct, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from test_video import encoded, moving
from plait.media.content import UnreadableError
from plait.media.film import read_film
for line in open("/proc/self/status"):
    if line.startswith("VmSize"):
        size = int(line.split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + (500 << 20), size + (500 << 20)))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
avi = encoded(moving(8), "mjpeg", "avi")
wide = bytearray(avi)
place = wide.index(b"strf") + 12
wide[place:place + 8] = struct.pack("<II", 60_000, 60_000)
lying = bytearray(avi)
jpeg = lying.index(bytes([255, 192]))
lying[jpeg + 5:jpeg + 9] = struct.pack(">HH", 60_000, 60_000)
long = encoded(np.repeat(moving(1), 3000, axis=0), "mpeg4", "matroska", rate=1)
slow = encoded(moving(40), "mpeg4", "avi", rate=1000)
gif = b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(3) + b"," + bytes(4) + struct.pack("<HH", 65_535, 65_535)
files = [
    bytes(wide), bytes(lying), long, slow, gif + bytes(1000),
    b"YUV4MPEG2 W65535 H65535 F25:1 C444\\nFRAME\\n" + bytes(5000),
    avi[:200] + avi[100:] * 20, b"\\x00\\x00\\x01\\xba" * 100_000, b"FLV\\x01\\x05\\0\\0\\0\\x09" + bytes(100_000),
    b"\\x47" + bytes(187) + (b"\\x47" + bytes(187)) * 5000, b"\\x1aE\\xdf\\xa3" + b"\\xff" * 1000,
]
for data in files:
    try:
        film = read_film(data, frames=8, size=48, max_seconds=60, max_pixels=9_000_000)
        print("read:", film.facts, file=sys.stderr)
    except UnreadableError as error:
        print("fault:", error, file=sys.stderr)
print("survived", len(files))
"""


def test_hostile_files_cost_little_memory():
    folder = __file__.rpartition("/")[0]
    done = subprocess.run([sys.executable, "-c", HOSTILE, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "survived 11"


# both doors


@pytest.mark.parametrize("kind", ["film_gru", "film_attention"])
def test_encoders_by_name(kind):
    import torch

    room = fitted(encoder=kind)
    inputs = room.inputs(room.transform((column([encoded(moving(), sound=tone()), None, moving()]),)))
    torch.manual_seed(0)
    encoder = room.encoder(16)
    assert type(encoder) is registry.get("encoders", kind)
    encoder.eval()
    tensors = encoder.collate(inputs)
    tokens = encoder(tensors)
    assert tokens.mask_BT.sum(dim=1).tolist() == [12, 0, 9]
    assert tokens.mask_BT.shape[1] <= 16
    assert torch.isfinite(tokens.values_BTD).all()
    backward = {**tensors, "frames": tensors["frames"].flip(1), "track": tensors["track"].flip(1)}
    assert not torch.allclose(encoder(backward).values_BTD.mean(dim=1), tokens.values_BTD.mean(dim=1), atol=1e-3)
    encoder.train()
    torch.manual_seed(1)
    first = encoder(tensors).values_BTD
    torch.manual_seed(1)
    assert torch.equal(first, encoder(tensors).values_BTD)
    first.sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["attention", "early"])
def test_a_model_comes_back_from_disk(tmp_path, fusion):
    frame = films(12, 1)
    X = frame[["film"]].assign(speed=frame["speed"])
    X.loc[[3, 9], "film"] = None
    how = {"options": {"attention": {"epochs": 1, "width": 16}}} if fusion == "attention" else {"learner": "linear"}
    model = plait.Classifier(fusion=fusion, **how, n_jobs=1, random_state=0).fit(X, frame["event"])
    model.save(tmp_path / "model.plait")
    proba = model.predict_proba(X)
    assert np.isfinite(proba).all()
    np.testing.assert_array_equal(plait.load(tmp_path / "model.plait").predict_proba(X), proba)


def test_newer_states_are_refused():
    room = fitted()
    state = room.state()
    with pytest.raises(ArtifactError, match="update plait"):
        Video.from_state(room.source, type(state)(99, state.values, state.arrays))


def test_accepts_films_only():
    assert Video.accepts(column([moving(2), encoded(moving(2)), "a.mp4", {"path": "b.MKV"}])) > 0.9
    assert Video.accepts(column([base64.b64encode(encoded(moving(2))).decode()])) > 0.9
    assert Video.accepts(column(["a.png", "b.wav", "a text", 3.0])) == 0
    assert Video.accepts(column([np.zeros((4, 4, 3), np.uint8)])) == 0


# made films


def test_made_films_are_as_documented():
    frame = films(24, 3)
    assert frame["event"].value_counts().tolist() == [4] * 6
    assert set(frame.loc[frame["event"] != "impact", "staged"]) == {0}
    batch = read(list(frame["film"]))
    assert batch.present.all()
    numbers = np.asarray(batch.arrays["numbers"])
    assert (numbers[:, :6] == [1.5, 16, 48, 48, 0, 24]).all()
    assert 4 < numbers[:, 6].sum() < 20
    assert films(6, 3)["film"].tolist() == films(6, 3)["film"].tolist()
    flow = numbers[:, NUMBERS.index("motion_figure_x_trend")]
    event = frame["event"].to_numpy()
    assert flow[event == "rightward"].min() > flow[event == "leftward"].max()
