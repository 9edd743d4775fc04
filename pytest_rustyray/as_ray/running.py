"""The runtimes behind the fixtures with Ray's names. At the end nothing that runs is waited for (as in Ray)."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_rustyray.fixtures.starting import arguments, chosen, refuse_second

if TYPE_CHECKING:
    from rustyray import Session
    from rustyray.cluster_utils import Cluster

#: What Ray's fixtures give ``init``.
DEFAULTS: Final[Mapping[str, Any]] = {
    "num_cpus": 1,
    "object_store_memory": 150 * 2**20,
    "namespace": "default_test_namespace",
}
_NAMESPACE: Final = "namespace"
#: Seconds that a command may take.
_PATIENCE: Final = 60.0
#: Options of Ray's command that ask for nothing here.
_HARMLESS: Final = ("--min-worker-port", "--max-worker-port", "--dashboard-port", "--include-dashboard")
_HARMLESS_FLAGS: Final = ("--disable-usage-stats",)


def given(request: pytest.FixtureRequest, more: Mapping[str, Any]) -> dict[str, Any]:
    """The options of Ray's fixtures, then ``more``, then those of an indirect parameter."""
    param = getattr(request, "param", None) or {}
    return merged(merged(DEFAULTS, more), param)


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both; where ``_system_config`` is in both, its entries are."""
    found = {**one, **other}
    if "_system_config" in one and other.get("_system_config"):
        found["_system_config"] = {**one["_system_config"], **other["_system_config"]}
    return found


@contextmanager
def regular(request: pytest.FixtureRequest, **more: Any) -> Iterator[Session]:
    """One node, gone afterwards."""
    import rustyray

    refuse_second(request)
    found = arguments(chosen(request, request.node), "")
    session = rustyray.init(**{"address": "local"} | merged(found, given(request, more)))
    try:
        yield session
    finally:
        session.shutdown(grace=0)
        rustyray.shutdown(grace=0)  # the one that the test started in its place, if it did


@contextmanager
def cluster(request: pytest.FixtureRequest, **more: Any) -> Iterator[Cluster]:
    """A cluster, to which this process is connected if it has nodes, unless ``do_init`` says otherwise."""
    import rustyray
    from rustyray.cluster_utils import Cluster

    refuse_second(request)
    options = given(request, more)
    count = options.pop("num_nodes", 0)
    connects = options.pop("do_init", count > 0)
    namespace = options.pop(_NAMESPACE)
    found = Cluster()
    try:
        for _ in range(count):
            found.add_node(**options)
        if connects:
            found.wait_for_nodes()
            rustyray.init(address=found.address, namespace=namespace)
        yield found
    finally:
        rustyray.shutdown(grace=0)
        found.shutdown()


@contextmanager
def command(request: pytest.FixtureRequest) -> Iterator[str]:
    """A cluster that the command line has started: its address. Nothing of it is left afterwards."""
    param = getattr(request, "param", "ray start --head --num-cpus=1 --port 0")
    text, env = (param.get("cmd"), param.get("env")) if isinstance(param, dict) else (param, None)
    words = shlex.split(text)
    if words[:2] != ["ray", "start"]:
        pytest.fail(f"call_ray_start runs 'ray start …', got {text!r}", pytrace=False)
    done = _run(["start", *_meant(words[2:])], env)
    address = done.partition("address='")[2].partition("'")[0]
    try:
        yield address
    finally:
        import rustyray

        rustyray.shutdown(grace=0)
        _run(["stop", "--force", "--address", address], env)


def _meant(words: list[str]) -> list[str]:
    """The options without those that ask for nothing here."""
    kept, skip = [], False
    for word in words:
        name, equals, _ = word.partition("=")
        if skip:
            skip = False
        elif name in _HARMLESS:
            skip = not equals
        elif name not in _HARMLESS_FLAGS:
            kept.append(word)
    return kept


def _run(words: list[str], env: Mapping[str, str] | None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "rustyray", *words],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"'rustyray {shlex.join(words)}' failed: {done.stderr or done.stdout}", pytrace=False)
    return done.stdout
