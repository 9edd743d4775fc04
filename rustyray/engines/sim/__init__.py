"""The simulator: owners, workers, nodes and a head in one process, in virtual time, over a network without sockets.

The cores are the native engine's own. A run depends on its chooser alone: the same choices give the same trace.

world/         processes, nodes and the network between them on one timeline, and who decides what happens next
scripted/      programs that are lists of steps, with an exact account of their refs: to try the cores hard
stdlib/        what ordinary code gets in place of the standard library's clocks, threads, event loops and sockets

Ordinary code runs in the world as well, for ``init(engine="sim")``:

simulation.py  a world whose driver is the code that called ``init``
green.py       programs in greenlets
host.py        a process that runs them: messages, waiting, callbacks
client.py      what is the same in the engines of all processes
driver.py      the engine of the code that called ``init``: nodes that come and go, the end
worker.py      the engine of its workers
steering.py    how an explorer gets hold of the runtime that is started next
selfcheck.py   whether two runs are the same
stuck.py       who waits for what when nothing happens any more
circles.py     what a program repeats that never ends, and who starves meanwhile
errors.py      which tasks raised, and whether anybody has looked
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rustyray.model.settings import Settings
    from rustyray.runtime.engine import Engine


def start(settings: Settings) -> Engine:
    """Start a simulated runtime whose driver is the calling code."""
    from rustyray.engines.sim.simulation import begin

    return begin(settings)
