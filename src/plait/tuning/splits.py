"""How good options are: the loss on rows held out of the training rows, past to future where rows have a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from plait.contracts import FORGETFUL, Json, unheard
from plait.data.splits import inner_pairs
from plait.errors import DataError
from plait.evidence import Evidence, View
from plait.model import single_threaded_blas
from plait.stacking import FEW, make_fusion
from plait.tasks import able

__all__ = ["Splits"]

Options = Mapping[str, Mapping[str, Json]]


class Splits:
    """Inner rows to fit on and rows to judge by, made once for all trials (`plait.data.splits.inner_pairs`).

    Rooms are those of the whole fit; what they learn from labels is learned from the inner rows again.

    Raises
    ------
    DataError
        If the rows cannot be divided.
    """

    def __init__(self, evidence: Evidence, fusion: str, learner: str | None) -> None:
        quiet = replace(evidence.context.job, report=unheard, keep=FORGETFUL)
        context = replace(evidence.context, job=quiet)
        whole = Evidence(evidence.batches, evidence.rooms, evidence.head, context)
        self.fusion, self.learner, self.head = fusion, learner, evidence.head
        self.inner, self.views, self.judged = [], [], []
        for fit, judge in inner_pairs(context, few=FEW):
            self.inner.append(whole.take(fit))
            self.views.append(View(whole.batches.take(judge), self.inner[-1].rooms))
            self.judged.append(context.take(judge))
        if not self.inner:
            raise DataError("the training rows cannot be divided to judge trials; give more rows, classes or groups")

    @property
    def rows(self) -> int:
        """Rows that a trial is judged by."""
        return sum(len(context) for context in self.judged)

    def losses(self, options: Options) -> Iterator[float]:
        """The mean loss of all rows judged so far, after each pair.

        Raises
        ------
        PlaitError
            If a part cannot be fitted with these options.
        """
        total, count = 0.0, 0.0
        for inner, view, context in zip(self.inner, self.views, self.judged, strict=True):
            with single_threaded_blas():
                fusion = able(make_fusion(self.fusion, self.learner, options), self.head)
                scores = fusion.fit(inner).score(view)
            total += float(self.head.error(scores, context.targets, context.weight).sum())
            count += float(context.weight.sum())
            yield total / count

    def loss(self, options: Options) -> float:
        """The mean loss of all rows judged."""
        return list(self.losses(options))[-1]
