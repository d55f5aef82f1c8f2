"""``company``: ratings of companies from their financial statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.contracts import Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Array
    from plait.desks.credit.companies.judged import Ranked
    from plait.desks.credit.companies.rating import CompanyModel, Rated
    from plait.desks.credit.companies.statements import Check
    from plait.desks.credit.config import Config
    from plait.desks.credit.grades import MasterScale
    from plait.desks.credit.scorecard import ScorecardSettings

__all__ = ["OPERATION", "CompanyRequest", "CompanyResult"]

SHOWN = 10  # rows, and checks
NOTCHES = (
    "parent_grade",
    "parent_support",
    "sector_notches",
    "country_ceiling",
)  # columns that are read where they are


@dataclass(frozen=True)
class CompanyRequest:
    """Statements, a row a company and year, with standard items under any of their usual names.

    Where they are there, the columns ``parent_grade``, ``parent_support`` (grades, 2 by default), ``sector_notches``
    (above 0: worse) and ``country_ceiling`` move the grade, and each move is recorded.
    """

    rows: Rows = asked("rows", "The statements.", shown="STATEMENTS")
    default: str | None = asked(
        "string",
        "Column that says whether the company defaulted in the year after (1) or not (0); without it, ratios are "
        "weighted by hand.",
        default=None,
        shown="COLUMN",
    )
    column: Mapping[str, str] = asked(
        "entries", "Where an item stands that its name does not tell, as in ebit=OPRES.", default={}
    )
    unit: float = asked(
        "number", "What amounts are to be multiplied by, where headers do not say.", default=1.0, least=0
    )
    altman: str = asked(
        "choice",
        "Which of Altman's scores: Z of 1968, Z', Z'', or Z'' + 3.25.",
        default="emerging",
        choices=("public", "private", "any", "emerging"),
    )
    config: Path | None = asked("file", "A credit.yaml; its sections scorecard and grades are read.", default=None)
    output: Path | None = asked("file", "A row a company: CSV, TSV, JSONL, Parquet or Arrow.", default=None, short="o")
    pictures: Path | None = asked("folder", "Draw grades and defaults there.", default=None)


@dataclass(frozen=True)
class CompanyResult:
    """Ratings.

    Parameters
    ----------
    rated
        A company each.
    table
        The same with its ratios, Altman's score, its zone, bond rating and PD, and the steps from grade to grade.
    checks
        What is wrong with statements.
    method
        How PDs came about.
    ranked
        How well they tell defaults, where these are known.
    output, pictures
        Files that were written.
    """

    rated: tuple[Rated, ...]
    table: pd.DataFrame
    checks: tuple[Check, ...]
    method: str
    ranked: Ranked | None = None
    output: Path | None = None
    pictures: tuple[Path, ...] = ()

    def frame(self) -> pd.DataFrame:
        return self.table

    def __str__(self) -> str:
        columns = ["company", "year", "z", "zone", "bond_rating", "pd", "standalone", "grade", "steps"]
        lines = [
            self.method,
            "",
            self.table[columns].head(SHOWN).to_string(index=False, float_format="{:.4g}".format, na_rep="-"),
        ]
        if len(self.table) > SHOWN:
            lines.append(f"... and {len(self.table) - SHOWN:,} more companies")
        lines.append(f"grades moved by notches: {sum(r.grade != r.standalone for r in self.rated):,}")
        if self.ranked is not None:
            lines += ["", f"{self.ranked.defaults:,} of {self.ranked.rows:,} companies defaulted", str(self.ranked)]
        if self.checks:
            lines += ["", f"{len(self.checks):,} remark(s) on statements:", *map(str, self.checks[:SHOWN])]
        written = [] if self.output is None else [f"{len(self.table):,} companies: {self.output}"]
        return "\n".join([*lines, *written, *map(str, self.pictures)])

    def to_json(self) -> Json:
        from plait.metrics.shown import plain

        return {
            "method": self.method,
            "companies": [each.to_json() for each in self.rated] if self.output is None else len(self.rated),
            "checks": [plain(check) for check in self.checks],
            "ranked": None if self.ranked is None else self.ranked.to_json(),
            "file": None if self.output is None else str(self.output),
            "pictures": [str(path) for path in self.pictures],
        }


def run(request: CompanyRequest, report: Callable[[Progress], None]) -> CompanyResult:
    """Read and check statements, work out ratios, and rate the last statement of every company."""
    import pandas as pd

    from plait.data.files import check_file
    from plait.data.read import write_frame
    from plait.desks.credit.companies.pictures import draw_companies
    from plait.desks.credit.companies.ratios import altman, altman_pd, ratios
    from plait.desks.credit.companies.statements import read_statements
    from plait.desks.credit.config import Config

    if request.output is not None:
        check_file(request.output)
    config = Config() if request.config is None else Config.read(request.config)
    statements = read_statements(request.rows.frame, request.column, unit=request.unit)
    last = ~statements.table.duplicated("company", keep="last")
    table = statements.table[last].reset_index(drop=True)
    values = ratios(statements.table).values[last].reset_index(drop=True)
    card, scale = _settings(config)
    bad = None if request.default is None else _bad(table, request.default)
    model, method, held_out, ranked = _model(values, bad, card, report)
    rated = _rated(table, model.log_odds(values), scale)
    told = pd.DataFrame(
        {
            "pd": [each.pd for each in rated],
            "standalone": [each.standalone for each in rated],
            "grade": [each.grade for each in rated],
            "steps": ["; ".join(map(str, each.steps)) for each in rated],
        }
    )
    scores = altman(values, request.altman)
    scores["z_pd"] = altman_pd(scores, scale, bad)
    made = pd.concat([table[["company", "year"]], scores, told, values], axis=1)
    if request.output is not None:
        write_frame(made, request.output)
    drawn: tuple[Path, ...] = ()
    if request.pictures is not None:
        drawn = draw_companies(made, scale, None if bad is None else (held_out, bad), request.pictures)
    return CompanyResult(rated, made, statements.checks, method, ranked, request.output, drawn)


def _settings(config: Config) -> tuple[ScorecardSettings | None, MasterScale]:
    """The scorecard's settings where they are said, and the scale: the standard one, or one made by hand."""
    from plait.desks.credit.grades import MasterScale

    scale = config.grades.scale
    made = MasterScale.of(scale) if isinstance(scale, Mapping) else MasterScale.standard()
    return (config.scorecard if config.section("scorecard") else None), made


