"""Whether the run can be had again: the rows held out are scored once more and compared with what was recorded."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from plait.desks.credit.validation.findings import Part, finding
from plait.desks.credit.validation.run import CreditRun
from plait.report.numbers import number
from plait.report.page import Block, Code, Prose, Section, Table

__all__ = ["part"]

KEY = "repeat"
NEAR = 1e-4  # on another machine, rows may change places in the last digit
FIGURES = ("roc_auc", "gini", "ks")


def part(run: CreditRun) -> Part:
    say = run.say
    recorded: Mapping[str, Any] | None = run.record.get("judged")
    if recorded is None:
        return Part(Section.absent(KEY, say("repeat.title"), say("repeat.none")))
    again = run.figures.to_json()
    pairs = {name: (float(recorded[name]), float(again[name])) for name in ("bad_rate", "mean_pd")}
    for member, standing in again["standings"].items():
        for name in FIGURES:
            key = f"{say(f'member.{member}')}: {say.name('metric', name)}"
            pairs[key] = float(recorded["standings"][member][name]["value"]), float(standing[name]["value"])
    off = max(abs(then - now) for then, now in pairs.values())
    rows = tuple(
        (say.name("figure", name), f"{then:.9f}", f"{now:.9f}", number(abs(then - now)))
        for name, (then, now) in pairs.items()
    )
    blocks: list[Block] = [
        Prose(say("repeat.how")),
        Table(say("repeat.table"), tuple(say("repeat.header").split("|")), rows),
        Code("$ " + shlex.join(["plait", "credit", "validate", str(run.folder), "-o", "validation.html"])),
    ]
    same = off <= NEAR
    verdict = say("repeat.same") if same else say("repeat.differs", off=number(off))
    found = () if same else (finding(say, KEY, "repeat", off=number(off)),)
    return Part(Section.of(KEY, say("repeat.title"), blocks, verdict), found)
