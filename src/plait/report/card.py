"""The model card and the validation document of a run, as Markdown: what the run shows, and what people must add.

The headings of the card are those of Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from plait.report.markdown import plain, quoted, section_lines
from plait.report.page import Section
from plait.report.rulebook import Pack, Shown, assess
from plait.report.run import Run

__all__ = ["card", "validation"]

# Heading -> what stands under it: "people.X" is what people must add, any other name a section of the report.
Layout: TypeAlias = Mapping[str, tuple[str, ...]]

CARD: Layout = {
    "details": ("summary", "people.owner", "people.licence"),
    "use": ("people.uses", "people.users", "people.misuse"),
    "factors": ("people.groups", "slices"),
    "metrics": ("metrics", "decisions"),
    "evaluation": ("splits",),
    "training": ("data", "quality"),
    "analyses": ("calibration", "fairness", "drift"),
    "ethics": ("privacy", "people.harm"),
    "caveats": ("leaks", "people.caveats"),
}
VALIDATION: Layout = {
    "purpose": ("summary", "people.purpose", "people.material"),
    "data": ("data", "leaks", "quality", "privacy", "people.origin"),
    "design": ("importance", "people.alternatives"),
    "performance": ("metrics", "decisions", "slices", "people.limits"),
    "calibration": ("calibration",),
    "stability": ("splits", "drift", "people.monitoring"),
    "fairness": ("fairness", "people.groups"),
    "sensitivity": ("robustness",),
    "limits": ("people.caveats",),
    "reproduction": ("reproduction",),
    "sign_off": ("people.validators",),
}


def card(run: Run, sections: Sequence[Section], packs: Sequence[Pack] = ()) -> str:
    """The model card, with a table for every rule pack."""
    lines = _document(run, sections, "card", CARD)
    for rules in packs:
        lines += _rules(run, rules, assess(rules, sections))
    return "\n".join(lines).rstrip() + "\n"


def validation(run: Run, sections: Sequence[Section]) -> str:
    """The validation document."""
    return "\n".join(_document(run, sections, "validation", VALIDATION)).rstrip() + "\n"


def _document(run: Run, sections: Sequence[Section], kind: str, layout: Layout) -> list[str]:
    say, known = run.say, {section.key: section for section in sections}
    lines = [f"# {plain(say(f'{kind}.title', target=run.target))}", "", say("card.how"), ""]
    for heading, parts in layout.items():
        lines += [f"## {say(f'{kind}.{heading}')}", ""]
        for part in parts:
            if part.startswith("people."):
                lines += quoted(f"**{say('people.mark')}** {say(part)}")
            else:
                lines += section_lines(known[part], 3)
    return lines


def _rules(run: Run, rules: Pack, found: Sequence[Shown]) -> list[str]:
    say, language = run.say, run.say.language
    lines = [f"## {say('rules.title', place=rules.title[language])}", "", say("rules.how"), ""]
    for shown in found:
        clause = shown.clause
        lines += [f"### {clause.source}", "", clause.says[language]]
        lines += ["", f"*{say('rules.check')}*"] if clause.check else []
        lines += ["", *(f"- {plain(told)}" for told in _evidence(run, shown))]
        lines += ["", *quoted(f"**{say('people.mark')}** {clause.people[language]}")]
    return lines


def _evidence(run: Run, shown: Shown) -> list[str]:
    told = [run.say("rules.shown", section=section.title, verdict=section.verdict) for section in shown.there]
    return told + [run.say("rules.missing", section=section.title, why=section.verdict) for section in shown.missing]
