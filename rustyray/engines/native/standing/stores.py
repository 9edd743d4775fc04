"""Where a head writes down what it must not forget: a SQLite file, or a Redis server.

``sqlite:PATH`` needs nothing and serves one machine. ``redis://host:port/number`` (or ``rediss://``, with TLS) lets the
head come back on another one; it needs the package ``redis``. A store belongs to one cluster, and to one head at a
time.
"""

from __future__ import annotations

import os
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rustyray.core.effects import Keep

if TYPE_CHECKING:
    import redis

#: Seconds for which a store that does not answer is tried, and between two attempts.
PATIENCE: Final = 10.0
#: The same where it has never answered: most likely its address is wrong.
FIRST_PATIENCE: Final = 2.0
PAUSE: Final = 0.2
#: Seconds after which a head that has not renewed its claim to a Redis store is taken for dead.
CLAIM: Final = 5.0
#: Seconds for which the claim of another head is waited for to run out.
CLAIM_WAIT: Final = CLAIM + 1.0


#: What to do when SQLite says so.
_REMEDIES: Final = {
    "disk is full": "free some room there",
    "disk I/O error": "see whether its disk is full, or broken",
}


class StoreError(RuntimeError):
    """The store cannot be used; the text says which and why, and ``remedy`` what to do before it is used again."""

    def __init__(self, text: str, remedy: str = "see to it") -> None:
        super().__init__(text)
        self.remedy = remedy


class TakenOver(StoreError):
    """Another head has the store, and goes on with it."""


class Store(ABC):
    """What has been written down. Every method raises `StoreError`."""

    #: What `open_store` was told.
    url: str
    #: Seconds after which `renew` wants to be called; None: never.
    renewal: float | None = None

    @abstractmethod
    def claim(self) -> None:
        """Make it this process' own, until `close` or its end."""

    @abstractmethod
    def session(self) -> str:
        """The session of the cluster that it belongs to; empty if it is new."""

    @abstractmethod
    def belong_to(self, session: str) -> None:
        """From now on it is this cluster's."""

    @abstractmethod
    def load(self) -> list[bytes]:
        """All values, in the order in which they were first written."""

    @abstractmethod
    def write(self, changes: Sequence[Keep]) -> None:
        """All of these changes, or none; on return they outlive this process."""

    def renew(self) -> None:
        """Say that this process is still there, where that has to be said."""
        return

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""


def open_store(url: str) -> Store:
    """The store that ``url`` names.

    Raises:
        StoreError: it cannot be reached or opened.
        ValueError: there is no such kind of store.
    """
    kind, _, rest = url.partition(":")
    if kind == "sqlite" and rest:
        return SqliteStore(os.path.abspath(rest.removeprefix("//")))
    if kind in ("redis", "rediss") and rest.startswith("//"):
        return RedisStore(url)
    raise ValueError(f"{url!r} names no store: write sqlite:PATH or redis://host:port/number")


