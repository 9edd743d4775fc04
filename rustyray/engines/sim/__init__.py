"""The simulator: owners, workers, nodes and a head in one process, in virtual time, over a network without sockets.

chooser.py   who decides what happens next: chance, a recorded trace, or a list of deviations
network.py   channels between processes: in order each, any of them next; losses
faults.py    what goes wrong, and when
values.py    the values of scripted programs, and how they are written
scripts.py   scripted programs: what stands for the user's code; library.py has them by name
running.py   their interpreter
process.py   a process with an owner core: messages, effects, waiting, refs
client.py    a driver or worker as a program sees it; driver.py the first, worker.py the second
node.py      a node's process, on the first node with the head in it
world.py     all of them on one timeline
books.py     what must hold, whatever is chosen
story.py     what has happened

The cores are the native engine's own. A run depends on its chooser alone: the same choices give the same trace.

Ordinary code runs there as well, for ``init(engine="sim")``:

simulation.py  a world whose driver is the code that called ``init``
green.py       programs in greenlets
host.py        a process that runs them: messages, waiting, callbacks
engine.py      the engine in it, as the programs see it
clock.py       the time, as the programs see it; threads.py their threads and locks, loop.py their event loops
outside.py     what they must not do: processes, sockets
interrupts.py  Ctrl-C
selfcheck.py   whether two runs are the same
stuck.py       who waits for what when nothing happens any more
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
