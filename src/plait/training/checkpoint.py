"""A training between two steps as a `State`, and back: weights, optimiser, rates, place in the data, random numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from plait.contracts import Array, State
from plait.training.sharding import divided, whole

if TYPE_CHECKING:
    from plait.training.loop import Training

__all__ = ["restored", "saved"]

VERSION = 1


def saved(training: Training) -> State:
    """All that the next steps depend on, beside what the fit was told and its rows; copied, for it goes on."""
    counts = {"done": training.done, "epoch": training.epoch, "place": training.place, "total": training.total}
    values = {
        **counts,
        "losses": list(training.losses),
        "judged": list(training.judged),
        "alone": {source: list(known) for source, known in training.alone.items()},
        "best": training.best,
        "best_epoch": training.best_epoch,
        "rate": training.rate.state(),
        "balance": {} if training.balance is None else training.balance.state(),
        "told": dict(training.told),
    }
    parts = {
        "module": _arrays(training.module.state_dict()),
        "kept": _arrays(training.kept),
        "mean": _arrays(training.mean),
        "random": {"cpu": torch.get_rng_state().numpy(), **_cuda()},
    }
    for place, held in training.optimiser.state_dict()["state"].items():
        parts[f"optimiser {place}"] = _arrays({k: torch.as_tensor(v) for k, v in held.items() if v is not None})
    return State(VERSION, values, parts={name: State(VERSION, arrays=arrays) for name, arrays in parts.items()})


def restored(training: Training, state: State) -> None:
    """Put a training, made as the one that was saved, to where that one stood."""
    values, parts = state.values, state.parts
    training.done, training.epoch, training.place = values["done"], values["epoch"], values["place"]
    training.total, training.best, training.best_epoch = values["total"], values["best"], values["best_epoch"]
    training.losses, training.judged = list(values["losses"]), list(values["judged"])
    training.alone |= {source: list(known) for source, known in values["alone"].items()}
    training.told = dict(values["told"])
    training.rate.restore(values["rate"])
    if training.balance is not None:
        training.balance.restore(values["balance"])
    own, network = training.module.state_dict(), training.network.state_dict()
    training.module.load_state_dict(_tensors(parts["module"], own.get))
    training.kept, training.mean = _tensors(parts["kept"], network.get), _tensors(parts["mean"], network.get)
    known = training.optimiser.state_dict()
    moved = [parameter for group in training.optimiser.param_groups for parameter in group["params"]]
    names = {name: int(name.split()[1]) for name in parts if name.startswith("optimiser ")}
    known["state"] = {
        place: _tensors(parts[name], dict.fromkeys(parts[name].arrays, moved[place]).get)
        for name, place in names.items()
    }
    training.optimiser.load_state_dict(known)
    torch.set_rng_state(torch.from_numpy(np.array(parts["random"].arrays["cpu"])))
    if "cuda" in parts["random"].arrays:
        torch.cuda.set_rng_state(torch.from_numpy(np.array(parts["random"].arrays["cuda"])))


def _arrays(tensors: Mapping[str, Any]) -> dict[str, Array]:
    return {name: whole(tensor.detach()).cpu().numpy().copy() for name, tensor in tensors.items()}


def _tensors(state: State, like: Callable[[str], torch.Tensor | None]) -> dict[str, torch.Tensor]:
    """Tensors of a state, divided among processes as others are."""
    return {name: divided(torch.from_numpy(np.array(array)), like(name)) for name, array in state.arrays.items()}


def _cuda() -> dict[str, Array]:
    return {"cuda": torch.cuda.get_rng_state().numpy()} if torch.cuda.is_available() else {}
