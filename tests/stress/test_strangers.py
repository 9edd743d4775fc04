"""A hundred thousand connections of strangers to every process of a cluster, while a job runs on it.

The job's answers are right, nobody's descriptors or memory grow, and how long a call takes is told.
"""

from __future__ import annotations

import json
import os
import random
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rustyray.engines.native.network import address as addresses
from rustyray.engines.native.standing.asking import describe
from rustyray.engines.native.standing.places import ClusterFile
from rustyray.model.messages import HEAD, Role
from rustyray.wire.errors import WireError
from rustyray.wire.handshake import NONCE_SIZE, ClientHandshake, Credentials
from tests.integration.drivers import eventually
from tests.integration.standing.conftest import Commands, commands

__all__ = ["commands"]

JOB = """
import json, os, sys, time
import numpy as np
import rustyray
from rustyray.runtime import context

rustyray.init(address="auto")

def about():
    here = context.engine().process()
    return here.address, here.worker.hex(), os.getpid()

@rustyray.remote
class Sum:
    def __init__(self):
        self.total = 0
    def add(self, n):
        self.total += n
        return self.total
    def about(self):
        return about()

square = rustyray.remote(lambda n: n * n)
actor = Sum.remote()
print(json.dumps([about(), rustyray.get(actor.about.remote())]), flush=True)
total = 0
for round in range(10**9):
    begun = time.perf_counter()
    total += round
    right = rustyray.get(actor.add.remote(round)) == total
    taken = time.perf_counter() - begun
    right &= rustyray.get([square.remote(n) for n in range(20)]) == [n * n for n in range(20)]
    if round % 20 == 0:
        right &= float(rustyray.get(rustyray.put(np.ones(50_000))).sum()) == 50_000
    print(json.dumps([taken, right]), flush=True)
    time.sleep(0.01)
"""
#: Growth of a process' memory that is not taken for a leak, in bytes: one stranger in ten may leave four bytes.
LEVEL = 4 << 20
#: Descriptors that come and go with workers.
COMPANY = 12
SILENT = 24


class Target:
    """A process that is called by strangers."""

    def __init__(self, name: str, address: str, identity: bytes, pid: int) -> None:
        self.name = name
        self.family, self.where = addresses.parse(address, encrypted=True)
        self.identity = identity
        self.pid = pid

    def call(self) -> socket.socket | None:
        sock = socket.socket(self.family)
        sock.settimeout(30)
        try:
            sock.connect(self.where)
        except (BlockingIOError, ConnectionError):
            sock.close()
            return None
        return sock

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory(self) -> int:
        fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


