"""Actor classes, their handles and methods, over an engine that runs everything at once."""

from __future__ import annotations

import asyncio
import gc
import pickle
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import cloudpickle
import pytest

import rustyray
from rustyray import exceptions as x
from rustyray.api.actor_shape import describe_class, shape_of
from rustyray.model import ids
from rustyray.model import resources as res
from rustyray.model.streams import DYNAMIC, STREAMING, streaming
from rustyray.runtime import context
from rustyray.runtime.engine import ActorHandleState
from tests.unit.api.fake_engine import FakeEngine

T = TypeVar("T")


class Tally:
    """Counts."""

    LIMIT = 10

    def __init__(self, start: int = 0) -> None:
        self.value = start

    def add(self, amount: int, times: int = 1) -> int:
        self.value += amount * times
        return self.value

    def fail(self) -> None:
        raise KeyError("on purpose")

    @rustyray.method(num_returns=2, max_task_retries=5, retry_exceptions=[OSError])
    def both(self) -> tuple[int, int]:
        return self.value, -self.value

    @staticmethod
    def double(value: int) -> int:
        return 2 * value

    @classmethod
    def limit(cls) -> int:
        return cls.LIMIT

    def items(self) -> Iterator[int]:
        yield self.value

    def me(self) -> rustyray.ActorHandle[Tally]:
        return rustyray.get_runtime_context().current_actor

    def leave(self) -> None:
        rustyray.exit_actor()

    def _private(self) -> str:
        return "private"


Counter = rustyray.remote(Tally)


class Waiter:
    async def wait(self) -> int:
        await asyncio.sleep(0)
        return 1


def test_methods_are_called_through_the_handle(engine: FakeEngine) -> None:
    counter = Counter.remote(5)
    assert rustyray.get(counter.add.remote(2)) == 7
    assert rustyray.get(counter.add.remote(amount=1, times=3)) == 10
    assert rustyray.get(counter.double.remote(4)) == 8
    assert rustyray.get(counter.limit.remote()) == 10
    assert rustyray.get(counter._private.remote()) == "private"
    with pytest.raises(KeyError, match="on purpose"):
        rustyray.get(counter.fail.remote())


def test_methods_take_their_own_options_and_the_actors(engine: FakeEngine) -> None:
    counter = Counter.options(max_task_retries=-1).remote(3)
    assert rustyray.get(counter.both.remote()) == [3, -3]
    counter.add.remote(1)
    counter.add.options(num_returns=0, max_task_retries=2, retry_exceptions=True).remote(1)
    both, add, changed = engine.calls
    assert (both.name, both.returns, both.max_task_retries) == ("both", 2, 5)
    assert callable(both.retry.on_error)
    assert both.retry.on_error(FileNotFoundError())
    assert (add.returns, add.max_task_retries, add.retry.on_error) == (1, -1, False)
    assert (changed.returns, changed.max_task_retries, changed.retry.on_error) == (0, 2, True)


def test_plans_of_methods_are_made_once_and_shared(engine: FakeEngine) -> None:
    first, second = Counter.remote(), Counter.remote()
    for counter in (first, first, second):
        counter.add.remote(1)
    assert len({id(plan) for plan in engine.calls}) == 1
    assert first.add is first.add


def test_every_actor_answers_rays_own_methods(engine: FakeEngine) -> None:
    counter = Counter.remote(5)
    assert rustyray.get(counter.__ray_ready__.remote()) is True
    assert rustyray.get(counter.__ray_call__.remote(lambda self, add: self.value + add, 1)) == 6
    with pytest.raises(x.ActorDiedError):
        rustyray.get(counter.__ray_terminate__.remote())
    with pytest.raises(x.ActorDiedError):
        rustyray.get(counter.add.remote(1))


def test_the_plan_carries_the_options(engine: FakeEngine) -> None:
    made = Counter.options(
        name="n",
        namespace="space",
        lifetime="detached",
        max_restarts=-1,
        max_task_retries=3,
        max_concurrency=4,
        num_gpus=1,
    )
    made.remote()
    (plan,) = engine.created
    assert (plan.class_name, plan.name, plan.namespace, plan.detached) == (f"{__name__}.Tally", "n", "space", True)
    assert (plan.max_restarts, plan.max_task_retries, plan.max_concurrency, plan.is_async) == (-1, 3, 4, False)
    assert plan.resources == plan.placement == {"CPU": res.UNIT, "GPU": res.UNIT}
    assert {"add", "both", "_private"} <= set(plan.methods)


def test_a_plain_actor_is_placed_with_a_cpu_and_holds_none(engine: FakeEngine) -> None:
    Counter.remote()
    assert (engine.created[0].resources, engine.created[0].placement) == ({}, {"CPU": res.UNIT})
    assert engine.created[0].max_concurrency == 1


