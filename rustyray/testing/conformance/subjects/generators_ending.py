"""How generators end, what stops them, and what becomes of their items then."""

import os

import pytest

from rustyray.testing.conformance.helpers import book, counts, entered, gate, got, stopping, told, until, values


def _fails(api, **options):
    """A remote generator that yields two items, and then raises."""

    def fails():
        yield 0
        yield 1
        raise LookupError("no more")

    return api.remote(**options)(fails) if options else api.remote(fails)


def an_error_is_the_last_item(api):
    """What the generator raises is raised by ``get`` of one more ref, which is the last."""
    refs = list(_fails(api).remote())
    assert values(api, refs[:2]) == [0, 1]
    assert len(refs) == 3
    with pytest.raises(LookupError):
        got(api, refs[2])


def next_does_not_raise_the_error(api):
    """``next`` itself returns the ref of the error, and raises StopIteration behind it."""
    items = _fails(api).remote()
    last = [next(items), next(items), next(items)][2]
    assert isinstance(last, api.ObjectRef)
    with pytest.raises(StopIteration):
        next(items)


def a_failed_argument_is_the_only_item(api):
    """Where an argument's task has failed, the generator does not run, and has one ref that raises that error."""

    @api.remote
    def broken():
        raise KeyError("gone")

    refs = list(counts(api).remote(broken.remote()))
    assert len(refs) == 1
    with pytest.raises(KeyError):
        got(api, refs[0])


def a_generators_death_is_the_last_item(api):
    """Where the worker dies and there are no retries, the last ref raises WorkerCrashedError."""

    @api.remote(max_retries=0)
    def dies():
        yield "first"
        os._exit(1)

    items = dies.remote()
    assert got(api, next(items)) == "first"
    with pytest.raises(api.exceptions.WorkerCrashedError):
        got(api, next(items))
    with pytest.raises(StopIteration):
        next(items)


def a_retry_delivers_nothing_twice(api):
    """A generator whose worker died starts anew; what has been delivered is not delivered again."""
    seen = book(api)

    @api.remote(max_retries=1)
    def dies_once():
        first = api.get(seen.write.remote("attempt")) == 1
        for n in range(6):
            if first and n == 3:
                os._exit(1)
            yield n

    assert values(api, dies_once.remote()) == list(range(6))


def exceptions_of_generators_are_retried(api):
    """With ``retry_exceptions`` a generator that raised starts anew, and no item comes twice."""
    seen = book(api)

    @api.remote(max_retries=2, retry_exceptions=True)
    def fails_once():
        attempt = api.get(seen.write.remote("attempt"))
        yield "a"
        if attempt == 1:
            raise OSError("again")
        yield "b"

    assert values(api, fails_once.remote()) == ["a", "b"]


def back_pressure_stops_a_generator(api):
    """With ``_generator_backpressure_num_objects=2`` a generator is at most so many items ahead of its reader."""
    seen = book(api)
    items = told(api, seen, _generator_backpressure_num_objects=2).remote(10)
    until(lambda: len(got(api, seen.read.remote())) == 2)
    assert got(api, next(items)) == 0
    until(lambda: len(got(api, seen.read.remote())) == 3)
    assert values(api, items) == list(range(1, 10))


def back_pressure_of_a_method(api):
    """A method's generator may have back-pressure, by ``.options``."""

    @api.remote
    class Source:
        def items(self, number):
            for n in range(number):  # noqa: UP028
                yield n

    source = Source.remote()
    items = source.items.options(_generator_backpressure_num_objects=1).remote(5)
    assert values(api, items) == [0, 1, 2, 3, 4]


def back_pressure_of_a_whole_actor(api):
    """``_actor_generator_backpressure_num_objects=2`` of an actor stops its generators while two items are not read."""
    seen = book(api)

    @api.remote(max_concurrency=2, _actor_generator_backpressure_num_objects=2)
    class Source:
        def items(self, number):
            for n in range(number):
                api.get(seen.write.remote(n))
                yield n

    source = Source.remote()
    items = source.items.remote(6)
    until(lambda: len(got(api, seen.read.remote())) == 2)
    assert got(api, next(items)) == 0
    until(lambda: len(got(api, seen.read.remote())) == 3)
    assert values(api, items) == [1, 2, 3, 4, 5]


def completed_is_ready_at_the_end(api):
    """``completed()`` is a ref that has its value when the generator has ended, and not before."""
    door = gate(api)
    items = stopping(api, door, 1).remote()
    done = items.completed()
    entered(api, door)
    assert api.wait([done], timeout=0) == ([], [done])
    api.get(door.open.remote())
    got(api, done)
    assert values(api, items) == [1]


def completed_tells_of_a_cancel(api):
    """``completed()`` of a generator that was cancelled raises TaskCancelledError."""
    door = gate(api)
    items = stopping(api, door, 1).remote()
    got(api, next(items))
    entered(api, door)
    api.cancel(items)
    with pytest.raises(api.exceptions.TaskCancelledError):
        got(api, items.completed())
    api.get(door.open.remote())


def a_cancelled_generator_ends_with_an_error(api):
    """A generator that is cancelled has one more ref, which raises TaskCancelledError."""
    door = gate(api)
    items = stopping(api, door, 1, 2).remote()
    assert got(api, next(items)) == 1
    entered(api, door)
    api.cancel(items)
    with pytest.raises(api.exceptions.TaskCancelledError):
        got(api, next(items))
    api.get(door.open.remote())


def an_async_generators_error_is_its_last_item(api):
    """What an async generator raises is raised by ``get`` of its last ref."""

    @api.remote
    class Source:
        async def items(self):
            yield 1
            raise LookupError("no more")

    refs = list(Source.remote().items.remote())
    assert len(refs) == 2
    with pytest.raises(LookupError):
        got(api, refs[1])


def too_few_items_are_an_error(api):
    """With ``num_returns=3``, a generator that yields two items is an error of the refs that are left."""
    refs = counts(api, num_returns=3).remote(2)
    with pytest.raises(ValueError):
        got(api, refs[2])


def items_outlive_their_generator(api):
    """A ref that a generator gave has its value when the generator has been dropped."""
    items = counts(api).remote(2)
    ref = next(items)
    del items
    assert got(api, ref) == 0


def unread_items_are_freed(api):
    """Items that nobody has taken are freed with their generator, and what is in them."""

    @api.remote(num_cpus=0, resources={"widget": 4})
    class Kept:
        pass

    @api.remote
    def passes(handle):
        yield "read"
        yield [handle]

    items = passes.remote(Kept.remote())
    assert got(api, next(items)) == "read"
    got(api, items.completed())
    until(lambda: api.available_resources().get("widget", 0) == 0)
    del items
    until(lambda: api.available_resources().get("widget") == 4)
