"""The owner: what a driver or worker knows about the objects, tasks and actor calls that it made itself.

core.py         `OwnerCore`, the one door: what the program does, messages and time in, effects out
incoming.py     which part a message is for
records.py      what is remembered of an object, a task, a lease; the task's life as a table
references.py   who holds which object: local refs, holds, borrowers; freeing.py tells the node, passed_on.py the owner
lent.py         refs in arguments, which the callers have
asking.py       values of others' objects
scheduling.py   scheduling classes, leases, adaptive pipelining, taking work back; requests.py asks for leases
arguments.py    what tasks and calls wait for before they can go
tasks.py        results; retries.py: failed attempts; lineage.py: results made again; streams.py: items of generators
actors.py       actors: creation, restarts, death; calls.py: the order of their calls
groups.py       placement groups that somebody waits for; head.py: what the head has to be told again
deaths.py       lost connections, dead processes and nodes
cancelling.py, unfinished.py: what is wanted no more, and what is not done
history.py, counting.py, holding.py, listing.py, telling.py, waits.py: what can be seen from outside
"""

from rustyray.core.owner.core import OwnerCore

__all__ = ["OwnerCore"]
