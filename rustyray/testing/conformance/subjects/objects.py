"""Objects: values in the store."""

import pickle

import numpy as np
import pytest

from rustyray.testing.conformance.helpers import got


def put_returns_a_ref(api):
    """``put`` returns a ref to the value."""
    ref = api.put({"a": [1, 2]})
    assert isinstance(ref, api.ObjectRef)
    assert got(api, ref) == {"a": [1, 2]}


def put_refuses_a_ref(api):
    """``put`` of a ref raises TypeError."""
    with pytest.raises(TypeError):
        api.put(api.put(1))


def put_refuses_what_does_not_pickle(api):
    """``put`` of what cannot be pickled raises TypeError."""
    import threading

    with pytest.raises(TypeError):
        api.put(threading.Lock())


def put_copies(api):
    """An object is immutable: changing the value after ``put`` does not change it."""
    value = [1]
    ref = api.put(value)
    value.append(2)
    assert got(api, ref) == [1]


def get_copies(api):
    """Changing what ``get`` returned does not change the object."""
    ref = api.put([1])
    got(api, ref).append(2)
    assert got(api, ref) == [1]


def arrays_come_back_read_only(api):
    """A NumPy array that is large enough for the store comes back read-only."""
    array = got(api, api.put(np.zeros(100_000)))
    assert not array.flags.writeable
    with pytest.raises(ValueError):
        array[0] = 1


def arrays_come_back_without_a_copy(api):
    """Two gets of a large array in one process share its memory."""
    ref = api.put(np.zeros(100_000))
    first, second = got(api, ref), got(api, ref)
    assert np.shares_memory(first, second)
    assert first.__array_interface__["data"][0] == second.__array_interface__["data"][0]


def arrays_stay_valid_without_their_ref(api):
    """An array that ``get`` returned stays as it is when its ref has gone."""
    array = got(api, api.put(np.arange(100_000)))
    for n in range(5):
        got(api, api.put(np.full(100_000, n)))
    assert array.sum() == 99_999 * 50_000


def large_arguments_arrive_whole(api):
    """Large arguments and results arrive as they were sent."""

    @api.remote
    def double(array):
        return array * 2

    array = np.arange(200_000)
    assert (got(api, double.remote(array)) == array * 2).all()


def arrays_in_tasks_are_read_only(api):
    """A large array is read-only in a task that gets it as an argument."""

    @api.remote
    def writeable(array):
        return array.flags.writeable

    assert got(api, writeable.remote(api.put(np.zeros(100_000)))) is False


def bytes_come_back(api):
    """Bytes of any length come back as bytes."""
    for value in (b"", b"a", b"x" * 1_000_000):
        found = got(api, api.put(value))
        assert type(found) is bytes
        assert found == value


def bytearrays_come_back(api):
    """A bytearray comes back as a bytearray."""
    found = got(api, api.put(bytearray(b"abc")))
    assert type(found) is bytearray
    assert found == bytearray(b"abc")


def none_and_numbers_come_back(api):
    """None, booleans, numbers, strings and nested containers come back equal and of the same type."""
    for value in (None, True, 1, 1.5, 2j, "ä", (1, [2, {"a": {3}}]), frozenset((1,)), range(3)):
        found = got(api, api.put(value))
        assert found == value
        assert type(found) is type(value)


def classes_of_the_program_come_back(api):
    """Instances of classes that are defined in a function come back with their methods."""

    class Point:
        def __init__(self, x):
            self.x = x

        def twice(self):
            return 2 * self.x

    assert got(api, api.put(Point(4))).twice() == 8


def shared_parts_stay_shared(api):
    """What occurs twice in a value is still one object in the copy."""
    part = [1]
    a, b = got(api, api.put((part, part)))
    assert a is b


def a_value_can_contain_itself(api):
    """A value that contains itself can be put."""
    value = []
    value.append(value)
    found = got(api, api.put(value))
    assert found[0] is found


def refs_in_objects_stay_alive(api):
    """A ref inside a stored object keeps its object alive."""
    outer = api.put([api.put("inner")])
    assert got(api, got(api, outer)[0]) == "inner"


def refs_of_a_task_outlive_their_task(api):
    """A ref that a task returns can be used while its worker lives, after the task has ended."""

    @api.remote
    def make():
        return [api.put(np.arange(50_000)), api.put("small")]

    large, small = got(api, make.remote())
    assert got(api, large).sum() == 49_999 * 25_000
    assert got(api, small) == "small"


def equal_refs(api):
    """Refs that mean the same object are equal, hash alike and have the same id, also after a journey."""

    @api.remote
    def back(refs):
        return refs

    ref = api.put(1)
    again = got(api, back.remote([ref]))[0]
    assert again == ref
    assert hash(again) == hash(ref)
    assert again.hex() == ref.hex()
    assert again.binary() == ref.binary()
    assert api.put(1) != ref


def ids_are_hexadecimal(api):
    """``ref.hex()`` is ``ref.binary()`` in hexadecimal, and is in the ref's ``repr``."""
    ref = api.put(1)
    assert bytes.fromhex(ref.hex()) == ref.binary()
    assert ref.hex() in repr(ref)


def many_objects(api):
    """Thousands of small objects can be alive at the same time."""
    refs = [api.put(n) for n in range(2000)]
    assert sum(api.get(refs)) == 1999 * 1000


def dropped_objects_make_room(api):
    """Objects to which no refs are left make room for others in the store."""
    for n in range(12):
        assert got(api, api.put(np.full(2_000_000, n, dtype=np.int64)))[0] == n  # 16 MB each, in a store of 100 MB


def more_than_the_store_holds_is_spilled(api):
    """What does not fit into the store is spilled to disk and comes back."""
    refs = [api.put(np.full(2_000_000, n, dtype=np.int64)) for n in range(9)]
    assert [int(got(api, ref)[0]) for ref in refs] == list(range(9))


def refs_can_be_keys(api):
    """Refs can be keys of a dict and elements of a set."""
    a, b = api.put(1), api.put(2)
    assert {a: "a", b: "b"}[b] == "b"
    assert len({a, b, a}) == 2


def a_class_can_say_how_it_is_pickled(api):
    """``__reduce__`` of a class is respected."""

    class Odd:
        def __init__(self, x):
            self.x = x

        def __reduce__(self):
            return Odd, (self.x + 1,)

    assert got(api, api.put(Odd(1))).x == 2


def an_out_of_band_ref_is_pinned(api):
    """A ref that the program pickles itself still refers to its object when it is unpickled."""
    data = pickle.dumps(api.put("pinned"))
    assert got(api, pickle.loads(data)) == "pinned"


def a_memoryview_comes_back(api):
    """A buffer of bytes inside an array of another type comes back with its type and shape."""
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    found = got(api, api.put(array))
    assert found.dtype == np.int16
    assert found.shape == (2, 3, 4)
    assert (found == array).all()
