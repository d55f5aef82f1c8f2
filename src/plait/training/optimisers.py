"""Optimisers by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from plait.classical.options import above_zero, check, number

if TYPE_CHECKING:
    import torch

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "GradientDescent", "Momentum", "Optimiser", "RMSprop"]

Groups: TypeAlias = list[dict[str, Any]]  # of parameters, as `plait.training.groups.groups` makes them


@dataclass(frozen=True, kw_only=True)
class Optimiser(ABC):
    """How gradients become steps.

    Parameters
    ----------
    weight_decay
        Of matrices; biases, norms and embeddings do not decay. It is added to the gradient as half of its square's
        derivative (decoupled in `AdamW`).

    Raises
    ------
    ConfigError
        If an option is out of range.
    """

    name: ClassVar[str]
    usual_rate: ClassVar[float]  # the learning rate where none is asked for
    reads_all: ClassVar[bool] = False  # whether every step reads all rows

    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check(self, {"weight_decay": (number(self.weight_decay), "0 or above"), **self.rules()})

    def rules(self) -> Mapping[str, tuple[bool, str]]:
        """Of each option of its own, whether its value is allowed and which are."""
        return {}

    def __call__(self, groups: Groups, learning_rate: float) -> torch.optim.Optimizer:
        """The optimiser of these parameters."""
        for group in groups:
            group["weight_decay"] = self.weight_decay * group["decays"]
        return self.made(groups, learning_rate)

    @abstractmethod
    def made(self, groups: Groups, rate: float) -> torch.optim.Optimizer: ...


@dataclass(frozen=True, kw_only=True)
class SGD(Optimiser):
    """Against the gradient of a mini-batch, ``w -= rate * g``.

    Robbins and Monro, "A stochastic approximation method", 1951.
    """

    name: ClassVar[str] = "sgd"
    usual_rate: ClassVar[float] = 0.1

    def made(self, groups: Groups, rate: float) -> torch.optim.Optimizer:
        import torch

        return torch.optim.SGD(groups, lr=rate)


@dataclass(frozen=True, kw_only=True)
class GradientDescent(SGD):
    """Against the gradient of all rows, one step an epoch.

    Cauchy, "Methode generale pour la resolution des systemes d'equations simultanees", 1847.
    A mini-batch is then as large as the training rows. It is read in parts of at most
    `plait.training.schedule.AT_ONCE` rows, so that memory does not grow with them, and ten times as many epochs are
    usual.
    """

    name: ClassVar[str] = "gradient_descent"
    usual_rate: ClassVar[float] = 0.3
    reads_all: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Momentum(Optimiser):
    """A heavy ball: ``v = momentum * v + g``, ``w -= rate * v``.

    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964. With `nesterov` it looks ahead,
    ``w -= rate * (g + momentum * v)`` (Nesterov, 1983; Sutskever et al., "On the importance of initialization and
    momentum in deep learning", 2013).
    """

    name: ClassVar[str] = "momentum"
    usual_rate: ClassVar[float] = 0.03

    momentum: float = 0.9
    nesterov: bool = False

    def rules(self) -> Mapping[str, tuple[bool, str]]:
        return {
            "momentum": (above_zero(self.momentum) and self.momentum < 1, "above 0, below 1"),
            "nesterov": (isinstance(self.nesterov, bool), "true or false"),
        }

    def made(self, groups: Groups, rate: float) -> torch.optim.Optimizer:
        import torch

        return torch.optim.SGD(groups, lr=rate, momentum=self.momentum, nesterov=self.nesterov)


@dataclass(frozen=True, kw_only=True)
class Adagrad(Optimiser):
    """Each weight by all its gradients, ``w -= rate * g / (sqrt(sum g^2) + epsilon)``.

    Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization", 2011.
    """

    name: ClassVar[str] = "adagrad"
    usual_rate: ClassVar[float] = 0.01

    epsilon: float = 1e-10

    def rules(self) -> Mapping[str, tuple[bool, str]]:
        return {"epsilon": (above_zero(self.epsilon), "above 0")}

    def made(self, groups: Groups, rate: float) -> torch.optim.Optimizer:
        import torch

        return torch.optim.Adagrad(groups, lr=rate, eps=self.epsilon)


@dataclass(frozen=True, kw_only=True)
class RMSprop(Optimiser):
    """Each weight by its recent gradients, ``w -= rate * g / (sqrt(s) + epsilon)``.

    With ``s = decay * s + (1 - decay) * g^2`` (Tieleman and Hinton, "Neural networks for machine learning", lecture
    6.5, 2012).
    """

    name: ClassVar[str] = "rmsprop"
    usual_rate: ClassVar[float] = 1e-3

    decay: float = 0.99
    epsilon: float = 1e-8

    def rules(self) -> Mapping[str, tuple[bool, str]]:
        return {
            "decay": (number(self.decay) and self.decay < 1, "0 to below 1"),
            "epsilon": (above_zero(self.epsilon), "above 0"),
        }

    def made(self, groups: Groups, rate: float) -> torch.optim.Optimizer:
        import torch

        return torch.optim.RMSprop(groups, lr=rate, alpha=self.decay, eps=self.epsilon)


@dataclass(frozen=True, kw_only=True)
class Adam(Optimiser):
    """The running mean of gradients over the root of that of their squares.

    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1.
    """

    name: ClassVar[str] = "adam"
    usual_rate: ClassVar[float] = 1e-3

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def rules(self) -> Mapping[str, tuple[bool, str]]:
        betas = {name: getattr(self, name) for name in ("beta1", "beta2")}
        below = {name: (number(value) and value < 1, "0 to below 1") for name, value in betas.items()}
        return {**below, "epsilon": (above_zero(self.epsilon), "above 0")}

    def made(self, groups: Groups, rate: float) -> torch.optim.Optimizer:
        import torch

        return torch.optim.Adam(groups, lr=rate, betas=(self.beta1, self.beta2), eps=self.epsilon, fused=True)


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay.

    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
    """

    name: ClassVar[str] = "adamw"

    weight_decay: float = 0.01

    def made(self, groups: Groups, rate: float) -> torch.optim.Optimizer:
        import torch

        return torch.optim.AdamW(groups, lr=rate, betas=(self.beta1, self.beta2), eps=self.epsilon, fused=True)
