"""The node's core: resources, the lease queue, the worker pool, the actors that live here, and the store's index.

leases.py     who gets a worker, and when; claims.py its queue, accounts.py what is free; elsewhere.py who goes to
              another node, recalling.py whose workers are asked back
routing.py    requests that belong on certain nodes; cluster.py what is known of the others
bundles.py    bundles of placement groups that lie here; group_routing.py requests for workers in them
workers.py    the pool of processes; actors.py those that are an actor's
store.py      who writes, reads and frees which copies (copies.py); pins.py who has them mapped, reads.py who wants
              several at once
room.py       who gets room in the arena, and what leaves it; arena.py its extents, spilling.py the spill file's
pressure.py   who is told that it fills up
transfers.py  what comes from other nodes; serving.py what goes to them
memory.py     who is ended before memory runs out
shutdown.py   the end, in order; leaving.py the one that nobody here has asked for, and who comes after
core.py       `NodeCore`, the one door: messages and time in, effects out; base.py what all parts share, knobs.py what a
              user may set
"""

from rustyray.core.node.base import NodeLimits
from rustyray.core.node.core import NodeCore
from rustyray.core.node.transfers import THROWN_AWAY, Place

__all__ = ["THROWN_AWAY", "NodeCore", "NodeLimits", "Place"]
