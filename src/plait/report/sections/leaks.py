"""What was looked for that would make figures too good: leaks of the target, of the future, and across the split."""

from __future__ import annotations

from plait.report.page import Block, Notice, Section, Subheading, Table
from plait.report.run import Run

__all__ = ["KINDS", "section"]

KINDS = (
    "target_copy",
    "stands_out",
    "target_missing",
    "target_extremes",
    "target_words",
    "target_mean",
    "target_order",
    "future",
    "repeated_rows",
    "shared_group",
)


def section(run: Run) -> Section:
    say = run.say
    found = [finding for finding in run.findings if finding.kind in KINDS]
    counts = {kind: sum(finding.kind == kind for finding in found) for kind in KINDS}
    rows = tuple(
        (say.name("finding", kind), say("leaks.none") if not count else str(count)) for kind, count in counts.items()
    )
    blocks: list[Block] = []
    if found:
        blocks.append(Subheading(say("leaks.found")))
        blocks += [Notice(str(finding), "watch") for finding in found]
    blocks.append(Table(say("leaks.table"), tuple(say("leaks.header").split("|")), rows))
    verdict = say("leaks.some", found=len(found)) if found else say("leaks.clean", kinds=len(KINDS))
    watch = [say("leaks.watch", finding=str(finding)) for finding in found]
    return Section.of("leaks", say("leaks.title"), blocks, verdict, watch)
