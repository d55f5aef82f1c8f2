"""``plait fit --resume``: a run that was cut off goes on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias

import typer

from plait.errors import ArtifactError, ConfigError, InputError
from plait.threads import leads

if TYPE_CHECKING:
    from plait.checkpoints import Checkpoints
    from plait.cli.screen import Screen
    from plait.contracts import Keep
    from plait.data.division import Division

__all__ = ["Every", "Kept", "Resume"]

FOLDER = ".checkpoints"  # in the run's folder, until the run is written
OFF = "off"
LISTED = 6  # parts that were done before, by name

Resume: TypeAlias = Annotated[bool, typer.Option("--resume", help="Go on with the run that was cut off in the folder.")]
Every: TypeAlias = Annotated[
    str, typer.Option("--checkpoint", metavar="30s", help="How often what networks have learned is kept; off: never.")
]


@dataclass(frozen=True)
class Kept:
    """Where a run keeps what it has done, until it is written; None: nowhere. `began`: there was a run before."""

    screen: Screen
    place: Checkpoints | None
    began: bool = False

    @classmethod
    def of(cls, screen: Screen, output: Path | None, resume: bool, every: str) -> Self:
        """Before anything is read: is there a run to go on with, and is that what is wanted?

        Raises
        ------
        ConfigError
            If a run was cut off in the folder and is not to be gone on with, or `every` is no duration.
        """
        from plait.checkpoints import Checkpoints
        from plait.model import duration

        often = None if every == OFF else duration(every, "--checkpoint")
        if often is None and resume:
            raise ConfigError("--resume goes on from what was kept, and --checkpoint off keeps nothing; leave one out")
        if output is None:
            return cls(screen, None)
        place = Checkpoints(output / FOLDER, every=often or 0.0, tell=screen.note)
        if place.begun and not resume and leads():
            raise ConfigError(
                f"a run was cut off in {output}; go on with it (--resume), or remove {place.folder} to start again"
            )
        if resume and not place.begun:
            screen.note(f"nothing was kept in {output}: the fit starts from its beginning")
        return cls(screen, None if often is None else place, place.begun)

    @contextmanager
    def refused(self) -> Iterator[None]:
        """A run whose input is refused leaves nothing behind, since nothing can go on from it.

        A model that cannot be written is another matter: once there is room, the run goes on.
        """
        try:
            yield
        except ArtifactError:
            raise
        except InputError:
            if self.place is not None and not self.began and leads():
                self.place.remove()
                home = self.place.folder.parent
                if home.is_dir() and not any(home.iterdir()):
                    home.rmdir()
            raise

    def held(self, data: Path, division: Division[Any], calibrate: str, time_budget: object) -> Keep:
        """The place, held to this run.

        Raises
        ------
        ConfigError
            If it is another's.
        """
        from plait.contracts import FORGETFUL
        from plait.data.read import digest

        if self.place is None:
            return FORGETFUL
        asked = {"data": digest(data), "rows held out": division.digest(), "calibrate": calibrate}
        self.place.claim(asked)
        if self.place.begun and time_budget is not None:
            self.screen.note("with a time budget, the result may differ from that of a run that was not cut off")
        return self.place

    def over(self) -> None:
        """The run is written."""
        if self.place is None:
            return
        used = self.place.used
        if used:
            more = f" and {len(used) - LISTED} more" if len(used) > LISTED else ""
            self.screen.note(f"done before the run was cut off: {', '.join(used[:LISTED])}{more}")
        self.place.remove()
