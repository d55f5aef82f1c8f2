"""Drafts of notices to applicants whose application is declined, as plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from plait.desks.credit.reasons.change import Alternative
from plait.desks.credit.reasons.find import Told
from plait.desks.credit.reasons.sentences import Words

__all__ = ["file_name", "letter"]


def letter(told: Told, changes: Sequence[Alternative], name: str, words: Words) -> str:
    """A draft in one language: what was decided, the reasons, and what would change it.

    It follows the order of Regulation B's form C-1 (12 CFR 1002, Appendix C) as far as a model can fill it in; what law
    asks for beyond that is the lender's to add, which the draft says.
    """
    reasons = [f"{number}. {reason.sentences[words.language]}" for number, reason in enumerate(told.reasons, 1)]
    listed = "\n".join(reasons) or words.say("letter.none")
    parts = [words.say("letter.notice", name=name, reasons=listed, points=told.points, cut_off=told.cut_off)]
    if changes:
        would = "\n".join(each.sentences[words.language] for each in changes)
        parts.append(words.say("letter.would", changes=would))
    return "\n\n".join([*parts, words.say("letter.rest")])


def file_name(name: str, language: str) -> str:
    """What the file of a letter is called."""
    return f"{re.sub(r'[^0-9A-Za-z._-]+', '_', name)[:80]}.{language}.txt"
