"""Values, arguments and functions on their way to bytes and back."""

import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from rustyray.model.values import Packed, RefInfo
from rustyray.runtime import context
from rustyray.runtime.engine import Engine
from rustyray.runtime.ref import ObjectRef
from rustyray.runtime.serialization import (
    INLINE_MAX,
    Serialized,
    dumps,
    dumps_args,
    loads,
    loads_args,
    pack,
    ref_infos,
    to_value,
)


class RefsOnly:
    """As much of an engine as pickling and unpickling of refs calls."""

    def __init__(self) -> None:
        self.pinned: list[bytes] = []
        self.dropped: list[bytes] = []

    def adopt(self, object_id: bytes, owner_address: str) -> ObjectRef[Any]:
        return ObjectRef(object_id, owner_address, self.dropped.append)

    def pin_forever(self, ref: ObjectRef[Any]) -> None:
        self.pinned.append(ref.binary())


@pytest.fixture
def engine() -> Iterator[RefsOnly]:
    before = context.engine()
    fake = RefsOnly()
    context.set_engine(cast("Engine", fake))
    yield fake
    context.set_engine(before)


def ref(number: int, address: str = "unix:@a") -> ObjectRef[Any]:
    return ObjectRef(number.to_bytes(24, "big"), address, lambda object_id: None)


def through(value: Any) -> Any:
    """What arrives: buffers are copied into bytes on the way, as in a message."""
    data, buffers, _, _ = dumps(value)
    return loads(data, [bytes(buffer) for buffer in buffers])


ATOMS: SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary()
)
VALUES: SearchStrategy[Any] = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.frozensets(ATOMS, max_size=3)
        | st.builds(bytearray, st.binary())
    ),
    max_leaves=20,
)


class TestValues:
    @given(VALUES)
    @settings(deadline=None)
    def test_builtin_values_come_back_equal_and_of_the_same_type(self, value: Any) -> None:
        arrived = through(value)
        assert arrived == value
        assert type(arrived) is type(value)

    @pytest.mark.parametrize("value", [None, True, False, 0, -7, 2**80, 1.5, "ä\ud800", b"\x00", 1j])
    def test_small_values_are_a_bare_pickle(self, value: Any) -> None:
        packed = pack(value)
        assert isinstance(packed, bytes)
        assert pickle.loads(packed) == value
        assert dumps(value) == Serialized(packed, (), (), len(packed))
        assert to_value(dumps(value)) == packed

    def test_true_and_one_are_told_apart(self) -> None:
        assert [through(value) for value in (True, 1, 1.0)] == [True, 1, 1.0]
        assert [type(through(value)) for value in (True, 1, 1.0)] == [bool, int, float]

    def test_an_array_is_not_copied_by_dumps(self) -> None:
        array = np.arange(1000, dtype=np.int64)
        serialized = dumps({"a": [array]})
        assert len(serialized.buffers) == 1
        assert np.shares_memory(np.frombuffer(serialized.buffers[0], np.int64), array)
        assert serialized.size == len(serialized.data) + array.nbytes
        assert len(serialized.data) < 300

    @pytest.mark.parametrize(
        "array",
        [
            np.arange(10),
            np.arange(12.0).reshape(3, 4),
            np.asfortranarray(np.arange(12.0).reshape(3, 4)),
            np.arange(20)[::2],
            np.zeros((0, 3)),
            np.array(5),
            np.array([(1, 2.0)], dtype=[("x", "i4"), ("y", ">f8")]),
            np.array([1, "a", None], dtype=object),
            np.array(["2020-01-01"], dtype="M8[D]"),
        ],
        ids=str,
    )
    def test_arrays_of_every_kind_come_back_equal(self, array: Any) -> None:
        arrived = through({"x": array})["x"]
        assert arrived.dtype == array.dtype
        assert arrived.shape == array.shape
        assert (arrived == array).all()

    def test_arrays_come_back_read_only(self) -> None:
        arrived = through(np.arange(5))
        with pytest.raises(ValueError, match="read-only"):
            arrived[0] = 1

    def test_a_large_byte_string_is_not_copied_by_dumps(self) -> None:
        for value in (bytes(range(256)) * 1000, bytearray(range(256)) * 1000):
            serialized = dumps(value)
            assert serialized.buffers[0].obj is value
            assert serialized.size > len(value)
            arrived = loads(serialized.data, serialized.buffers)
            assert arrived == value
            assert type(arrived) is type(value)

    def test_a_large_bytearray_arrives_as_a_copy(self) -> None:
        value = bytearray(INLINE_MAX + 1)
        serialized = dumps(value)
        arrived = loads(serialized.data, serialized.buffers)
        arrived[0] = 1
        assert value[0] == 0

    def test_a_memoryview_keeps_its_shape_and_is_not_copied(self) -> None:
        view = memoryview(cast("Any", np.arange(6, dtype=np.int16).reshape(2, 3)))
        serialized = dumps([view])
        assert len(serialized.buffers) == 1
        arrived = through([view])[0]
        assert (arrived.format, arrived.shape, arrived.readonly) == ("h", (2, 3), True)
        assert arrived.tolist() == view.tolist()

    @pytest.mark.parametrize(
        "view", [memoryview(b"abcdef")[::2], memoryview(b""), memoryview(cast("Any", np.array([(1, 2)], "i,i")))]
    )
    def test_memoryviews_that_have_no_simple_layout_become_bytes(self, view: memoryview) -> None:
        assert through([view]) == [view.tobytes()]

    def test_to_value_copies_buffers(self) -> None:
        array = np.arange(3, dtype=np.uint8)
        value = to_value(dumps(array))
        assert isinstance(value, Packed)
        assert value.buffers == [b"\x00\x01\x02"]
        assert value.refs is None
        array[0] = 9
        assert loads(value.data, value.buffers).tolist() == [0, 1, 2]

    def test_what_only_cloudpickle_takes(self) -> None:
        factor = 3
        assert through([lambda x: factor * x])[0](2) == 6

    def test_from_several_threads_at_once(self, engine: RefsOnly) -> None:
        wrong: list[object] = []

        def work(number: int) -> None:
            for _ in range(200):
                mine = ref(number)
                serialized = dumps([mine, lambda: number])
                if list(serialized.refs) != [mine]:
                    wrong.append(serialized.refs)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


