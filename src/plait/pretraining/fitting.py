"""From rows without labels to a base."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from plait import artifact, registry
from plait.contracts import FORGETFUL, Batches, FitContext, Job, Json, Keep, Modality, Progress, Side, unheard
from plait.data.faults import counted
from plait.data.fingerprint import fingerprint
from plait.data.frame import groups_of, source_columns, times_of
from plait.data.schema import Schema
from plait.data.splits import holdout
from plait.errors import ConfigError, DataError, SchemaError, unknown
from plait.media.decode import running
from plait.pretraining.base import Base, untrained
from plait.pretraining.settings import Pretraining
from plait.threads import threads_of
from plait.training.neural import NeuralFusion

if TYPE_CHECKING:
    import pandas as pd

    from plait.network import Network
    from plait.training.history import History

__all__ = ["check_options", "pretrain"]

OF_FITS = ("masking", "balance", "refit", "epsilon", "base_rate", "frozen")  # options that only a fit goes by
OF_SEVERAL = ("absent", "contrast")  # options of pretraining that are about several sources


def pretrain(
    frame: pd.DataFrame,
    *,
    schema: Schema | None = None,
    time: str | None = None,
    ignore: str | Sequence[str] = (),
    fusion: str = "attention",
    options: Mapping[str, Mapping[str, Json]] | None = None,
    sides: Mapping[str, Side] | None = None,
    report: Callable[[Progress], None] = unheard,
    keep: Keep = FORGETFUL,
    seed: int = 0,
    n_jobs: int | None = None,
) -> Base:
    """Learn from rows without labels what their cells and sources have to do with each other.

    Parts of each source are hidden and told again from the rest of the row (`plait.layers.reconstruction`), and the
    sources of a row are told from those of other rows. Rows may lack sources.

    Parameters
    ----------
    frame
        Rows; a target and other columns without evidence are best named by `schema` or `ignore`.
    schema, time, ignore
        The schema, or what its inference is told.
    fusion
        A neural one, whose body is trained.
    options
        Options by part: those of the fusion under its name, and ``{"pretraining": {...}}`` (`Pretraining`).
    sides
        Long tables behind columns, by name.
    report, keep
        Who hears of it, and where it keeps what it has done.

    Raises
    ------
    ConfigError
        If the fusion has no network, or an option does not exist, is out of range, or says nothing here.
    InputError
        If columns are missing or there is nothing to learn from.
    """
    settings, network_fusion = check_options(fusion, options or {})
    if schema is None:
        schema = Schema.infer(frame, time=time, ignore=ignore, sides=sides)
    if not schema.sources:
        raise SchemaError("no column is left to learn from: every one has a role, is ignored or constant")
    own = (options or {}).get(Pretraining.name, {})
    if len(schema.sources) == 1 and (idle := [option for option in OF_SEVERAL if own.get(option)]):
        raise ConfigError(f"pretraining: {idle[0]} is about several sources, and there is one; leave it out")
    if len(frame) < 2:
        raise DataError(f"{len(frame)} row(s) cannot be learned from; give at least 2")
    context = FitContext(
        targets=np.zeros(len(frame)),
        task="regression",
        outputs=1,
        weight=np.ones(len(frame)),
        time=times_of(frame, schema.time, required=True),
        groups=groups_of(frame, schema.group),
        seed=seed,
        threads=threads_of(n_jobs),
        job=Job(report, keep, rows=np.asarray(frame.index)),
    )
    began = perf_counter()
    rooms, batches = _read(frame, schema, sides, context)
    keep.claim(_asked(schema, network_fusion, settings, batches, context))
    network, history = _trained(rooms, batches, network_fusion, settings, context)
    record = {
        "rows": len(frame),
        "fusion": fusion,
        "options": {name: dict(own) for name, own in (options or {}).items()},
        "seconds": round(perf_counter() - began, 3),
        "losses": list(history.losses),
        "held_out": list(history.judged),
        "best_epoch": history.best_epoch,
        "stopped": history.stopped,
        "told": dict(history.told),
        "contrast": bool(settings.contrast) and len(rooms) > 1,
        "seed": seed,
        "threads": context.threads,
        "faults": counted(batches.faults),
        "versions": artifact.versions(),
    }
    return Base(schema, rooms, network, network_fusion, record)


def check_options(fusion: str, options: Mapping[str, Mapping[str, Json]]) -> tuple[Pretraining, NeuralFusion]:
    """The options of pretraining and the fusion, checked; see `pretrain`."""
    for part in options:
        if part not in (fusion, Pretraining.name):
            raise unknown("part in options", part, (fusion, Pretraining.name))
    own: dict[str, Any] = dict(options.get(Pretraining.name, {}))
    known = [field.name for field in fields(Pretraining)]
    for option in own:
        if option not in known:
            raise unknown("option of pretraining", option, known)
    made = registry.make("fusions", fusion, options.get(fusion, {}))
    if not isinstance(made, NeuralFusion):
        raise ConfigError(f"fusion {fusion!r} has no network of its own to pretrain; attention has one")
    usual = {field.name: field.default for field in fields(made)}
    if idle := [option for option in OF_FITS if getattr(made, option) != usual[option]]:
        raise ConfigError(f"{fusion}: {idle[0]} says nothing in pretraining; leave it out, and give it to the fit")
    if "passes" in own and made.epochs != "auto":
        raise ConfigError(
            f"pretraining: passes says nothing beside {fusion}.epochs={made.epochs}; leave one of them out"
        )
    return Pretraining(**own), made


def _asked(
    schema: Schema, fusion: NeuralFusion, settings: Pretraining, batches: Batches, context: FitContext
) -> dict[str, Json]:
    """What decides the result."""
    return {
        "schema": schema.to_json(),
        "fusion": {"name": fusion.name, **asdict(fusion)},
        "pretraining": asdict(settings),
        "seed": context.seed,
        "threads": context.threads,
        "cells": fingerprint(*batches.sources.values()),
        "times and groups": fingerprint(context.time, context.groups),
        "versions": artifact.versions(),
    }


def _read(
    frame: pd.DataFrame, schema: Schema, sides: Mapping[str, Side] | None, context: FitContext
) -> tuple[dict[str, Modality], Batches]:
    from threadpoolctl import threadpool_limits

    columns = source_columns(frame, schema, sides)
    rooms: dict[str, Modality] = {}
    batches = {}
    with threadpool_limits(limits=1), running(context.report, context.threads):
        for source in schema.sources:
            context.report(Progress(f"reading {source.name}", len(rooms), len(schema.sources)))
            rooms[source.name] = registry.room(source)(source).fit([columns[source.name]], context)
            batches[source.name] = rooms[source.name].transform(columns[source.name])
    return rooms, Batches(batches, len(frame))


def _trained(
    rooms: Mapping[str, Modality],
    batches: Batches,
    fusion: NeuralFusion,
    settings: Pretraining,
    context: FitContext,
) -> tuple[Network, History]:
    """The network, and how its training went; rows without any source are left out."""
    from plait.layers.seeded import reproducible
    from plait.pretraining.pretext import Asked, Pretext
    from plait.training.feed import Held
    from plait.training.finder import find
    from plait.training.loop import train
    from plait.training.masking import Masking

    there = np.flatnonzero(batches.present.any(axis=1))
    if len(there) < 2:
        raise DataError(f"{len(there)} row(s) have a cell that can be read; at least 2 are needed")
    fit, kept = holdout(context.take(there), fusion.holdout) if fusion.holdout else (there[:0], there[:0])
    rows, judged = (there[fit], there[kept]) if len(fit) else (there, there[:0])
    inputs = {name: rooms[name].inputs(batch) for name, batch in batches.sources.items()}
    own = context.take(rows).within("pretraining")
    config = fusion.config()
    epochs, batch_size = config.sized(len(own))
    if fusion.epochs == "auto":
        config = replace(config, epochs=max(1, round(settings.passes * epochs)))
    with reproducible(own.seed, own.threads):
        network = untrained(rooms, fusion)
        objective = Pretext(network, settings)
    feed = Held({name: batch.take(rows) for name, batch in inputs.items()}, own, batch_size, Masking(0.0))
    if fusion.learning_rate == "find":
        sweep = find(network, feed, objective, config, report=own.report, seed=own.seed, threads=own.threads)
        config = replace(config, learning_rate=sweep.suggested)
    judge = None
    if len(judged):
        judge = Asked(objective, {name: batch.take(judged) for name, batch in inputs.items()}, own.seed, own.threads)
    history = train(
        network,
        feed,
        objective,
        config,
        judge=judge,
        keep=own.keep,
        report=own.report,
        seed=own.seed,
        threads=own.threads,
    )
    return network, history
