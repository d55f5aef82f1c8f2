"""Training under differential privacy: what one row can do to the weights is bounded, and drowned in noise.

DP-SGD (Abadi et al., "Deep Learning with Differential Privacy", 2016, algorithm 1): mini-batches by Poisson sampling,
the gradient of every single row clipped to a norm, Gaussian noise on their sum. The noise that a promise needs, and
what was spent, come from Opacus (Renyi accounting; Mironov et al., 2019). Gradients are taken row by row, since the
hooks by which Opacus batches them know none of the encoders here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plait.contracts import Comparing, Composite, Head
from plait.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    import torch

__all__ = ["Noise", "Privacy", "Spent", "check_private", "draws", "noisy_gradients"]

ORDERS = [*(1 + x / 10 for x in range(1, 100)), *range(11, 64), *range(64, 1025, 32)]  # of Renyi divergences


@dataclass(frozen=True)
class Privacy:
    """A promise: the weights are (`epsilon`, `delta`)-differentially private towards single training rows.

    `clip` is the largest norm of a row's gradient. The promise is about the weights of the network: what rooms and head
    learn (scales, vocabularies, the prior) is not covered.
    """

    epsilon: float
    delta: float | None = None
    clip: float = 1.0


@dataclass(frozen=True)
class Spent:
    """What a training cost: `epsilon` at `delta` after `steps` steps with noise of `noise` times `clip`, each row drawn
    with chance `rate`."""

    epsilon: float
    delta: float
    noise: float
    clip: float
    rate: float
    steps: int


@dataclass(frozen=True)
class Noise:
    """The noise that keeps a promise over so many steps on so many rows."""

    promise: Privacy
    delta: float
    multiplier: float
    rate: float

    @classmethod
    def for_steps(cls, promise: Privacy, rows: int, rate: float, steps: int) -> Noise:
        """The least noise that keeps the promise; without a delta it is for 1 / `rows`.

        Raises
        ------
        MissingExtraError
            If Opacus is not installed.
        ConfigError
            If no noise keeps the promise.
        """
        utils = _opacus()
        delta = 1.0 / max(rows, 2) if promise.delta is None else promise.delta
        try:
            multiplier = utils.get_noise_multiplier(
                target_epsilon=promise.epsilon,
                target_delta=delta,
                sample_rate=rate,
                steps=steps,
                accountant="rdp",
                alphas=ORDERS,
            )
        except ValueError:
            raise ConfigError(
                f"no noise keeps epsilon={promise.epsilon:g} at delta={delta:g}: ask for more epsilon or fewer epochs"
            ) from None
        return cls(promise, delta, float(multiplier), rate)

    def spent(self, steps: int) -> Spent:
        """What so many steps cost."""
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [(self.multiplier, self.rate, steps)]
        epsilon = float(accountant.get_epsilon(self.delta, alphas=ORDERS)) if steps else 0.0
        return Spent(epsilon, self.delta, self.multiplier, self.promise.clip, self.rate, steps)


def check_private(head: Head) -> None:
    """Check that a head's loss can be that of single rows, and weighs them by nothing that rows tell without noise.

    Raises
    ------
    ConfigError
        If it cannot, or does not.
    """
    if isinstance(head, Composite) and head.weights in ("gradient", "uncertainty"):
        raise ConfigError(
            f"weights={head.weights!r} go by losses of rows, which a private training (epsilon) must not tell; give "
            "weights='equal', or numbers by target"
        )
    members = head.members.values() if isinstance(head, Composite) else [head]
    if wrong := [member.name for member in members if isinstance(member, Comparing)]:
        raise ConfigError(f"a {wrong[0]} compares rows, and a private training (epsilon) reads them one by one")


def _opacus() -> Any:
    try:
        import opacus.accountants.utils as utils
    except ImportError:
        raise MissingExtraError("private training needs Opacus; pip install 'plait[private]'") from None
    return utils


def draws(rows: int, rate: float, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """An epoch of Poisson samples: every row is in each of ``1 / rate`` mini-batches with chance `rate`."""
    for _ in range(max(1, round(1 / rate))):
        yield np.flatnonzero(rng.random(rows) < rate)


def noisy_gradients(
    network: torch.nn.Module,
    loss_of: Callable[[npt.NDArray[np.int64]], torch.Tensor],
    rows: int,
    noise: Noise,
    expected: float,
) -> float:
    """Set the gradient of every parameter to the noisy mean of the rows' clipped gradients; the rows' mean loss.

    Parameters
    ----------
    loss_of
        From one row of the mini-batch (its place, int64 ``1``) to its loss, a scalar.
    rows
        Of the mini-batch.
    expected
        Rows of a mini-batch on average, by which the sum is divided whatever their number.

    Raises
    ------
    ConfigError
        If a module normalises over rows, so that there is no gradient of one row.
    """
    import torch

    if any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in network.modules()):
        raise ConfigError(
            "private training needs rows that do not mix, but an encoder of this network normalises over rows "
            "(BatchNorm); choose another encoder for pictures, sounds and films"
        )
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    total = 0.0
    for row in range(rows):
        loss = loss_of(np.array([row]))
        total += loss.item()
        _add_clipped(sums, torch.autograd.grad(loss, parameters, allow_unused=True), noise.promise.clip)
    for parameter, summed in zip(parameters, sums, strict=True):
        drowned = summed + noise.multiplier * noise.promise.clip * torch.randn_like(summed)
        parameter.grad = drowned / expected
    return total / max(rows, 1)


def _add_clipped(sums: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor | None], clip: float) -> None:
    norm = sum(float(gradient.pow(2).sum()) for gradient in gradients if gradient is not None) ** 0.5
    share = min(1.0, clip / norm) if norm > 0 else 0.0
    for summed, gradient in zip(sums, gradients, strict=True):
        if gradient is not None:
            summed += share * gradient