class SqliteStore(Store):
    """A file. It survives the end of the head, and of the machine but for the last moments."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.url = f"sqlite:{path}"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.close(fd)
            self._db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
            self._do("PRAGMA journal_mode=WAL")
            self._do("PRAGMA synchronous=NORMAL")
            self._do("CREATE TABLE IF NOT EXISTS cluster (session TEXT)")
            self._do(
                "CREATE TABLE IF NOT EXISTS kept "
                "(first INTEGER PRIMARY KEY, kind TEXT, key BLOB, value BLOB, UNIQUE (kind, key))"
            )
        except OSError as error:
            raise StoreError(f"the store {path} cannot be opened: {error.strerror}") from error

    def _do(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            if "locked" in str(error):
                raise StoreError(f"the store {self.path} is in use by another head") from error
            remedy = next((what for words, what in _REMEDIES.items() if words in str(error)), "see to it")
            raise StoreError(f"the store {self.path} cannot be used: {error}", remedy) from error

    def claim(self) -> None:
        self._do("PRAGMA locking_mode=EXCLUSIVE")
        self._do("BEGIN EXCLUSIVE")
        self._do("COMMIT")

    def session(self) -> str:
        found = self._do("SELECT session FROM cluster")
        return str(found[0][0]) if found else ""

    def belong_to(self, session: str) -> None:
        self._do("DELETE FROM cluster")
        self._do("INSERT INTO cluster VALUES (?)", [session])

    def load(self) -> list[bytes]:
        return [value for (value,) in self._do("SELECT value FROM kept ORDER BY first")]

    def write(self, changes: Sequence[Keep]) -> None:
        self._do("BEGIN IMMEDIATE")
        try:
            for change in changes:
                if change.value is None:
                    self._do("DELETE FROM kept WHERE kind = ? AND key = ?", [change.kind, change.key])
                else:
                    self._do(
                        "INSERT INTO kept (kind, key, value) VALUES (?, ?, ?) "
                        "ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
                        [change.kind, change.key, change.value],
                    )
        except BaseException:
            if self._db.in_transaction:  # of some errors SQLite has done so itself
                self._do("ROLLBACK")
            raise
        self._do("COMMIT")

    def close(self) -> None:
        self._db.close()


class RedisStore(Store):
    """A hash on a Redis server, and a claim beside it that runs out when the head is dead. It outlives the head as far
    as the server keeps what it is given (see its ``appendonly``)."""

    renewal = CLAIM / 4

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ImportError as error:
            raise StoreError(f"the store {url} needs the package redis: pip install 'rustyray[redis]'") from error
        self.url = url
        self._errors = redis.RedisError
        self._client: redis.Redis = redis.Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0)
        self._token = os.urandom(16)
        self._first: dict[bytes, bytes] = {}
        self._next = 0
        self._patience = FIRST_PATIENCE
        self._try(self._client.ping)
        self._patience = PATIENCE

    def _try(self, call: Any, *arguments: Any, **options: Any) -> Any:
        """Call the server, again and again while it does not answer."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return call(*arguments, **options)
            except self._errors as error:
                if time.monotonic() > deadline:
                    raise StoreError(f"the store {self.url} cannot be used: {error}") from error
                time.sleep(PAUSE)

    def claim(self) -> None:
        """The claim of a head that was killed runs out; so wait for that."""
        deadline = time.monotonic() + CLAIM_WAIT
        while not self._try(self._client.set, "rustyray:head", self._token, nx=True, px=int(1000 * CLAIM)):
            if time.monotonic() > deadline:
                raise StoreError(f"the store {self.url} is in use by another head")
            time.sleep(PAUSE)

    def renew(self) -> None:
        self._check_claim()
        self._try(self._client.set, "rustyray:head", self._token, px=int(1000 * CLAIM))

    def _check_claim(self) -> None:
        owner = self._try(self._client.get, "rustyray:head")
        if owner not in (None, self._token):
            raise TakenOver(f"another head has taken the store {self.url} over")

    def session(self) -> str:
        found = self._try(self._client.get, "rustyray:session")
        return bytes(found).decode() if found else ""

    def belong_to(self, session: str) -> None:
        self._try(self._client.set, "rustyray:session", session)

    def load(self) -> list[bytes]:
        found: dict[bytes, bytes] = self._try(self._client.hgetall, "rustyray:kept")
        self._first = {field: value[:8] for field, value in found.items()}
        self._next = max((int.from_bytes(first, "big") for first in self._first.values()), default=0)
        return [value[8:] for _, value in sorted(found.items(), key=lambda item: item[1][:8])]

    def write(self, changes: Sequence[Keep]) -> None:
        self._check_claim()
        changed: dict[bytes, bytes] = {}
        gone: list[bytes] = []
        for change in changes:
            field = change.kind.encode() + b":" + change.key
            if change.value is None:
                gone.append(field)
                self._first.pop(field, None)
                continue
            if field not in self._first:
                self._next += 1
                self._first[field] = self._next.to_bytes(8, "big")
            changed[field] = self._first[field] + change.value
        self._try(self._write, changed, gone)

    def _write(self, changed: dict[bytes, bytes], gone: list[bytes]) -> None:
        with self._client.pipeline(transaction=True) as pipeline:
            if changed:
                pipeline.hset("rustyray:kept", mapping=changed)  # type: ignore[arg-type]
            if gone:
                pipeline.hdel("rustyray:kept", *gone)
            pipeline.execute()

    def close(self) -> None:
        try:
            if self._client.get("rustyray:head") == self._token:
                self._client.delete("rustyray:head")
            self._client.close()
        except self._errors:
            pass  # the claim runs out by itself
