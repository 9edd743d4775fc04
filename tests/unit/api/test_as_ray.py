"""``rustyray.compat``: Ray's names stand for RustyRay's modules, and those that are missing say what to do."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

import rustyray
from rustyray import compat
from rustyray.compat.installing import COMMANDS, PLACE, PYTHON, environment
from rustyray.runtime.addresses import AS_RAY

#: What `ray` has of its own under a name of RustyRay's.
OWN = ("__version__", "shutdown")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    compat.install()
    yield
    compat.uninstall()


@pytest.mark.parametrize(
    ("name", "stands_for"),
    [
        ("ray.exceptions", "rustyray.exceptions"),
        ("ray.cluster_utils", "rustyray.cluster_utils"),
        ("ray.util", "rustyray.util"),
        ("ray.util.queue", "rustyray.util.queue"),
        ("ray.util.placement_group", "rustyray.util.placement_group"),
        ("ray.experimental.internal_kv", "rustyray.experimental.internal_kv"),
    ],
)
def test_the_same_module_has_rays_name(installed: None, name: str, stands_for: str) -> None:
    assert importlib.import_module(name) is importlib.import_module(stands_for)
    assert importlib.import_module(stands_for).__name__ == stands_for


@pytest.mark.usefixtures("installed")
def test_ray_has_rustyrays_objects_and_rays_version() -> None:
    ray = importlib.import_module("ray")
    assert all(getattr(ray, name) is getattr(rustyray, name) for name in rustyray.__all__ if name not in OWN)
    assert (ray.__name__, ray.__version__) == ("ray", "2.60.0")
    assert ray.actor.ActorHandle is rustyray.ActorHandle
    importlib.import_module("ray.util.placement_group")
    assert callable(ray.util.placement_group)  # the function, not the module that has its name


@pytest.mark.usefixtures("installed")
def test_a_module_that_is_there_tells_what_of_it_is_missing() -> None:
    importlib.import_module("rustyray.experimental.tqdm_ray")
    importlib.import_module("ray.util")
    bars = importlib.import_module("ray.experimental.tqdm_ray")
    with pytest.raises(AttributeError, match=r"ray\.experimental\.tqdm_ray' has no attribute 'instance': it manages"):
        bars.instance()
    queue = importlib.import_module("ray.util.queue")
    with pytest.raises(AttributeError, match=r"module 'ray\.util\.queue' has no attribute 'anything'$"):
        queue.anything  # noqa: B018


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("from ray import ActorClassID", "cannot import name 'ActorClassID' from 'ray': it is internal to Ray"),
        ("from ray import data", "cannot import name 'data' from 'ray': it is one of Ray's libraries"),
        ("from ray.util import collective", "cannot import name 'collective' from 'rustyray.util': it moves tensors"),
        ("from ray.cluster_utils import AutoscalingCluster", "AutoscalingCluster' from .*: it is for clusters that"),
        ("from ray.exceptions import RayChannelError", "'RayChannelError' from 'ray.exceptions': it moves tensors"),
        ("from ray import nothing", "cannot import name 'nothing' from 'ray'$"),
    ],
)
def test_importing_a_missing_name_says_why(line: str, says: str) -> None:
    with pytest.raises(ImportError, match=says):
        exec(line)
    assert not hasattr(importlib.import_module("ray.exceptions"), "RayChannelError")


@pytest.mark.usefixtures("installed")
def test_rays_shutdown_waits_for_nothing_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, float]] = []
    monkeypatch.setattr(rustyray, "shutdown", lambda **options: given.append(options))
    assert importlib.import_module("ray").shutdown() is None
    assert given == [{"grace": 0}]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["ray.data", "ray.tune.schedulers", "ray.util.collective", "ray.core", "ray.nothing"])
def test_a_module_without_counterpart_is_refused(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"for which 'ray' stands here"):
        importlib.import_module(name)


def test_what_is_missing_says_what_to_do() -> None:
    with pytest.raises(AttributeError, match=r"'rustyray' has no attribute 'client': it is Ray Client's, .* init"):
        rustyray.client  # noqa: B018
    with pytest.raises(AttributeError, match=r"'rustyray' has no attribute 'nothing'$"):
        rustyray.nothing  # noqa: B018


def test_installing_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    path, finders, environ = list(sys.path), list(sys.meta_path), dict(os.environ)
    compat.install()
    compat.install()
    assert compat.installed()
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [PLACE, "elsewhere"]
    assert environment({"PYTHONPATH": "x", "PATH": "y"}) == {
        "PYTHONPATH": f"{PLACE}{os.pathsep}x",
        "PATH": f"{COMMANDS}{os.pathsep}y",
        AS_RAY: "1",
        PYTHON: sys.executable,
    }
    assert environment({})["PATH"] == f"{COMMANDS}{os.pathsep}{os.defpath}"
    compat.uninstall()
    compat.uninstall()
    assert (sys.path, sys.meta_path, dict(os.environ)) == (path, finders, environ)
    assert not [name for name in sys.modules if name.partition(".")[0] == "ray"]


@pytest.mark.usefixtures("installed")
def test_the_command_is_rustyrays() -> None:
    told = subprocess.run(["ray", "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.split()[0] == "rustyray,"


def test_a_ray_that_was_imported_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", importlib.import_module("types"))
    with pytest.raises(RuntimeError, match=r"Ray itself was imported already, from .*types.py"):
        compat.install()
    assert not compat.installed()


@pytest.mark.usefixtures("installed")
def test_what_libraries_import_to_be_on_the_safe_side() -> None:
    ray, sdk = importlib.import_module("ray"), importlib.import_module("ray.autoscaler.sdk")
    assert ray.logger.name == "ray"
    assert sdk.request_resources(num_cpus=100) is None
    with pytest.raises(RuntimeError, match="is for clusters that grow by themselves"):
        sdk.get_head_node_ip("cluster.yaml")
