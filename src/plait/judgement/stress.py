"""Ways to make rows worse, and what a model says of them then."""

from __future__ import annotations

import io
import re
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from plait.calibration import plain
from plait.contracts import Array, Batch, Batches, Column, Divisible, Exhibit, Modality, PlaceKind
from plait.evidence import Fitted, View
from plait.stacking import Stacked
from plait.training.neural import FittedNetwork

__all__ = ["STRESSES", "Case", "Trial"]

Floats: TypeAlias = npt.NDArray[np.float64]

SHARES = (0.1, 0.25, 0.5, 0.75)
DEVIATIONS = (0.1, 0.25, 0.5, 1.0)
MISTYPED = (0.02, 0.05, 0.1, 0.2)
STEPS = (0.01, 0.03, 0.1, 0.3)
PLACES = 12  # that a cell is divided into at most
GONE: dict[PlaceKind, str] = {
    "span": "passages cut out",
    "box": "regions hidden",
    "seconds": "seconds silenced",
    "steps": "steps taken out",
    "records": "records taken out",
    "frames": "seconds of film hidden",
    "points": "parts taken out",
    "link": "links taken out",
    "items": "items taken out",
}
CJK = re.compile(r"[㐀-䶿一-鿿]")
# Characters that Chinese writers and input methods confuse: of like sound, then of like shape.
CONFUSED = (
    "的地得",
    "在再",
    "做作坐座",
    "已以",
    "他她它",
    "帐账",
    "那哪",
    "像象向",
    "必须需",
    "贷带代",
    "款宽",
    "未末",
    "己已",
)
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


@dataclass(frozen=True)
class Case:
    """Rows and the model that predicts them.

    Parameters
    ----------
    fitted
        What predicts.
    columns, batches
        The cells of ``N`` rows by source, and as the rooms read them.
    targets
        float64 ``N``, as the head encodes them.
    """

    fitted: Fitted
    columns: Mapping[str, tuple[Column, ...]]
    batches: Batches
    targets: Floats
    seed: int

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def rooms(self) -> Mapping[str, Modality]:
        return self.fitted.rooms

    def rng(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, 0x57E5, number])

    @cached_property
    def view(self) -> View:
        """The rows as they are, their features made once."""
        return View(self.batches, self.rooms)

    def scores(self, changed: Mapping[str, Batch] | None = None) -> Floats:
        """What the model says, some sources' cells changed: float64 ``N x K``."""
        return self.fitted.score(self.view.replaced(np.arange(len(self)), changed or {}))

    def without(self, present: Array) -> Floats:
        """What the model says of the sources in `present` (bool ``N x S``) alone."""
        return self.fitted.coalitions(self.view, np.arange(len(self)), present)

    def read(self, source: str, columns: tuple[Column, ...]) -> dict[str, Batch]:
        return {source: self.rooms[source].transform(columns)}


@dataclass(frozen=True)
class Trial:
    """One way to make rows worse: the model's scores (float64 ``N x K``) at every level, the first of which is 0."""

    name: str
    unit: str
    levels: tuple[float, ...]
    scores: tuple[Floats, ...]


def sources_hidden(case: Case) -> Iterator[Trial]:
    """So many sources of every row hidden, drawn at random; then each source by itself."""
    names = case.fitted.sources
    count = len(names)
    order = case.rng(0).random((len(case), count)).argsort(axis=1)
    clean = case.scores()
    if count > 1:
        hidden = [case.without(order >= gone) for gone in range(1, count + 1)]
        yield Trial("sources hidden", "sources", tuple(map(float, range(count + 1))), (clean, *hidden))
    for i, name in enumerate(names):
        others = np.tile(np.arange(count) != i, (len(case), 1))
        yield Trial(f"{name}: hidden", "sources", (0.0, 1.0), (clean, case.without(others)))


