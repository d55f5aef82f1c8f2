"""Made pictures and sounds: what does reading cost beside the bare decoder, and is anything ever decoded twice?"""

from __future__ import annotations

import io
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

import plait
from benchmarks.runner import Beside, Measured, Report, main
from plait import registry
from plait.contracts import Array, Column, FitContext, Source
from plait.contracts.crossing import unheard
from plait.data.schema import ColumnSpec, Schema
from plait.media.decode import counts, decoded, running

PICTURES, SOUNDS, ROWS = 40, 16, 60
SIDE, RATE, SECONDS = 64, 16_000, 4
REPEATS = 5


def pictures(rng: np.random.Generator, n: int, width: int = 1024, height: int = 768) -> list[bytes]:
    """JPEG files of coloured clouds."""
    made = []
    for _ in range(n):
        coarse = rng.integers(0, 256, (height // 32, width // 32, 3), dtype=np.uint8)
        clouds = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        grain = Image.effect_noise((width, height), 24).convert("RGB")
        file = io.BytesIO()
        Image.blend(clouds, grain, 0.2).filter(ImageFilter.SHARPEN).save(file, "JPEG", quality=85)
        made.append(file.getvalue())
    return made


def sounds(rng: np.random.Generator, n: int, codec: str) -> list[bytes]:
    """Files of stereo chords in noise at 44.1 kHz."""
    made = []
    clock = np.arange(44_100 * SECONDS) / 44_100
    for _ in range(n):
        chord = sum(np.sin(2 * np.pi * pitch * clock) for pitch in rng.uniform(80, 2000, 4))
        left = (3000 * chord + 300 * rng.normal(size=len(clock))).astype(np.int16)
        file = io.BytesIO()
        with av.open(file, "w", format=codec) as container:
            stream: Any = container.add_stream("flac" if codec == "flac" else "pcm_s16le", rate=44_100, layout="stereo")
            frame = av.AudioFrame.from_ndarray(np.stack([left, left // 2], 1).reshape(1, -1), "s16", "stereo")
            frame.sample_rate, frame.time_base, frame.pts = 44_100, Fraction(1, 44_100), 0
            for packet in (*stream.encode(frame), *stream.encode(None)):
                container.mux(packet)
        made.append(file.getvalue())
    return made


def plain_picture(data: bytes) -> dict[str, Array]:
    """The obvious lines: open, convert, resize."""
    with Image.open(io.BytesIO(data)) as image:
        return {"pixels": np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))}


def plain_sound(data: bytes) -> dict[str, Array]:
    """The obvious lines: decode, mix, resample."""
    with av.open(io.BytesIO(data)) as container:
        resampler = av.AudioResampler("s16", "mono", RATE)
        frames = [own.to_ndarray() for frame in container.decode(audio=0) for own in resampler.resample(frame)]
        frames += [own.to_ndarray() for own in resampler.resample(None)]
        return {"samples": np.concatenate(frames, axis=1)[0]}


def column(cells: Sequence[bytes]) -> Column:
    values = np.empty(len(cells), object)
    values[:] = cells
    return Column("file", values, np.ones(len(cells), bool))


@contextmanager
def cache(folder: str) -> Iterator[None]:
    before = os.environ.get("PLAIT_CACHE")
    os.environ["PLAIT_CACHE"] = folder
    try:
        yield
    finally:
        os.environ.pop("PLAIT_CACHE")
        if before is not None:
            os.environ["PLAIT_CACHE"] = before


def throughput(
    what: str, cells: Sequence[bytes], plain: Callable[[bytes], dict[str, Array]], modality: str, folder: str
) -> list[Measured]:
    """Files a second of the bare loop, of our path around the same lines, and of the whole room, in turn."""
    asked = column(cells)
    room = registry.get("modalities", modality)(Source("file", modality, ("file",)))
    room.fit([(asked.take(np.arange(0)),)], FitContext(np.zeros(0), "binary", 1, np.ones(0)))
    turn = itertools.count()

    def fresh(call: Callable[[], object], threads: int) -> Callable[[], None]:
        def run() -> None:
            with cache(os.path.join(folder, f"{what}-{next(turn)}")), running(unheard, threads):
                call()

        return run

    def path() -> object:
        return list(decoded(asked, plain, "benchmark"))

    def whole() -> object:
        return room.transform((asked,))

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    calls = {
        "bare loop": lambda: [plain(cell) for cell in cells],
        f"{what}: the same lines through plait, cold, one thread": fresh(path, 1),
        f"{what}: the same lines through plait, cold, {cores} threads": fresh(path, cores),
        f"{what}: the room's transform with all its measures, cold, {cores} threads": fresh(whole, cores),
    }
    with cache(os.path.join(folder, f"{what}-warm")):
        whole()
        calls[f"{what}: the room's transform, warm"] = _in(os.path.join(folder, f"{what}-warm"), whole)
    spent = in_turn(calls)
    bare = spent.pop("bare loop")
    one = next(iter(spent))
    figures = [shared(name, [wall for wall, _ in bare], [wall for wall, _ in own]) for name, own in spent.items()]
    processor = shared(f"{one}, by processor time", [cpu for _, cpu in bare], [cpu for _, cpu in spent[one]])
    return [processor, *figures]


def in_turn(calls: Mapping[str, Callable[[], object]]) -> dict[str, list[tuple[float, float]]]:
    """Seconds of the clock and of the processors that each call takes, in turn; the first turn is not kept."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(REPEATS + 1):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            spent[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: kept[1:] for name, kept in spent.items()}


def _in(folder: str, call: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with cache(folder):
            call()

    return run


def shared(name: str, bare: Sequence[float], ours: Sequence[float]) -> Measured:
    """Ours as a share of the bare loop's throughput, turn by turn: the median, the least, the most."""
    shares = [b / o for b, o in zip(bare, ours, strict=True)]
    value = statistics.median(shares)
    return Measured(
        name, value, min(shares), max(shares), "of the bare loop's files a second", {"bare loop": Beside(1.0)}
    )


def decodes(seed: int, folder: str) -> list[Measured]:
    """Contents decoded by a fit of several epochs, by the same fit again, and by predictions of the same rows."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"scan": pictures(rng, ROWS, 96, 64)})
    target = rng.integers(0, 2, ROWS)
    schema = Schema((ColumnSpec("scan", "source", "image"),))
    model = plait.Classifier(schema=schema, fusion="attention", options={"attention": {"epochs": 3}}, n_jobs=1)
    figures = []
    with cache(os.path.join(folder, "fits")):
        verbs: dict[str, Callable[[], object]] = {
            "a fit of three epochs": lambda: model.fit(frame, target),
            "the same fit again": lambda: model.fit(frame, target),
            "a prediction of the same rows": lambda: model.predict_proba(frame),
        }
        for name, verb in verbs.items():
            before = counts()
            verb()
            figures.append(
                Measured(f"decoded by {name}", counts().decoded - before.decoded, unit=f"of {ROWS} pictures")
            )
    return figures


def run(seed: int) -> Report:
    rng = np.random.default_rng(seed)
    figures: list[Measured] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        figures += throughput("JPEG", pictures(rng, PICTURES), plain_picture, "image", folder)
        for codec in ("wav", "flac"):
            figures += throughput(codec.upper(), sounds(rng, SOUNDS, codec), plain_sound, "audio", folder)
        figures += decodes(seed, folder)
    return Report(
        data=f"{PICTURES} made JPEG files of 1024 x 768 pixels; {SOUNDS} made sounds of {SECONDS} s, 44.1 kHz stereo",
        split=f"none; {REPEATS} turns of each after one to warm up, in turn; cold: an empty cache each time",
        figures=tuple(figures),
        notes=(
            "the bare loop is one thread of Pillow (open, convert, resize) or PyAV (decode, mix, resample) on bytes in "
            "memory; it keeps nothing",
            "processor time does not feel other work on the machine, and does not see waiting for the disk",
            "ours checks, hashes, decodes and writes to the cache on disk; between the least and the most of the turns",
            "the room's transform decodes JPEG at a fraction of the size where that is enough, and measures each file",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
