"""``validate``: one document with everything that a validator asks of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Json, Operation, Progress, asked

if TYPE_CHECKING:
    from plait.desks.credit.validation import Validation

__all__ = ["OPERATION", "ValidateRequest", "ValidateResult"]


@dataclass(frozen=True)
class ValidateRequest:
    """A run, and where its document goes."""

    run: Path = asked("folder", "The folder that `plait credit fit` wrote.", shown="RUN", leading=True)
    output: Path | None = asked(
        "file", "FILE.html, FILE.md, FILE.json, or a folder for all three.", default=None, short="o"
    )
    language: str = asked("choice", "Of the document.", default="en", choices=("en", "zh"))
    rules: tuple[str, ...] = asked("names", "Rule packs: us, eu, china; by default all.", default=("us", "eu", "china"))
    rows: int = asked("count", "Declined applications whose reasons are shown.", default=3, least=0, most=20)
    data: Path | None = asked("file", "Where the run's data lies now, if it was moved.", default=None)
    side: Mapping[str, str] = asked("entries", "Where a long table lies now, if it was moved.", default={})
    show_personal: bool = asked("flag", "Show personal data that cells hold; by default it is masked.", default=False)
    require: bool = asked("flag", "Refuse the model (exit code 3) where a finding is red.", default=False)


@dataclass(frozen=True)
class ValidateResult:
    """What was found, and the files that show it."""

    validation: Validation
    files: tuple[Path, ...]

    @property
    def refusal(self) -> str:
        return self.validation.refusal

    def __str__(self) -> str:
        return "\n".join([str(self.validation), *(f"written to {path}" for path in self.files)])

    def to_json(self) -> Json:
        return {"files": [str(path) for path in self.files], **self.validation.to_json()}


def run(request: ValidateRequest, report: Callable[[Progress], None]) -> ValidateResult:
    """Validate a run, and write the document where that is asked."""
    from plait.desks.credit.validation import validate
    from plait.desks.credit.validation.pack import check_output

    check_output(request.output)
    found = validate(
        request.run,
        language=request.language,
        rule_packs=request.rules,
        data=request.data,
        sides=request.side,
        rows=request.rows,
        show_personal=request.show_personal,
        required=request.require,
        report=report,
    )
    return ValidateResult(found, () if request.output is None else found.write(request.output))


OPERATION = Operation(
    name="validate",
    request=ValidateRequest,
    run=run,
    summary="Validate a run: one document with everything that a validator asks, and what was found.",
    effect="reads",
    policies=("validation",),
    example={"run": "runs/credit", "output": "validation.html", "rules": ["us", "eu"]},
)
