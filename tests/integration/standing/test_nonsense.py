"""Peers with the key that are broken: the head, nodes and their jobs go on."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from rustyray.engines.native.standing.asking import describe
from rustyray.engines.native.standing.caller import Caller
from rustyray.engines.native.standing.places import ClusterFile
from rustyray.model.messages import HEAD, Chunk, LendArena, Message
from rustyray.wire.codec import encode
from rustyray.wire.framing import header
from tests.integration.drivers import eventually
from tests.integration.standing.conftest import Commands
from tests.unit.hostile import made

EXAMPLES = settings(
    max_examples=250, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
)
#: A job that leaves others some of the processor.
JOB = """
import time
import rustyray
rustyray.init(address="auto")
square = rustyray.remote(lambda n: n * n)
print("ready", flush=True)
for number in range(10_000_000):
    assert rustyray.get([square.remote(n) for n in range(10)]) == [n * n for n in range(10)]
    time.sleep(0.02)
    if number % 10 == 0:
        print(number, flush=True)
"""


class Broken:
    """A peer that says whatever it is given, and comes again when it was cut off."""

    def __init__(self, cluster: ClusterFile, address: str, wanted: bytes) -> None:
        self._where = cluster, address, wanted
        self.caller = Caller(*self._where)
        self.cut_off = 0

    def say(self, message: Message) -> None:
        payload = encode(message)
        data = header(len(payload), body=isinstance(message, Chunk)) + payload
        try:
            self.caller._sock.sendall(data)
        except OSError:
            self.caller.close()
            self.cut_off += 1
            self.caller = Caller(*self._where)


@pytest.mark.stress
def test_a_job_goes_on_while_broken_peers_talk_to_its_head_and_node(cluster: Commands) -> None:
    known = cluster.place().cluster()
    assert known is not None
    nodes = describe(known)
    assert nodes is not None
    node = nodes[0]
    peers = [Broken(known, known.head_address, HEAD), Broken(known, node.address, node.node)]
    running = cluster.place().processes()
    command = [sys.executable, "-c", JOB]
    with subprocess.Popen(command, env=cluster.environment, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "ready\n"
        rounds: list[str] = []
        reader = threading.Thread(target=rounds.extend, args=(driver.stdout,))
        reader.start()

        @seed(1)
        @settings(
            max_examples=1500,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=[*HealthCheck],
        )
        @given(st.sampled_from(peers), made.any_message())
        def talk(peer: Broken, message: Message) -> None:
            if made.as_it_arrives(message) is not None:
                peer.say(message)

        talk()
        seen = len(rounds)
        assert eventually(lambda: len(rounds) > seen + 2)
        driver.kill()
        reader.join()
    assert [process.is_alive() for process in running] == [True, True]
    assert "1 nodes" in cluster.run("status")
    assert cluster.driver(JOB.replace("10_000_000", "11")) == "ready\n0\n10\n"
    for peer in peers:
        peer.caller.close()


def test_the_stores_memory_is_lent_on_the_same_machine_alone(cluster: Commands) -> None:
    known = cluster.place().cluster()
    assert known is not None
    nodes = describe(known)
    assert nodes is not None
    with Caller(known, nodes[0].address, nodes[0].node) as far, pytest.raises(ConnectionError, match="does not answer"):
        far.ask(LendArena())
    assert describe(known) is not None
    assert cluster.place().processes()[1].is_alive()


STRICT = """
import os, pickle, sys
if os.environ.get("NO_PICKLE"):
    def refuse(*arguments, **options):
        raise AssertionError("something was unpickled")
    import cloudpickle, _pickle
    for module in (pickle, _pickle, cloudpickle):
        module.loads = module.load = refuse
    pickle.Unpickler = _pickle.Unpickler = refuse
"""


def test_nothing_of_strangers_is_unpickled(commands: Commands, tmp_path: Path) -> None:
    """In processes where unpickling anything is an error that is told."""
    (tmp_path / "sitecustomize.py").write_text(STRICT)
    commands.environment |= {
        "NO_PICKLE": "1",
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{commands.environment['PYTHONPATH']}",
    }
    commands.run("start", "--head", "--port=0", "--num-cpus=1")
    cluster = commands.place().cluster()
    assert cluster is not None
    nodes = describe(cluster)
    assert nodes is not None
    chance = random.Random(5)
    bomb = b"cos\nsystem\n(S'touch " + str(tmp_path / "exploded").encode() + b"'\ntR."
    for address in (cluster.head_address, nodes[0].address):
        host, port = address.removeprefix("tcp:").rsplit(":", 1)
        for _ in range(100):
            with socket.create_connection((host, int(port)), timeout=20) as stranger:
                first = chance.choice([b"", b"RRAY\x01\x01\x00", b"RRAY\x01\x01\x00\x01" + cluster.session_bytes])
                try:
                    stranger.sendall(first + bomb + chance.randbytes(chance.randrange(300)))
                    stranger.shutdown(socket.SHUT_WR)
                    while stranger.recv(1000):
                        pass
                except OSError:
                    pass  # it was cut off before it had said all
    assert describe(cluster) is not None
    assert not (tmp_path / "exploded").exists()
    for log in Path(commands.place().path).glob("*.log"):
        assert "unpickled" not in log.read_text()
    with_pickle = commands.try_driver("import pickle; pickle.loads(pickle.dumps(1))")
    assert "something was unpickled" in with_pickle.stderr