class Holder:
    """Pickles another value on its own, in the middle of being pickled."""

    def __init__(self, inner: object, how: Callable[[object], object]) -> None:
        self.inner = inner
        self.how = how

    def __reduce__(self) -> tuple[Any, ...]:
        return pickle.loads, (self.how(self.inner),)


class TestRefs:
    def test_refs_are_listed_in_order_wherever_they_are(self, engine: RefsOnly) -> None:
        refs = [ref(number) for number in range(5)]
        error = ValueError(refs[3])

        def closure() -> object:
            return refs[4]

        serialized = dumps([refs[0], {"x": (refs[1],), refs[2]: 1}, error, closure])
        assert list(serialized.refs)[:4] == refs[:4]
        assert refs[4] in serialized.refs
        assert engine.pinned == []

    def test_refs_arrive_adopted(self, engine: RefsOnly) -> None:
        mine = ref(7, "unix:@owner")
        arrived = through({"r": mine})["r"]
        assert arrived == mine
        assert arrived._owner_address == "unix:@owner"

    def test_a_failed_plain_attempt_does_not_count_refs_or_buffers_twice(self, engine: RefsOnly) -> None:
        mine, array = ref(1), np.arange(4)
        serialized = dumps([mine, array, lambda: None])
        assert list(serialized.refs) == [mine]
        assert len(serialized.buffers) == 1

    def test_pickling_inside_pickling_keeps_refs_apart(self, engine: RefsOnly) -> None:
        inner: list[Serialized] = []

        def own_dumps(value: object) -> bytes:
            inner.append(dumps(value))
            return inner[-1].data

        outer_ref, inner_ref = ref(1), ref(2)
        serialized = dumps([Holder(inner_ref, own_dumps), outer_ref])
        assert list(serialized.refs) == [outer_ref]
        assert list(inner[-1].refs) == [inner_ref]

    def test_a_ref_that_a_reducer_pickles_by_itself_counts_as_inside(self, engine: RefsOnly) -> None:
        serialized = dumps(Holder(ref(2), pickle.dumps))
        assert list(serialized.refs) == [ref(2)]
        assert engine.pinned == []

    def test_a_ref_pickled_elsewhere_is_pinned(self, engine: RefsOnly) -> None:
        pickle.dumps(ref(3))
        assert engine.pinned == [ref(3).binary()]

    def test_refs_of_a_value_in_a_message(self, engine: RefsOnly) -> None:
        value = to_value(dumps([ref(1, "x"), ref(2, "y")]))
        assert isinstance(value, Packed)
        assert value.refs == [RefInfo(ref(1).binary(), "x"), RefInfo(ref(2).binary(), "y")]
        assert ref_infos([]) is None

    def test_an_error_leaves_no_collection_behind(self, engine: RefsOnly) -> None:
        with pytest.raises(TypeError):
            dumps([ref(1), threading.Lock()])
        pickle.dumps(ref(2))
        assert engine.pinned == [ref(2).binary()]


