"""Addresses: what is one, what is none and why, and what is left behind (nothing)."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from rustyray.engines.native.network import address
from rustyray.engines.native.network.address import MAX_PATH, default_address, format_address, listen, parse
from tests.integration.hub.hubs import dial

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")


@pytest.mark.parametrize(
    ("text", "family", "name"),
    [
        pytest.param("unix:@name", socket.AF_UNIX, "\0name", marks=on_linux),
        ("unix:/tmp/a socket", socket.AF_UNIX, "/tmp/a socket"),
        ("tcp:127.0.0.1:80", socket.AF_INET, ("127.0.0.1", 80)),
        ("tcp:127.5.0.9:0", socket.AF_INET, ("127.5.0.9", 0)),
        ("tcp:localhost:65535", socket.AF_INET, ("127.0.0.1", 65535)),
        ("tcp:[::1]:7", socket.AF_INET6, ("::1", 7)),
    ],
)
def test_addresses(text: str, family: socket.AddressFamily, name: object) -> None:
    assert parse(text) == (family, name)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not an address"),
        ("/tmp/x", "not an address: '/tmp/x'"),
        ("unix:", "not an address"),
        ("http://x", "looks like unix:@name, unix:/path or tcp:host:port"),
        ("unix:relative", "is not absolute"),
        ("unix:/tmp/zero\0byte", "zero byte"),
        (
            "unix:/" + "x" * MAX_PATH,
            f"has {MAX_PATH + 1} bytes, and this system takes {MAX_PATH}: use a shorter directory",
        ),
        ("unix:@" + "é" * 60, "has 121 bytes"),
        ("tcp:127.0.0.1", "is not of the form tcp:host:port"),
        ("tcp:127.0.0.1:http", "is not of the form tcp:host:port"),
        ("tcp:127.0.0.1:65536", "a port from 0 to 65535"),
        ("tcp:127.0.0.1:²", "a port from 0 to 65535"),
        ("tcp:192.168.0.1:80", "is not a loopback address: what leaves this machine must be encrypted"),
        ("tcp:[2001:db8::1]:80", "is not a loopback address"),
        ("tcp:[::ffff:127.0.0.1]:80", "is not a loopback address"),
        ("tcp:[7f00::1]:80", "is not a loopback address"),
        ("tcp:::1:80", "does not name its host by an IP address"),
        ("tcp:0.0.0.0:80", "nobody can call 0.0.0.0; name the address"),
        ("tcp:example.org:80", "does not name its host by an IP address"),
        ("tcp:[::]:80", "nobody can call ::; name"),
    ],
)
def test_what_is_no_address_is_said_clearly(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint.replace("[", r"\[")):
        parse(text)


def test_what_is_encrypted_may_leave_the_machine() -> None:
    assert parse("tcp:192.168.0.1:80", encrypted=True) == (socket.AF_INET, ("192.168.0.1", 80))
    assert parse("tcp:[2001:db8::1]:80", encrypted=True) == (socket.AF_INET6, ("2001:db8::1", 80))
    with pytest.raises(ValueError, match="nobody can call"):
        parse("tcp:0.0.0.0:80", encrypted=True)


def test_the_longest_path_can_be_listened_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        path = directory + "/" + "x" * (MAX_PATH - len(directory) - 1)
        sock = listen(f"unix:{path}")
        assert format_address(sock) == f"unix:{path}"
        with pytest.raises(OSError, match="Address already in use"):
            listen(f"unix:{path}")
        address.close_listener(sock)
        assert os.listdir(directory) == []


@pytest.mark.parametrize("where", ["tcp:127.0.0.1:0", pytest.param("unix:@rustyray-test-address", marks=on_linux)])
def test_a_listening_socket_tells_its_address(where: str) -> None:
    sock = listen(where)
    text = format_address(sock)
    assert text.startswith(where.removesuffix("0"))
    client = address.connect(text)
    assert not client.get_inheritable()
    assert not client.getblocking()
    client.close()
    address.close_listener(sock)
    with pytest.raises(ConnectionRefusedError):
        dial(text)


def test_a_closed_listener_whose_file_is_gone_is_fine(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("s") / "x"
    sock = listen(f"unix:{path}")
    path.unlink()
    address.close_listener(sock)


@on_linux
def test_by_default_nothing_lies_in_a_directory() -> None:
    assert default_address(b"\x01" * 8, b"\x02" * 12) == "unix:@rustyray-" + "01" * 8 + "-" + "02" * 12


def test_elsewhere_the_file_lies_in_a_private_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        first, second = (default_address(b"\x01" * 8, bytes([number]) * 12, abstract=False) for number in (2, 3))
        directory = Path(short, f"rustyray-{os.geteuid()}")
        assert first == f"unix:{directory}/{'01' * 8}-{'02' * 12}"
        assert second.startswith(f"unix:{directory}/")
        assert directory.stat().st_mode & 0o777 == 0o700
        address.close_listener(listen(first))


def test_a_long_tmpdir_is_left_for_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setattr(tempfile, "tempdir", str(long))
        monkeypatch.setattr(address, "_SHORT_DIRECTORY", short)
        where = default_address(b"\x01" * 8, b"\x02" * 12, abstract=False)
        assert where.startswith(f"unix:{short}/rustyray-")
        address.close_listener(listen(where))


def test_a_directory_that_others_can_write_to_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        monkeypatch.setattr(address, "_SHORT_DIRECTORY", short)
        trap = Path(short, f"rustyray-{os.geteuid()}")
        trap.mkdir()
        trap.chmod(0o777)
        where = default_address(b"\x01" * 8, b"\x02" * 12, abstract=False)
        directory = Path(where.removeprefix("unix:")).parent
        assert directory != trap
        assert directory.stat().st_mode & 0o777 == 0o700
