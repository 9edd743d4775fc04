"""Generators: refs as they are yielded."""

import asyncio

import pytest
import ray


@ray.remote
def count(n):
    for i in range(n):
        yield i


def test_items_in_order(ray_start_regular):
    assert [ray.get(ref) for ref in count.remote(5)] == [0, 1, 2, 3, 4]


def test_it_is_a_generator_of_refs(ray_start_regular):
    stream = count.remote(1)
    assert isinstance(stream, ray.ObjectRefGenerator)
    assert isinstance(next(stream), ray.ObjectRef)
    with pytest.raises(StopIteration):
        next(stream)


def test_an_empty_generator(ray_start_regular):
    assert list(count.remote(0)) == []


def test_streaming_by_option(ray_start_regular):
    @ray.remote(num_returns="streaming")
    def two():
        yield 1
        yield 2

    assert ray.get(list(two.remote())) == [1, 2]


def test_dynamic_returns(ray_start_regular):
    @ray.remote(num_returns="dynamic")
    def several(n):
        for i in range(n):
            yield i * i

    refs = ray.get(several.remote(4))
    assert ray.get(list(refs)) == [0, 1, 4, 9]


def test_a_generator_with_a_number_of_returns(ray_start_regular):
    assert ray.get(count.options(num_returns=3).remote(3)) == [0, 1, 2]


def test_an_error_in_the_middle(ray_start_regular):
    @ray.remote
    def broken():
        yield 1
        raise ValueError("middle")

    stream = broken.remote()
    assert ray.get(next(stream)) == 1
    with pytest.raises(ValueError, match="middle"):
        ray.get(next(stream))
    with pytest.raises(StopIteration):
        next(stream)


def test_a_method_that_yields(ray_start_regular):
    @ray.remote
    class Source:
        def items(self, n):
            for i in range(n):
                yield i

    assert ray.get(list(Source.remote().items.remote(3))) == [0, 1, 2]


def test_an_async_method_that_yields(ray_start_regular):
    @ray.remote
    class Source:
        async def items(self, n):
            for i in range(n):
                await asyncio.sleep(0)
                yield i

    assert ray.get(list(Source.remote().items.remote(3))) == [0, 1, 2]


def test_async_iteration(ray_start_regular):
    async def main():
        return [await ref async for ref in count.remote(3)]

    assert asyncio.run(main()) == [0, 1, 2]


def test_wait_for_the_next_item(ray_start_regular):
    stream = count.remote(2)
    ready, rest = ray.wait([stream], timeout=30)
    assert ready == [stream] and rest == []
    assert ray.get(next(stream)) == 0


def test_completed(ray_start_regular):
    stream = count.remote(3)
    assert ray.get(stream.completed()) is None
    assert len(list(stream)) == 3


def test_items_as_arguments(ray_start_2_cpus):
    @ray.remote
    def double(x):
        return 2 * x

    assert ray.get([double.remote(ref) for ref in count.remote(3)]) == [0, 2, 4]


def test_backpressure(ray_start_regular, tmp_path):
    path = str(tmp_path / "made")

    @ray.remote(_generator_backpressure_num_objects=2)
    def slow():
        for i in range(8):
            with open(path, "a") as file:
                file.write("x")
            yield i

    stream = slow.remote()
    assert ray.get(next(stream)) == 0
    with open(path) as file:
        assert len(file.read()) <= 4
    assert ray.get(list(stream)) == list(range(1, 8))
