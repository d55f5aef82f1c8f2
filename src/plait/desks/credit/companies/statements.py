"""Financial statements as rows: items found under their many names, units undone, sums and signs checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.contracts import Json
from plait.data.frame import Cells
from plait.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ITEMS", "Check", "Statements", "read_statements"]

Floats = npt.NDArray[np.float64]

ITEMS: Mapping[str, tuple[str, ...]] = {  # standard name to what else it is called, in English and in Chinese
    "cash": ("cash and cash equivalents", "cash & equivalents", "货币资金", "现金及现金等价物"),
    "receivables": ("trade receivables", "accounts receivable", "应收账款", "应收款项"),
    "inventory": ("inventories", "stock", "存货"),
    "current_assets": ("total current assets", "流动资产合计", "流动资产"),
    "fixed_assets": ("non-current assets", "property plant and equipment", "ppe", "固定资产", "非流动资产合计"),
    "total_assets": ("assets", "资产总计", "资产合计", "总资产"),
    "payables": ("trade payables", "accounts payable", "应付账款"),
    "short_term_debt": ("short term borrowings", "short term loans", "current debt", "短期借款"),
    "current_liabilities": ("total current liabilities", "流动负债合计", "流动负债"),
    "long_term_debt": ("long term borrowings", "long term loans", "non-current debt", "长期借款"),
    "total_liabilities": ("liabilities", "负债合计", "负债总计", "总负债"),
    "retained_earnings": ("accumulated profits", "accumulated earnings", "未分配利润", "留存收益"),
    "equity": (
        "total equity",
        "shareholders equity",
        "stockholders equity",
        "net worth",
        "所有者权益合计",
        "股东权益合计",
        "净资产",
    ),
    "market_equity": ("market capitalisation", "market capitalization", "market cap", "market value", "总市值", "市值"),
    "sales": (
        "revenue",
        "revenues",
        "net sales",
        "turnover",
        "total revenue",
        "营业收入",
        "营业总收入",
        "主营业务收入",
    ),
    "cost_of_sales": ("cost of goods sold", "cogs", "cost of revenue", "营业成本", "主营业务成本"),
    "depreciation": ("depreciation and amortisation", "depreciation and amortization", "d&a", "折旧与摊销", "折旧"),
    "ebit": ("operating profit", "operating income", "earnings before interest and taxes", "息税前利润", "营业利润"),
    "interest_expense": ("interest", "finance costs", "interest paid", "利息支出", "利息费用", "财务费用"),
    "tax": ("income tax", "taxes", "所得税", "所得税费用"),
    "net_income": ("net profit", "profit for the year", "net earnings", "净利润"),
    "operating_cash_flow": (
        "cash flow from operations",
        "net cash from operating activities",
        "cfo",
        "经营活动产生的现金流量净额",
        "经营现金流",
    ),
}
COMPANY = ("company", "firm", "company id", "ticker", "公司", "公司名称", "企业名称", "证券代码")
YEAR = ("year", "fiscal year", "period", "年度", "会计年度", "年份")
UNITS: Mapping[str, float] = {  # as headers have them in brackets
    "thousand": 1e3,
    "thousands": 1e3,
    "000": 1e3,
    "k": 1e3,
    "million": 1e6,
    "millions": 1e6,
    "m": 1e6,
    "mn": 1e6,
    "billion": 1e9,
    "bn": 1e9,
    "千元": 1e3,
    "万元": 1e4,
    "百万元": 1e6,
    "亿元": 1e8,
    "元": 1.0,
}
BRACKETS = re.compile(r"[(（\[]([^)）\]]*)[)）\]]\s*$")
NEVER_NEGATIVE = (
    *("cash", "receivables", "inventory", "current_assets", "fixed_assets", "total_assets", "payables"),
    *("short_term_debt", "current_liabilities", "long_term_debt", "total_liabilities", "sales", "depreciation"),
)
NEEDED = ("total_assets", "total_liabilities", "equity", "sales", "ebit")
JUMP = 100  # times the assets of the year before, from which on a unit has changed
SLACK = 0.005  # of the total assets, that sums may be off by rounding


@dataclass(frozen=True)
class Check:
    """What is wrong with one statement.

    Parameters
    ----------
    check
        ``"balance"``, ``"parts"``, ``"sign"``, ``"units"`` or ``"filled"`` (an item was worked out from others).
    """

    company: str
    year: int
    check: str
    said: str

    def __str__(self) -> str:
        return f"{self.company} {self.year}: {self.said}"


@dataclass(frozen=True)
class Statements:
    """Statements in standard form.

    Parameters
    ----------
    table
        A row a company and year, sorted: ``company`` (text), ``year``, the items of `ITEMS` as float64 (NaN: not
        there), and all other columns as they were.
    columns
        Item to the column it was found in, and the factor that undid its unit.
    checks
        What is wrong.
    """

    table: pd.DataFrame
    columns: Mapping[str, tuple[str, float]]
    checks: tuple[Check, ...]

    def to_json(self) -> dict[str, Json]:
        return {
            "rows": len(self.table),
            "columns": {item: {"column": name, "factor": factor} for item, (name, factor) in self.columns.items()},
            "checks": [vars(check) for check in self.checks],
        }


def read_statements(frame: pd.DataFrame, columns: Mapping[str, str] | None = None, *, unit: float = 1.0) -> Statements:
    """Find the items of statements, whatever they are called, and check that they hold together.

    Parameters
    ----------
    frame
        A row a company and year.
    columns
        Item (or ``company``, ``year``) to column, where names do not tell.
    unit
        Of all columns whose header names none: 1000 where amounts are in thousands.

    Notes
    -----
    Total liabilities, or equity, that are not there are worked out from the other two, EBIT from net income, tax and
    interest; each such cell is a check. A unit in the header, in brackets (thousands, million, 万元, 亿元), is undone.

    Raises
    ------
    DataError
        If an item that every rating needs is not there, an amount is no number, or a company has two statements of one
        year.
    ConfigError
        If `columns` names an item or a column that does not exist, or the unit is not above 0.
    """
    import pandas as pd

    if not unit > 0:
        raise ConfigError(f"unit {unit:g} is out of range; give a number above 0, 1000 where amounts are in thousands")
    found = _found(frame, columns or {}, unit)
    items = {}
    for item, (name, factor) in found.items():
        if item in ITEMS:
            amounts = pd.to_numeric(frame[name], errors="coerce")
            if (wrong := amounts.isna() & frame[name].notna()).any():
                raise DataError(f"{item} ({name!r}) is {frame[name][wrong].iloc[0]!r} in a row; give plain numbers")
            if (endless := amounts.abs() == float("inf")).any():
                raise DataError(f"{item} ({name!r}) is infinite in {int(endless.sum()):,} row(s); leave these empty")
            items[item] = amounts.astype(np.float64) * factor
    company, year = found.get("company"), found.get("year")
    if company is None or year is None:
        missing = "company" if company is None else "year"
        raise DataError(
            f"no column tells the {missing} (known names: {', '.join(COMPANY if company is None else YEAR)})"
        )
    years = pd.to_numeric(frame[year[0]], errors="coerce")
    if years.isna().any():
        raise DataError(f"the year ({year[0]!r}) is missing or no number in {int(years.isna().sum())} row(s)")
    made = pd.DataFrame({item: items.get(item, np.nan) for item in ITEMS}, index=frame.index)
    made.insert(0, "year", years.astype(np.int64))
    made.insert(0, "company", frame[company[0]].astype(str))
    rest = [name for name in frame.columns if name not in {name for name, _ in found.values()} and name not in made]
    table = (
        pd.concat([made, frame[rest]], axis=1).sort_values(["company", "year"], kind="stable").reset_index(drop=True)
    )
    if (twice := table.duplicated(["company", "year"])).any():
        row = table[twice].iloc[0]
        raise DataError(f"company {row['company']!r} has two statements of {row['year']}; keep one")
    checks = _filled(table)
    if lost := [item for item in NEEDED if table[item].isna().all()]:
        raise DataError(f"no column holds {lost[0]} (known names: {', '.join((lost[0], *ITEMS[lost[0]]))})")
    return Statements(table, found, (*checks, *_checked(table)))


def _found(frame: pd.DataFrame, said: Mapping[str, str], unit: float) -> dict[str, tuple[str, float]]:
    """Item to column and factor: as told, else by the names that are known."""
    names = {**ITEMS, "company": COMPANY, "year": YEAR}
    known = {_plain(alias): item for item, aliases in names.items() for alias in (item, *aliases)}
    found: dict[str, tuple[str, float]] = {}
    for item, column in said.items():
        if item not in names:
            raise unknown("item of statements", item, names)
        if column not in frame.columns:
            raise unknown("column", column, map(str, frame.columns))
        found[item] = (column, _unit(column) or unit)
    for column in map(str, frame.columns):
        named = known.get(_plain(BRACKETS.sub("", column)))
        if named is None or named in said:
            continue
        if named in found:
            raise DataError(f"columns {found[named][0]!r} and {column!r} are both {named}; say which, or drop one")
        found[named] = (column, _unit(column) or unit)
    return found


def _plain(name: str) -> str:
    """A header without case, spaces, dashes and apostrophes."""
    return re.sub(r"[\s_\-'’./,]+", "", name.strip().lower())


def _unit(column: str) -> float | None:
    inside = BRACKETS.search(column)
    words = re.split(r"[\s:：,]+", inside[1].strip().lower()) if inside else []
    return next((UNITS[word] for word in words if word in UNITS), None)


def _filled(table: pd.DataFrame) -> list[Check]:
    """Work out sums that are not there; the table is changed."""
    rules = {
        "total_liabilities": table["total_assets"] - table["equity"],
        "equity": table["total_assets"] - table["total_liabilities"],
        "ebit": table["net_income"] + table["tax"] + table["interest_expense"],
    }
    checks = []
    for item, worth in rules.items():
        holes = table[item].isna() & worth.notna()
        table.loc[holes, item] = worth[holes]
        checks += [_check(table, row, "filled", f"{item} is not there and was worked out") for row in _where(holes)]
    return checks


def _checked(table: pd.DataFrame) -> list[Check]:
    """Sums, signs and units of every statement."""
    assets = table["total_assets"]
    slack = SLACK * assets.abs()
    checks = []
    gap = assets - table["total_liabilities"] - table["equity"]
    for row in _where(gap.abs() > slack):
        said = f"assets {assets[row]:,.0f} are not liabilities and equity: {gap[row]:,.0f} are left over"
        checks.append(_check(table, row, "balance", said))
    for part, whole in (("current_assets", "total_assets"), ("current_liabilities", "total_liabilities")):
        large = table[part] - table[whole] > slack
        checks += [_check(table, row, "parts", f"{part} are more than {whole}") for row in _where(large)]
    for item in NEVER_NEGATIVE:
        checks += [_check(table, row, "sign", f"{item} is negative") for row in _where(table[item] < 0)]
    same = table["company"].eq(table["company"].shift())
    size = (assets / assets.shift()).where(same & (assets > 0) & (assets.shift() > 0))
    for row in _where((size > JUMP) | (size < 1 / JUMP)):
        said = f"total assets are {size[row]:,.4g} times those of the year before; is the unit the same?"
        checks.append(_check(table, row, "units", said))
    return checks


def _where(wrong: Cells) -> list[int]:
    return [int(row) for row in np.flatnonzero(wrong)]


def _check(table: pd.DataFrame, row: int, check: str, said: str) -> Check:
    return Check(str(table["company"].iloc[row]), int(table["year"].iloc[row]), check, said)
