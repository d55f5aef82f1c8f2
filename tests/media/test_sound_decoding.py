"""Sound of every format to samples: what is read, what is refused, and what hostile files cost."""

from __future__ import annotations

import io
import subprocess
import sys
import wave

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.media.content import UnreadableError, looks_like_file
from plait.media.sound import MAGIC, SUFFIXES, decode_sound, from_array, sound_rate, wav

RATE = 16_000


def tone(seconds=1.0, rate=RATE, hertz=440.0, level=0.4):
    return np.rint(32768 * level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def encoded(codec, container, rate=RATE, channels=(1.0,), seconds=1.0):
    """A tone as a file; one level a channel."""
    out = io.BytesIO()
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(channels)]
    sound = np.stack([tone(seconds, rate, level=0.4 * level) for level in channels])
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(sound.T.reshape(1, -1).copy(), format="s16", layout=layout)
        frame.sample_rate = rate
        form = stream.codec_context.format.name
        for part in av.AudioResampler(format=form, layout=layout, rate=rate).resample(frame):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return out.getvalue()


def film(sound=False):
    """A second of grey pictures, with or without a tone."""
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as file:
        pictures = file.add_stream("mpeg4", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        track = file.add_stream("pcm_s16le", rate=RATE, layout="mono") if sound else None
        for _ in range(10):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, np.uint8), format="rgb24")
            file.mux(pictures.encode(picture))
        file.mux(pictures.encode(None))
        if track is not None:
            frame = av.AudioFrame.from_ndarray(tone()[None], format="s16", layout="mono")
            frame.sample_rate = RATE
            file.mux(track.encode(frame))
            file.mux(track.encode(None))
    return out.getvalue()


def pitch(samples, rate=RATE):
    return np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples)


FORMATS = [
    *(("pcm_s16le", "wav"), ("pcm_u8", "wav"), ("pcm_s24le", "wav"), ("pcm_s32le", "wav"), ("pcm_f32le", "wav")),
    *(("pcm_f64le", "wav"), ("pcm_mulaw", "wav"), ("pcm_s16be", "aiff"), ("pcm_s16be", "au"), ("flac", "flac")),
    *(
        ("libmp3lame", "mp3"),
        ("aac", "adts"),
        ("aac", "mp4"),
        ("alac", "ipod"),
        ("libopus", "ogg"),
        ("pcm_s16le", "matroska"),
    ),
]


@pytest.mark.parametrize("channels", [(1.0,), (1.0, 0.5)])
@pytest.mark.parametrize(("codec", "container"), FORMATS)
def test_every_format_is_the_same_sound(codec, container, channels):
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no encoder {codec}")
    rate = 48_000 if codec == "libopus" else RATE
    data = encoded(codec, container, rate, channels)
    samples = decode_sound(data, RATE, 30)
    assert samples.dtype == np.int16
    assert abs(len(samples) - RATE) <= 0.1 * RATE
    assert pitch(samples) == pytest.approx(440, abs=1)
    steady = samples[len(samples) // 4 : 3 * len(samples) // 4].astype(float)
    assert np.sqrt((steady**2).mean()) == pytest.approx(0.4 * 32768 / np.sqrt(2) * np.mean(channels), rel=0.06)
    assert sound_rate(data) == rate


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 96_000])
def test_odd_rates_are_resampled(rate):
    data = encoded("pcm_s16le", "wav", rate)
    samples = decode_sound(data, RATE, 30)
    assert abs(len(samples) - RATE) < 50
    assert pitch(samples) == pytest.approx(440, abs=1)
    assert sound_rate(data) == rate


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_u8", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"])
@pytest.mark.parametrize("channels", [(1.0,), (1.0, 0.5)])
def test_plain_waves_are_read_as_ffmpeg_reads_them(codec, channels):
    data = encoded(codec, "wav", channels=channels)
    plain = decode_sound(data, RATE, 30).astype(int)
    extended = data.replace(b"fmt ", b"fmt\x00", 1)  # a form that only FFmpeg looks for
    assert extended != data
    with av.open(io.BytesIO(data)) as file:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [*file.decode(audio=0), None]
        whole = np.concatenate([made.to_ndarray()[0] for frame in frames for made in resampler.resample(frame)])
    assert len(whole) == len(plain)
    assert np.abs(whole - plain).max() <= 1


def test_the_standard_library_reads_what_is_written():
    with wave.open(io.BytesIO(wav(tone(), RATE))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, RATE, RATE)
    np.testing.assert_array_equal(decode_sound(wav(tone(), RATE), RATE, 30), tone())


