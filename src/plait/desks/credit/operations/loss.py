"""``loss``: expected and unexpected loss of a portfolio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    import pandas as pd

    from plait.calc.vasicek import Exposure
    from plait.desks.credit.losses.expected import PortfolioLoss

__all__ = ["OPERATION", "LossRequest", "LossResult"]


@dataclass(frozen=True)
class LossRequest:
    """A portfolio, and where its PD, LGD and exposure stand: a column's name, or one number for all rows."""

    rows: Rows = asked("rows", "The portfolio.", shown="PORTFOLIO")
    pd: str = asked("string", "Column of the PD within twelve months, or a number.", default="pd", shown="COLUMN")
    lgd: str | None = asked(
        "string",
        "Column of the LGD, or a number; by default the column lgd, or else what the settings say.",
        default=None,
        shown="COLUMN",
    )
    ead: str = asked("string", "Column of the exposure, or a number.", default="ead", shown="COLUMN")
    rate: str | None = asked(
        "string",
        "Column of the effective yearly interest rate, or a number; with months, adds discounted lifetime losses.",
        default=None,
        shown="COLUMN",
    )
    months: str | None = asked("string", "Column of the months left, or a number.", default=None, shown="COLUMN")
    schedule: str = asked(
        "choice", "How the exposure is repaid.", default="annuity", choices=("annuity", "linear", "bullet")
    )
    exposure: Exposure | None = asked(
        "choice",
        "Whose formula of Basel gives correlation and capital; by default the settings', which is retail.",
        default=None,
        choices=("corporate", "mortgage", "revolving", "retail"),
    )
    scenarios: Path | None = asked("file", "A scenarios.yaml, for lifetime losses.", default=None)
    config: Path | None = asked("file", "A credit.yaml; its section loss is read.", default=None)
    output: Path | None = asked(
        "file", "The rows with their losses: CSV, TSV, JSONL, Parquet or Arrow.", default=None, short="o"
    )


@dataclass(frozen=True)
class LossResult:
    """Losses of the rows and of the portfolio.

    Parameters
    ----------
    found
        The portfolio's.
    table
        The rows, with ``expected_loss``, ``capital`` and, where rates and terms are known, ``loss_12m``,
        ``loss_lifetime`` and ``pd_lifetime``.
    notes
        What was supposed.
    output
        Where the rows were written.
    """

    found: PortfolioLoss
    table: pd.DataFrame
    notes: tuple[str, ...]
    output: Path | None = None

    def frame(self) -> pd.DataFrame:
        return self.table

    def __str__(self) -> str:
        written = [] if self.output is None else [f"{len(self.table):,} rows: {self.output}"]
        return "\n".join([str(self.found), *self.notes, *written])

    def to_json(self) -> Json:
        from plait.metrics.shown import plain

        return {
            **plain(self.found.totals),
            "notes": list(self.notes),
            "file": None if self.output is None else str(self.output),
        }


def run(request: LossRequest, report: Callable[[Progress], None]) -> LossResult:
    """Read the portfolio, and add up what it is expected to lose."""
    from plait.data.files import check_file
    from plait.data.read import write_frame
    from plait.desks.credit.losses.book import Book, numbers
    from plait.desks.credit.losses.expected import lifetime_losses, portfolio_loss
    from plait.desks.credit.losses.scenarios import Scenarios
    from plait.desks.credit.losses.settings import LossSettings
    from plait.desks.credit.losses.term import TermStructure
    from plait.errors import ConfigError

    if request.output is not None:
        check_file(request.output)
    if (request.rate is None) != (request.months is None):
        raise ConfigError("lifetime losses need both --rate and --months; give both or neither")
    if request.scenarios is not None and request.months is None:
        raise ConfigError("--scenarios shape lifetime losses; give --rate and --months, too")
    settings, frame = LossSettings.read(request.config), request.rows.frame
    lgd = request.lgd or ("lgd" if "lgd" in frame.columns else str(settings.lgd))
    columns = {"pd": request.pd, "lgd": lgd, "ead": request.ead}
    report(Progress("losses", 0, len(frame)))
    pd, share, ead = (numbers(frame, said, what) for what, said in columns.items())
    share, lifetime = settings.downturn(share), None
    if request.rate is not None and request.months is not None:
        book = Book.read(frame, {**columns, "rate": request.rate, "months": request.months}, request.schedule)
        scenarios = None if request.scenarios is None else Scenarios.read(request.scenarios)
        lifetime = lifetime_losses(book.with_lgd(share), TermStructure.flat(), scenarios)
    found = portfolio_loss(pd, share, ead, exposure=request.exposure or settings.exposure, lifetime=lifetime)
    table = found.added(frame)
    notes = () if lgd in frame.columns else (f"LGD of every row: {lgd}",)
    notes = (*notes, settings.downturn.told)
    if request.output is not None:
        write_frame(table, request.output)
    return LossResult(found, table, notes, request.output)


OPERATION = Operation(
    name="loss",
    request=LossRequest,
    run=run,
    summary="Expected loss of a portfolio, how far the loss may lie from it, and capital; lifetime losses where asked.",
    effect="reads",
    example={"rows": "portfolio.csv", "pd": "pd", "lgd": "0.45", "ead": "balance", "output": "losses.csv"},
)
