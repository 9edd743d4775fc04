"""Gradient descent with a parameter server: an actor holds the weights, tasks compute gradients on samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import rustyray

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """Some of the samples: one row of `inputs` and one target each."""

    inputs: Vector
    targets: Vector


def samples(count: int, weights: Vector, seed: int) -> Part:
    """Draws samples of a linear function with these weights."""
    inputs = np.random.default_rng(seed).normal(size=(count, len(weights)))
    return Part(inputs, inputs @ weights)


def loss_gradient(weights: Vector, part: Part) -> Vector:
    """Returns the gradient of the mean squared error on a part."""
    gradient: Vector = 2 * part.inputs.T @ (part.inputs @ weights - part.targets) / len(part.targets)
    return gradient


@rustyray.remote
def split(data: Part, parts: int) -> list[Part]:
    """Deals the samples out; called with `num_returns=parts`, each part gets its own ref."""
    return [Part(data.inputs[start::parts], data.targets[start::parts]) for start in range(parts)]


@rustyray.remote
def gradient_of(weights: Vector, part: Part) -> Vector:
    """Computes a gradient in a worker."""
    return loss_gradient(weights, part)


@rustyray.remote
class ParameterServer:
    """Holds the weights and moves them against the gradients it is sent."""

    def __init__(self, size: int, rate: float) -> None:
        self._weights = np.zeros(size)
        self._rate = rate
        self._updates = 0

    def weights(self) -> Vector:
        """Returns the weights as they are now."""
        return self._weights

    def apply(self, *gradients: Vector) -> Vector:
        """Takes one step along the mean of some gradients and returns the new weights."""
        self._weights = self._weights - self._rate * np.mean(gradients, axis=0)
        self._updates += 1
        return self._weights

    def updates(self) -> int:
        """Returns how many steps were taken."""
        return self._updates


@rustyray.remote
def descend(server: rustyray.ActorHandle[ParameterServer], part: Part, steps: int) -> None:
    """Takes steps at its own pace, on weights that other workers move at the same time."""
    for _ in range(steps):
        gradient = loss_gradient(rustyray.get(server.weights.remote()), part)
        rustyray.get(server.apply.remote(gradient))


def train_in_step(data: Part, parts: int, steps: int, rate: float) -> Vector:
    """Trains with one barrier a step. The whole loop is wired from refs; the driver waits once, at the end."""
    server = ParameterServer.remote(data.inputs.shape[1], rate)
    shares = split.options(num_returns=parts).remote(data, parts)
    weights = server.weights.remote()
    for _ in range(steps):
        weights = server.apply.remote(*[gradient_of.remote(weights, share) for share in shares])
    return rustyray.get(weights)


def train_at_will(data: Part, workers: int, steps: int, rate: float) -> tuple[Vector, int]:
    """Trains without barriers and returns the weights and the number of steps taken."""
    server = ParameterServer.remote(data.inputs.shape[1], rate)
    shares = split.options(num_returns=workers).remote(data, workers)
    rustyray.get([descend.remote(server, share, steps) for share in shares])
    return rustyray.get(server.weights.remote()), rustyray.get(server.updates.remote())