def test_only_the_first_seconds_are_read():
    for data in (wav(tone(3.0), RATE), encoded("flac", "flac", seconds=3.0)):
        np.testing.assert_array_equal(decode_sound(data, RATE, 0.5), decode_sound(data, RATE, 30)[: RATE // 2])


def test_the_sound_of_a_film():
    assert pitch(decode_sound(film(sound=True), RATE, 30)) == pytest.approx(440, abs=1)
    with pytest.raises(UnreadableError, match="no sound track"):
        decode_sound(film(), RATE, 30)


def header(rate, channels=1, bits=16, size=0):
    body = wav(tone(0.01), RATE)
    block = channels * bits // 8
    form = np.array([1, channels], "<u2").tobytes() + np.array([rate, rate * block % 2**32], "<u4").tobytes()
    form += np.array([block, bits], "<u2").tobytes()
    return body[:20] + form + body[36:40] + np.array([size], "<u4").tobytes() + body[44:]


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"RIFF", b"hello, this is a note\n" * 99, bytes(5000), b"RIFF\x24\x00\x00\x00WAVEfmt ", b"fLaC" * 9),
        *(wav(tone()[:0], RATE), header(1), header(2**31 - 1), header(RATE, channels=0), header(RATE, channels=4000)),
        *(
            b"#EXTM3U\n#EXTINF:1,\nhttp://localhost/a.wav\n",
            b"ffconcat version 1.0\nfile 'a.wav'\n",
            b"OggS" + bytes(99),
        ),
        encoded("flac", "flac")[:60],
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_sound_is_refused_in_one_line(data):
    for ask in (lambda: decode_sound(data, RATE, 30), lambda: sound_rate(data) and decode_sound(data, RATE, 30)):
        with pytest.raises(UnreadableError) as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_a_broken_end_leaves_the_beginning():
    data = encoded("flac", "flac", seconds=3.0)
    samples = decode_sound(data[: len(data) // 2] + bytes(200), RATE, 30)
    assert 0.5 * RATE < len(samples) < 3 * RATE


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([("pcm_s16le", "wav"), ("flac", "flac"), ("aac", "mp4")]), st.data())
def test_damage_is_a_fault_or_a_sound(form, data):
    broken = bytearray(encoded(*form, seconds=0.2))
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        samples = decode_sound(bytes(broken[: data.draw(st.integers(1, len(broken)))]), 8_000, 1.0)
    except UnreadableError:
        return
    assert samples.dtype == np.int16
    assert 1 <= len(samples) <= 8_000


def test_a_file_cut_within_its_header_is_a_fault_or_a_sound():
    whole = encoded("aac", "mp4", seconds=0.2)
    for length in range(len(whole) - 800, len(whole), 3):  # a track whose decoder is not told any more, among them
        try:
            assert len(decode_sound(whole[:length], 8_000, 1.0))
        except UnreadableError:
            continue


# arrays


def test_arrays_are_what_files_would_be():
    expected = tone()
    for values in (expected, expected / 32768, (expected / 32768).astype(np.float32), expected.astype(np.int32) << 16):
        np.testing.assert_array_equal(from_array(values, RATE, RATE, 30), expected)
    np.testing.assert_array_equal(from_array(np.stack([expected, expected]), RATE, RATE, 30), expected)
    np.testing.assert_array_equal(from_array(np.stack([expected, expected], axis=1), RATE, RATE, 30), expected)
    bytes_like = from_array((expected // 256 + 128).astype(np.uint8), RATE, RATE, 30)
    assert np.abs(bytes_like.astype(int) - expected).max() <= 256
    assert pitch(from_array(tone(rate=44_100), 44_100, RATE, 30)) == pytest.approx(440, abs=1)
    assert len(from_array(tone(9.0, 44_100), 44_100, RATE, 2.0)) == 2 * RATE
    assert np.abs(from_array(np.array([3.0, -3.0]), RATE, RATE, 30).astype(int)).min() >= 32767


@pytest.mark.parametrize(
    ("values", "source"),
    [
        *((np.array([1.0, np.nan]), RATE), (np.array([np.inf]), RATE), (np.empty(0), RATE), (np.array(["a"]), RATE)),
        *((tone(), 0), (tone(), 10**9), (np.zeros((2, 2, 2)), RATE), (np.zeros((500, 400)), RATE)),
    ],
)
def test_arrays_that_are_no_sound(values, source):
    with pytest.raises(UnreadableError):
        from_array(values, source, RATE, 30)


def test_files_are_known_by_their_beginnings():
    for codec, container in FORMATS[:-1]:
        if codec in av.codecs_available and container != "mp4":
            assert looks_like_file(encoded(codec, container), SUFFIXES, MAGIC), container
    for other in (film(), b"\x89PNG\r\n\x1a\n" + bytes(16), b"RIFF\x00\x00\x00\x00WEBPVP8 ", b"%PDF-1.7 and more"):
        assert not looks_like_file(other, SUFFIXES, MAGIC)


# hostile


HOSTILE = """
import io, resource, sys, time
import av
import numpy as np
sys.path.insert(0, sys.argv[1])
from test_sound_decoding import RATE, encoded, film, header, tone
from plait.media.content import UnreadableError
from plait.media.prosody import prosody
from plait.media.sound import decode_sound, sound_rate, wav
decode_sound(encoded("flac", "flac"), 8_000, 1.0)
hours = encoded("flac", "flac", seconds=600.0)
files = [
    hours, wav(np.zeros(30_000_000, np.int16), RATE), header(1_000, size=2**32 - 1), header(768_000, size=2**32 - 1),
    header(RATE, channels=64, size=2**32 - 1), film(), b"RIFF" + bytes(20_000_000), b"ID3" + bytes([127] * 20_000_000),
    hours[:5000] * 500, b"OggS" * 1_000_000, encoded("pcm_s16le", "wav", 1_000, seconds=600.0),
    b"#EXTM3U\\n" + b"#EXTINF:1,\\n/etc/passwd\\n" * 100_000,
    b"FORM" + bytes([255] * 4) + b"AIFFCOMM" + bytes(10_000_000),
]
for line in open("/proc/self/status"):
    if line.startswith("VmSize"):
        size = int(line.split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + (300 << 20), size + (300 << 20)))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for data in files:
    try:
        sound_rate(data)
        assert len(prosody(decode_sound(data, RATE, 10.0), RATE))
    except UnreadableError as error:
        print("fault:", str(error)[:80], file=sys.stderr)
print("survived", len(files))
"""


@pytest.mark.slow
def test_hostile_files_cost_little_memory():
    folder = __file__.rpartition("/")[0]
    done = subprocess.run([sys.executable, "-c", HOSTILE, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "survived 13"
