"""Remote functions, over an engine that runs everything at once."""

from __future__ import annotations

import copy
import functools
import inspect
import logging
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

import rustyray
from rustyray import exceptions as x
from rustyray.api import shipping
from rustyray.model import resources as res
from rustyray.model.streams import DYNAMIC, STREAMING, limit_of
from rustyray.runtime import context
from rustyray.runtime.serialization import register_by_value, unregister_by_value
from tests.unit.api.fake_engine import FakeEngine


@rustyray.remote
def add(x: int, y: int = 1) -> int:
    """Adds."""
    return x + y


@rustyray.remote(num_cpus=2, max_retries=-1, name="careful")
def careful(x: int) -> int:
    return x


@rustyray.remote
def fail(kind: type[Exception]) -> None:
    raise kind("on purpose")


@rustyray.remote(num_returns=3)
def three() -> list[int]:
    return [1, 2, 3]


def test_a_call_returns_a_ref_to_the_result(engine: FakeEngine) -> None:
    ref = add.remote(1, y=2)
    assert isinstance(ref, rustyray.ObjectRef)
    assert rustyray.get(ref) == 3
    assert rustyray.get(add.remote(1)) == 2


def test_refs_as_arguments_are_resolved_and_refs_inside_containers_stay(engine: FakeEngine) -> None:
    assert rustyray.get(add.remote(add.remote(1), rustyray.put(5))) == 7

    @rustyray.remote
    def kinds(ref: int, refs: list[rustyray.ObjectRef[int]]) -> tuple[str, str]:
        return type(ref).__name__, type(refs[0]).__name__

    assert rustyray.get(kinds.remote(add.remote(1), [add.remote(1)])) == ("int", "ObjectRef")


def test_several_returns_give_a_list_of_refs(engine: FakeEngine) -> None:
    assert rustyray.get(three.remote()) == [1, 2, 3]
    split = add.options(num_returns=0)
    assert split.remote(1) is None


def test_errors_are_raised_by_get_as_their_own_class(engine: FakeEngine) -> None:
    with pytest.raises(KeyError, match="on purpose") as caught:
        rustyray.get(fail.remote(KeyError))
    error = caught.value
    assert isinstance(error, x.RayTaskError)
    assert error.function_name == f"{__name__}.fail"
    assert "in fail" in str(error)


def test_the_plain_function_is_within_reach() -> None:
    assert add.func(1, 2) == add._function(1, 2) == 3
    assert add.__wrapped__(1, 2) == 3  # type: ignore[attr-defined]
    assert (add.__name__, add.__doc__, add.__module__) == ("add", "Adds.", __name__)  # type: ignore[attr-defined]
    assert list(inspect.signature(add).parameters) == ["x", "y"]
    assert repr(add) == f"<remote function {__name__}.add>"


def test_calling_it_directly_says_what_to_write() -> None:
    with pytest.raises(
        TypeError, match=r"write add\.remote\(…\) to run it in a worker, or add\.func\(…\) to run it here"
    ):
        add(1)


def test_arguments_that_do_not_fit_are_refused_at_once(engine: FakeEngine) -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        add.remote()  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="too many positional arguments"):
        add.remote(1, 2, 3)  # type: ignore[call-overload]
    assert engine.submitted == []


# --- plans ------------------------------------------------------------------------------------------------------------


def test_the_plan_carries_the_options(engine: FakeEngine) -> None:
    careful.remote(1)
    (plan,) = engine.submitted
    assert plan.name == f"{__name__}.careful"
    assert plan.task_name == "careful"
    assert plan.resources == {"CPU": 2 * res.UNIT}
    assert (plan.returns, plan.max_retries) == (1, -1)
    assert plan.retry.on_error is False
    assert len(plan.fn) == 16


