"""How fast several nodes are, on this machine: ``python -m benchmarks.cluster [row …]``.

Each figure stands beside what it has to reach. Where that is a share of a raw limit, the limit is measured in the same
run, in turns with the figure: two bare processes over loopback TCP, and nothing else. Medians.
"""

from __future__ import annotations

import gc
import os
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

import rustyray
from benchmarks import spilling
from rustyray.cluster_utils import Cluster
from rustyray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

PULLED: Final = 100_000_000
#: A call's bytes there and back, about.
MESSAGE: Final = 100
STORE: Final = 400 << 20
BROADCAST: Final = 50_000_000
RECEIVERS: Final = 4


class Row(NamedTuple):
    """A figure: what it is of, and whether it is as good as ``bound`` asks."""

    what: str
    figure: str
    bound: str
    good: bool


@rustyray.remote
def waits_for(path: str) -> None:
    while not os.path.exists(path):
        time.sleep(0.01)


@rustyray.remote
def nothing(*arguments: object) -> None:
    return None


@rustyray.remote
def ones(size: int) -> np.ndarray:
    return np.ones(size, np.uint8)


@rustyray.remote
class Callee:
    def answer(self) -> int:
        return 1

    def stay_on(self, cores: list[int]) -> None:
        stay_on(cores)

    def read(self, refs: list[rustyray.ObjectRef[np.ndarray]]) -> int:
        return len(rustyray.get(refs[0]))


@contextmanager
def raw_peer(serve: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """A connection over loopback to a process that does ``serve`` until its peer goes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pid = os.fork()
        if pid == 0:
            try:
                serve(socket.create_connection(listener.getsockname()))
            finally:
                os._exit(0)
        connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield connection
    finally:
        connection.close()
        os.waitpid(pid, 0)


def echo(peer: socket.socket) -> None:
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := peer.recv(4096):
        peer.sendall(data)


def stay_on(cores: list[int]) -> None:
    """Keep all threads of this process on these cores."""
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), cores)


def echo_on(core: int, peer: socket.socket) -> None:
    stay_on([core])
    echo(peer)


def send_much(peer: socket.socket) -> None:
    data = memoryview(bytearray(b"x") * PULLED)
    while peer.recv(1):
        peer.sendall(data)


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def others() -> list[NodeAffinitySchedulingStrategy]:
    """The nodes that are not the driver's."""
    mine = rustyray.get_runtime_context().get_node_id()
    nodes = [about["NodeID"] for about in rustyray.nodes()]
    return [NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes if node != mine]


# --- rows -------------------------------------------------------------------------------------------------------------


def node_up() -> list[Row]:
    cluster = Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 1})
    try:
        took = statistics.median([seconds(lambda: cluster.add_node(num_cpus=1)) for _ in range(7)])
    finally:
        cluster.shutdown()
    return [Row("second node up", f"{took * 1e3:.0f} ms", "60 ms", took <= 0.06)]


def call() -> list[Row]:
    """Both ways in which the system may place two processes, each beside bare ones that are placed like it.

    What counts is the first: the system gives each of ours a core, as both have much to do. Bare ones, which have not,
    it often puts on one, where they need not wake each other and are several times as fast; so that is said too.
    """
    mine: dict[str, list[float]] = {"on two cores": [], "on one": []}
    raw: dict[str, list[float]] = {"on two cores": [], "on one": []}
    message = bytes(MESSAGE)
    cores = sorted(os.sched_getaffinity(0))
    ends = {"on two cores": (cores[0], cores[-1]), "on one": (cores[0], cores[0])}
    with raw_peer(partial(echo_on, cores[-1])) as far, raw_peer(partial(echo_on, cores[0])) as near:
        peers = {"on two cores": far, "on one": near}
        with rustyray.init(num_cpus=1, num_nodes=2):
            callee = Callee.options(scheduling_strategy=others()[0]).remote()
            rustyray.get([callee.answer.remote() for _ in range(200)])

            def ping(to: socket.socket) -> None:
                for _ in range(500):
                    to.sendall(message)
                    to.recv(4096)

            def ask() -> None:
                for _ in range(500):
                    rustyray.get(callee.answer.remote())

            for _ in range(9):
                for where, (this, that) in ends.items():
                    stay_on([this])
                    rustyray.get(callee.stay_on.remote([that]))
                    raw[where].append(500 / seconds(partial(ping, peers[where])))
                    mine[where].append(500 / seconds(ask))
            stay_on(cores)
    rates, limits = ({where: statistics.median(each) for where, each in rows.items()} for rows in (mine, raw))
    figure = "; ".join(
        f"{where} {rates[where]:,.0f}/s, {rates[where] / limits[where]:.2f} of ping-pong ({limits[where]:,.0f}/s)"
        for where in ends
    )
    apart, *_ = ends
    return [Row("cross-node call, one at a time", figure, "0.4", rates[apart] >= 0.4 * limits[apart])]