def numbers_noisy(case: Case) -> Iterator[Trial]:
    """Normal noise on every number of a table."""
    for name, columns in case.columns.items():
        spreads = [_spread(column) for column in columns]
        if not case.rooms[name].joint or not any(spreads):
            continue
        rng = case.rng(1)
        noise = [rng.normal(size=len(case)) * spread for spread in spreads]
        found = [case.scores()]
        for level in DEVIATIONS:
            moved = (
                replace(column, values=column.values + level * own) if spread else column
                for column, own, spread in zip(columns, noise, spreads, strict=True)
            )
            found.append(case.scores(case.read(name, tuple(moved))))
        yield Trial(f"{name}: noise on numbers", "standard deviations", (0.0, *DEVIATIONS), tuple(found))


def _spread(column: Column) -> float:
    """Standard deviation of a column of numbers; 0 for any other, and of columns that do not vary."""
    known = column.values[column.present] if column.values.dtype.kind == "f" else np.zeros(0)
    return float(known[np.isfinite(known)].std()) if len(known) else 0.0


def texts_mistyped(case: Case) -> Iterator[Trial]:
    """Slips of the hand in a share of the characters, then a share of the words left out."""
    for name, texts in _shown(case, "words").items():
        ways: tuple[tuple[str, str, Sequence[float], Callable[[str, float, np.random.Generator], str]], ...] = (
            ("typing errors", "share of characters", MISTYPED, _mistyped),
            ("words left out", "share of words", SHARES, _shortened),
        )
        for i, (told, unit, levels, change) in enumerate(ways):
            found = [case.scores(_recelled(case, name, texts))]
            for level in levels:
                rng = case.rng(10 + i)
                cells = {row: change(str(text), level, rng) for row, text in texts.items()}
                found.append(case.scores(_recelled(case, name, cells)))
            yield Trial(f"{name}: {told}", unit, (0.0, *levels), tuple(found))


def _mistyped(text: str, share: float, rng: np.random.Generator) -> str:
    """Letters swapped with the next one, left out, doubled, or hit beside; Chinese characters confused."""
    out = list(text)
    for i in np.flatnonzero(rng.random(len(out)) < share).tolist():
        letter = text[i]
        if CJK.match(letter):
            like = "".join(group for group in CONFUSED if letter in group).replace(letter, "")
            out[i] = str(rng.choice(list(like))) if like else ""
        elif letter.isalpha():
            slip = int(rng.integers(4))
            if slip == 0 and i + 1 < len(out):
                out[i], out[i + 1] = out[i + 1], out[i]
            else:
                out[i] = ("", letter * 2, _beside(letter, rng))[slip % 3]
    return "".join(out)


def _beside(letter: str, rng: np.random.Generator) -> str:
    """A key next to the one meant."""
    row = next((row for row in KEYS if letter.lower() in row), None)
    if row is None:
        return letter
    at = row.index(letter.lower())
    near = row[max(at - 1, 0) : at] + row[at + 1 : at + 2]
    hit = near[int(rng.integers(len(near)))]
    return hit.upper() if letter.isupper() else hit


def _shortened(text: str, share: float, rng: np.random.Generator) -> str:
    """Words, and Chinese characters, left out."""
    words = re.findall(r"[㐀-䶿一-鿿]|\S+?(?=[㐀-䶿一-鿿]|\s|$)|\s+", text)
    kept = rng.random(len(words)) >= share
    return "".join(word for word, stays in zip(words, kept, strict=True) if stays or word.isspace()).strip()


