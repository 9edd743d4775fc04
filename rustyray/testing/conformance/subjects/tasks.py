"""Tasks: functions that run elsewhere."""

import os
import time

import pytest

from rustyray.testing.conformance.helpers import book, entered, gate, got, until


def a_call_returns_a_ref_and_get_its_value(api):
    """``f.remote(…)`` returns a ref at once; ``get`` gives what the function returns."""

    @api.remote
    def add(a, b):
        return a + b

    ref = add.remote(1, 2)
    assert isinstance(ref, api.ObjectRef)
    assert got(api, ref) == 3


def a_call_does_not_wait(api):
    """``.remote()`` does not wait for the task."""
    door = gate(api)

    @api.remote
    def waits():
        api.get(door.enter.remote())
        return "through"

    ref = waits.remote()
    assert api.wait([ref], timeout=0) == ([], [ref])
    api.get(door.open.remote())
    assert got(api, ref) == "through"


def keyword_arguments_and_defaults_are_pythons(api):
    """Arguments are passed by position or by name, and may be left out where the function has defaults."""

    @api.remote
    def f(a, b=2, *rest, c=3, **more):
        return a, b, rest, c, more

    refs = [f.remote(1), f.remote(1, c=5, d=6), f.remote(1, 2, 3, 4)]
    assert got(api, refs) == [(1, 2, (), 3, {}), (1, 2, (), 5, {"d": 6}), (1, 2, (3, 4), 3, {})]


def wrong_arguments_are_refused_by_the_call(api):
    """Arguments that do not fit the function raise TypeError in ``.remote()``."""

    @api.remote
    def f(a):
        return a

    for args, kwargs in (((), {}), ((1, 2), {}), ((1,), {"b": 2}), ((1,), {"a": 2})):
        with pytest.raises(TypeError):
            f.remote(*args, **kwargs)


def a_remote_function_cannot_be_called(api):
    """Calling a remote function directly raises TypeError."""

    @api.remote
    def f():
        return 1

    with pytest.raises(TypeError):
        f()


def a_ref_as_an_argument_arrives_as_its_value(api):
    """A ref that is itself an argument is replaced by its value before the function runs."""

    @api.remote
    def double(x):
        return 2 * x

    assert got(api, double.remote(double.remote(1))) == 4
    assert got(api, double.remote(x=api.put(5))) == 10


def a_ref_inside_an_argument_stays_a_ref(api):
    """A ref inside a list, a dict or an object stays a ref."""

    @api.remote
    def kinds(refs, by_name):
        return isinstance(refs[0], api.ObjectRef), isinstance(by_name["a"], api.ObjectRef)

    ref = api.put(1)
    assert got(api, kinds.remote([ref], {"a": ref})) == (True, True)


def a_nested_ref_can_be_got_in_the_task(api):
    """A task can get a ref that came inside an argument."""

    @api.remote
    def total(refs):
        return sum(api.get(refs))

    assert got(api, total.remote([api.put(1), api.put(2)])) == 3


def a_task_waits_for_its_arguments(api):
    """A task does not start before its arguments are ready."""
    door, seen = gate(api), book(api)

    @api.remote
    def first():
        api.get(door.enter.remote())
        return 1

    @api.remote
    def second(x):
        api.get(seen.write.remote("second ran"))
        return x + 1

    ref = second.remote(first.remote())
    entered(api, door)
    assert got(api, seen.read.remote()) == []
    api.get(door.open.remote())
    assert got(api, ref) == 2


def several_returns(api):
    """With ``num_returns=3``, ``.remote()`` returns three refs, one for each value."""

    @api.remote(num_returns=3)
    def three():
        return 1, "two", [3]

    a, b, c = three.remote()
    assert got(api, [a, b, c]) == [1, "two", [3]]


def no_returns(api):
    """With ``num_returns=0``, ``.remote()`` returns None."""

    @api.remote(num_returns=0)
    def none():
        return None

    assert none.remote() is None


def num_returns_can_be_given_for_a_call(api):
    """``.options(num_returns=2)`` changes how many refs one call returns."""

    @api.remote
    def pair():
        return 1, 2

    a, b = pair.options(num_returns=2).remote()
    assert got(api, [a, b]) == [1, 2]
    assert got(api, pair.remote()) == (1, 2)


def too_few_returns_are_an_error(api):
    """Returning another number of values than ``num_returns`` is an error of the task."""

    @api.remote(num_returns=3)
    def two():
        return 1, 2

    with pytest.raises(ValueError):
        got(api, two.remote()[0])


def returns_are_several(api):
    """Returning something that is not several values where ``num_returns`` is 2 or more is a TypeError of the task."""

    @api.remote(num_returns=2)
    def one():
        return 1

    for ref in one.remote():
        with pytest.raises(TypeError):
            got(api, ref)


def options_leave_the_function_as_it_is(api):
    """``.options(…)`` returns a changed copy; the function keeps its own options."""

    @api.remote(num_cpus=1)
    def cpus():
        return api.get_runtime_context().get_assigned_resources().get("CPU")

    assert got(api, [cpus.options(num_cpus=2).remote(), cpus.remote()]) == [2, 1]


