"""What a report is made of: sections of blocks, told apart from how they are written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "Block",
    "Code",
    "Facts",
    "Listing",
    "Notice",
    "Passage",
    "Picture",
    "Pictures",
    "Prose",
    "Section",
    "Subheading",
    "Table",
    "Tone",
]

Tone: TypeAlias = Literal["good", "watch", "plain"]


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Subheading:
    """The title of what follows inside a section."""

    text: str


@dataclass(frozen=True)
class Facts:
    """A few numbers that carry the section: what each is, its value, and what to hold it against."""

    facts: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Table:
    """Rows of texts under a header; the first `left` columns are words, the others numbers."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1


@dataclass(frozen=True)
class Listing:
    """Short statements, one below the other."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Notice:
    """One statement to be seen at a glance: well, to be watched, or only to be known."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Picture:
    """An image in bytes, with what it shows in words for those who cannot see it."""

    caption: str
    alt: str
    data: bytes
    form: Literal["svg", "png", "jpeg"] = "svg"
    wide: bool = False


@dataclass(frozen=True)
class Passage:
    """A text in which some words are marked: pieces of it, each with its strength from -4 to 4 (0: not marked)."""

    caption: str
    pieces: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side where there is room."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Code:
    """What is typed into a terminal, or read by a program."""

    text: str


Block: TypeAlias = Prose | Subheading | Facts | Table | Listing | Notice | Passage | Picture | Pictures | Code


@dataclass(frozen=True)
class Section:
    """One answer of the report.

    Parameters
    ----------
    key
        What rule packs and links call it.
    title
        In the language of the report.
    blocks
        In order; of a section that does not apply, nothing.
    verdict
        What it comes to, in one line; of a section that does not apply, why not.
    watch
        What a reader should not miss, a line each.
    applies
        Whether this run has what the section is about.
    """

    key: str
    title: str
    blocks: tuple[Block, ...]
    verdict: str = ""
    watch: tuple[str, ...] = ()
    applies: bool = True

    @classmethod
    def absent(cls, key: str, title: str, why: str) -> Section:
        """A section that does not apply to a run, and why."""
        return cls(key, title, (), why, applies=False)

    @classmethod
    def of(cls, key: str, title: str, blocks: Sequence[Block], verdict: str = "", watch: Sequence[str] = ()) -> Section:
        return cls(key, title, tuple(blocks), verdict, tuple(watch))
