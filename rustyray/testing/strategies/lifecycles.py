"""``lifecycles``: what a program may do with a runtime as a whole, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hypothesis import strategies as st

from rustyray.testing.strategies.options import runtime_options

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: What may be going on when a runtime ends or breaks; see `rustyray.testing.machines.work`.
WORK: Final = ("runs", "waits", "nests", "calls", "stored", "many")
#: What a forked child does: nothing, ask its parent's runtime, start and end its own, or be killed with its own.
CHILDREN: Final = ("leaves", "asks", "starts", "is killed")


class Step(NamedTuple):
    """One thing that a program does; ``name`` is a step of `LifecycleMachine`."""

    name: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"


class Lifecycle(tuple[Step, ...]):
    """Steps; as a text, it is what `LifecycleMachine.replay` takes."""

    __slots__ = ()

    def __str__(self) -> str:
        return "; ".join(map(str, self))


def steps(engine: str = "sim") -> dict[str, dict[str, SearchStrategy[Any]]]:
    """The steps there are, with their arguments."""
    found: dict[str, dict[str, SearchStrategy[Any]]] = {
        "init": {"options": runtime_options(engine)},
        "init_again": {},
        "task": {"number": st.integers(0, 9)},
        "begin_work": {"kind": st.sampled_from(WORK), "begun": st.booleans()},
        "wait_in_thread": {},
        "shutdown": {"grace": st.sampled_from([0.0, 0.05])},
        "end_session": {"which": st.integers(0, 3)},
        "kill_worker": {},
        "kill_node": {},
    }
    if engine == "native":
        found["use_in_thread"] = {}
        found["shutdown_from"] = {"threads": st.integers(2, 4)}
        found["fork"] = {"child": st.sampled_from(CHILDREN)}
    return found


def lifecycles(engine: str = "sim", *, max_steps: int = 10) -> SearchStrategy[Lifecycle]:
    """Sequences of steps: starts and ends of runtimes, uses, work that goes on, crashes, on "native" forks.

    They may come in any order; what cannot be done in a state `LifecycleMachine.replay` leaves out. They shrink to
    few steps.

    Args:
        engine: "sim" or "native".
        max_steps: the most steps.

    Raises:
        ValueError: There is no such engine.
    """
    each = [
        st.builds(Step, st.just(name), st.fixed_dictionaries(arguments)) for name, arguments in steps(engine).items()
    ]
    return st.lists(st.one_of(each), max_size=max_steps).map(Lifecycle)