def _bad(table: pd.DataFrame, column: str) -> Array:
    """Defaults as 0 and 1."""
    from plait.desks.credit.losses.book import flags
    from plait.errors import DataError

    found = flags(table, column, "default").astype(float)
    if table[column].isna().any():
        raise DataError(f"default ({column!r}) is missing in {int(table[column].isna().sum())} row(s); rate them apart")
    return found


def _model(
    values: pd.DataFrame,
    bad: Array | None,
    settings: ScorecardSettings | None,
    report: Callable[[Progress], None],
) -> tuple[CompanyModel, str, Array, Ranked | None]:
    """The model, how it came about, its log-odds out of fold where it was fitted, and how good these are."""
    from plait.desks.credit.companies.judged import out_of_fold, rank_companies
    from plait.desks.credit.companies.rating import HandWeighted, fit_ratio_scorecard

    if bad is None:
        hand = HandWeighted()
        told = (
            f"no defaults given: ratios weighted by hand; the PD of a middling company is supposed to be "
            f"{hand.central:.1%}, and {hand.halving:g} points to halve the odds"
        )
        return hand, told, hand.log_odds(values), None
    held_out = out_of_fold(values, bad, settings=settings, report=report)
    card = fit_ratio_scorecard(values, bad, settings=settings)
    used = ", ".join(variable.name for variable in card.variables)
    return (
        card,
        f"scorecard of ratios, fitted on all companies shown and judged out of fold: {used}",
        held_out,
        rank_companies(values, bad, held_out),
    )


def _rated(table: pd.DataFrame, log_odds: Array, scale: MasterScale) -> tuple[Rated, ...]:
    """Grades with their notches."""
    import numpy as np

    from plait.desks.credit.companies.rating import Notches, notch

    pds = 1 / (1 + np.exp(-np.asarray(log_odds)))
    cells = {name: table[name].tolist() if name in table.columns else [None] * len(table) for name in NOTCHES}
    made = []
    for row, (company, pd) in enumerate(zip(table["company"], pds.tolist(), strict=True)):
        parent, support, sector, ceiling = (_present(cells[name][row]) for name in NOTCHES)
        notches = Notches(
            None if parent is None else str(parent),
            2 if support is None else int(support),
            0 if sector is None else int(sector),
            None if ceiling is None else str(ceiling),
        )
        made.append(notch(str(company), pd, scale, notches))
    return tuple(made)


def _present(cell: Any) -> Any:
    missing = cell is None or cell == "" or cell != cell  # NaN is not itself
    return None if missing else cell


OPERATION = Operation(
    name="company",
    request=CompanyRequest,
    run=run,
    summary="Rate companies from their financial statements: ratios, Altman's scores, PD, grade and notches.",
    effect="reads",
    example={"rows": "statements.csv", "default": "default", "output": "ratings.csv"},
)
