"""The validation pack of a run: one document with everything that a validator asks, and what was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from plait.contracts import Json, Progress
from plait.contracts.crossing import unheard
from plait.data.files import check_file, made_folder, replacing
from plait.desks.credit.validation.findings import Finding, Light, Part, light
from plait.desks.credit.validation.run import CreditRun
from plait.desks.credit.validation.sections import LAYOUT, SECTIONS, overview, rules
from plait.errors import ConfigError, InputError
from plait.metrics.shown import aligned
from plait.report.html import page
from plait.report.markdown import plain, section_lines
from plait.report.numbers import count
from plait.report.page import Notice, Section
from plait.report.rulebook import Pack as Rules
from plait.report.rulebook import pack
from plait.report.run import Asked

__all__ = ["Validation", "check_output", "validate"]

Report: TypeAlias = Callable[[Progress], None]
NAME, ENDINGS = "validation", (".html", ".md", ".json")
# What no run can show, at the end of which section.
PEOPLE: Mapping[str, tuple[str, ...]] = {
    "privacy": ("people.origin",),
    "importance": ("people.alternatives",),
    "decisions": ("people.limits",),
    "drift": ("people.monitoring",),
    "limits": ("people.misuse", "people.caveats"),
    "reproduction": ("people.validators",),
}


@dataclass(frozen=True)
class Validation:
    """What was found of a run, and the document that shows it.

    Parameters
    ----------
    sections
        In the order of the document; the first is the overview.
    findings
        In the order of their sections.
    html, markdown
        The document.
    required
        Whether a red finding refuses the model.
    """

    sections: tuple[Section, ...]
    findings: tuple[Finding, ...]
    html: str
    markdown: str
    required: bool = False

    @property
    def lights(self) -> dict[str, Light]:
        """Key of each section that is judged to the worst of what was found there."""
        return {each.key: light(each, self.findings) for each in self.sections if each.key in SECTIONS}

    @property
    def red(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.severity == "red")

    @property
    def refusal(self) -> str:
        """Why a gate refuses the model, in one line; empty if none was asked for, or nothing is red."""
        told = "; ".join(f"{each.section}: {each.told}" for each in self.red)
        return f"{len(self.red)} red finding(s): {told}" if self.required and told else ""

    def write(self, output: str | Path) -> tuple[Path, ...]:
        """Write the document: as HTML or Markdown, or what was found as JSON, by the ending of a file's name; a folder
        gets all three.

        Raises
        ------
        ConfigError, DataError
            If it cannot be written there (`check_output`).
        """
        output = Path(output)
        check_output(output)
        found = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
        texts = dict(zip(ENDINGS, (self.html, self.markdown, found), strict=True))
        if output.suffix and not output.is_dir():
            written = {output: texts[output.suffix]}
        else:
            folder = made_folder(output)
            written = {folder / f"{NAME}{ending}": text for ending, text in texts.items()}
        for path, text in written.items():
            with replacing(path) as beside:
                beside.write_text(text, "utf-8")
        return tuple(written)

    def __str__(self) -> str:
        titles = {section.key: section.title for section in self.sections}
        lines = [self.sections[0].verdict, ""]
        lines += aligned([(titles[key], f"  {colour}") for key, colour in self.lights.items()])
        if self.findings:
            lines += ["", *(f"{each.severity}: {each.section}: {each.told}" for each in self.findings)]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Json]:
        return {
            "lights": dict(self.lights),
            "findings": [each.to_json() for each in self.findings],
            "sections": [
                {"key": s.key, "title": s.title, "applies": s.applies, "verdict": s.verdict} for s in self.sections
            ],
        }


def validate(
    folder: str | Path,
    *,
    language: str = "en",
    rule_packs: Sequence[str] = ("us", "eu", "china"),
    data: Path | None = None,
    sides: Mapping[str, str] | None = None,
    rows: int = 3,
    show_personal: bool = False,
    required: bool = False,
    report: Report = unheard,
) -> Validation:
    """Validate a run of the credit desk on the rows that it held out.

    Parameters
    ----------
    folder
        What ``plait credit fit`` wrote.
    language
        ``"en"`` or ``"zh"``.
    rule_packs
        Jurisdictions whose clauses are set beside the evidence (`plait.report.rulebook.PACKS`).
    data, sides
        Where the data and the long tables by name lie now, if not where the run says.
    rows
        Declined applications whose reasons are shown.
    show_personal
        Show personal data that cells hold, instead of masking it.
    required
        Whether a red finding refuses the model.
    report
        Called with `plait.contracts.Progress`.

    Raises
    ------
    ConfigError
        If a language or rule pack is unknown.
    DataError
        If the folder is no run of the desk, held no rows out, or its data is not what the run was fitted on.
    ArtifactError
        If the model is damaged.

    Notes
    -----
    What a validation asks follows SR 11-7 and its successor SR 26-2 (Federal Reserve and OCC) and the "Instructions for
    reporting the validation results of internal models" (ECB, 2019). Severities are our own: red is what must be
    settled before use, amber what must be settled or accepted with a reason. Parts that ask the model many times look
    at 500 of the rows held out, evenly spread.
    """
    packs = [pack(name) for name in rule_packs]
    asked = Asked(language, rows, show_personal, data, dict(sides or {}), report)
    run = CreditRun.read(Path(folder), asked)
    run.judged()
    parts = [_written(run, key, done) for done, key in enumerate(SECTIONS)]
    sections = [_with_people(run, each.section) for each in parts]
    findings = [finding for each in parts for finding in each.findings]
    first = overview.part(run, sections, findings).section
    clauses = [_clauses(run, each, (first, *sections), findings) for each in packs]
    everything = (first, *sections, *clauses)
    return Validation(
        everything,
        tuple(findings),
        page(*_heading(run), everything, run.say),
        _markdown(run, everything),
        required,
    )


def check_output(output: Path | None) -> None:
    """Before long work: can the document be written there?

    Raises
    ------
    ConfigError
        If the ending of the file's name is none of `ENDINGS`.
    DataError
        If nothing can be written there.
    """
    if output is None or output.is_dir() or not output.suffix:
        return
    if output.suffix not in ENDINGS:
        raise ConfigError(
            f"{output}: a validation pack is written as {', '.join(ENDINGS)}, or all of them into a folder"
        )
    check_file(output)


def _written(run: CreditRun, key: str, done: int) -> Part:
    """A section; one that the rows held out cannot answer is the reason for that."""
    title = run.say(f"{key}.title")
    run.progress(title, done, len(SECTIONS))
    try:
        return SECTIONS[key](run)
    except InputError as error:
        return Part(Section.absent(key, title, str(error)))


def _with_people(run: CreditRun, section: Section) -> Section:
    """What people must add stands below what the run shows."""
    mark = run.say("people.mark")
    notes = tuple(Notice(f"{mark} {run.say(key)}") for key in PEOPLE.get(section.key, ()))
    return replace(section, blocks=(*section.blocks, *notes))


def _clauses(run: CreditRun, packed: Rules, sections: Sequence[Section], findings: Sequence[Finding]) -> Section:
    return rules.part(run, packed, sections, findings).section


def _heading(run: CreditRun) -> tuple[str, str, str]:
    versions = run.record["versions"]
    told = {"rows": count(len(run.train)), "judged": count(len(run.judged())), "version": versions["plait"]}
    kicker = run.say("pack.kicker", folder=run.folder.resolve().name)
    return kicker, run.say("pack.title", target=run.target), run.say("pack.subtitle", **told)


def _markdown(run: CreditRun, sections: Sequence[Section]) -> str:
    """The document without its pictures; questions are headings over their sections."""
    kicker, title, subtitle = _heading(run)
    known = {section.key: section for section in sections}
    lines = [f"# {plain(title)}", "", plain(f"{kicker}. {subtitle}"), "", *section_lines(sections[0], 2)]
    for question, own in LAYOUT.items():
        lines += [f"## {run.say(f'validation.{question}')}", ""]
        for key in own:
            lines += section_lines(known[key], 3)
    for section in sections[1 + len(SECTIONS) :]:
        lines += section_lines(section, 2)
    return "\n".join(lines).rstrip() + "\n"
