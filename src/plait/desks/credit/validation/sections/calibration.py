"""Whether probabilities come true: overall, along the scale and in time."""

from __future__ import annotations

from plait.desks.credit.validation.findings import Part, finding
from plait.desks.credit.validation.run import CreditRun
from plait.desks.credit.validation.sections.reused import reused
from plait.report.numbers import percent

__all__ = ["part"]

KEY = "calibration"
OFF = 0.2  # share by which defaults may differ from the expected


def part(run: CreditRun) -> Part:
    """The report's section, with a finding where the level as a whole is surely off by more than `OFF`."""
    section, findings = reused(KEY)(run)
    found = run.calibration
    seen, said = found.observed, found.predicted
    if seen.low > (1 + OFF) * said or seen.high < (1 - OFF) * said:
        told = {"observed": percent(seen.value), "predicted": percent(said)}
        findings = (finding(run.say, KEY, "level", **told), *findings)
    return Part(section, findings)
