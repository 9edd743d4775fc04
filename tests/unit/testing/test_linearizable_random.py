"""The checker accepts every history that one object can give, and agrees with a checker that tries every order."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rustyray.testing import NotLinearizableError, UndecidedError, linearizable
from rustyray.testing.histories.search import same
from tests.unit.testing.histories import (
    ENDS,
    Counter,
    Queue,
    Register,
    Store,
    overlapping,
    some_order_is_legal,
    spoiled,
    up_to,
)

MODELS = [Register, Counter, Queue, Store]
randoms = st.randoms(use_true_random=False)


@settings(max_examples=50, deadline=None)
@given(model=st.sampled_from(MODELS), random=randoms, size=st.integers(0, 40), clients=st.integers(1, 4))
def test_accepts_what_one_object_gives(model: type, random: Random, size: int, clients: int) -> None:
    operations = overlapping(model, random, size, clients, crashes=0.05)
    try:
        linearizable(model).check(operations)
    except UndecidedError:
        return  # too many operations at once for the time that a check may take: neither right nor wrong
    assert linearizable(model).accepts(operations)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), model=st.sampled_from(MODELS), random=randoms, size=st.integers(1, 5), clients=st.integers(1, 4))
def test_agrees_with_trying_every_order(
    data: st.DataObject, model: type, random: Random, size: int, clients: int
) -> None:
    operations = overlapping(model, random, size, clients, crashes=0.1)
    ended = [index for index, one in enumerate(operations) if one.returned is not None]
    if ended:
        for index in data.draw(st.lists(st.sampled_from(ended), max_size=2, unique=True)):
            operations = spoiled(operations, index, data.draw(st.sampled_from(ENDS)))
    if some_order_is_legal(model, operations):
        linearizable(model).check(operations)
        return
    with pytest.raises(NotLinearizableError) as caught:
        linearizable(model).check(operations)
    error = caught.value
    end = error.operation.returned
    assert end is not None
    assert error.prefix == tuple(up_to(operations, end))
    assert not some_order_is_legal(model, error.prefix)
    assert some_order_is_legal(model, up_to(operations, end - 1)), "a smaller prefix cannot be explained either"
    place = error.prefix.index(error.operation)
    for outcome in [*ENDS, *error.legal]:
        told = any(same(outcome, legal) for legal in error.legal)
        assert some_order_is_legal(model, spoiled(error.prefix, place, outcome)) == told


@settings(max_examples=100, deadline=None)
@given(data=st.data(), random=randoms, size=st.integers(1, 8), clients=st.integers(1, 4))
def test_partitioning_changes_no_verdict(data: st.DataObject, random: Random, size: int, clients: int) -> None:
    operations = overlapping(Store, random, size, clients)
    index = data.draw(st.integers(0, len(operations) - 1))
    operations = spoiled(operations, index, data.draw(st.sampled_from(ENDS)))
    by_key = linearizable(Store, partition=lambda operation: operation.args[0])
    whole = linearizable(Store)
    assert by_key.accepts(operations) == whole.accepts(operations)
