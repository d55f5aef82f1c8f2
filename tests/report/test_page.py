"""A page holds what its sections say, escaped, and is allowed to load nothing."""

from __future__ import annotations

import base64
import hashlib
import re

from plait.report.html import page
from plait.report.markdown import section_lines
from plait.report.page import (
    Code,
    Facts,
    Listing,
    Notice,
    Passage,
    Picture,
    Pictures,
    Prose,
    Section,
    Subheading,
    Table,
)
from plait.report.words import Words

EVIL = "<script>alert('x')</script>"
DOT = Picture("caption", "a dot", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
BLOCKS = (
    Prose(f"{EVIL} and `plait fit`"),
    Subheading(EVIL),
    Facts(((EVIL, "1", "beside"),)),
    Table(EVIL, ("a", "b|c"), ((EVIL, "0.5"),)),
    Listing((EVIL,)),
    Notice(EVIL, "watch"),
    Passage(EVIL, ((EVIL, 4), ("plain", 0), ("low", -1))),
    DOT,
    Pictures((DOT, DOT)),
    Code(EVIL),
)
SECTIONS = (
    Section.of("one", EVIL, BLOCKS, EVIL, [EVIL]),
    Section.absent("two", "Two", "it does not apply because of & that"),
)


def made(language: str = "en") -> str:
    return page("above", EVIL, "below", SECTIONS, Words(language))


def test_what_cells_hold_cannot_become_markup() -> None:
    assert EVIL not in made()
    assert "<script" not in made()
    assert made().count("&lt;script&gt;") >= len(BLOCKS)


def test_a_page_may_load_nothing_but_its_own_style() -> None:
    text = made()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert policy
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    allowed = policy[1].replace("&#39;", "'")
    assert allowed.startswith("default-src 'none'; img-src data:;")
    assert f"style-src 'sha256-{digest}'" in allowed
    assert not re.search(r' style="', text)
    assert {url.partition(":")[0] for url in re.findall(r'(?:src|href)="([^"#]+)', text)} == {"data"}


def test_a_page_is_accessible() -> None:
    text = made("zh")
    assert '<html lang="zh-Hans">' in text
    assert text.count("<img ") == text.count(' alt="a dot"') == 3
    assert text.count("<caption>") == text.count("<table")
    assert re.findall(r"<h1|<h2", text) == ["<h1", "<h2", "<h2"]
    for key in ("one", "two"):
        assert f'href="#{key}"' in text
        assert f'id="{key}"' in text


def test_typed_words_are_code() -> None:
    assert "and <code>plait fit</code></p>" in made()


def test_the_same_page_twice() -> None:
    assert made() == made()


def test_blocks_as_markdown() -> None:
    lines = section_lines(SECTIONS[0], 2)
    harmless = EVIL.replace("<", "&lt;")
    assert lines[0] == f"## {harmless}"
    assert "| a | b\\|c |" in lines
    assert "| --- | ---: |" in lines
    assert f"> {harmless}" in lines
    assert section_lines(SECTIONS[1], 3) == ["### Two", "", "it does not apply because of & that", ""]
