"""Rule packs: each clause with the sections of this document that show something of it, and what people must add."""

from __future__ import annotations

from collections.abc import Sequence

from plait.desks.credit.validation.findings import Finding, Part, light
from plait.desks.credit.validation.run import CreditRun
from plait.report.page import Block, Listing, Notice, Prose, Section, Subheading
from plait.report.rulebook import Pack, Shown, assess

__all__ = ["part"]


def part(run: CreditRun, rules: Pack, sections: Sequence[Section], findings: Sequence[Finding]) -> Part:
    """The clauses of one jurisdiction, over the sections that were written."""
    say, language = run.say, run.say.language
    blocks: list[Block] = [Prose(say("rules.how"))]
    shown = assess(rules, sections)
    for each in shown:
        clause = each.clause
        blocks += [Subheading(clause.source), Prose(clause.says[language])]
        blocks.append(Listing(tuple(_evidence(run, each, findings))))
        blocks += [Notice(say("rules.check"))] if clause.check else []
        blocks.append(Notice(f"{say('people.mark')} {clause.people[language]}"))
    bare = sum(not each.there for each in shown)
    verdict = say("pack.clauses", clauses=len(shown), bare=bare)
    title = say("rules.title", place=rules.title[language])
    return Part(Section.of(f"rules_{rules.name}", title, blocks, verdict))


def _evidence(run: CreditRun, shown: Shown, findings: Sequence[Finding]) -> list[str]:
    say = run.say
    told = [
        say("pack.shown", section=each.title, light=say(f"light.{light(each, findings)}"), verdict=each.verdict)
        for each in shown.there
    ]
    return told + [say("pack.missing", section=each.title, why=each.verdict) for each in shown.missing]