REF = object()
ARGUMENT = st.just(REF) | st.integers() | st.lists(st.integers(), max_size=2)


class TestArguments:
    def test_none_at_all(self) -> None:
        assert dumps_args((), {}) == (None, [])
        assert loads_args(b"", None, []) == ((), {})

    @given(st.lists(ARGUMENT, max_size=6), st.dictionaries(st.text(max_size=3), ARGUMENT, max_size=4))
    @settings(deadline=None)
    def test_refs_are_replaced_by_their_values(self, positional: list[Any], named: dict[str, Any]) -> None:
        count = 0

        def with_ref(arg: Any) -> Any:
            nonlocal count
            count += arg is REF
            return ref(count) if arg is REF else arg

        args = tuple(with_ref(arg) for arg in positional)
        kwargs = {key: with_ref(arg) for key, arg in named.items()}
        serialized, deps = dumps_args(args, kwargs)
        assert deps == [ref(number) for number in range(1, count + 1)]
        values = [f"value {number}" for number in range(1, count + 1)]
        if serialized is None:
            assert (args, kwargs) == ((), {})
            return
        expected = iter(values)
        got_args, got_kwargs = loads_args(serialized.data, serialized.buffers, values)
        assert got_args == tuple(next(expected) if arg is REF else arg for arg in positional)
        assert got_kwargs == {key: next(expected) if arg is REF else arg for key, arg in named.items()}
        assert list(got_kwargs) == list(named)

    def test_a_ref_inside_a_container_stays_a_ref(self, engine: RefsOnly) -> None:
        serialized, deps = dumps_args(([ref(1)], ref(2)), {})
        assert serialized is not None
        assert deps == [ref(2)]
        assert list(serialized.refs) == [ref(1)]
        args, _ = loads_args(serialized.data, serialized.buffers, ["two"])
        assert args == ([ref(1)], "two")

    def test_the_same_ref_twice(self) -> None:
        serialized, deps = dumps_args((ref(1), ref(1)), {"x": ref(1)})
        assert serialized is not None
        assert deps == [ref(1)] * 3
        assert loads_args(serialized.data, None, ["a", "a", "a"]) == (("a", "a"), {"x": "a"})

    def test_one_object_given_twice_arrives_as_one(self) -> None:
        shared: list[int] = []
        serialized, _ = dumps_args((shared,), {"x": shared})
        assert serialized is not None
        args, kwargs = loads_args(serialized.data, None, [])
        assert args[0] is kwargs["x"]

    def test_ten_thousand_refs_take_a_few_bytes_each(self) -> None:
        serialized, deps = dumps_args(tuple(ref(number) for number in range(10_000)), {})
        assert serialized is not None
        assert len(deps) == 10_000
        assert serialized.size < 50_000
        assert loads_args(serialized.data, None, list(range(10_000)))[0] == tuple(range(10_000))

    def test_arrays_among_arguments_are_out_of_band(self) -> None:
        serialized, _ = dumps_args((np.arange(3), 1), {"x": np.arange(4)})
        assert serialized is not None
        assert len(serialized.buffers) == 2

    def test_errors_say_which_argument(self) -> None:
        with pytest.raises(TypeError, match=r"^args\[1\]\['conn'\]\[0\]: cannot pickle '_thread.lock' object"):
            dumps_args((1, {"conn": [threading.Lock()]}), {})
        with pytest.raises(TypeError, match=r"^kwargs\['x'\]: cannot pickle"):
            dumps_args((ref(1),), {"x": threading.Lock()})
