"""Actor classes made with ``rustyray.remote(Class)``, their handles and methods."""

from __future__ import annotations

from typing import Any, assert_type

import rustyray
from rustyray import ActorClass, ActorHandle


class Tally:
    def __init__(self, start: int = 0) -> None:
        self.value = start

    def add(self, amount: int) -> int:
        return self.value + amount

    @rustyray.method(num_returns=2)
    def both(self) -> tuple[int, int]:
        return self.value, -self.value

    @rustyray.method
    def plain(self) -> str:
        return ""

    def uses_its_own_methods(self) -> None:
        assert_type(self.add(1), int)
        assert_type(self.both(), tuple[int, int])
        assert_type(self.plain(), str)


Counter = rustyray.remote(Tally)
Sturdy = rustyray.remote(max_restarts=-1, max_task_retries=3)(Tally)


def making() -> None:
    assert_type(Counter, ActorClass[Tally])
    assert_type(Sturdy, ActorClass[Tally])
    assert_type(Counter.remote(1), ActorHandle[Tally])
    assert_type(Counter.options(name="n", lifetime="detached", get_if_exists=True).remote(), ActorHandle[Tally])
    assert_type(Counter.cls(1).add(1), int)


def calling(counter: ActorHandle[Tally]) -> None:
    value: int = rustyray.get(counter.add.remote(1))
    refs = counter.both.options(num_returns=2).remote()
    assert_type(refs, list[rustyray.ObjectRef[Any]])
    rustyray.get([counter.add.remote(value), counter.__ray_ready__.remote()])
    rustyray.kill(counter, no_restart=False)


def mistakes() -> None:
    Counter.options(lifetime="for ever")  # type: ignore[arg-type]
    Counter.options(max_retries=1)  # type: ignore[call-arg]
    rustyray.method(num_return=2)  # type: ignore[call-overload]
    Counter.options(num_cpus="2")  # type: ignore[arg-type]