def test_async_methods_make_an_async_actor(engine: FakeEngine) -> None:
    rustyray.remote(Waiter).remote()
    rustyray.remote(max_concurrency=3)(Waiter).remote()
    first, second = engine.created
    assert (first.is_async, first.max_concurrency) == (True, 1000)
    assert (second.is_async, second.max_concurrency) == (True, 3)


def test_arguments_that_do_not_fit_are_refused_at_once(engine: FakeEngine) -> None:
    with pytest.raises(TypeError, match=r"Tally\.remote\(\): too many positional arguments; it takes \(start=\.\.\.\)"):
        Counter.remote(1, 2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="too many positional arguments"):
        rustyray.remote(Waiter).remote(1)  # type: ignore[call-arg]
    counter = Counter.remote()
    with pytest.raises(TypeError, match=r"Tally\.add\.remote\(\): missing a required argument: 'amount'"):
        counter.add.remote()  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="too many positional arguments"):
        counter.double.remote(1, 2)  # type: ignore[call-overload]
    assert engine.calls == []


def test_unknown_methods_name_the_nearest(engine: FakeEngine) -> None:
    counter = Counter.remote()
    with pytest.raises(AttributeError, match=r"Tally has no method 'ad' \(did you mean 'add'\?\)"):
        _ = counter.ad  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no method 'value'; handles have nothing but methods"):
        _ = counter.value  # type: ignore[attr-defined]
    assert not hasattr(counter, "__array__")
    assert "add" in dir(counter)


def test_calling_a_method_or_class_directly_says_what_to_write(engine: FakeEngine) -> None:
    with pytest.raises(TypeError, match=r"write handle\.add\.remote\(…\)"):
        Counter.remote().add(1)
    with pytest.raises(TypeError, match=r"write Tally\.remote\(…\) to make an actor, or Tally\.cls\(…\)"):
        Counter(1)


def test_generators_stream_and_other_methods_cannot(engine: FakeEngine) -> None:
    counter: Any = Counter.remote(4)
    assert counter.items._plan.returns == STREAMING
    assert counter.items.options(num_returns="dynamic")._plan.returns == DYNAMIC
    assert counter.items.options(_generator_backpressure_num_objects=3)._plan.returns == streaming(3)
    assert counter.items.options(name="mine")._plan.shown == "mine (items)"
    assert counter.items.options(name=None)._plan.shown == "items"
    with pytest.raises(ValueError, match=r"handle\.method\.options\(name=…\)"):
        rustyray.method(name="mine")
    assert counter.items.options(num_returns=2)._plan.returns == 2
    with pytest.raises(ValueError, match=r"num_returns='streaming' is for generators, and Tally\.add is none"):
        counter.add.options(num_returns="streaming")


def test_the_plain_class_is_within_reach() -> None:
    assert Counter.cls is Tally
    assert Counter.__wrapped__ is Tally
    assert Counter.cls(3).add(1) == 4
    assert repr(Counter) == f"<actor class {__name__}.Tally>"
    with pytest.raises(AttributeError, match=r"has no attribute 'LIMIT'; .* Tally\.cls\.LIMIT"):
        _ = Counter.LIMIT
    with pytest.raises(AttributeError, match="has no attribute 'remot'"):
        _ = Counter.remot


def test_actor_classes_cannot_be_inherited_from() -> None:
    with pytest.raises(TypeError, match=r"write class …\(Tally\.cls\)"):

        class Special(Counter):  # type: ignore[misc,valid-type]
            pass


def test_generic_actor_classes_can_be_written_in_annotations() -> None:
    @rustyray.remote
    class Box(Generic[T]):
        pass

    assert rustyray.ActorHandle[Box[int]] is not None


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_are_found_and_taken(engine: FakeEngine) -> None:
    Board = Counter.options(name="board")  # noqa: N806
    first = Board.remote(7)
    assert rustyray.get(rustyray.get_actor("board").add.remote(1)) == 8
    assert rustyray.get_actor("board") == first
    with pytest.raises(ValueError, match="'board' is taken"):
        Board.remote()
    assert Board.options(get_if_exists=True).remote(99) == first
    with pytest.raises(ValueError, match="no living actor is called 'nobody'"):
        rustyray.get_actor("nobody")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"get_if_exists": True}, ValueError, "get_if_exists=True needs a name"),
        ({"max_restart": 1}, ValueError, r"did you mean 'max_restarts'\?"),
        ({"lifetime": "forever"}, ValueError, "lifetime must be 'detached' or 'non_detached'"),
        ({"max_concurrency": 0}, ValueError, "max_concurrency must be 1 or more"),
        ({"max_retries": 1}, ValueError, "'max_retries' is an option of remote functions, not of actor classes"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Counter.options(**options)
    with pytest.raises(error, match=message):
        rustyray.remote(**options)(Tally)


def test_wrong_options_of_methods_are_refused(engine: FakeEngine) -> None:
    with pytest.raises(ValueError, match=r"did you mean 'num_returns'\?"):
        rustyray.method(num_return=2)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="'num_cpus' is an option of"):
        Counter.remote().add.options(num_cpus=2)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"as @method, or as @method\(option=…\)"):
        rustyray.method(3)  # type: ignore[call-overload]
    assert rustyray.method(Tally.add) is Tally.add


