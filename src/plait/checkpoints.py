"""Checkpoints: what a long fit has done, in a folder, so that it goes on after a crash as if it had never stopped.

A place is a folder; in it, states are models on disk like any other (`plait.artifact`: JSON, safetensors and texts with
hashes, put there by one rename), numbered; the last two are kept, in case the newest is damaged later::

    job.json                          what decides the result: data, schema, settings, versions
    rooms-.../letter-.../state-000001/
    0-attention-all-rows-.../network-.../state-000041/
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Self

from plait import artifact
from plait.contracts import Json, State
from plait.data.files import made_folder, replacing
from plait.errors import ArtifactError, ConfigError, DataError

__all__ = ["Checkpoints"]

JOB = "job.json"
STATE = re.compile(r"state-([0-9]{6,})")
SHOWN = 3  # differences between two jobs that an error tells


class Checkpoints:
    """Where a fit keeps what it has done: a `plait.contracts.Keep` on disk.

    A checkpoint that cannot be written is told of once and the fit goes on: what it has learned is worth more than the
    chance to go on later. Under `torchrun` all processes read and the first writes.

    Parameters
    ----------
    folder
        Made when first written to. What another run of the same fit left in it is gone on from.
    every
        Seconds after which a training writes where it stands; parts of a fit are written when they are done.
    tell
        Called with one line about a checkpoint that cannot be written or read; a warning by default.

    Attributes
    ----------
    used : list of str
        Places whose states were read, outermost name first.

    Raises
    ------
    ConfigError
        If `every` is below 0.
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, every: float = 30.0, tell: Callable[[str], None] | None = None
    ) -> None:
        if not every >= 0:
            raise ConfigError(f"checkpoints every {every!r} seconds: give 0 or more")
        self.folder = Path(folder)
        self.every = every
        self.used: list[str] = []
        self._names: tuple[str, ...] = ()
        self._shared = _Shared(tell or _warn)

    @property
    def begun(self) -> bool:
        """Whether a fit has done something here."""
        return self.folder.is_dir() and any(path.is_dir() for path in self.folder.iterdir())

    @property
    def due(self) -> bool:
        return monotonic() - self._shared.written >= self.every

    def claim(self, asked: Mapping[str, Json]) -> None:
        """Hold the folder to one fit: what is said of it for the first time is written down, the rest compared.

        Parameters
        ----------
        asked
            JSON values by name.

        Raises
        ------
        ConfigError
            If the fit that began here was asked something else; the first differences are named.
        DataError
            If `job.json` cannot be read.
        """
        path = self.folder / JOB
        known = self._shared.claimed.get(self.folder)  # not what is on disk: of a team, the leader writes when it can
        if known is None and self.begun:
            try:
                known = dict(json.loads(path.read_text("utf-8")))
            except (OSError, ValueError, TypeError):
                raise DataError(f"{path} cannot be read; remove {self.folder} to start again") from None
        known = known or {}
        said: dict[str, Json] = json.loads(json.dumps(asked, default=str))
        found = [line for name in known.keys() & said.keys() for line in _differences(name, known[name], said[name])]
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            raise ConfigError(
                f"{self.folder} keeps another fit: {'; '.join(sorted(found)[:SHOWN])}{more}; fit as it was begun, or "
                "remove the folder to start again"
            )
        self._shared.claimed[self.folder] = {**known, **said}
        if said.keys() - known.keys() and _leads():
            self._write_job(path, {**known, **said})

    def _write_job(self, path: Path, job: Mapping[str, Json]) -> None:
        try:
            made_folder(self.folder)
            with replacing(path) as beside:
                beside.write_text(json.dumps(job, ensure_ascii=False, indent=1) + "\n", "utf-8")
        except DataError as error:
            self._shared.failed(str(error))
            self._shared.closed = True  # states without the job that they are of would be taken for another's

    def within(self, name: str) -> Self:
        inner = copy.copy(self)
        inner.folder, inner._names = self.folder / _safe(name), (*self._names, name)
        return inner

    def read(self) -> State | None:
        """The newest state that is whole; what is not is told of."""
        for number in sorted(self._numbers(), reverse=True):
            try:
                _, state = artifact.read(self._state(number))
            except ArtifactError as error:
                self._shared.broken.add(self._state(number))
                self._shared.tell(f"a checkpoint cannot be read, so the one before is gone on from: {error}")
                continue
            self.used.append(" / ".join(self._names))
            return state
        if self._numbers():
            self._shared.tell(f"no checkpoint of {' / '.join(self._names)} can be read; it starts again")
        return None

    def write(self, state: State) -> None:
        if self._shared.closed or not _leads():
            return
        numbers = self._numbers()
        try:
            self._tidy()
            artifact.write(self._state(max(numbers, default=0) + 1), state, {})
            whole = [number for number in numbers if self._state(number) not in self._shared.broken]
            for number in set(numbers) - {max(whole, default=0)}:
                shutil.rmtree(self._state(number))
        except (ArtifactError, OSError) as error:
            self._shared.failed(str(error))
        self._shared.written = monotonic()

    def remove(self) -> None:
        """The fit is over: nothing is to be gone on from."""
        if self.folder.is_dir():
            away = self.folder.with_name(f"{self.folder.name}.over")
            shutil.rmtree(away, ignore_errors=True)
            self.folder.rename(away)  # at once: half a folder would be half a fit
            shutil.rmtree(away)

    def _state(self, number: int) -> Path:
        return self.folder / f"state-{number:06}"

    def _numbers(self) -> list[int]:
        """Of the states that are here."""
        if not self.folder.is_dir():
            return []
        return [int(match[1]) for match in map(STATE.fullmatch, os.listdir(self.folder)) if match]

    def _tidy(self) -> None:
        """Remove what a write that was cut off left behind."""
        if self.folder.is_dir():
            for name in os.listdir(self.folder):
                if name.startswith(".state-"):
                    shutil.rmtree(self.folder / name)


class _Shared:
    """What all places of a folder have in common."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.written = monotonic()
        self.claimed: dict[Path, dict[str, Json]] = {}
        self.closed = False
        self.broken: set[Path] = set()
        self._silent = False

    def failed(self, why: str) -> None:
        """Tell once that something cannot be written."""
        if not self._silent:
            self.tell(f"checkpoints cannot be written, and the fit goes on without new ones: {why}")
        self._silent = True


def _safe(name: str) -> str:
    """A name for a folder, of its own for every name."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{plain or 'x'}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _differences(name: str, was: Json, now: Json) -> Iterator[str]:
    """What two JSON values differ in, in words."""
    if {type(was), type(now)} in ({dict}, {dict, type(None)}):
        before, after = was or {}, now or {}
        for key in sorted(before.keys() | after.keys()):
            yield from _differences(f"{name}.{key}", before.get(key), after.get(key))
    elif was != now:
        known = f"{name} was {_short(was)}, is {_short(now)}"
        yield f"{name} differs" if max(len(_short(was)), len(_short(now))) > 30 else known


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _leads() -> bool:
    """Whether this process writes: the first of those that `torchrun` started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def _warn(line: str) -> None:
    warnings.warn(line, RuntimeWarning, stacklevel=2)