class Strangers:
    """Everything that one without the key can do to a socket, drawn from a seed."""

    def __init__(self, cluster: ClusterFile, targets: list[Target], seed: int) -> None:
        self._cluster = cluster
        self._targets = targets
        self._draw = random.Random(seed)
        self._silent: list[socket.socket] = []
        self.counts: dict[str, int] = {}
        self._ways: list[Callable[[socket.socket, Target], None]] = [
            self._noise,
            self._promise,
            self._truncated,
            self._mutated,
            self._wrong_session,
            self._wrong_proof,
            self._flood,
            self._goes,
            self._reset,
            self._stays,
            self._tls,
        ]

    def come(self, number: int) -> None:
        for _ in range(number):
            target = self._draw.choice(self._targets)
            way = self._draw.choice(self._ways)
            sock = target.call()
            while sock is None:
                sock = target.call()
            try:
                way(sock, target)
            except OSError:
                pass  # it was cut off in the middle, which is what is to be expected
            if sock not in self._silent:
                sock.close()
            name = way.__name__.removeprefix("_")
            self.counts[name] = self.counts.get(name, 0) + 1

    def leave(self) -> None:
        for sock in self._silent:
            sock.close()
        self._silent.clear()

    def _handshake(self, target: Target, session: bytes = b"") -> ClientHandshake:
        me = Credentials(
            self._draw.choice(list(Role)), self._draw.randbytes(12), session or self._cluster.session_bytes, bytes(32)
        )
        return ClientHandshake(me, target.identity, self._draw.randbytes(NONCE_SIZE))

    def _noise(self, sock: socket.socket, target: Target) -> None:
        sock.sendall(self._draw.randbytes(self._draw.randrange(1, 400)))

    def _promise(self, sock: socket.socket, target: Target) -> None:
        """A good beginning, and a pickle behind it."""
        sock.sendall(b"RRAY\x01\x01\x00" + b"cos\nabort\n(tR." * self._draw.randrange(30))

    def _truncated(self, sock: socket.socket, target: Target) -> None:
        hello = self._handshake(target).hello
        sock.sendall(hello[: self._draw.randrange(len(hello))])

    def _mutated(self, sock: socket.socket, target: Target) -> None:
        hello = bytearray(self._handshake(target).hello)
        for _ in range(self._draw.randrange(1, 4)):
            hello[self._draw.randrange(len(hello))] ^= 1 << self._draw.randrange(8)
        sock.sendall(hello)

    def _wrong_session(self, sock: socket.socket, target: Target) -> None:
        sock.sendall(self._handshake(target, self._draw.randbytes(8)).hello)
        assert sock.recv(1000) == b""

    def _wrong_proof(self, sock: socket.socket, target: Target) -> None:
        """All but the key; the process answers, and this is the last that it says."""
        handshake = self._handshake(target)
        sock.sendall(handshake.hello)
        answer = sock.recv(handshake.needed)
        try:
            handshake.receive(answer)
        except WireError:
            pass  # we do not know the key either
        sock.sendall(self._draw.randbytes(32) + struct.pack("<I", 100) + bytes(100))
        assert sock.recv(1000) == b""

    def _flood(self, sock: socket.socket, target: Target) -> None:
        sock.sendall(self._handshake(target).hello + bytes(1 << 17))

    def _goes(self, sock: socket.socket, target: Target) -> None:
        pass

    def _reset(self, sock: socket.socket, target: Target) -> None:
        sock.sendall(self._handshake(target).hello[:50])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _stays(self, sock: socket.socket, target: Target) -> None:
        """Says a little, or nothing, and stays until it is sent away."""
        sock.sendall(self._handshake(target).hello[: self._draw.randrange(20)])
        self._silent.append(sock)
        if len(self._silent) > SILENT:
            self._silent.pop(0).close()

    def _tls(self, sock: socket.socket, target: Target) -> None:
        """Speaks TLS, with no certificate; what of it is TLS, and how far it goes, is another matter."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(received, to_send)
        for _ in range(3):
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                pass  # the other side's turn
            sent = bytearray(to_send.read())
            if sent and self._draw.randrange(3) == 0:
                sent[self._draw.randrange(len(sent))] ^= 255
            sock.sendall(sent)
            received.write(sock.recv(1 << 14))


class Job:
    """The driver, and what its rounds took."""

    def __init__(self, commands: Commands) -> None:
        command = [sys.executable, "-c", JOB]
        self.process = subprocess.Popen(command, env=commands.environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.places: list[tuple[str, str, int]] = json.loads(self.process.stdout.readline())
        self.taken: list[float] = []
        self.wrong = 0
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            taken, right = json.loads(line)
            self.taken.append(taken)
            self.wrong += not right

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


def told(taken: list[float]) -> dict[str, float]:
    """In milliseconds."""
    cuts = statistics.quantiles(taken, n=100)
    return {"median": 1000 * cuts[49], "99%": 1000 * cuts[98], "longest": 1000 * max(taken)}


@pytest.mark.parametrize(("options", "number"), [([], 80_000), (["--tls"], 20_000)], ids=["plain", "tls"])
def test_strangers_do_no_harm(
    commands: Commands, options: list[str], number: int, record_property: Callable[[str, Any], None]
) -> None:
    commands.run("start", "--head", "--port=0", "--num-cpus=2", *options)
    cluster = commands.place().cluster()
    assert cluster is not None
    nodes = describe(cluster)
    assert nodes is not None
    head, node = commands.place().processes()
    job = Job(commands)
    try:
        (at_driver, driver, driver_pid), (at_worker, worker, worker_pid) = job.places
        targets = [
            Target("head", cluster.head_address, HEAD, head.pid),
            Target("node", nodes[0].address, nodes[0].node, node.pid),
            Target("node, Unix", node.address, nodes[0].node, node.pid),
            Target("worker", at_worker, bytes.fromhex(worker), worker_pid),
            Target("driver", at_driver, bytes.fromhex(driver), driver_pid),
        ]
        assert eventually(lambda: len(job.taken) > 200)
        alone = told(job.taken[100:])
        strangers = Strangers(cluster, targets, seed=1)
        strangers.come(number // 20)  # what is made once is made
        strangers.leave()
        assert eventually(lambda: len(job.taken) > 400)
        before = [(target.descriptors(), target.memory()) for target in targets]
        begun = len(job.taken)
        strangers.come(number - number // 20)
        during = told(job.taken[begun:])
        strangers.leave()
        most = [count + COMPANY for count, _ in before]
        assert eventually(lambda: all(target.descriptors() <= at for target, at in zip(targets, most, strict=True))), [
            (target.name, count, target.descriptors()) for target, count in zip(targets, most, strict=True)
        ]
        grown = {target.name: target.memory() - size for target, (_, size) in zip(targets, before, strict=True)}
        figures = {"alone, ms": alone, "during, ms": during, "grown, bytes": grown, "strangers": strangers.counts}
        record_property("figures", figures)
        print(json.dumps(figures))
        assert max(grown.values()) < LEVEL
        rounds = len(job.taken)
        assert eventually(lambda: len(job.taken) > rounds + 50)
        assert job.wrong == 0
        assert job.process.poll() is None
        assert sum(strangers.counts.values()) == number
    finally:
        job.end()
