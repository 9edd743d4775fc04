"""Tasks: arguments, returns, options, nesting."""

import os
import time

import pytest
import ray


@ray.remote
def double(x):
    return 2 * x


@ray.remote
def add(a, b=0, *rest, **named):
    return a + b + sum(rest) + sum(named.values())


def test_task_returns_a_value(ray_start_regular):
    assert ray.get(double.remote(21)) == 42


def test_positional_and_keyword_arguments(ray_start_regular):
    assert ray.get([add.remote(1), add.remote(1, 2), add.remote(1, b=5)]) == [1, 3, 6]


def test_varargs_and_kwargs(ray_start_regular):
    assert ray.get(add.remote(1, 2, 3, 4, x=10, y=20)) == 40


def test_many_tasks(ray_start_2_cpus):
    assert ray.get([double.remote(i) for i in range(200)]) == [2 * i for i in range(200)]


def test_a_task_cannot_be_called_directly(ray_start_regular):
    with pytest.raises(TypeError):
        double(1)


def test_refs_as_arguments_are_resolved(ray_start_regular):
    ref = double.remote(1)
    for _ in range(5):
        ref = double.remote(ref)
    assert ray.get(ref) == 64


def test_refs_inside_containers_are_not_resolved(ray_start_regular):
    @ray.remote
    def kinds(items):
        return [isinstance(i, ray.ObjectRef) for i in items]

    assert ray.get(kinds.remote([ray.put(1), 2, double.remote(3)])) == [True, False, True]


def test_keyword_refs_are_resolved(ray_start_regular):
    assert ray.get(add.remote(a=ray.put(1), b=double.remote(2))) == 5


def test_multiple_returns(ray_start_regular):
    @ray.remote(num_returns=3)
    def three():
        return 1, 2, 3

    a, b, c = three.remote()
    assert ray.get([a, b, c]) == [1, 2, 3]


def test_multiple_returns_by_options(ray_start_regular):
    @ray.remote
    def several(n):
        return list(range(n))

    refs = several.options(num_returns=4).remote(4)
    assert ray.get(refs) == [0, 1, 2, 3]


def test_no_returns(ray_start_regular):
    @ray.remote(num_returns=0)
    def nothing():
        return None

    assert nothing.remote() is None


def test_too_few_returns_is_an_error(ray_start_regular):
    @ray.remote(num_returns=3)
    def two():
        return 1, 2

    refs = two.remote()
    with pytest.raises(ValueError):
        ray.get(refs[0])


def test_closure_is_captured(ray_start_regular):
    offset = 10

    @ray.remote
    def shifted(x):
        return x + offset

    assert ray.get(shifted.remote(5)) == 15


def test_lambda_as_a_task(ray_start_regular):
    assert ray.get(ray.remote(lambda x: x**2).remote(9)) == 81


def test_function_as_argument(ray_start_regular):
    @ray.remote
    def apply(f, x):
        return f(x)

    assert ray.get(apply.remote(lambda v: v + 1, 1)) == 2


def test_nested_tasks(ray_start_regular):
    @ray.remote
    def outer(x):
        return ray.get(double.remote(x)) + 1

    assert ray.get(outer.remote(4)) == 9


def test_recursive_task(ray_start_regular):
    @ray.remote
    def fib(n):
        if n < 2:
            return n
        return sum(ray.get([fib.remote(n - 1), fib.remote(n - 2)]))

    assert ray.get(fib.remote(5)) == 5


def test_task_returns_a_ref(ray_start_regular):
    @ray.remote
    def outer():
        return double.remote(3)

    inner = ray.get(outer.remote())
    assert isinstance(inner, ray.ObjectRef)
    assert ray.get(inner) == 6


def test_map_reduce(ray_start_2_cpus):
    @ray.remote
    def words(text):
        counts = {}
        for word in text.split():
            counts[word] = counts.get(word, 0) + 1
        return counts

    @ray.remote
    def merge(*parts):
        total = {}
        for part in parts:
            for word, count in part.items():
                total[word] = total.get(word, 0) + count
        return total

    parts = [words.remote(text) for text in ("a b a", "b c", "a c c")]
    assert ray.get(merge.remote(*parts)) == {"a": 3, "b": 2, "c": 3}


def test_tree_reduce(ray_start_2_cpus):
    refs = [ray.put(i) for i in range(16)]
    while len(refs) > 1:
        refs = [*refs[2:], add.remote(refs[0], refs[1])]
    assert ray.get(refs[0]) == 120


def test_tasks_run_in_other_processes(ray_start_regular):
    pid = ray.get(ray.remote(lambda: os.getpid()).remote())
    assert pid != os.getpid()


def test_tasks_run_in_parallel(ray_start_2_cpus):
    @ray.remote
    def nap():
        time.sleep(0.3)
        return time.time()

    ray.get([nap.remote(), nap.remote()])
    start = time.time()
    ray.get([nap.remote(), nap.remote()])
    assert time.time() - start < 0.59


def test_missing_argument_fails_at_once(ray_start_regular):
    with pytest.raises(TypeError):
        double.remote()


def test_unknown_option_is_refused(ray_start_regular):
    with pytest.raises(ValueError):
        double.options(no_such_option=1)


def test_negative_num_cpus_is_refused(ray_start_regular):
    with pytest.raises(ValueError):
        ray.remote(num_cpus=-1)(lambda: 1)


def test_options_give_a_name(ray_start_regular):
    @ray.remote
    def name():
        return ray.get_runtime_context().get_task_name()

    assert ray.get(name.options(name="my_task").remote()) == "my_task"


def test_mutating_an_argument_stays_in_the_worker(ray_start_regular):
    @ray.remote
    def grow(items):
        items.append(4)
        return items

    items = [1, 2, 3]
    assert ray.get(grow.remote(items)) == [1, 2, 3, 4]
    assert items == [1, 2, 3]


def test_default_arguments_can_be_mutable_objects(ray_start_regular):
    @ray.remote
    def keep(x, seen=None):
        seen = seen or {}
        seen[x] = True
        return seen

    assert ray.get([keep.remote(1), keep.remote(2)]) == [{1: True}, {2: True}]


def test_first_remote_call_starts_ray(shutdown_only):
    assert not ray.is_initialized()
    assert ray.get(double.remote(2)) == 4
    assert ray.is_initialized()
