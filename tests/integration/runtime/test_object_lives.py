"""What nobody needs any more is freed, and what somebody needs is not."""

from __future__ import annotations

import gc
import importlib
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rustyray
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start

MB = 1 << 20


# --- what is freed ----------------------------------------------------------------------------------------------------


class Filling:
    """A store with room for three blocks: a fourth one only fits when others were freed."""

    capacity = 16 * MB
    block = 4 * MB

    def fits(self, count: int) -> bool:
        """Whether there is room for this many blocks right now."""
        try:
            refs = [rustyray.put(bytes(self.block)) for _ in range(count)]
        except rustyray.exceptions.ObjectStoreFullError:
            return False
        return len(refs) == count

    def empty(self) -> bool:
        return eventually(lambda: self.fits(3), 10)


@pytest.fixture
def store(start: Start) -> Filling:
    start(object_store_memory=Filling.capacity, _system_config={"automatic_object_spilling_enabled": False})
    return Filling()


def test_dropped_objects_make_room(store: Filling) -> None:
    for _ in range(30):
        rustyray.get(rustyray.put(bytes(store.block)))
    assert store.empty()


def test_dropped_results_make_room(store: Filling) -> None:
    @rustyray.remote
    def make(size: int) -> bytes:
        return bytes(size)

    for _ in range(20):
        assert len(rustyray.get(make.remote(store.block))) == store.block
    for _ in range(10):
        make.remote(store.block)  # nobody wants it
    assert store.empty()


def test_a_module_that_keeps_the_error_of_an_import_keeps_no_arguments(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "keeps_an_error.py").write_text(
        "try:\n    import not_here_at_all\nexcept ImportError as error:\n    kept = error\n"
    )
    start(object_store_memory=Filling.capacity, _system_config={"automatic_object_spilling_enabled": False})
    store = Filling()

    class Imports:
        def __reduce__(self) -> tuple[Any, ...]:
            return importlib.import_module, ("keeps_an_error",)

    @rustyray.remote
    def size(module: Any, data: bytes, refs: list[rustyray.ObjectRef[bytes]]) -> int:
        assert module.kept
        return len(data) + len(rustyray.get(refs[0]))

    data, inside = (rustyray.put(bytes(store.block)) for _ in range(2))
    assert rustyray.get(size.remote(Imports(), data, [inside])) == 2 * store.block
    del data, inside
    assert store.empty()


def test_large_arguments_make_room(store: Filling) -> None:
    @rustyray.remote
    def size(data: bytes) -> int:
        return len(data)

    for _ in range(20):
        assert rustyray.get(size.remote(bytes(store.block))) == store.block
    assert store.empty()


@pytest.mark.parametrize("how", ["list", "dict", "closure", "object", "result", "exception", "deep"])
def test_a_ref_keeps_its_object_alive_wherever_it_is_and_no_longer(store: Filling, how: str) -> None:
    """Inside arguments, closures, results and exceptions a ref is a borrowed one."""

    class Carrier:
        def __init__(self, ref: Any) -> None:
            self.ref = ref

    class Trouble(Exception):
        def __init__(self, ref: Any) -> None:
            super().__init__("trouble")
            self.ref = ref

    @rustyray.remote
    def length(box: Any) -> int:
        ref = box
        while not isinstance(ref, rustyray.ObjectRef):
            ref = ref.ref if hasattr(ref, "ref") else next(iter(ref.values())) if isinstance(ref, dict) else ref[0]
        return len(rustyray.get(ref))

    @rustyray.remote
    def give_back() -> list[Any]:
        return [rustyray.put(bytes(4 * MB))]

    @rustyray.remote
    def raise_it() -> None:
        raise Trouble(rustyray.put(bytes(4 * MB)))

    def closure() -> int:
        ref = rustyray.put(bytes(4 * MB))
        return rustyray.get(rustyray.remote(lambda: len(rustyray.get(ref))).remote())

    def use() -> int:
        if how == "result":
            (ref,) = rustyray.get(give_back.remote())
            return len(rustyray.get(ref))
        if how == "exception":
            with pytest.raises(Trouble) as caught:
                rustyray.get(raise_it.remote())
            return len(rustyray.get(caught.value.ref))
        if how == "closure":
            return closure()
        ref = rustyray.put(bytes(4 * MB))
        boxes: dict[str, Any] = {
            "list": [ref],
            "dict": {"a": ref},
            "object": Carrier(ref),
            "deep": [[{"x": [Carrier(ref)]}]],
        }
        pending = length.remote(boxes[how])
        del ref, boxes
        gc.collect()
        return int(rustyray.get(pending))

    for _ in range(5):
        assert use() == 4 * MB
        gc.collect()
    if how != "closure":  # a function that workers have got stays there, with what it refers to
        assert store.empty()


def test_an_actors_state_keeps_objects_alive_until_it_lets_go(store: Filling) -> None:
    @rustyray.remote
    class Keeper:
        def keep(self, box: list[Any]) -> None:
            self.box = box

        def read(self) -> int:
            return len(rustyray.get(self.box[0]))

        def let_go(self) -> None:
            del self.box

    keeper = Keeper.remote()
    rustyray.get(keeper.keep.remote([rustyray.put(bytes(store.block))]))
    for _ in range(3):
        assert rustyray.get(keeper.read.remote()) == store.block
    assert not store.fits(4)
    rustyray.get(keeper.let_go.remote())
    assert store.empty()


def test_many_small_results_do_not_all_go_into_one_message(start: Start) -> None:
    """Those beyond some megabytes are stored."""

    @rustyray.remote(num_returns=100)
    def several() -> list[bytes]:
        return [bytes([number]) * 100_000 for number in range(100)]

    start(num_cpus=1)
    refs = several.remote()
    assert rustyray.get(refs) == [bytes([number]) * 100_000 for number in range(100)]
    stored = rustyray.stats().store.objects
    assert 0 < stored < 50
    refs.clear()
    assert eventually(lambda: rustyray.stats().store.objects == 0)


