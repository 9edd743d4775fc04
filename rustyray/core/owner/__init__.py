"""The owner: what a driver or worker knows about the objects, tasks and actor calls that it made itself.

records.py      what is remembered of an object, a task, a lease; the task's life as a table
references.py   who holds which object: local refs, holds, borrowers; freeing
scheduling.py   scheduling classes, leases, adaptive pipelining, taking work back
tasks.py        submission, dependencies, results, retries, cancellation
lineage.py      what is kept so that lost results can be made again
calls.py        actors: creation, call order, restarts
core.py         `OwnerCore`, the one door: messages and time in, effects out
"""

from rustyray.core.owner.core import OwnerCore

__all__ = ["OwnerCore"]
