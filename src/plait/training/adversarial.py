"""A trained network under attack: its tokens pushed the way that hurts most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch

from plait.contracts import Array, Batch, Head
from plait.network import Network, TokenLists, applied, batched

__all__ = ["fgsm"]

ROWS = 128  # attacked at once


def fgsm(
    network: Network,
    inputs: Mapping[str, Batch],
    head: Head,
    targets: Array,
    steps: Sequence[float],
    rng: np.random.Generator | None = None,
) -> list[npt.NDArray[np.float64]]:
    """Scores of rows whose tokens moved one step along the sign of the loss's gradient, as large in every coordinate.

    The fast gradient sign method (Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples",
    ICLR 2015), in the embeddings of tokens (Miyato et al., "Adversarial training methods for semi-supervised text
    classification", ICLR 2017), since words and categories have no gradient themselves.

    Parameters
    ----------
    targets
        float64 ``N``, as the head encodes them.
    steps
        Sizes of the step, in root mean squares of the source's own tokens of the same rows.
    rng
        Draw the signs at random instead: what a step of the same size does that means no harm.

    Returns
    -------
    list of ndarray
        float64 ``N x K`` for each step.
    """
    total = len(next(iter(inputs.values())))
    found = [np.empty((total, head.outputs)) for _ in steps]
    with applied(network, total):
        for rows, part in batched(inputs, ROWS):
            if not len(rows):
                continue
            values, masks = _tokens(network, part)
            if rng is None:
                truth = torch.from_numpy(np.asarray(targets[rows], np.float32))
                loss = head.loss(network.read(values, masks), truth, torch.ones(len(rows)))
                ways = [slope.sign() for slope in torch.autograd.grad(loss, values)]
            else:
                ways = [torch.from_numpy(2 * rng.integers(0, 2, tuple(v.shape)) - 1).to(v.dtype) for v in values]
            sizes = [_size(value, mask) for value, mask in zip(values, masks, strict=True)]
            with torch.no_grad():
                for out, step in zip(found, steps, strict=True):
                    moved = [v + step * s * way for v, s, way in zip(values, sizes, ways, strict=True)]
                    out[rows] = network.read(moved, masks).numpy()
    return found


def _tokens(network: Network, part: Mapping[str, Batch]) -> TokenLists:
    """Tokens as leaves, so that the gradient stops there."""
    with torch.no_grad():
        values, masks = network.tokens(network.collate(part))
    return [value.detach().clone().requires_grad_() for value in values], masks


def _size(value: torch.Tensor, mask: torch.Tensor) -> float:
    """Root mean square of the tokens that are there."""
    there = value.detach()[mask]
    return float(there.square().mean().sqrt()) if there.numel() else 0.0
