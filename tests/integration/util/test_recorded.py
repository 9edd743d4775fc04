"""Metrics, the head's entries, and where objects are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rustyray
from rustyray.experimental import get_local_object_locations, get_object_locations, tqdm_ray
from rustyray.experimental import internal_kv as kv
from rustyray.util import metrics
from rustyray.util.metrics import Counter, Gauge, Histogram

pytestmark = pytest.mark.usefixtures("shared")


@rustyray.remote
class Recorder:
    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.seen = Histogram("seen", "sizes", boundaries=[1.0, 10.0])
        self.level = Gauge("level")

    def record(self, number: float) -> None:
        self.counter.inc(number, tags={"kind": "even" if number % 2 == 0 else "odd"})
        self.seen.observe(number)
        self.level.set(number)

    def put(self, key: str) -> bool:
        return kv._internal_kv_put(key, b"from an actor")

    def make(self, size: int) -> list[Any]:
        return [rustyray.put(np.ones(size, np.uint8))]


def test_metrics_are_summed_over_processes() -> None:
    counter = Counter("served", 'requests "served"', tag_keys=("kind", "shop"))
    counter.set_default_tags({"shop": "a"})
    assert counter.info["default_tags"] == {"shop": "a"}
    actors = [Recorder.remote(counter) for _ in range(2)]
    rustyray.get([actor.record.remote(n) for actor in actors for n in (2, 3, 20)])
    counter.inc(tags={"kind": "odd"})
    rows = {(row.name, row.tags.get("kind", "")): row for row in metrics.collect()}
    assert rows["served", "even"].value == 44
    assert rows["served", "odd"].value == 7
    assert rows["seen", ""].counts == [0, 4, 2]
    assert rows["level", ""].value == 20
    lines = metrics.prometheus_text().splitlines()
    assert {
        "# TYPE ray_served_total counter",
        'ray_served_total{shop="a",kind="even"} 44',
        'ray_seen_bucket{le="10.0"} 4',
        'ray_seen_bucket{le="+Inf"} 6',
        "ray_seen_sum 50",
        "ray_level 20",
    } <= set(lines)


def test_wrong_records_are_refused() -> None:
    counter = Counter("wrong", tag_keys=("kind",))
    for value, error in ((0, ValueError), ("1", TypeError), (True, TypeError)):
        with pytest.raises(error):
            counter.inc(value, tags={"kind": "a"})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs a value for its tags kind"):
        counter.inc()
    with pytest.raises(ValueError, match="has no tag 'other'"):
        counter.inc(tags={"kind": "a", "other": "b"})
    with pytest.raises(TypeError, match="must be a string"):
        counter.set_default_tags({"kind": 1})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="tuple of strings"):
        Gauge("a", tag_keys=["kind"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="letters, digits"):
        Gauge("a-b")
    for boundaries in (None, [], [0.0], [2.0, 1.0]):
        with pytest.raises(ValueError, match="ascending"):
            Histogram("a", boundaries=boundaries)
    Gauge("a").set(None)
    assert not [row for row in metrics.collect() if row.name in ("wrong", "a")]


def test_the_head_keeps_entries() -> None:
    assert kv._internal_kv_initialized()
    assert kv._internal_kv_get("a", namespace="n") is None
    assert kv._internal_kv_put("a", "1", namespace="n") is False
    assert kv._internal_kv_put(b"a", b"2", overwrite=False, namespace=b"n") is True
    assert kv._internal_kv_get("a", namespace="n") == b"1"
    assert not kv._internal_kv_exists("a")
    assert rustyray.get(Recorder.remote(Counter("c")).put.remote("b")) is False
    assert kv._internal_kv_get("b") == b"from an actor"
    assert kv._internal_kv_list("", namespace="n") == [b"a"]
    assert kv._internal_kv_del("", del_by_prefix=True, namespace="n") == 1
    assert kv._internal_kv_del("b") == 1
    with pytest.raises(TypeError, match="string or bytes"):
        kv._internal_kv_get(1)  # type: ignore[arg-type]


@rustyray.remote(max_retries=0)
def fails() -> None:
    raise ValueError("no")


def test_a_timeline_shows_what_ran(tmp_path: Path) -> None:
    actor = Recorder.remote(Counter("c"))
    rustyray.get(actor.make.remote(1))
    with pytest.raises(ValueError, match="no"):
        rustyray.get(fails.remote())
    runs = rustyray.timeline(tmp_path / "trace.json")
    assert json.loads((tmp_path / "trace.json").read_text()) == runs
    by_name = {run["name"].rpartition(".")[2]: run for run in runs}
    assert by_name["fails"]["cname"] == "terrible"
    assert by_name["make"]["args"]["actor_id"] == actor._actor_id.hex()
    assert all(run["ph"] == "X" and run["dur"] >= 0 and run["tid"].startswith("worker ") for run in runs)


def test_progress_is_told_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tqdm_ray.tqdm([1, 2, 3], desc="reads")) == [1, 2, 3]
    with tqdm_ray.tqdm(total=10, unit="rows", flush_interval_s=0) as bar:
        bar.update(4)
        bar.set_description("writes")
    with pytest.raises(ValueError, match="nothing to iterate over"):
        list(tqdm_ray.tqdm())
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" in ")[0] for line in lines] == [
        "reads: 3/3 (100%) it",
        "progress: 4/10 (40%) rows",
        "writes: 4/10 (40%) rows",
    ]


def test_objects_are_somewhere() -> None:
    here = rustyray.get_runtime_context().get_node_id()
    large, small = rustyray.put(np.ones(200_000, np.uint8)), rustyray.put(1)
    actor = Recorder.remote(Counter("c"))
    [theirs] = rustyray.get(actor.make.remote(300_000))
    found = get_object_locations([large, small, theirs])
    assert found[large]["node_ids"] == found[theirs]["node_ids"] == [here]
    assert found[large]["object_size"] >= 200_000
    assert found[small] == {"node_ids": [], "object_size": found[small]["object_size"], "did_spill": False}
    local = get_local_object_locations([large, theirs])
    assert local == {large: found[large]}
    for wrong in (large, [large.hex()]):
        with pytest.raises(TypeError, match="locations are known of refs"):
            get_object_locations(wrong)  # type: ignore[arg-type]