# --- handles ----------------------------------------------------------------------------------------------------------


def test_a_handle_travels_and_means_the_same_actor(engine: FakeEngine) -> None:
    counter = Counter.remote(1)

    @rustyray.remote
    def use(handle: rustyray.ActorHandle[Tally]) -> int:
        value: int = rustyray.get(handle.add.remote(1))
        return value

    assert rustyray.get(use.remote(counter)) == 2
    back = pickle.loads(pickle.dumps(counter))
    assert back == counter
    assert hash(back) == hash(counter)
    assert counter != Counter.remote()
    assert counter != 3
    assert repr(counter) == f"Actor(Tally, {counter._actor_id.hex()})"


def test_a_travelling_handle_is_counted_as_a_reference(engine: FakeEngine) -> None:
    counter = Counter.remote()
    actor = counter._actor_id.binary()
    with context.collecting_refs() as refs:
        data = pickle.dumps(counter)
    assert [ref.binary() for ref in refs] == [ids.handle_id(actor)]
    assert engine.pinned == []
    back = pickle.loads(data)
    assert back._rustyray_state.ref.binary() == ids.handle_id(actor)
    found = ActorHandleState(actor, "", counter._rustyray_state.meta, 0, None)
    with context.collecting_refs() as refs:
        back = pickle.loads(pickle.dumps(rustyray.ActorHandle(found)))
    assert refs == []
    assert back._rustyray_state.ref is None


def test_a_handle_goes_at_once_when_its_last_name_goes(engine: FakeEngine) -> None:
    counter = Counter.remote()
    handle_id = ids.handle_id(counter._actor_id.binary())
    counter.add.remote(1)
    gc.disable()
    try:
        del counter
        assert handle_id in engine.dropped
    finally:
        gc.enable()


def test_a_bound_method_keeps_the_actor(engine: FakeEngine) -> None:
    add = Counter.remote().add
    assert not any(object_id.endswith(ids.HANDLE_INDEX) for object_id in engine.dropped)
    assert rustyray.get(add.remote(1)) == 1


def test_an_actor_can_hand_itself_out(engine: FakeEngine) -> None:
    counter = Counter.remote(1)
    me: rustyray.ActorHandle[Tally] = rustyray.get(counter.me.remote())
    assert me == counter
    assert me._rustyray_state.ref is None


def test_exit_and_kill(engine: FakeEngine) -> None:
    counter = Counter.remote()
    with pytest.raises(x.ActorDiedError):
        rustyray.get(counter.leave.remote())
    with pytest.raises(TypeError, match="methods of an actor"):
        rustyray.exit_actor()
    second = Counter.remote()
    rustyray.kill(second, no_restart=False)
    assert engine.killed == [(second._actor_id.binary(), False)]
    with pytest.raises(x.ActorDiedError, match="The actor was killed"):
        rustyray.get(second.add.remote(1))


def test_calls_without_a_runtime_say_so(engine: FakeEngine) -> None:
    counter = Counter.remote()
    context.set_engine(None)
    with pytest.raises(RuntimeError, match=r"calling an actor needs a running RustyRay: call rustyray\.init\(\) first"):
        counter.add.remote(1)


# --- shapes and pickling ----------------------------------------------------------------------------------------------


def test_the_shape_has_methods_of_bases_unless_hidden() -> None:
    class Base:
        def kept(self, a: int) -> None: ...
        def hidden(self) -> None: ...

    class Derived(Base):
        hidden = None  # type: ignore[assignment]

        class Inner:
            pass

    meta, methods, is_async = describe_class(Derived, "mod.Derived", {})
    assert methods == ["kept"]
    assert not is_async
    assert shape_of(meta).methods["kept"].parameters == (("a", 1, False),)
    assert shape_of(meta) is shape_of(bytes(bytearray(meta)))


def test_a_global_actor_class_pickles_as_its_name_where_it_has_one() -> None:
    assert pickle.loads(pickle.dumps(Decorated)) is Decorated


def test_an_actor_class_under_another_name_pickles_with_its_options(engine: FakeEngine) -> None:
    back = pickle.loads(pickle.dumps(Counter.options(max_restarts=3)))
    assert back.cls is Tally
    back.remote()
    assert engine.created[0].max_restarts == 3


def test_a_local_actor_class_pickles_whole(engine: FakeEngine) -> None:
    @rustyray.remote
    class Local:
        def value(self) -> int:
            return 7

    back = cloudpickle.loads(cloudpickle.dumps(Local))
    assert rustyray.get(back.remote().value.remote()) == 7


@rustyray.remote
class Decorated:
    pass