def test_options_change_a_copy_and_share_the_code(engine: FakeEngine) -> None:
    changed = careful.options(num_cpus=0.5, max_retries=None, retry_exceptions=[OSError], name="other")
    changed.remote(1)
    careful.remote(1)
    after, before = engine.submitted
    assert after.resources == {"CPU": res.UNIT // 2}
    assert (after.max_retries, after.task_name) == (3, "other")
    assert callable(after.retry.on_error)
    assert before.resources == {"CPU": 2 * res.UNIT}
    assert after.blob is before.blob


def test_the_plan_is_made_once_for_each_engine(engine: FakeEngine) -> None:
    add.remote(1)
    add.remote(2)
    first, second = engine.submitted
    assert first is second
    again = FakeEngine()
    context.set_engine(again)
    add.remote(1)
    assert again.submitted[0] is not first


def test_nothing_of_an_engine_is_kept_when_it_goes(engine: FakeEngine) -> None:
    add.remote(1)
    plan = engine.submitted[0]
    context.set_engine(None)
    assert plan not in vars(add).values()


def test_retries_ask_the_policy(engine: FakeEngine, tmp_path: Path) -> None:
    @rustyray.remote(max_retries=2, retry_exceptions=[OSError])
    def fail_twice(journal: Path) -> int:
        with journal.open("a") as lines:
            lines.write("x")
        attempt = len(journal.read_text())
        if attempt < 3:
            raise OSError(f"attempt {attempt}")
        return attempt

    assert rustyray.get(fail_twice.remote(tmp_path / "a")) == 3
    with pytest.raises(OSError, match="attempt 1"):
        rustyray.get(fail_twice.options(retry_exceptions=[KeyError]).remote(tmp_path / "b"))


# --- what cannot be remote --------------------------------------------------------------------------------------------


def test_async_functions_cannot_be_tasks() -> None:
    with pytest.raises(ValueError, match=r"is an async function, which cannot be a task .* asyncio\.run\("):

        @rustyray.remote
        async def wait() -> None: ...


def test_generators_stream_and_other_functions_cannot(engine: FakeEngine) -> None:
    def count() -> Iterator[int]:
        yield from range(3)

    def returns(function: Any) -> int:
        number: int = function._make_plan().returns
        return number

    assert returns(rustyray.remote(count)) == STREAMING
    assert returns(rustyray.remote(num_returns="dynamic")(count)) == DYNAMIC
    assert limit_of(returns(rustyray.remote(_generator_backpressure_num_objects=4)(count))) == 4
    assert returns(rustyray.remote(_generator_backpressure_num_objects=-1)(count)) == STREAMING
    with pytest.raises(ValueError, match=r"num_returns='streaming' is for generators, and .*add is none"):
        rustyray.remote(num_returns="streaming")(add.func)
    assert rustyray.get(rustyray.remote(num_returns=3)(count).remote()) == [0, 1, 2]


@pytest.mark.parametrize("thing", [3, "x", None, functools.partial(print), logging.getLogger().info], ids=str)
def test_only_functions_and_classes_can_be_remote(thing: Any) -> None:
    with pytest.raises(TypeError, match="remote must be applied to a function or a class, got"):
        rustyray.remote(thing)


def test_the_decorator_says_how_it_is_used() -> None:
    with pytest.raises(TypeError, match=r"as @remote, or as @remote\(option=…\)"):
        rustyray.remote()
    with pytest.raises(TypeError, match=r"write remote\(num_cpus=2\)\(f\)"):
        rustyray.remote(add.func, num_cpus=2)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"is remote already: use its \.options"):
        rustyray.remote(add)
    with pytest.raises(TypeError, match=r"Apply @remote below @staticmethod"):
        rustyray.remote(staticmethod(len))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_cpu": 1}, ValueError, r"no option 'num_cpu' \(did you mean 'num_cpus'\?\)"),
        ({"num_cpus": -1}, ValueError, "num_cpus must be zero or more"),
        ({"runtime_env": {"pip": ["x"]}}, ValueError, "'pip' is not supported. Workers use the interpreter"),
        ({"max_retries": "3"}, TypeError, "max_retries must be an integer"),
    ],
)
def test_wrong_options_are_refused_where_they_stand(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rustyray.remote(**options)
    with pytest.raises(error, match=message):
        add.options(**options)


def test_options_of_actors_are_refused_for_functions() -> None:
    with pytest.raises(ValueError, match="'max_restarts' is an option of actor classes, not of remote functions"):
        rustyray.remote(max_restarts=1)(add.func)


# --- pickling ---------------------------------------------------------------------------------------------------------


def test_an_unpicklable_closure_names_the_variable(engine: FakeEngine) -> None:
    lock = threading.Lock()

    @rustyray.remote
    def locked() -> None:
        lock.acquire()

    with pytest.raises(TypeError, match=r"locked\.<closure>\.lock: cannot pickle '_thread\.lock' object"):
        locked.remote()


def test_refs_in_closures_are_held_by_the_plan(engine: FakeEngine) -> None:
    ref = rustyray.put(5)

    @rustyray.remote
    def closed() -> int:
        return rustyray.get(ref)

    assert rustyray.get(closed.remote()) == 5
    assert engine.submitted[0].held == (ref,)


def test_a_function_may_call_itself_remotely(engine: FakeEngine) -> None:
    @rustyray.remote
    def countdown(n: int) -> int:
        return 0 if n == 0 else 1 + rustyray.get(countdown.remote(n - 1))

    assert rustyray.get(countdown.remote(3)) == 3


def test_a_global_remote_function_pickles_as_its_name() -> None:
    assert pickle.loads(pickle.dumps(add)) is add
    assert len(pickle.dumps(add)) < 200


def test_a_global_remote_function_of_a_module_by_value_pickles_whole(engine: FakeEngine) -> None:
    register_by_value(__name__)
    try:
        assert shipping.by_value(__name__)
        back = cloudpickle.loads(cloudpickle.dumps(careful))
    finally:
        unregister_by_value(__name__)
    assert back is not careful
    assert rustyray.get(back.remote(4)) == 4
    assert engine.submitted[0].max_retries == -1


def test_which_modules_travel_by_value() -> None:
    assert shipping.by_value("__main__")
    assert not shipping.by_value("json")
    register_by_value("some")
    try:
        assert shipping.by_value("some.module")
        assert not shipping.by_value("something")
    finally:
        unregister_by_value("some")


def test_a_function_of_no_module_travels_by_value(engine: FakeEngine) -> None:
    made: dict[str, Any] = {"__name__": None}
    exec("def odd():\n    return 7", made)
    odd = rustyray.remote(made["odd"])
    assert rustyray.get(odd.remote()) == 7
    assert rustyray.get(cloudpickle.loads(cloudpickle.dumps(odd)).remote()) == 7


def test_a_local_remote_function_pickles_with_its_options(engine: FakeEngine) -> None:
    @rustyray.remote(num_cpus=3)
    def local() -> int:
        return 7

    back = cloudpickle.loads(cloudpickle.dumps(local))
    assert rustyray.get(back.remote()) == 7
    assert engine.submitted[0].resources == {"CPU": 3 * res.UNIT}
    assert rustyray.get(copy.copy(local).remote()) == 7