def places_gone(case: Case) -> Iterator[Trial]:
    """A share of the places of every cell taken out, by rooms that can."""
    for name, room in case.rooms.items():
        if not hasattr(room, "places"):
            continue
        divisible, columns = cast("Divisible", room), case.columns[name]
        rng = case.rng(20)
        parts: list[Batch] = []
        rows: list[int] = []
        kind: PlaceKind | None = None
        for row in np.flatnonzero(case.batches.sources[name].present).tolist():
            places = divisible.places(columns, row, PLACES)
            if places:
                kind = places[0].kind
                rank = rng.permutation(len(places))
                kept = np.stack([rank >= round(share * len(places)) for share in SHARES])
                parts.append(divisible.keep(columns, row, places, kept))
                rows.append(row)
        if kind is None:
            continue
        changed = Batch.concatenate(parts)
        found = [case.scores()]
        for level in range(len(SHARES)):
            mine = changed.take(np.arange(level, len(changed), len(SHARES)))
            found.append(case.scores({name: _replaced(case.batches.sources[name], np.array(rows), mine)}))
        yield Trial(f"{name}: {GONE[kind]}", "share of places", (0.0, *SHARES), tuple(found))


def _replaced(batch: Batch, rows: Array, changed: Batch) -> Batch:
    """The batch with some of its rows taken from another."""
    place = np.arange(len(batch))
    place[rows] = len(batch) + np.arange(len(rows))
    return Batch.concatenate([replace(batch, faults=()), replace(changed, faults=())]).take(place)


def pictures_worse(case: Case) -> Iterator[Trial]:
    """Pictures cropped to their middle, blurred, and noisy."""
    ways: tuple[tuple[str, str, Sequence[float], Callable[[Array, float, np.random.Generator], Array]], ...] = (
        ("cropped", "share of each side cut off", (0.05, 0.1, 0.2, 0.3), _cropped),
        ("blurred", "radius as a share of the width", (0.005, 0.01, 0.02, 0.04), _blurred),
        ("noise on pixels", "standard deviation, of 1", (0.05, 0.1, 0.2, 0.4), _noisy_pixels),
    )
    for name, pictures in _shown(case, "pixels").items():
        clean = case.scores(_recelled(case, name, {row: _png(cast("Array", p)) for row, p in pictures.items()}))
        for i, (told, unit, levels, change) in enumerate(ways):
            found = [clean]
            for level in levels:
                rng = case.rng(30 + i)
                cells = {row: _png(change(cast("Array", p), level, rng)) for row, p in pictures.items()}
                found.append(case.scores(_recelled(case, name, cells)))
            yield Trial(f"{name}: {told}", unit, (0.0, *levels), tuple(found))


def _cropped(pixels: Array, share: float, rng: np.random.Generator) -> Array:
    top, left = (round(share / 2 * side) for side in pixels.shape[:2])
    return pixels[top : len(pixels) - top, left : pixels.shape[1] - left]


def _blurred(pixels: Array, share: float, rng: np.random.Generator) -> Array:
    from PIL import Image, ImageFilter

    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(share * pixels.shape[1])))


def _noisy_pixels(pixels: Array, deviation: float, rng: np.random.Generator) -> Array:
    return np.clip(pixels + 255 * deviation * rng.normal(size=pixels.shape), 0, 255).astype(np.uint8)


def _png(pixels: Array) -> bytes:
    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(held, "PNG", compress_level=1)
    return held.getvalue()


def sounds_worse(case: Case) -> Iterator[Trial]:
    """Sounds sampled more coarsely, and with noise."""
    ways: tuple[tuple[str, str, Sequence[float], Callable[[Exhibit, float, np.random.Generator], Exhibit]], ...] = (
        ("coarser samples", "share of samples lost", (0.5, 0.75, 0.9), _coarser),
        ("noise", "of the sound's own level", (0.03, 0.1, 0.3, 1.0), _noisy_sound),
    )
    for name, sounds in _exhibits(case, "waves").items():
        clean = case.scores(_recelled(case, name, {row: _wav(sound) for row, sound in sounds.items()}))
        for i, (told, unit, levels, change) in enumerate(ways):
            found = [clean]
            for level in levels:
                rng = case.rng(40 + i)
                cells = {row: _wav(change(sound, level, rng)) for row, sound in sounds.items()}
                found.append(case.scores(_recelled(case, name, cells)))
            yield Trial(f"{name}: {told}", unit, (0.0, *levels), tuple(found))


