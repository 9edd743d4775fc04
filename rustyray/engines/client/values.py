"""Objects, as a program sees them: put, got and waited for, and refs that come from elsewhere.

What is small lies in the owner core; what is large, in the node's store, from which it is mapped. A value may turn out
to be lost while others are waited for, or when it is read: then it is looked for again, or waited for anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rustyray.engines.client.groups import GroupClient
from rustyray.engines.client.waiter import Waiter
from rustyray.exceptions import GetTimeoutError
from rustyray.model.ids import FIRST_RETURN
from rustyray.model.values import Failed, Fault, FaultKind, Packed, Stored, Value
from rustyray.runtime.faults import from_value
from rustyray.runtime.ref import ObjectRef
from rustyray.runtime.serialization import INLINE_MAX, Serialized, loads, pack, to_value

#: Seconds for which a value is looked for that is not where it should be, and between two looks.
MISPLACED: Final = 5.0
LOOK: Final = 0.02


class Misplaced(Exception):
    """A stored value is not where it should be."""

    def __init__(self, object_: bytes, stored: Stored, fault: Fault) -> None:
        super().__init__(fault.message)
        self.object = object_
        self.stored = stored
        self.fault = fault


class MadeAgain(Exception):
    """A value that was there is lost, and is on its way again."""


class Values(GroupClient):
    """Makes and reads objects."""

    def put(self, value: Any) -> ObjectRef[Any]:
        return self._put(pack(value))

    def _put(self, packed: bytes | Serialized) -> ObjectRef[Any]:
        value: Value
        object_: bytes | None = None
        if isinstance(packed, bytes):
            if len(packed) <= INLINE_MAX:
                value = packed
            else:
                packed = Serialized(packed, (), (), len(packed))
        if isinstance(packed, Serialized):
            self._check_ours(packed.refs)
            if packed.size <= INLINE_MAX:
                value = to_value(packed)
            else:
                with self.pump.lock:
                    object_ = self.core.next_task() + FIRST_RETURN
                value = self.store.write(object_, packed)
                if isinstance(value, Fault):
                    raise self._error(object_, value)
        with self.pump.lock:
            object_ = self.core.put(value, object_)
        ref: ObjectRef[Any] = ObjectRef(object_, self.address, self._drop)
        self.pump.check_interrupt()
        return ref

    def get(self, refs: Sequence[ObjectRef[Any]], timeout: float | None) -> list[Any]:
        objects = self.core.objects
        values: list[Any] = []
        for ref in refs:
            entry = objects.get(ref._id)
            value = entry.value if entry is not None else None
            if type(value) is not bytes:
                break
            values.append(loads(value))
        else:
            return values
        pump = self.pump
        deadline = None if timeout is None else pump.clock() + timeout
        patience = 0.0
        while True:
            self._await_values(refs, timeout)
            try:
                return self._read(refs)
            except Misplaced as missing:
                if not patience:
                    patience = pump.clock() + MISPLACED
                elif pump.clock() > patience:
                    raise self._error(missing.object, missing.fault) from None
                self._look_again(missing)
            except MadeAgain:
                pass  # it was lost while others were waited for: wait for it, too
            timeout = None if deadline is None else max(0.0, deadline - pump.clock())

    def _look_again(self, missing: Misplaced) -> None:
        """It may be made again, or be elsewhere by now: whoever knows has heard, or is about to."""
        with self.pump.lock:
            hope = self.core.asking.ask_anew(missing.object, missing.stored)
        if not hope:
            raise self._error(missing.object, missing.fault) from None
        self.pump.turn(LOOK)

    def _await_values(self, refs: Sequence[ObjectRef[Any]], timeout: float | None) -> None:
        """Wait until all have a value, or one has an error (which `_read` then raises)."""
        pump, core = self.pump, self.core
        waiter = Waiter(0, stop_at_error=True)
        missing: list[bytes] = []
        with pump.lock:
            for ref in refs:
                entry = core.watch(ref._id)
                if entry.value is None:
                    pump.watch(ref._id, waiter)
                    missing.append(ref._id)
                elif isinstance(entry.value, Failed | Fault):
                    pump.unwatch(missing, waiter)
                    return
            waiter.need = len(missing)
            pump.flush()
            if waiter.need <= 0 or waiter.done:
                return
        deadline = None if timeout is None else pump.clock() + timeout
        if not self._wait_for(missing, waiter, deadline):
            with pump.lock:
                late = [object_ for object_ in missing if core.objects[object_].value is None]
            first = f" (the first: {late[0].hex()})" if late else ""
            raise GetTimeoutError(
                f"get() waited {timeout:g} s; {len(late)} of {len(refs)} objects were not ready{first}"
            )
        if len(missing) > 1:
            with pump.lock:
                pump.unwatch(missing, waiter)
        if pump.closed:
            raise RuntimeError("the runtime was shut down while get() waited")

    def _wait_for(self, objects: list[bytes], waiter: Waiter, deadline: float | None) -> bool:
        """As `_block`. One that is too late, or is interrupted, does not wait for these any more."""
        in_time = False
        try:
            in_time = self._block(waiter, deadline)
        finally:
            if not in_time:
                with self.pump.lock:
                    self.pump.unwatch(objects, waiter)
        return in_time

    def _block(self, waiter: Waiter, deadline: float | None) -> bool:
        """Wait; a worker's main thread also gives back what it will not get to meanwhile."""
        return self.pump.wait(waiter, deadline)

    def _read(self, refs: Sequence[ObjectRef[Any]]) -> list[Any]:
        """The values of refs that are ready; raises the first error among them."""
        found: list[Value | None] = []
        objects = self.core.objects
        stored: dict[bytes, Stored] = {}
        made_again = False
        for ref in refs:
            value = objects[ref._id].value
            if isinstance(value, Failed | Fault):
                raise self._error(ref._id, value)
            if value is None:
                made_again = True
            if isinstance(value, Stored):
                stored[ref._id] = value
            found.append(value)
        if made_again:
            raise MadeAgain
        pins = self.store.pin(stored) if stored else {}
        values: list[Any] = []
        try:
            for ref, value in zip(refs, found, strict=True):
                if isinstance(value, Stored):
                    values.append(self._read_stored(ref._id, value, pins))
                else:
                    values.append(self.load(value))
        finally:
            if pins:  # one that does not load leaves the others
                self.store.unpin(pins)
        return values

    def _read_stored(self, object_: bytes, stored: Stored, pins: dict[bytes, Any]) -> Any:
        pinned = pins.pop(object_, None) or self.store.pin({object_: stored})[object_]
        if isinstance(pinned, Fault):
            if pinned.kind in (FaultKind.OBJECT_LOST, FaultKind.OBJECT_FREED):
                raise Misplaced(object_, stored, pinned)
            raise self._error(object_, pinned)
        return self.store.load(object_, pinned)

    def load(self, value: Value | None) -> Any:
        """Unpickle a value that came inside a message."""
        if isinstance(value, bytes):
            return loads(value)
        if isinstance(value, Packed):
            return loads(value.data, value.buffers)
        raise self._error(b"", value or Fault(FaultKind.SYSTEM, "there is no value"))

    def _error(self, object_: bytes, value: Value) -> BaseException:
        if not isinstance(value, Failed | Fault):
            raise TypeError(f"{type(value).__name__} is not an error")
        return from_value(value, loads, object_)

    def wait(
        self, refs: Sequence[ObjectRef[Any]], num_returns: int, timeout: float | None, fetch_local: bool
    ) -> tuple[list[ObjectRef[Any]], list[ObjectRef[Any]]]:
        deadline = None if timeout is None else self.pump.clock() + timeout
        while True:
            ready, rest = self._split(refs, num_returns)
            if len(ready) >= num_returns:
                return ready, rest
            if not self._await_some(refs, num_returns, deadline) or self.pump.closed:
                return self._split(refs, num_returns)
            # Enough were there, each at some time; one that was lost again is waited for once more.

    def _await_some(self, refs: Sequence[ObjectRef[Any]], count: int, deadline: float | None) -> bool:
        """Wait until so many of them have a value; False if that took too long."""
        pump, core = self.pump, self.core
        waiter = Waiter(0)
        missing: list[bytes] = []
        with pump.lock:
            there = 0
            for ref in refs:
                if core.watch(ref._id).value is None:
                    pump.watch(ref._id, waiter)
                    missing.append(ref._id)
                else:
                    there += 1
            waiter.need = count - there
            pump.flush()
            if waiter.need <= 0:
                waiter.done = True
        try:
            if deadline is not None and deadline <= pump.clock():
                pump.turn(0)
            elif not waiter.done:
                self._block(waiter, deadline)
        finally:
            with pump.lock:
                pump.unwatch(missing, waiter)
        return waiter.done

    def _split(
        self, refs: Sequence[ObjectRef[Any]], num_returns: int
    ) -> tuple[list[ObjectRef[Any]], list[ObjectRef[Any]]]:
        """The first ``num_returns`` ready ones, and the others, both in order; stops looking when it has enough."""
        objects = self.core.objects
        ready: list[ObjectRef[Any]] = []
        rest: list[ObjectRef[Any]] = []
        for index, ref in enumerate(refs):
            entry = objects.get(ref._id)
            if entry is not None and entry.value is not None:
                ready.append(ref)
                if len(ready) == num_returns:
                    rest.extend(refs[index + 1 :])
                    break
            else:
                rest.append(ref)
        return ready, rest

    def _check_ours(self, refs: Sequence[ObjectRef[Any]]) -> None:
        """Refs that a program has kept from an earlier runtime cannot go into this one."""
        for ref in refs:
            if ref._drop is not self._drop:
                raise ValueError(f"{ref!r} is of an earlier runtime of this program: its runtime has ended, so has it")

    def adopt(self, object_id: bytes, owner_address: str) -> ObjectRef[Any]:
        with self.pump.lock:
            self.core.refs.adopt(object_id, owner_address)
            if not owner_address:
                owner_address = self.core.refs.address_of(object_id)
        return ObjectRef(object_id, owner_address, self._drop)

    def pin_forever(self, ref: ObjectRef[Any]) -> None:
        with self.pump.lock:
            self.core.refs.hold(ref._id, ref._owner_address)
