"""Ids are counter-based bytes, each with its maker's id as prefix, so that no two processes can make the same one.

A node's id is drawn once by whoever starts the node. Everything below it counts:

    NodeID    8 bytes
    WorkerID  12 bytes = NodeID   + 4-byte counter   (a driver is numbered like a worker)
    TaskID    20 bytes = WorkerID + 8-byte counter   (the submitting owner's)
    ObjectID  24 bytes = TaskID   + 4-byte index     (return number; 0 for ``put``)
    ActorID   20 bytes = the TaskID of the creation task
    GroupID   20 bytes = WorkerID + 8-byte counter   (a placement group's, counted like its creator's tasks)

An object's owner can therefore be read off its id without asking anybody.
"""

from __future__ import annotations

from typing import Final, TypeAlias

NodeID: TypeAlias = bytes
WorkerID: TypeAlias = bytes
TaskID: TypeAlias = bytes
ObjectID: TypeAlias = bytes
ActorID: TypeAlias = bytes
JobID: TypeAlias = bytes
GroupID: TypeAlias = bytes

NODE_ID_SIZE: Final = 8
#: With the engine "ray", nodes are Ray's own.
RAYS_NODE_ID_SIZE: Final = 28
WORKER_ID_SIZE: Final = 12
TASK_ID_SIZE: Final = 20
INDEX_SIZE: Final = 4
OBJECT_ID_SIZE: Final = TASK_ID_SIZE + INDEX_SIZE
JOB_ID_SIZE: Final = 4

#: The index that marks the hidden object by which handles of an actor are counted.
HANDLE_INDEX: Final = b"\xff\xff\xff\xff"
FIRST_RETURN: Final = b"\x00\x00\x00\x00"
#: The index that marks the hidden object by which it is known whether somebody still reads a stream.
STREAM_INDEX: Final = b"\xff\xff\xff\xfe"
#: How the indexes of hidden objects begin.
HIDDEN: Final = 0xFF


def worker_id(node: NodeID, number: int) -> WorkerID:
    return node + number.to_bytes(4, "big")


def task_id(owner: WorkerID, number: int) -> TaskID:
    return owner + number.to_bytes(8, "big")


def object_id(task: TaskID, index: int) -> ObjectID:
    return task + index.to_bytes(4, "big")


def handle_id(actor: ActorID) -> ObjectID:
    """The object whose references are the handles of ``actor``."""
    return actor + HANDLE_INDEX


def item_id(task: TaskID, index: int) -> ObjectID:
    """The item of a generator that is number ``index``, counted from 0."""
    return task + (index + 1).to_bytes(4, "big")


def stream_id(task: TaskID) -> ObjectID:
    """The object whose references are those who read what a generator makes."""
    return task + STREAM_INDEX


def node_of(some_id: bytes) -> NodeID:
    return some_id[:NODE_ID_SIZE]


def owner_of(object_or_task: bytes) -> WorkerID:
    """The worker (or driver) that owns an object, submitted a task or created an actor."""
    return object_or_task[:WORKER_ID_SIZE]


def task_of(object_: ObjectID) -> TaskID:
    return object_[:-INDEX_SIZE]


def from_hex(text: str) -> bytes:
    """The id that a person, or a program, has named; empty if that is none."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def short(some_id: bytes) -> str:
    """The part of an id that tells it from its neighbours, for messages meant for people."""
    return some_id.hex()[-12:] if len(some_id) > NODE_ID_SIZE else some_id.hex()[:8]
