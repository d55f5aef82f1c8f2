"""Made rows whose outcome hangs on one place inside one cell: what explanations are judged by."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from plait.data.samples.planted_event import event
from plait.data.samples.planted_moment import moment
from plait.data.samples.planted_part import part
from plait.data.samples.planted_phrase import phrase
from plait.data.samples.planted_region import region
from plait.data.samples.planted_ring import ring
from plait.data.samples.planted_second import second
from plait.data.samples.planted_step import step
from plait.errors import unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Planted", "planted"]


class Planted(NamedTuple):
    """Rows, the long tables beside them if there are any, and where the evidence lies.

    `truth` is a series named after the column that holds the evidence: for each row the place in the terms of
    `plait.contracts.Place.where` (of links: the names of the neighbours), or None where none was planted.
    """

    frame: pd.DataFrame
    sides: dict[str, pd.DataFrame] | None
    truth: pd.Series


PLANTED: dict[str, Callable[[int, int], tuple[pd.DataFrame, dict[str, pd.DataFrame] | None, pd.Series]]] = {
    "event": event,
    "moment": moment,
    "part": part,
    "phrase": phrase,
    "region": region,
    "ring": ring,
    "second": second,
    "step": step,
}


def planted(kind: str, n: int = 600, seed: int = 0) -> Planted:
    """Make rows with evidence planted in about half of them.

    Parameters
    ----------
    kind
        ``"phrase"``: a few words in a letter. ``"step"``: a dip in a series. ``"event"``: a record in a history.
        ``"region"``: a stamp on a page. ``"second"``: a sound in a recording. ``"moment"``: a flash in a film.
        ``"part"``: a spike on a 3-D model. ``"ring"``: two links of an account.
    n
        Rows.
    seed
        Same seed, same rows.

    Returns
    -------
    Planted
        The frame's ``outcome`` (0 or 1) is 1 in about 95% of the rows with the evidence and 5% of those without; of
        the other columns, ``income`` (standard normal) moves its log-odds by .5.

    Raises
    ------
    ConfigError
        If there is no such kind.
    """
    if kind not in PLANTED:
        raise unknown("kind of planted evidence", kind, PLANTED)
    return Planted(*PLANTED[kind](n, seed))
