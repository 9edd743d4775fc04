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
"""
