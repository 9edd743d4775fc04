"""The options of ``init``."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from rustyray.model import resources as res
from rustyray.model import settings

PLAIN: dict[str, Any] = {
    "engine": "native",
    "num_cpus": 2,
    "num_gpus": 0,
    "memory": 1000,
    "resources": None,
    "object_store_memory": None,
    "namespace": None,
    "labels": None,
    "logging_level": "WARNING",
    "system_config": None,
}


def make(**changes: Any) -> settings.Settings:
    return settings.settings(**{**PLAIN, **changes})


def test_the_node_gets_all_its_resources() -> None:
    assert make().resources == {"CPU": 2 * res.UNIT, "memory": 1000 * res.UNIT}
    assert make(num_gpus=1, num_cpus=0, resources={"x": 0.5}).resources == {
        "GPU": res.UNIT,
        "memory": 1000 * res.UNIT,
        "x": res.UNIT // 2,
    }


def test_the_rest_passes_through() -> None:
    made = make(namespace="n", labels={"zone": "a"}, object_store_memory=5, system_config={"knob": 1})
    assert (made.engine, made.namespace, made.labels) == ("native", "n", {"zone": "a"})
    assert (made.object_store_memory, made.system_config) == (5, {"knob": 1})
    assert (make().object_store_memory, make().namespace, make().labels, make().system_config) == (None, "", {}, {})


def test_what_nodes_say_of_themselves_is_no_label_of_others() -> None:
    with pytest.raises(ValueError, match=r"labels\['ray\.io/zone'\]: what begins with ray\.io/"):
        make(labels={"ray.io/zone": "a"})


def test_a_store_has_a_size_that_machines_can_count() -> None:
    with pytest.raises(ValueError, match="object_store_memory must be 1e\\+14 bytes or less"):
        make(object_store_memory=2**53)


@pytest.mark.parametrize("paths", ["/spill", ["/spill"]])
def test_rays_knobs_ask_for_nothing_and_its_directory_is_ours(paths: object) -> None:
    spilling = json.dumps({"type": "filesystem", "params": {"directory_path": paths}})
    config = {"health_check_period_ms": 1, "object_spilling_config": spilling, "knob": 1}
    made = make(system_config=config)
    assert (made.system_config, made.spill_directory) == ({"knob": 1}, "/spill")
    assert make(system_config=config, object_spilling_directory="/other").spill_directory == "/other"
    assert make(system_config=config, engine="ray").system_config == config


@pytest.mark.parametrize(
    ("level", "name"),
    [("debug", "DEBUG"), ("Info", "INFO"), (logging.ERROR, "ERROR"), (0, "DEBUG"), (35, "WARNING"), (99, "CRITICAL")],
)
def test_levels_are_names(level: object, name: str) -> None:
    assert make(logging_level=level).log_level == name


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"num_cpus": -1}, ValueError, "num_cpus must be zero or more, got -1"),
        ({"num_cpus": "2"}, TypeError, "num_cpus must be a number"),
        ({"num_gpus": -1}, ValueError, "num_gpus must be zero or more"),
        ({"resources": {"CPU": 1}}, ValueError, "write num_cpus=1"),
        ({"object_store_memory": 0}, ValueError, "object_store_memory must be 1 or more"),
        ({"object_store_memory": 1.5}, TypeError, "object_store_memory must be an integer"),
        ({"namespace": ""}, ValueError, "namespace must not be empty"),
        ({"namespace": 1}, TypeError, "namespace must be a string"),
        ({"labels": ["x"]}, TypeError, "labels must be a dict with strings as keys"),
        ({"labels": {"x": 1}}, TypeError, r"labels\['x'\] must be a string, got 1"),
        ({"logging_level": "WARNIN"}, ValueError, r"\(did you mean 'WARNING'\?\)"),
        ({"logging_level": None}, TypeError, "logging_level must be a level"),
        ({"system_config": {"object_spilling_config": "/tmp"}}, ValueError, "must be JSON that names one directory"),
        ({"system_config": {1: 1}}, TypeError, "_system_config must be a dict with strings as keys"),
        ({"engine": 1}, TypeError, "engine must be a string"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_wrong_values_are_refused(wrong: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**wrong)


@pytest.mark.parametrize("name", settings.UNSUPPORTED)
def test_what_is_not_supported_is_refused_unless_it_asks_for_nothing(name: str) -> None:
    harmless, instead = settings.UNSUPPORTED[name]
    settings.refuse_unknown(dict.fromkeys((name,), None))
    for value in harmless:
        settings.refuse_unknown({name: value})
    with pytest.raises(ValueError, match=rf"^init\({name}='asked'\) is not supported yet\. {re.escape(instead)}\.$"):
        settings.refuse_unknown({name: "asked"})


def test_unknown_options_are_refused_with_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"init\(\) has no option 'num_cpu' \(did you mean 'num_cpus'\?\)\. Valid ones"):
        settings.refuse_unknown({"num_cpu": 1})
