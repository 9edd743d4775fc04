"""Where the threads of a process sleep until one of its descriptors is ready, or somebody wakes them."""

from __future__ import annotations

from collections.abc import Callable

from rustyray.engines.native.network.poller import Events, Waker, new_poller
from rustyray.engines.native.network.watch import Watch


class Sleep:
    """The poller and the waker of a process, which are closed only when nobody waits with them any more."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.poller = new_poller()
        self._poll = self.poller.wait
        self._watch = Watch(self._poll).wait
        self.waker = Waker()
        self.poller.add(self.waker.fd)
        #: One for each thread in `wait`.
        self.threads: list[None] = []
        self._closed = False

    def wait(self, timeout: float | None, deadline: float | None) -> Events:
        """What is ready: after ``timeout`` seconds, and at ``deadline``, maybe nothing. Several threads may wait."""
        if timeout is not None and timeout < 0.0:
            timeout = 0.0
        if deadline is not None:
            left = max(0.0, deadline - self._clock())
            timeout = left if timeout is None else min(timeout, left)
        self.threads.append(None)
        try:
            return self._watch(timeout) if timeout != 0.0 else self._poll(0.0)
        except (OSError, ValueError):
            if self._closed:
                return []
            raise
        finally:
            self.threads.pop()
            if self._closed:
                self._release()

    def close(self) -> None:
        """Nothing is waited for any more. The last thread that wakes closes what it has waited with."""
        self._closed = True
        self.waker.set()
        self._release()

    def after_fork(self) -> None:
        """As `close`, in a forked child: the threads stayed with the parent, which is not to be woken."""
        self.threads.clear()
        self._closed = True
        self._release()

    def _release(self) -> None:
        if not self.threads:
            self.poller.close()
            self.waker.close()
