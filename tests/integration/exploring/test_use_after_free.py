"""Objects that are used after their last counted ref was dropped."""

from __future__ import annotations

import pytest

import rustyray
from rustyray.exceptions import ObjectFreedError
from rustyray.runtime.ref import rebuild
from rustyray.testing import RaceFound, explore, replay


@rustyray.remote
def make() -> int:
    return 7


@rustyray.remote
def use_by_id(object_: bytes, owner: str) -> int:
    ref: rustyray.ObjectRef[int] = rebuild(object_, owner)
    return rustyray.get(ref)


@rustyray.remote
def use(refs: list[rustyray.ObjectRef[int]]) -> int:
    return rustyray.get(refs[0])


def kept_by_id() -> None:
    """Nothing is wrong as long as the task begins before its object is let go."""
    made = make.remote()
    using = use_by_id.remote(made.binary(), made._owner_address)
    rustyray.get(make.remote())
    del made
    assert rustyray.get(using) == 7


def kept_by_ref() -> None:
    made = make.remote()
    using = use.remote([made])
    rustyray.get(make.remote())
    del made
    assert rustyray.get(using) == 7


def test_a_ref_that_is_dropped_too_early() -> None:
    with pytest.raises(RaceFound) as caught:
        explore(kept_by_id)
    found = caught.value
    assert found.departures == 1
    assert isinstance(found.__cause__, ObjectFreedError)
    text = str(found)
    assert "This is a use after free: its owner let it go when the last ref that counts was dropped." in text
    assert "It was the result of `make`, submitted at test_use_after_free.py:" in text
    assert ": made = make.remote(). The last ref to it was dropped by the driver at test_use_after_free.py:" in text
    assert ": del made. Its owner, the driver, freed it after step " in text
    with pytest.raises(ObjectFreedError) as again:
        replay(found.line).run(kept_by_id)
    assert "was dropped by the driver at" in "".join(again.value.__notes__)


def test_a_ref_that_is_passed_on() -> None:
    assert explore(kept_by_ref, schedules=100).schedules == 100


def test_a_value_that_was_put() -> None:
    @rustyray.remote
    def give_away() -> tuple[bytes, str]:
        kept = rustyray.put(5)
        return kept.binary(), kept._owner_address

    def scenario() -> None:
        object_, owner = rustyray.get(give_away.remote())
        ref: rustyray.ObjectRef[int] = rebuild(object_, owner)
        rustyray.get(ref)

    with pytest.raises(RaceFound) as caught:
        explore(scenario)
    text = str(caught.value)
    assert "It was put at test_use_after_free.py:" in text
    assert "The last ref to it was dropped by `give_away` on worker 5000001" in text
    assert "Its owner, worker 5000001, freed it" in text
