"""Signals of simulated processes: handlers are each worker's own, and a deadly signal ends the simulated process."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from rustyray.engines.sim.green import ProcessEnded
from rustyray.engines.sim.stdlib.outside import user_line
from rustyray.engines.sim.stdlib.patches import current
from rustyray.exceptions import SimulationError

if TYPE_CHECKING:
    from rustyray.engines.sim.host import UserProcess
    from rustyray.engines.sim.stdlib.patches import Patches

_DEADLY: Final = frozenset(
    getattr(signal, name)
    for name in (
        *("SIGKILL", "SIGTERM", "SIGABRT", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGHUP", "SIGQUIT"),
        *("SIGUSR1", "SIGUSR2", "SIGALRM"),
    )
)
#: What a worker must not do, as it would concern the real process: the module, and what it does.
_REFUSED: Final = (
    (signal, "alarm", "sets a timer"),
    (signal, "setitimer", "sets a timer"),
    (signal, "sigwait", "waits for one"),
    (signal, "sigwaitinfo", "waits for one"),
    (signal, "sigtimedwait", "waits for one"),
    (signal, "pthread_kill", "sends one to a thread"),
    (os, "killpg", "sends one to a process group"),
)
_handlers: Final[WeakKeyDictionary[UserProcess, dict[int, Any]]] = WeakKeyDictionary()


def install(patches: Patches) -> None:
    """Keep signals of workers inside of the simulation."""
    for where, name, what in _REFUSED:
        if hasattr(where, name):  # not on every system
            patches.replace(where, name, _refused(getattr(where, name), what))
    patches.replace(signal, "pause", _refused(signal.pause, "waits for one", drivers=True))
    patches.replace(signal, "signal", _signal(signal.signal))
    patches.replace(signal, "getsignal", _getsignal(signal.getsignal))
    patches.replace(signal, "raise_signal", _raise_signal(signal.raise_signal))
    patches.replace(os, "abort", _abort(os.abort))
    patches.replace(os, "kill", _kill(os.kill))


def _worker() -> UserProcess | None:
    process = current()
    return process if process is not None and process.executes else None


def _refused(real: Callable[..., Any], what: str, drivers: bool = False) -> Callable[..., Any]:
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        if (current() if drivers else _worker()) is not None:
            raise SimulationError(f"signals cannot be simulated: {user_line(2)} {what}")
        return real(*args, **kwargs)

    return stand_in


def _handler(process: UserProcess, number: int) -> Any:
    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    return _handlers.get(process, {}).get(number, default)


def _signal(real: Callable[..., Any]) -> Callable[..., Any]:
    def signal_(signalnum: int, handler: Any, /) -> Any:
        process = _worker()
        if process is None:
            return real(signalnum, handler)
        if process.world.running is not process.main:
            raise ValueError("signal only works in main thread of the main interpreter")
        if not callable(handler) and handler not in (signal.SIG_DFL, signal.SIG_IGN):
            raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
        before = _handler(process, signalnum)
        _handlers.setdefault(process, {})[signal.Signals(signalnum)] = handler
        return before

    return signal_


def _getsignal(real: Callable[[int], Any]) -> Callable[[int], Any]:
    def getsignal(signalnum: int, /) -> Any:
        process = _worker()
        return real(signalnum) if process is None else _handler(process, signalnum)

    return getsignal


def _raise_signal(real: Callable[[int], None]) -> Callable[[int], None]:
    def raise_signal(signalnum: int, /) -> None:
        if _worker() is None or signalnum == signal.SIGINT:  # Ctrl-C is the driver's
            real(signalnum)
        else:
            os.kill(os.getpid(), signalnum)

    return raise_signal


def _abort(real: Callable[[], Any]) -> Callable[[], Any]:
    def abort() -> Any:
        if _worker() is None:
            return real()
        return os.kill(os.getpid(), signal.SIGABRT)

    return abort


def _kill(real: Callable[[int, int], None]) -> Callable[[int, int], None]:
    def kill(pid: int, number: int, /) -> None:
        process = current()
        victim: Any = None if process is None else process.simulation.process_of(pid)
        if process is None or victim is None:
            real(pid, number)
        elif not victim.alive:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        elif number:
            _deliver(process, victim, number)

    return kill


def _deliver(process: UserProcess, victim: Any, number: int) -> None:
    """A signal from a process to a worker or node."""
    handler = _handlers.get(victim, {}).get(number, signal.SIG_DFL) if number != signal.SIGKILL else signal.SIG_DFL
    if handler == signal.SIG_IGN:
        return
    if callable(handler) and process.world.running is victim.main:
        handler(int(number), None)
    elif handler == signal.SIG_DFL and number in _DEADLY:
        number = signal.Signals(number)
        victim.world.crash(victim.me, f"it was killed by signal {number.value} ({number.name})")
        if not process.alive:
            raise ProcessEnded
    else:
        raise SimulationError(f"signal {number} cannot be simulated: {user_line(3)} sends it")
