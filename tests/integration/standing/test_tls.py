"""Clusters that speak TLS: everything works as without it, and nobody gets in without a certificate."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization

from rustyray.engines.native.network import certificates
from rustyray.engines.native.standing.asking import describe
from rustyray.engines.native.standing.caller import Caller
from rustyray.engines.native.standing.places import ClusterFile
from rustyray.model.messages import HEAD
from tests.integration.drivers import eventually
from tests.integration.standing.conftest import Commands, kill_head

PROGRAM = """
import os
import numpy as np
import rustyray

rustyray.init(address="auto")
here = rustyray.get_runtime_context().get_node_id()
assert {about["Alive"] for about in rustyray.nodes()} == {True}

@rustyray.remote(resources={"far": 0.01})
class Far:
    def __init__(self):
        self.other = None
    def where(self):
        return rustyray.get_runtime_context().get_node_id()
    def keep(self, refs):
        self.kept = refs
        return [ref.hex() for ref in refs]
    def total(self):
        return sum(float(part.sum()) for part in rustyray.get(self.kept))
    def make(self, size):
        return np.arange(size)

far = Far.remote()
assert rustyray.get(far.where.remote()) != here
assert rustyray.get(far.keep.remote([rustyray.put(np.ones(3_000_000)) for _ in range(3)]))
assert rustyray.get(far.total.remote()) == 9_000_000
back = rustyray.get(far.make.remote(5_000_000))
assert back[-1] == 4_999_999 and not back.flags.writeable
square = rustyray.remote(num_cpus=0, resources={"far": 0.01})(lambda x: x * x)
assert rustyray.get([square.remote(n) for n in range(500)]) == [n * n for n in range(500)]
print("right")
"""


def start_two(here: Commands, elsewhere: Commands, *arguments: str) -> None:
    here.run("start", "--head", "--port=0", "--num-cpus=1", *arguments)
    key_file = here.place().key_file
    elsewhere.run("start", f"--address={here.address}", f"--key-file={key_file}", '--resources={"far": 1}')


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(str(tmp_path_factory.mktemp("elsewhere")))


def own_address() -> str | None:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if found.startswith("127.") else found


def test_tasks_actors_and_large_values_cross_nodes(commands: Commands, elsewhere: Commands) -> None:
    host = own_address() or "127.0.0.1"
    start_two(commands, elsewhere, "--tls", f"--node-ip-address={host}")
    try:
        assert commands.address.startswith(host)
        assert commands.driver(PROGRAM) == "right\n"
        cluster = commands.place().cluster()
        assert cluster is not None
        nodes = describe(cluster)
        assert nodes is not None
        assert {node.address.split(":")[1] for node in nodes} == {host}
        for address in (cluster.head_address, *(node.address for node in nodes)):
            refuses_plain(cluster, address)
        now = describe(cluster)
        assert now is not None
        assert [(node.node, node.address, node.alive) for node in now] == [
            (node.node, node.address, True) for node in nodes
        ]
    finally:
        elsewhere.run("stop")


def refuses_plain(cluster: ClusterFile, address: str) -> None:
    """Neither without TLS nor with another's certificate can one say a word."""
    host, port = address.removeprefix("tcp:").rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        plain.sendall(b"RRAY\x01\x01\x00" + bytes(200))
        try:
            assert b"RRAY" not in plain.recv(1000)
        except ConnectionResetError:
            pass  # it did not even read to the end
    other = msgspec.structs.replace(cluster, certificates=certificates.make("another"))
    with pytest.raises(ConnectionError, match=r"CERTIFICATE_VERIFY_FAILED"):
        Caller(other, address, HEAD)


def test_the_next_head_has_the_same_certificates(commands: Commands, tmp_path: Path) -> None:
    """Started with the same command, so that its nodes go on."""
    command = ("start", "--head", "--tls", f"--store=sqlite:{tmp_path / 'head.db'}")
    commands.run(*command, "--port=0", "--num-cpus=1")
    before = commands.place().cluster()
    kill_head(commands)
    assert "The head is back" in commands.run(*command)
    assert commands.place().cluster() == before
    assert eventually(lambda: "1 nodes" in commands.run("status"))


@pytest.mark.stress
def test_tls_does_not_begin_under_nodes_that_run(commands: Commands, tmp_path: Path) -> None:
    command = ("start", "--head", f"--store=sqlite:{tmp_path / 'head.db'}")
    commands.run(*command, "--port=0", "--num-cpus=1")
    kill_head(commands)
    refused = commands.try_(*command, "--tls")
    assert "this cluster has no TLS" in refused.stderr
    assert "The head is back" in commands.run(*command)


@pytest.mark.stress
def test_the_users_own_certificates_serve_as_well(commands: Commands, tmp_path: Path) -> None:
    own = certificates.make("mine")
    paths = {"cert": own.chain, "key": own.key, "ca": own.authority}
    options = []
    for name, text in paths.items():
        path = tmp_path / f"{name}.pem"
        path.write_text(text)
        options.append(f"--tls-{name}={path}")
    commands.run("start", "--head", "--port=0", "--num-cpus=1", *options)
    cluster = commands.place().cluster()
    assert cluster is not None
    assert cluster.certificates == own
    assert "1 nodes" in commands.run("status")
    wrong = certificates.make("wrong")
    (tmp_path / "ca.pem").write_text(wrong.authority)
    refused = commands.try_("start", "--head", "--port=0", *options)
    assert "a peer would not accept the certificate" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_key_behind_a_password_is_refused_and_nobody_asked_for_it() -> None:
    own = certificates.make("mine")
    plain = serialization.load_pem_private_key(own.key.encode(), None)
    locked = plain.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    with pytest.raises(certificates.CertificateError, match="decrypt it first"):
        certificates.contexts(msgspec.structs.replace(own, key=locked.decode()))
