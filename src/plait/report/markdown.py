"""Blocks of a page as Markdown, without pictures."""

from __future__ import annotations

from collections.abc import Sequence

from plait.report.page import Block, Code, Facts, Listing, Notice, Prose, Section, Subheading, Table

__all__ = ["plain", "quoted", "section_lines", "table_lines"]


def section_lines(section: Section, level: int) -> list[str]:
    """A section under a heading of that level; one that does not apply is its reason alone."""
    lines = ["#" * level + f" {plain(section.title)}", ""]
    if section.verdict:
        lines += [plain(section.verdict), ""]
    for block in section.blocks:
        lines += _lines(block, level + 1)
    return lines


def plain(text: str) -> str:
    """Words of the data as words: many a reader of Markdown takes ``<`` for the start of HTML."""
    return text.replace("<", "&lt;")


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """A table, numbers to the right."""
    rule = ["---" if i < left else "---:" for i in range(len(header))]
    told = [[plain(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in (header, rule, *rows)]
    return [*(f"| {' | '.join(row)} |" for row in told), ""]


def quoted(text: str) -> list[str]:
    return [f"> {plain(text)}", ""]


def _lines(block: Block, level: int) -> list[str]:
    """Pictures and passages have no words that are not said elsewhere, and are left out."""
    if isinstance(block, Prose):
        return [plain(block.text), ""]
    if isinstance(block, Subheading):
        return ["#" * level + f" {plain(block.text)}", ""]
    if isinstance(block, Notice):
        return quoted(block.text)
    if isinstance(block, Listing):
        return [*(f"- {plain(item)}" for item in block.items), ""]
    if isinstance(block, Facts):
        facts = (f"{what}: {value}" + (f" ({beside})" if beside else "") for what, value, beside in block.facts)
        return [*(f"- {plain(fact)}" for fact in facts), ""]
    if isinstance(block, Table):
        return [f"**{plain(block.caption)}**", "", *table_lines(block.header, block.rows, block.left)]
    if isinstance(block, Code):
        return ["```console", *block.text.splitlines(), "```", ""]
    return []