def pull() -> list[Row]:
    mine: list[float] = []
    raw: list[float] = []
    with raw_peer(send_much) as peer, rustyray.init(num_cpus=1, num_nodes=2, object_store_memory=STORE):
        into = memoryview(bytearray(PULLED))
        strategy = others()[0]

        def copy() -> None:
            peer.sendall(b"x")
            at = 0
            while at < PULLED:
                at += peer.recv_into(into[at:])

        for _ in range(11):
            ref = ones.options(scheduling_strategy=strategy).remote(PULLED)
            rustyray.wait([ref])
            raw.append(PULLED / seconds(copy))
            mine.append(PULLED / seconds(partial(rustyray.get, ref)))
            del ref
            let_go()
    rate, limit = statistics.median(mine), statistics.median(raw)
    figure = f"{rate / 1e9:.2f} GB/s, {rate / limit:.2f} of a socket copy ({limit / 1e9:.2f} GB/s)"
    return [Row("100 MB pulled", figure, "0.7", rate >= 0.7 * limit)]


def let_go() -> None:
    """Wait until what is not referred to any more is freed on all nodes."""
    gc.collect()
    time.sleep(0.4)


def broadcast() -> list[Row]:
    """To some nodes at once, and to as many one after the other; where all share the same cores, that is the same work.

    (What each node has to send is counted in the simulator: tests/unit/world/test_broadcasts.py.)
    """
    at_once: list[float] = []
    in_turn: list[float] = []
    with rustyray.init(num_cpus=1, num_nodes=1 + RECEIVERS, object_store_memory=STORE):
        readers = [Callee.options(scheduling_strategy=strategy).remote() for strategy in others()]
        rustyray.get([reader.answer.remote() for reader in readers])
        for _ in range(7):
            for took, together in ((at_once, True), (in_turn, False)):
                ref = rustyray.put(np.ones(BROADCAST, np.uint8))

                def read(together: bool = together, ref: rustyray.ObjectRef[np.ndarray] = ref) -> None:
                    if together:
                        rustyray.get([reader.read.remote([ref]) for reader in readers])
                    else:
                        for reader in readers:
                            rustyray.get(reader.read.remote([ref]))

                took.append(seconds(read))
                del ref, read
                let_go()
    once, turns = statistics.median(at_once), statistics.median(in_turn)
    figure = f"{once * 1e3:.0f} ms, {once / turns:.2f} of one after the other ({turns * 1e3:.0f} ms)"
    return [Row(f"{BROADCAST // 10**6} MB to {RECEIVERS} nodes", figure, "1.2", once < 1.2 * turns)]


