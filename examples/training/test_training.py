"""Distributed training finds the weights that training in one process finds."""

from __future__ import annotations

import numpy as np
import pytest

import rustyray
from examples.training.server import (
    ParameterServer,
    Vector,
    loss_gradient,
    samples,
    split,
    train_at_will,
    train_in_step,
)

pytestmark = [pytest.mark.usefixtures("rustyray_local"), pytest.mark.rustyray(num_cpus=2)]

TRUE = np.array([3.0, -2.0, 0.5, 1.0])


@rustyray.remote
def rows(*parts: Vector) -> int:
    return sum(len(part) for part in parts)


def test_training_in_step_equals_training_alone() -> None:
    data = samples(900, TRUE, seed=1)
    weights = np.zeros(4)
    for _ in range(20):
        weights -= 0.1 * loss_gradient(weights, data)
    np.testing.assert_allclose(train_in_step(data, parts=3, steps=20, rate=0.1), weights, rtol=1e-12)


def test_training_at_will_arrives_too() -> None:
    weights, updates = train_at_will(samples(600, TRUE, seed=2), workers=2, steps=60, rate=0.05)
    assert updates == 120
    np.testing.assert_allclose(weights, TRUE, atol=1e-3)


def test_a_task_with_many_returns_gives_a_ref_for_each() -> None:
    data = samples(10, TRUE, seed=3)
    first, second, third = split.options(num_returns=3).remote(data, 3)
    assert [len(part.targets) for part in rustyray.get([first, second, third])] == [4, 3, 3]
    np.testing.assert_array_equal(rustyray.get(second).inputs, data.inputs[1::3])


def test_calls_of_one_caller_are_applied_in_order() -> None:
    server = ParameterServer.remote(1, rate=1.0)
    calls = [server.apply.remote(np.array([-1.0])) for _ in range(50)]
    seen = rustyray.get(calls)
    assert [float(weights[0]) for weights in seen] == [float(step) for step in range(1, 51)]


def test_a_gradient_of_the_wrong_size_fails_one_call_and_not_the_server() -> None:
    server = ParameterServer.remote(4, rate=0.1)
    with pytest.raises(ValueError, match="broadcast"):
        rustyray.get(server.apply.remote(np.ones(3)))
    assert rustyray.get(server.updates.remote()) == 0
    assert rustyray.get(rows.remote(server.weights.remote(), server.weights.remote())) == 8
