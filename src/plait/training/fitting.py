"""From evidence to the weights of one network."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Comparing, FitContext, Json
from plait.evidence import Evidence
from plait.layers.seeded import reproducible
from plait.network import Network, build
from plait.training.alone import ROWS, Alone
from plait.training.feed import Feed, Held
from plait.training.finder import find
from plait.training.history import History, Judge
from plait.training.loop import train
from plait.training.masking import Masks, masking_of
from plait.training.pooled import Pooled
from plait.training.private import Noise
from plait.training.schedule import TrainConfig
from plait.training.several import objective_of
from plait.training.start import start, still

if TYPE_CHECKING:
    from plait.training.neural import NeuralFusion

__all__ = ["trained"]


def trained(
    fusion: NeuralFusion,
    evidence: Evidence,
    rows: npt.NDArray[np.int64],
    judge: Judge | None,
    name: str,
    epochs: int | None = None,
) -> tuple[Network, History, dict[str, Json]]:
    """A network trained on some of the rows, how that went, and what it began with.

    Parameters
    ----------
    judge
        Tells which epoch was best, and is looked at source by source; without it, training rows are.
    name
        Of the place where the training is kept.
    epochs
        Instead of the fusion's own.
    """
    own, rooms = evidence.everyone.take(rows).within(name), evidence.rooms
    config = fusion.config(epochs)
    together = evidence.head.together(own.targets) if isinstance(evidence.head, Comparing) else None
    feed, noise = _feed(evidence, rows, own, config, masking_of(fusion.masking), together)
    with reproducible(own.seed, own.threads):
        network = build(rooms, evidence.head, fusion.body, fusion.width)
    began: dict[str, Json] = {"base": None, "sweep": None}
    if own.job.base is not None:
        began["base"] = start(network, own.job.known, own.job.base, fusion.base_rate)
    objective = objective_of(evidence.head)
    if fusion.learning_rate == "find":
        sweep = find(network, feed, objective, config, report=own.report, seed=own.seed, threads=own.threads)
        config, began["sweep"] = replace(config, learning_rate=sweep.suggested), sweep.told()
    learned = partial(
        train,
        network,
        feed,
        objective,
        alone=None if fusion.epsilon else _alone(evidence, rows, judge),
        noise=noise,
        report=own.report,
        seed=own.seed,
        threads=own.threads,
    )
    if own.job.base is not None and fusion.frozen:
        with still(network):
            learned(replace(config, epochs=fusion.frozen), keep=own.keep.within("head"))
    return network, learned(config, judge=judge, balance=fusion.balancing(), keep=own.keep), began


def _alone(evidence: Evidence, rows: npt.NDArray[np.int64], judge: Judge | None) -> Alone | None:
    """Some rows on which to see how far each of several sources gets alone."""
    if len(evidence.rooms) < 2:
        return None
    context = evidence.everyone
    if judge is None:
        some = np.sort(context.rng("rows to look at").permutation(rows)[:ROWS])
        return Alone(evidence.head, evidence.inputs(some), context.targets[some], context.weight[some])
    some = np.sort(context.rng("rows to look at").permutation(len(judge.targets))[:ROWS])
    inputs = {source: batch.take(some) for source, batch in judge.inputs.items()}
    return Alone(evidence.head, inputs, judge.targets[some], judge.weight[some])


def _feed(
    evidence: Evidence,
    own: Array,
    context: FitContext,
    config: TrainConfig,
    masking: Masks,
    together: npt.NDArray[np.int64] | None,
) -> tuple[Feed, Noise | None]:
    """What the loop reads, rows `own` of the evidence, and the noise that keeps a promise of privacy."""
    rows, noise = len(context), None
    epochs, batch_size = config.sized(rows)
    if config.privacy is not None:
        rate = min(batch_size, rows) / rows
        noise = Noise.for_steps(config.privacy, rows, rate, epochs * max(1, round(1 / rate)))
    pools = evidence.pools(own)
    if pools is not None:
        return Pooled(pools, context, batch_size, masking), None
    return Held(evidence.inputs(own), context, batch_size, masking, noise, together), noise