def many_refs() -> list[Row]:
    with rustyray.init(num_cpus=1, num_nodes=2):
        refs = [rustyray.put(number) for number in range(10_000)]
        rustyray.get(nothing.remote())
        task = statistics.median([seconds(lambda: rustyray.get(nothing.remote(*refs))) for _ in range(5)])
        got = statistics.median([seconds(lambda: rustyray.get(refs)) for _ in range(5)])
        made = [nothing.remote() for _ in range(10_000)]
        rustyray.wait(made, num_returns=len(made))
        results = statistics.median([seconds(lambda: rustyray.get(made)) for _ in range(5)])
    rows = [("a task with 10,000 ref arguments", task), ("get of 10,000 objects that were put", got)]
    rows.append(("get of 10,000 results", results))
    return [Row(what, f"{took:.3f} s", "0.5 s", took <= 0.5) for what, took in rows]


def wait_rounds() -> list[Row]:
    """Wait for one of the rest until none is left, while they are made. The more are left, the longer each takes."""
    counts = (250, 500, 1000, 2000)
    took: dict[int, float] = {}
    with rustyray.init(num_cpus=2):
        rustyray.get([nothing.remote() for _ in range(1000)])
        for count in counts:

            def rounds(count: int = count) -> None:
                rest = [nothing.remote() for _ in range(count)]
                while rest:
                    _, rest = rustyray.wait(rest)

            took[count] = statistics.median([seconds(rounds) for _ in range(3)])
    figure = ", ".join(f"{count}: {1e3 * took[count]:.0f} ms" for count in counts)
    good = took[1000] <= 2 and took[2000] / 2000 <= 3 * took[1000] / 1000
    return [Row("wait, one popped of so many at a time", figure, "1000: 2 s", good)]


def spill() -> list[Row]:
    """Objects to the spill file and back, beside a plain file in the same directory: see `benchmarks.spilling`."""
    best = spilling.best_of_all(tempfile.gettempdir())
    raw, ours, whole = (sum(best[name]) for name in ("raw file", "the threads", "put, get"))
    rate = 2 * spilling.COUNT * spilling.SIZE / 1e9
    figure = f"{rate / ours:.2f} GB/s, {raw / ours:.2f} of a file's ({rate / raw:.2f}); a program: {rate / whole:.2f}"
    return [Row("spill + restore", figure, "0.6", raw / ours >= 0.6)]


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def queued() -> list[Row]:
    """In a process of its own for each count, so that none finds the memory of another."""
    rows: list[tuple[int, float, float, float]] = []
    for count in (100_000, 300_000, 1_000_000):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(writer, repr(_queue(count)).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as file:
            submitted, total, per_task = (float(part) for part in file.read().strip("()").split(","))
        os.waitpid(pid, 0)
        rows.append((count, submitted, total, per_task))
    figure = "; ".join(f"{count:,}: {total:.1f} s, {each:.0f} B each" for count, _, total, each in rows)
    good = rows[-1][2] <= 30 and rows[-1][3] <= 1.3 * rows[0][3]
    return [Row("1,000,000 queued tasks", figure, "30 s; linear", good)]


def _queue(count: int) -> tuple[float, float, float]:
    """Seconds to submit, seconds in all, and bytes of memory for each task, all queued behind one that waits."""
    with rustyray.init(num_cpus=1), tempfile.TemporaryDirectory() as directory:
        rustyray.get([nothing.remote() for _ in range(1000)])
        begin = os.path.join(directory, "begin")
        first = waits_for.remote(begin)
        before = resident()
        began = time.perf_counter()
        refs = [nothing.remote() for _ in range(count)]
        submitted = time.perf_counter() - began
        each = (resident() - before) / count
        Path(begin).touch()
        rustyray.get([first, *refs])
        return submitted, time.perf_counter() - began, each


ROWS: Final[dict[str, Callable[[], list[Row]]]] = {
    "node": node_up,
    "call": call,
    "pull": pull,
    "broadcast": broadcast,
    "refs": many_refs,
    "wait": wait_rounds,
    "spill": spill,
    "queued": queued,
}


def main(names: list[str]) -> None:
    for name in names or ROWS:
        for row in ROWS[name]():
            print(f"{row.what:42} {row.figure:70} {row.bound:18} {'reached' if row.good else 'MISSED'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