def _coarser(sound: Exhibit, lost: float, rng: np.random.Generator) -> Exhibit:
    """Means of neighbours in their place: the file keeps its rate, since rooms refuse rates that are no sound's."""
    samples, step = np.asarray(sound.values), round(1 / (1 - lost))
    whole = len(samples) // step * step
    return replace(sound, values=samples[:whole].reshape(-1, step).mean(1).repeat(step))


def _noisy_sound(sound: Exhibit, share: float, rng: np.random.Generator) -> Exhibit:
    samples = np.asarray(sound.values)
    level = share * np.sqrt(np.mean(np.square(samples)))
    return replace(sound, values=np.clip(samples + level * rng.normal(size=len(samples)), -1, 1))


def _wav(sound: Exhibit) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(round(sound.rate or 0))
        file.writeframes((np.asarray(sound.values) * 32767).astype("<i2").tobytes())
    return held.getvalue()


def _exhibits(case: Case, form: str) -> dict[str, dict[int, Exhibit]]:
    """Cells of that form as a person looks at them, by source and row."""
    found: dict[str, dict[int, Exhibit]] = {}
    for name, room in case.rooms.items():
        rows = np.flatnonzero(case.batches.sources[name].present).tolist()
        if rows and hasattr(room, "exhibit") and room.exhibit(case.columns[name], rows[0]).form == form:
            found[name] = {row: room.exhibit(case.columns[name], row) for row in rows}
    return found


def _shown(case: Case, form: str) -> dict[str, dict[int, object]]:
    return {name: {row: each.values for row, each in own.items()} for name, own in _exhibits(case, form).items()}


def _recelled(case: Case, name: str, cells: Mapping[int, object]) -> dict[str, Batch]:
    """A source of one column with other cells in some rows."""
    (column,) = case.columns[name]
    values = column.values.astype(object)
    for row, cell in cells.items():
        values[row] = cell
    return case.read(name, (replace(column, values=values),))


def tokens_attacked(case: Case) -> Iterator[Trial]:
    """The tokens of networks pushed where it hurts most, then as far at random; classical parts stay as they are."""
    if not any(isinstance(part, FittedNetwork) for part in _parts(case.fitted)):
        return
    for told, rng in (("by gradient sign", None), ("at random", case.rng(50))):
        found = [case.scores(), *_attacked(case, rng)]
        yield Trial(f"tokens pushed {told}", "of a token's size", (0.0, *STEPS), tuple(found))


def _parts(fitted: Fitted) -> tuple[Fitted, ...]:
    inner = plain(fitted)
    return tuple(part for _, part in inner.parts) if isinstance(inner, Stacked) else (inner,)


def _attacked(case: Case, rng: np.random.Generator | None) -> list[Floats]:
    """Scores of the whole model at each step."""
    view, inner = case.view, plain(case.fitted)

    def member(fitted: Fitted, own: View) -> list[Floats]:
        clean = fitted.score(own)
        if not isinstance(fitted, FittedNetwork):
            return [clean] * len(STEPS)
        seen = np.asarray(own.batches.present.any(axis=1))[:, None]
        return [np.where(seen, scores, clean) for scores in fitted.attacked(own, case.targets, STEPS, rng)]

    if isinstance(inner, Stacked):
        parts = [
            member(fitted, view if part.source is None else view.narrow(part.source)) for part, fitted in inner.parts
        ]
        scores = [inner.stack(np.stack(at, axis=1)) for at in zip(*parts, strict=True)]
    else:
        scores = member(inner, view)
    return scores if case.fitted is inner else [case.fitted.calibrator(each) for each in scores]  # type: ignore[attr-defined]


STRESSES: dict[str, Callable[[Case], Iterator[Trial]]] = {
    "sources": sources_hidden,
    "numbers": numbers_noisy,
    "typing": texts_mistyped,
    "places": places_gone,
    "pictures": pictures_worse,
    "sounds": sounds_worse,
    "adversarial": tokens_attacked,
}
