"""Several watchers as one callable: not too often, and without one that fails ending the job that it watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from plait import registry
from plait.contracts import Json, Progress, Watcher
from plait.contracts.crossing import unheard
from plait.errors import ConfigError, MissingExtraError, PlaitError, unknown

__all__ = ["check_watchers", "watched"]

EVERY = 0.5  # seconds


class _Watched:
    """A watcher that hears of steps at most each half second, but always of trials and of ends of stages and epochs."""

    def __init__(self, watcher: Watcher, say: Callable[[str], None]) -> None:
        self.watcher, self.say = watcher, say
        self.failed = False
        self._last = 0.0
        self._where: tuple[str, str, float] = ("", "", 0.0)

    def __call__(self, progress: Progress) -> None:
        where = progress.part, progress.stage, progress.metrics.get("epoch", 0.0)
        now = time.monotonic()
        between = where == self._where and progress.done < progress.total and not progress.settings
        if between and now - self._last < EVERY:
            return
        self._where, self._last = where, now
        self.does(lambda: self.watcher(progress))

    def does(self, call: Callable[[], None]) -> None:
        """Call it, unless it has failed before: that is said once."""
        if self.failed:
            return
        try:
            call()
        except (OSError, PlaitError) as error:
            self.failed = True
            self.say(f"{self.watcher.name} no longer watches: {' '.join(str(error).split())}")


def check_watchers(specs: Sequence[str]) -> dict[str, str | None]:
    """Watchers by name, and where each writes (None: where it does by default).

    Parameters
    ----------
    specs
        ``"jsonl"`` or ``"tensorboard=logs/"``.

    Raises
    ------
    ConfigError
        If a name is unknown, comes twice, or ends in ``=``.
    """
    found: dict[str, str | None] = {}
    for spec in specs:
        name, equals, target = spec.partition("=")
        if name not in registry.names("watchers"):
            raise unknown("watcher", name, registry.names("watchers"))
        if name in found:
            raise ConfigError(f"watcher {name!r} is named twice; one place is enough")
        if equals and not target:
            raise ConfigError(f"watcher {spec!r} lacks what stands after =; write {name} or {name}=TARGET")
        found[name] = target or None
    return found


@contextmanager
def watched(
    specs: Sequence[str],
    folder: Path | None = None,
    *,
    parameters: Mapping[str, Json] | None = None,
    report: Callable[[Progress], None] = unheard,
    goes_on: bool = False,
    say: Callable[[str], None] = print,
    shown: Callable[[], Sequence[Path]] = lambda: (),
) -> Iterator[Callable[[Progress], None]]:
    """A callable for ``progress=`` that tells several watchers, which are closed in the end.

    Parameters
    ----------
    specs
        Registered watchers, as ``"jsonl"`` (writes into `folder`) or ``"mlflow=sqlite:///runs.db"``.
    folder
        Of what the job writes.
    parameters
        What the job is asked to do.
    report
        Is told everything first.
    goes_on
        The job goes on with one that was cut off; so do the watchers.
    say
        Told once of each watcher that fails.
    shown
        Files to show in the end, where the job did not fail.

    Raises
    ------
    ConfigError
        If a spec cannot be read, or there is no folder for one that names no place.
    MissingExtraError
        If a watcher's library is not installed.
    """
    told: list[_Watched] = []
    for name, target in check_watchers(specs).items():
        kind: type[Watcher] = registry.get("watchers", name)
        if target is None and folder is None:
            raise ConfigError(f"watcher {name!r} has no folder to write to; write {name}=TARGET")
        try:
            watcher = kind(target or kind.place(folder or Path()), goes_on=goes_on)
        except MissingExtraError:
            raise
        except (OSError, PlaitError) as error:
            say(f"{name} does not watch: {' '.join(str(error).split())}")
            continue
        told.append(_Watched(watcher, say))
    for each in told:
        each.does(lambda each=each: each.watcher.asked(parameters or {}))  # type: ignore[misc]

    def tell(progress: Progress) -> None:
        report(progress)
        for each in told:
            each(progress)

    try:
        yield tell
    finally:
        ended = sys.exception()
        failed = "" if ended is None else " ".join(f"{type(ended).__name__}: {ended}".split())
        files = () if failed else tuple(shown())
        for each in told:
            each.does(lambda each=each: each.watcher.close(files, failed))  # type: ignore[misc]
