"""Messages in words, as far as the user's program is concerned."""

from __future__ import annotations

from collections.abc import Callable

from rustyray.model.messages import ObjectReady, PushCalls, PushTasks, Results
from rustyray.wire.codec import decode


def told(content: object, function: Callable[[bytes], str]) -> str:
    """What is on its way: ``content`` is a parcel's; ``function`` names a task's function by its key."""
    if not isinstance(content, bytes):
        return "the news that a connection is gone"
    message = decode(content)
    if isinstance(message, PushCalls):
        return "the call of " + ", ".join(f"`{call.method}`" for call in message.calls)
    if isinstance(message, PushTasks):
        return "the task " + ", ".join(f"`{function(task.fn)}`" for task in message.tasks)
    if isinstance(message, Results):
        return "a result" if len(message.done) == 1 else f"{len(message.done)} results"
    if isinstance(message, ObjectReady):
        return "the value of an object"
    return f"a message of the runtime's own ({type(message).__name__})"
