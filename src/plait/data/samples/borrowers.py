"""Made borrowers over months: balances, salaries, limits and notes, some of them on their way to default."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["borrowers", "borrowers_oracle"]

STORIES = ("steady", "job", "spending", "trouble", "sudden", "scare")
SHARES = (0.76, 0.055, 0.045, 0.04, 0.02, 0.08)
START = np.datetime64("2022-01", "M")
EARLIEST = 6  # months of own history before anything happens
CHINESE = 0.3  # share of borrowers whose notes are in Chinese

GOOD, BAD, DECOY = 0, 1, 2
NOTES = (
    (
        (
            "Yearly review done, documents are complete.",
            "Asked about a savings plan for the children.",
            "New address confirmed by post.",
            "The shop reports a good season and has hired two people.",
            "Called about the rate of the new offer.",
        ),
        (
            "The local paper writes that the employer filed for bankruptcy.",
            "Customer was laid off last week and is looking for work.",
            "A supplier has sued the business over unpaid invoices.",
            "A court order has frozen one of the accounts.",
            "The business closed two of its three shops.",
            "Two payments to other lenders were missed, says the bureau.",
        ),
        (
            "The employer denied rumours of layoffs.",
            "Customer has never missed a payment elsewhere.",
            "There was no lawsuit after all, the other side paid.",
            "The firm is not insolvent, it has changed its name.",
        ),
    ),
    (
        (
            "年度回访已完成，资料齐全。",
            "客户咨询子女教育储蓄计划。",
            "新地址已核实。",
            "店铺生意不错，又招了两名员工。",
        ),
        (
            "据当地媒体报道，该雇主已申请破产。",
            "客户上周被裁员，正在找工作。",
            "供应商因货款纠纷起诉该企业。",
            "其名下一个账户被法院冻结。",
            "三家门店已有两家停业。",
            "征信显示客户在其他机构逾期两期。",
        ),
        (
            "公司否认裁员传闻。",
            "客户在其他机构从未逾期。",
            "经核实，该企业没有被起诉。",
        ),
    ),
)


class _World(NamedTuple):
    """Every borrower (``n``) and every month (``n x T``), months after a default among them."""

    story: npt.NDArray[np.int64]
    onset: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    progress: npt.NDArray[np.float64]
    numbers: dict[str, npt.NDArray[np.float64]]
    notes: npt.NDArray[np.object_]


def borrowers(n: int = 500, months: int = 24, seed: int = 0) -> pd.DataFrame:
    """Make borrowers with a row a month, until they default or the months end.

    Parameters
    ----------
    n
        Borrowers.
    months
        Of every borrower, from January 2022 on; at least 10.
    seed
        Same seed, same frame.

    Returns
    -------
    DataFrame, in order of borrower and month, with the columns

    ====================  =========================================================================================
    ``borrower``          identifier
    ``month``             datetime64[ns], the last day of the month that the row tells of
    ``balance``           at the end of the month
    ``salary``            credited in the month, 0 where none came
    ``utilisation``       share of the credit limit that is used, 0 to 1.1
    ``overdrafts``        times that the account was overdrawn
    ``days_past_due``     of the loan
    ``note``              what was written about the borrower in that month, English or Chinese; mostly missing
    ``default_month``     the last day of the month of default, missing where none was seen: the outcome, never
                          to be read by what warns of it
    ====================  =========================================================================================

    Raises
    ------
    ValueError
        If there are fewer than 10 months.

    Notes
    -----
    About one borrower in six gets into trouble at some month (the onset) and defaults 3 to 8 months later, if the
    months last so long: by a lost job (the salary stops, then the balance falls), by spending (the limit is used up,
    overdrafts follow), by trouble that is written of before it is seen, or suddenly (with nothing but arrears in the
    last month). Arrears come last in all of them: in the two months before default. One borrower in twelve has a scare:
    the same signs for 2 to 4 months, half as strong, and no default. Steady borrowers pay a few days late in one month
    of thirty, and are written of, too, at times with words of trouble that are denied. `borrowers_oracle` tells who is
    who.
    """
    import pandas as pd

    world = _simulate(n, months, seed)
    kept = np.arange(months)[None, :] < world.end[:, None]
    rows = np.nonzero(kept)
    stamps = _month_ends(np.arange(months))
    ends = np.where(world.end < months, world.end, -1)
    values = {"borrower": _names(n)[rows[0]], "month": stamps[rows[1]]}
    values |= {name: cells[kept] for name, cells in world.numbers.items()}
    frame = pd.DataFrame({**values, "note": pd.Series(world.notes[kept], dtype=object)})
    defaults = _month_ends(np.maximum(ends, 0))
    defaults[ends < 0] = np.datetime64("NaT")
    return frame.assign(default_month=defaults[rows[0]])


def borrowers_oracle(n: int = 500, months: int = 24, seed: int = 0) -> pd.DataFrame:
    """The truth behind `borrowers` with the same arguments.

    Returns
    -------
    DataFrame with a row a borrower: ``borrower``, ``story`` (steady, job, spending, trouble, sudden, scare), ``onset``
    (the month of the first sign; missing for steady ones), ``default_month``, and ``lead`` (months from onset to
    default: no honest warning can come earlier; of sudden ones 1).
    """
    import pandas as pd

    world = _simulate(n, months, seed)
    there = world.story > 0
    onset, default = _month_ends(world.onset), _month_ends(np.minimum(world.end, months))
    onset[~there] = np.datetime64("NaT")
    defaulted = world.end < months
    default[~defaulted] = np.datetime64("NaT")
    lead = np.where(defaulted, world.end - world.onset, np.nan)
    told = {"borrower": _names(n), "story": np.array(STORIES, object)[world.story], "onset": onset}
    return pd.DataFrame({**told, "default_month": default, "lead": lead})


def _names(n: int) -> npt.NDArray[np.object_]:
    return np.array([f"B{i:05d}" for i in range(n)], object)


def _month_ends(months: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    return ((START + months + 1).astype("datetime64[D]") - 1).astype("datetime64[ns]")


def _simulate(n: int, months: int, seed: int) -> _World:
    if months < EARLIEST + 4:
        raise ValueError(f"months={months}: at least {EARLIEST + 4} are needed for anything to happen")
    rng = np.random.default_rng([seed, 0xB0FF])
    story = rng.choice(len(STORIES), n, p=SHARES)
    onset = rng.integers(EARLIEST, months - 1, n)
    length = np.where(story == 5, rng.integers(2, 5, n), rng.integers(3, 9, n))
    onset = np.where(story == 4, onset + length - 1, onset)
    length = np.where(story == 4, 1, length)
    lasting = (story > 0) & (story < 5)
    end = np.where(lasting, np.minimum(onset + length, months), months)
    since = np.arange(months)[None, :] - onset[:, None]
    progress = np.where(since >= 0, (since + 1.0) / length[:, None], 0.0)
    progress = np.where(story[:, None] == 5, np.where(progress <= 1, 0.5 * progress, 0.0), np.minimum(progress, 1.0))
    progress = np.where(story[:, None] == 0, 0.0, progress)
    acted = np.where(story == 5, rng.integers(1, 4, n), story)
    left = np.where(lasting, onset + length, 10 * months)[:, None] - np.arange(months)[None, :]
    notes = _notes(acted, progress, rng)
    return _World(story, onset, end, progress, _numbers(acted, progress, left, rng), notes)


def _numbers(
    acted: npt.NDArray[np.int64], q: npt.NDArray[np.float64], left: npt.NDArray[np.int64], rng: np.random.Generator
) -> dict[str, npt.NDArray[np.float64]]:
    """Columns of numbers: `q` is how far gone a borrower is (0..1), `left` the months until default."""
    n, months = q.shape
    job, spending, trouble = (np.where(acted[:, None] == kind, q, 0.0) for kind in (1, 2, 3))
    wage = np.exp(rng.normal(7.9, 0.35, (n, 1)))
    usual = wage * rng.uniform(0.6, 3.0, (n, 1))
    shocks = rng.normal(0, 0.13, (n, months))
    for month in range(1, months):
        shocks[:, month] += 0.5 * shocks[:, month - 1]
    sinking = np.exp(-1.5 * job - 1.0 * spending - 1.7 * trouble)
    stopped = (job > 0) & (rng.random((n, months)) < 0.9)
    used = rng.beta(2, 4, (n, 1)) + rng.normal(0, 0.03, (n, months)) + 0.3 * job
    used += (1.02 - used) * np.sqrt(spending)
    late = np.where(rng.random((n, months)) < 1 / 30, rng.integers(1, 12, (n, months)), 0)
    arrears = np.select(
        [left == 1, left == 2], [rng.integers(31, 80, (n, months)), rng.integers(5, 35, (n, months))], 0
    )
    return {
        "balance": np.round(usual * np.exp(shocks) * sinking, 2),
        "salary": np.round(np.where(stopped, 0.0, wage * np.exp(rng.normal(0, 0.02, (n, months)))), 2),
        "utilisation": np.round(np.clip(used, 0.0, 1.1), 3),
        "overdrafts": rng.poisson(0.05 + 2.0 * job + 2.0 * spending + 0.8 * trouble).astype(np.float64),
        "days_past_due": np.maximum(late, arrears).astype(np.float64),
    }


def _notes(
    acted: npt.NDArray[np.int64], q: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.object_]:
    n, months = q.shape
    tongue = (rng.random((n,)) < CHINESE).astype(int)
    begun = (q > 0) & (np.diff(q, axis=1, prepend=0.0) == q)
    chance = np.where(acted[:, None] == 3, np.where(begun, 0.9, 0.3), np.where(acted[:, None] == 1, 0.12, 0.03))
    bad = (q > 0) & (rng.random((n, months)) < chance)
    other = rng.random((n, months))
    kind = np.where(bad, BAD, np.where(other < 0.015, DECOY, GOOD))
    written = bad | (other < 0.10)
    picks = rng.random((n, months))
    notes = np.full((n, months), None, object)
    for i, month in zip(*np.nonzero(written), strict=True):
        pool = NOTES[tongue[i]][kind[i, month]]
        notes[i, month] = pool[int(picks[i, month] * len(pool))]
    return notes
