"""How a trained network's scores come apart: by coalitions of its sources, and by its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from plait.contracts import Array, Batch
from plait.network import Network, TokenLists, applied, batched

__all__ = ["COALITIONS", "TokenShares", "coalitions", "token_shares", "versions"]

ROWS = 128  # whose tokens are held at once
COALITIONS = 512  # that the body reads at once
STEPS = 64  # points on the way from tokens that say nothing to those of the row


def coalitions(
    network: Network, inputs: Mapping[str, Batch], rows: Array, present: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Scores of `rows` (int ``M``) with the tokens of the sources in `present` (bool ``M x S``) alone: ``M x K``.

    Encoders read each row once; the body reads each coalition.
    """
    total = len(next(iter(inputs.values())))
    found: list[tuple[Array, Array]] = []
    with torch.inference_mode(), applied(network, len(rows)):
        for chosen, part in batched(inputs, ROWS):
            place = np.full(total, -1)
            place[chosen] = np.arange(len(chosen))
            values, masks = network.tokens(network.collate(part))
            asked = np.flatnonzero(place[rows] >= 0)
            # Coalitions without the longest source stand together: the body then reads none of its tokens.
            lightest_first = np.argsort([value.shape[1] for value in values], kind="stable")
            asked = asked[np.lexsort(present[asked][:, lightest_first].T)]
            for start in range(0, len(asked), COALITIONS):
                some = asked[start : start + COALITIONS]
                seen = _seen(values, masks, torch.from_numpy(place[rows[some]]), present[some])
                found.append((some, network.read(*seen).float().cpu().numpy()))
    out = np.empty((len(rows), found[0][1].shape[1]), np.float64)
    for some, scores in found:
        out[some] = scores
    return out


def versions(
    network: Network, inputs: Mapping[str, Batch], rows: Array, others: Mapping[str, Batch]
) -> npt.NDArray[np.float64]:
    """Scores of `rows` (int ``M``) with the inputs `others` (``M`` rows) of some sources instead: ``M x K``.

    What stays of a row is encoded once.
    """
    with torch.inference_mode(), applied(network, len(rows)):
        values, masks = network.tokens(network.collate(inputs))
        for i, source in enumerate(network.places):
            if source in others:
                encoder = network.encoder(source)
                tokens = encoder(encoder.collate(others[source]))
                values[i], masks[i] = tokens.values_BTD + network.source[i], tokens.mask_BT
            else:
                values[i], masks[i] = values[i][rows], masks[i][rows]
        return np.asarray(network.read(values, masks).numpy(), np.float64)


def _seen(
    values: list[torch.Tensor], masks: list[torch.Tensor], rows: torch.Tensor, present: npt.NDArray[np.bool_]
) -> TokenLists:
    """Tokens of rows, those of absent sources masked; one token stays of a source that no row has."""
    there, rows = torch.from_numpy(present).to(masks[0].device), rows.to(masks[0].device)
    stop = [None if there[:, i].any() else 1 for i in range(len(values))]
    return (
        [value[rows, : stop[i]] for i, value in enumerate(values)],
        [mask[rows, : stop[i]] & there[:, i, None] for i, mask in enumerate(masks)],
    )


@dataclass(frozen=True)
class TokenShares:
    """What each token adds to one score a row: ``base + sum of values`` is about the score.

    Parameters
    ----------
    values
        Of each source, float64 ``N x T_s``; 0 where no token is.
    base
        float64 ``N``: the score of tokens that are there and say nothing.
    attention
        Of each source, float64 ``N x T_s``: how much the pooled vector attended to the token; None where the body does
        not attend.
    """

    values: tuple[npt.NDArray[np.float64], ...]
    base: npt.NDArray[np.float64]
    attention: tuple[npt.NDArray[np.float64], ...] | None


def token_shares(network: Network, inputs: Mapping[str, Batch], output: npt.NDArray[np.int64]) -> TokenShares:
    """Integrated gradients of a score in the tokens (Sundararajan et al., "Axiomatic Attribution for Deep Networks",
    2017, equation 1), from tokens that only tell which source they are of, summed over their features.

    The integral is by Gauss-Legendre quadrature in ``sqrt(alpha)``: near the baseline the norms make scores bend most.

    Parameters
    ----------
    output
        int64 ``N``: the score of each row that is taken apart.
    """
    rows = len(output)
    base, wide = np.zeros(rows), [0] * len(network.places)
    parts: list[tuple[Array, list[Array], list[Array] | None]] = []
    with applied(network, rows):
        for chosen, part in batched(inputs, ROWS):
            with torch.no_grad():
                values, masks = network.tokens(network.collate(part))
                weights = _attention(network, values, masks)
            shares, base[chosen] = _integrated(network, values, masks, torch.from_numpy(output[chosen]))
            wide = [max(w, share.shape[1]) for w, share in zip(wide, shares, strict=True)]
            parts.append((chosen, shares, weights))
    values_of = tuple(np.zeros((rows, w)) for w in wide)
    attention = None if parts[0][2] is None else tuple(np.zeros((rows, w)) for w in wide)
    for chosen, shares, weights in parts:
        for i, share in enumerate(shares):
            values_of[i][chosen, : share.shape[1]] = share
            if attention is not None and weights is not None:
                attention[i][chosen, : share.shape[1]] = weights[i]
    return TokenShares(values_of, base, attention)


def _integrated(
    network: Network, values: list[torch.Tensor], masks: list[torch.Tensor], output: torch.Tensor
) -> tuple[list[Array], Array]:
    """Shares of the tokens of each source, and the score of the baseline."""
    start = [network.source[i].detach().expand_as(value) for i, value in enumerate(values)]
    nodes, weights = np.polynomial.legendre.leggauss(STEPS)
    roots = (nodes + 1) / 2
    total = [torch.zeros_like(value, dtype=torch.float64) for value in values]
    for root, weight in zip(roots, weights, strict=True):
        at = [torch.lerp(s, value, float(root**2)).requires_grad_() for s, value in zip(start, values, strict=True)]
        with torch.enable_grad():
            scores = network.read(at, masks).gather(1, output[:, None])
            gradients = torch.autograd.grad(scores.sum(), at)
        for sum_BTD, gradient in zip(total, gradients, strict=True):
            sum_BTD += float(weight * root) * gradient  # d alpha is 2 sqrt(alpha) d sqrt(alpha), and weights sum to 2
    with torch.no_grad():
        base = network.read(start, masks).gather(1, output[:, None])[:, 0].numpy()
    shares = [
        ((value - s) * sum_BTD).sum(dim=2).masked_fill(~mask, 0.0).numpy()
        for value, s, sum_BTD, mask in zip(values, start, total, masks, strict=True)
    ]
    return shares, base


def _attention(network: Network, values: list[torch.Tensor], masks: list[torch.Tensor]) -> list[Array] | None:
    """Weights of the pooled vector's attention to the tokens of each source, where the body tells them."""
    told = getattr(network.body, "attention", None)
    if told is None:
        return None
    weights_BT: torch.Tensor = told(values, masks)
    return [part.numpy() for part in torch.split(weights_BT, [value.shape[1] for value in values], dim=1)]