def test_what_goes_back_to_its_owner_is_there(store: Filling) -> None:
    """Nobody has it but the actor, which lets go of it as it returns it."""

    class Trouble(Exception):
        def __init__(self, ref: Any) -> None:
            super().__init__("trouble")
            self.ref = ref

    @rustyray.remote
    class Keeper:
        def keep(self, box: list[Any]) -> None:
            self.box = box

        def give(self) -> list[Any]:
            return [self.box.pop()]

        def raise_it(self) -> None:
            raise Trouble(self.box.pop())

        def items(self) -> Any:
            yield [self.box.pop()]
            yield []

    def back(keeper: Any, how: str) -> Any:
        if how == "raise_it":
            with pytest.raises(Trouble) as caught:
                rustyray.get(keeper.raise_it.remote())
            return caught.value.ref
        if how == "items":
            return rustyray.get(next(keeper.items.options(num_returns="streaming").remote()))[0]
        if how == "several":
            return rustyray.get(keeper.items.options(num_returns=2).remote())[0][0]
        return rustyray.get(keeper.give.remote())[0]

    keeper = Keeper.remote()
    for how in ["give", "raise_it", "items", "several"]:
        for size in (10, store.block):
            rustyray.get(keeper.keep.remote([rustyray.put(bytes(size))]))
            assert len(rustyray.get(back(keeper, how))) == size, how
    gc.collect()  # the exception and its frames hold one another
    assert store.empty()


def test_a_dead_actors_objects_are_let_go(store: Filling) -> None:
    @rustyray.remote
    class Keeper:
        def keep(self, box: list[Any]) -> None:
            self.box = box

        def own(self) -> list[Any]:
            self.mine = rustyray.put(bytes(4 * MB))
            return [self.mine]

    keeper = Keeper.remote()
    rustyray.get(keeper.keep.remote([rustyray.put(bytes(store.block))]))
    (theirs,) = rustyray.get(keeper.own.remote())
    assert len(rustyray.get(theirs)) == store.block
    rustyray.kill(keeper)
    del theirs
    assert store.empty()


def test_a_view_keeps_its_memory_until_it_goes(store: Filling) -> None:
    array = rustyray.get(rustyray.put(np.full(store.block // 8, 5.0)))
    for _ in range(10):
        rustyray.put(bytes(store.block))
    assert float(array.sum()) == 5.0 * (store.block // 8)
    del array
    assert store.empty()


def test_what_was_made_before_a_task_failed_is_there_and_no_longer_than_needed(store: Filling) -> None:
    @rustyray.remote(num_returns=2)
    def half() -> tuple[bytes, Any]:
        return bytes(store.block), threading.Lock()

    first, second = half.remote()
    assert len(rustyray.get(first)) == store.block
    with pytest.raises(TypeError, match="pickle"):
        rustyray.get(second)
    del first
    assert store.empty()


def test_what_was_made_before_a_task_was_cancelled_makes_room(store: Filling) -> None:
    """It is cancelled while it waits for room for its second result."""

    @rustyray.remote(num_returns=2)
    def two() -> tuple[bytes, bytes]:
        return bytes(store.block), bytes(store.block)

    mapped = rustyray.get([rustyray.put(np.zeros(store.block, np.uint8)) for _ in range(2)])
    results = two.remote()
    assert eventually(lambda: rustyray.stats().nodes[0].store.objects == 3)
    rustyray.cancel(results[0])
    for result in results:
        with pytest.raises(rustyray.exceptions.TaskCancelledError):
            rustyray.get(result)
    del mapped
    assert store.empty()


# --- a full store -----------------------------------------------------------------------------------------------------


def test_a_full_store_says_how_full_and_then_works_again(store: Filling) -> None:
    refs = [rustyray.put(bytes(store.block)) for _ in range(3)]
    with pytest.raises(rustyray.exceptions.ObjectStoreFullError) as caught:
        refs += [rustyray.put(bytes(store.block)) for _ in range(2)]
    told = str(caught.value)
    for what in ("capacity", "used", "largest"):
        assert what in told.lower(), told
    assert len(rustyray.get(refs[0])) == store.block
    assert rustyray.get(rustyray.put("small")) == "small"
    del refs
    assert store.empty()


def test_an_object_larger_than_the_store_is_refused_at_once(store: Filling) -> None:
    began = time.monotonic()
    with pytest.raises(rustyray.exceptions.ObjectStoreFullError, match="capacity"):
        rustyray.put(bytes(store.capacity + 1))
    assert time.monotonic() - began < 1.5
    assert store.empty()


def test_a_result_that_does_not_fit_is_the_tasks_error(store: Filling) -> None:
    @rustyray.remote(max_retries=0)
    def make(size: int) -> bytes:
        return bytes(size)

    @rustyray.remote
    def size(data: bytes) -> int:
        return len(data)

    with pytest.raises(rustyray.exceptions.ObjectStoreFullError):
        rustyray.get(make.remote(store.capacity + 1))
    with pytest.raises(rustyray.exceptions.ObjectStoreFullError):
        rustyray.get(size.remote(bytes(store.capacity + 1)))
    assert store.empty()


def test_room_that_comes_in_time_is_waited_for(store: Filling, tmp_path: Path) -> None:
    """Somebody frees while another waits for room: backpressure, not an error."""

    @rustyray.remote
    def make(size: int) -> int:
        return len(rustyray.get(rustyray.put(bytes(size))))

    assert rustyray.get([make.remote(store.block) for _ in range(40)]) == [store.block] * 40
    assert store.empty()
