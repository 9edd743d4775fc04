"""Names of Ray's that say little, and what is said of those that are missing."""

from __future__ import annotations

import pytest

import rustyray
from rustyray import LoggingConfig
from rustyray.cluster_utils import Cluster
from rustyray.job_config import JobConfig
from rustyray.runtime_env import RuntimeEnv
from rustyray.util import accelerators
from rustyray.util.actor_group import ActorConfig
from rustyray.util.annotations import AnnotationType, RayDeprecationWarning
from rustyray.util.placement_group import PlacementGroup, check_placement_group_index, validate_placement_group
from rustyray.util.serialization import StandaloneSerializationContext
from tests.unit.api.fake_engine import FakeEngine


def test_what_is_missing_of_a_class_says_so() -> None:
    with pytest.raises(AttributeError, match="'RuntimeEnv' object has no attribute 'conda_uri': it is about a field"):
        RuntimeEnv().conda_uri()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"^'RuntimeEnv' object has no attribute 'anything'$"):
        RuntimeEnv().anything  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'collective': it moves tensors"):
        rustyray.util.collective  # noqa: B018


def test_a_ref_tells_about_itself(engine: FakeEngine) -> None:
    ref = rustyray.put(1)
    assert not ref.is_nil()
    assert len(ref.binary()) == ref.size()
    assert ref.owner_address()
    assert ref.call_site() == ""
    with pytest.raises(AttributeError, match="'ObjectRef' object has no attribute 'from_hex': it makes a ref of an id"):
        ref.from_hex("")  # type: ignore[attr-defined]


def test_kinds_of_accelerators_are_texts() -> None:
    assert (accelerators.NVIDIA_A100, accelerators.INTEL_GAUDI) == ("A100", "Intel-GAUDI")
    with pytest.warns(RayDeprecationWarning, match="use NVIDIA_A100"):
        assert accelerators.NVIDIA_TESLA_A100 == "A100"
    with pytest.raises(AttributeError, match="no attribute 'tpu': it moves tensors"):
        accelerators.tpu  # noqa: B018


def test_placement_groups_are_checked_without_making_one(engine: FakeEngine) -> None:
    assert validate_placement_group([{"CPU": 1}], "SPREAD")
    with pytest.raises(ValueError, match="strategy must be one of"):
        validate_placement_group([{"CPU": 1}], "WIDE")
    with pytest.raises(ValueError, match="topology_strategy"):
        validate_placement_group([{"CPU": 1}], topology_strategy={})
    group = PlacementGroup.empty()
    check_placement_group_index(group, -1)
    with pytest.raises(ValueError, match="must be -1, as there is no group, got 0"):
        check_placement_group_index(group, 0)
    group = rustyray.util.placement_group([{"CPU": 1}] * 2)
    check_placement_group_index(group, 1)
    with pytest.raises(ValueError, match="must be from -1 to 1, got 2"):
        check_placement_group_index(group, 2)


def test_a_jobs_config_says_how_to_log() -> None:
    config = JobConfig()
    with pytest.raises(ValueError, match="must be 'detached' or 'non_detached', got None"):
        config.set_default_actor_lifetime(None)  # type: ignore[arg-type]
    config.ensure_logging_config({"encoding": "JSON"})
    config.ensure_logging_config(LoggingConfig())
    assert config.py_logging_config == LoggingConfig("JSON")
    with pytest.raises(TypeError, match=r"must be a rustyray\.LoggingConfig"):
        config.set_py_logging_config("JSON")  # type: ignore[arg-type]


def test_values_and_marks() -> None:
    assert ActorConfig(1, 0, None, (), {}).num_cpus == 1
    assert AnnotationType("PublicAPI") is AnnotationType.PUBLIC_API
    assert Cluster(shutdown_at_exit=False).gcs_address == ""


class Point:
    def __init__(self, x: int) -> None:
        self.x = x


def test_a_context_of_ones_own_registers_serializers(engine: FakeEngine) -> None:
    serializers = StandaloneSerializationContext()
    serializers._register_cloudpickle_serializer(Point, lambda point: point.x + 1, Point)
    assert rustyray.get(rustyray.put(Point(1))).x == 2
    serializers._unregister_cloudpickle_reducer(Point)
    assert rustyray.get(rustyray.put(Point(1))).x == 1