def tasks_submit_tasks(api):
    """A task can submit tasks and wait for them."""

    @api.remote
    def fib(n):
        return n if n < 2 else sum(api.get([fib.remote(n - 1), fib.remote(n - 2)]))

    assert got(api, fib.remote(5)) == 5


def a_task_may_return_a_ref(api):
    """A ref that a task returns stays a ref: ``get`` gives it back, and another ``get`` its value."""

    @api.remote
    def outer():
        return api.put("inside")

    inner = got(api, outer.remote())
    assert isinstance(inner, api.ObjectRef)
    assert got(api, inner) == "inside"


def a_task_runs_in_another_process(api):
    """A task runs in a process of its own, not the driver's."""

    @api.remote
    def pid():
        return os.getpid()

    assert got(api, pid.remote()) != os.getpid()


def tasks_run_at_the_same_time(api):
    """As many tasks run at once as there are CPUs for."""
    door = gate(api)

    @api.remote
    def waits():
        api.get(door.enter.remote())

    refs = [waits.options(num_cpus=1).remote() for _ in range(4)]
    entered(api, door, 4)
    api.get(door.open.remote())
    got(api, refs)


def closures_are_captured_at_definition_of_the_value(api):
    """A function brings along what it uses from around it."""
    base = 10

    def helper(x):
        return base + x

    @api.remote
    def f(x):
        return helper(x)

    assert got(api, f.remote(1)) == 11


def a_closure_can_hold_a_ref(api):
    """A ref in a function's closure can be used in the task, and keeps the object alive."""
    ref = api.put("held")

    @api.remote
    def f():
        return api.get(ref)

    assert got(api, f.remote()) == "held"


def a_remote_function_can_be_passed_on(api):
    """A remote function is a value: a task can be given one and call it."""

    @api.remote
    def inner(x):
        return x + 1

    @api.remote
    def outer(f):
        return api.get(f.remote(1))

    assert got(api, outer.remote(inner)) == 2


def arguments_are_copies(api):
    """A task cannot change its caller's objects: it works on a copy."""

    @api.remote
    def change(values):
        values.append(1)
        return values

    mine = []
    assert got(api, change.remote(mine)) == [1]
    assert mine == []


def lambdas_can_be_arguments(api):
    """Functions without a name can be passed to tasks."""

    @api.remote
    def apply(f, x):
        return f(x)

    assert got(api, apply.remote(lambda x: x * 3, 2)) == 6


def an_unpicklable_argument_is_refused_by_the_call(api):
    """An argument that cannot be pickled raises TypeError in ``.remote()``."""
    import threading

    @api.remote
    def f(x):
        return x

    with pytest.raises(TypeError):
        f.remote(threading.Lock())


def an_unknown_option_is_refused(api):
    """An option that does not exist raises ValueError."""

    def f():
        return 1

    with pytest.raises(ValueError):
        api.remote(num_cpu=1)(f)
    with pytest.raises(ValueError):
        api.remote(f).options(max_restarts=1)


def options_of_a_wrong_type_are_refused(api):
    """An option of the wrong type or out of range is refused before the task is submitted."""

    def f():
        return 1

    for option, value in (("num_cpus", -1), ("max_retries", -2), ("num_returns", -1)):
        with pytest.raises((ValueError, TypeError)):
            api.remote(**{option: value})(f).remote()


def an_async_function_cannot_be_a_task(api):
    """``remote`` of an async function raises ValueError."""

    async def f():
        return 1

    with pytest.raises(ValueError):
        api.remote(f).remote()


def a_task_can_be_named(api):
    """``.options(name=…)`` names a task; it can read its name."""

    @api.remote
    def name():
        return api.get_runtime_context().get_task_name()

    assert got(api, name.options(name="my name").remote()) == "my name"


def the_plain_function_is_not_changed(api):
    """``remote(f)`` leaves ``f`` itself callable."""

    def f(x):
        return x + 1

    remote_f = api.remote(f)
    assert f(1) == 2
    assert got(api, remote_f.remote(1)) == 2


def many_tasks_give_their_values_in_order(api):
    """``get`` of many refs gives their values in the order of the refs."""

    @api.remote
    def square(n):
        return n * n

    assert got(api, [square.remote(n) for n in range(100)]) == [n * n for n in range(100)]


def a_task_goes_on_when_its_ref_is_dropped(api):
    """A task whose ref is dropped runs all the same."""
    seen = book(api)

    @api.remote
    def writes():
        api.get(seen.write.remote("ran"))

    writes.remote()
    until(lambda: got(api, seen.read.remote()) == ["ran"])


def time_passes_in_tasks(api):
    """A task that sleeps takes so long."""

    @api.remote
    def sleeps():
        before = time.monotonic()
        time.sleep(0.05)
        return time.monotonic() - before

    assert got(api, sleeps.remote()) >= 0.049


def a_function_of_a_function_calls_itself(api):
    """A function that was made inside another may submit itself, with its own defaults."""

    @api.remote
    def below(n, step=1, *, add=0):
        return add + (api.get(below.options(num_cpus=0).remote(n - step)) if n else 0)

    assert got(api, below.remote(2)) == 0
