"""Where tasks and actors run that say so by options of their own, on both engines."""

from __future__ import annotations

import pytest

import rustyray
from rustyray.api import init_options
from rustyray.runtime import context
from rustyray.util.placement_group import placement_group, remove_placement_group


@rustyray.remote
def labels() -> dict[str, str]:
    return rustyray.get_runtime_context().get_node_labels()


@rustyray.remote
def group() -> tuple[str | None, bool]:
    here = rustyray.get_runtime_context()
    return here.get_placement_group_id(), here.should_capture_child_tasks_in_placement_group


@rustyray.remote
class Zoned:
    def labels(self) -> dict[str, str]:
        return rustyray.get_runtime_context().get_node_labels()


@pytest.mark.parametrize("engine", ["native", "sim"])
def test_options_that_say_where(engine: str) -> None:
    config = {"cluster": True} if engine == "native" else {}
    with rustyray.init(engine=engine, num_cpus=2, labels={"zone": "a"}, _system_config=config):
        other = init_options.checked(
            engine=engine, num_cpus=2, labels={"zone": "b"}, resources={"accelerator_type:X": 1}
        )
        context.require_engine("the test").add_node(other)
        for selector, zone in (("b", "b"), ("!a", "b"), ("in(b, c)", "b"), ("!in(b, c)", "a"), ("a", "a")):
            here = labels.options(label_selector={"zone": selector}).remote()
            assert rustyray.get(here, timeout=30)["zone"] == zone, selector
        for first, others, zone in (
            ({"zone": "b"}, [{"zone": "a"}], "b"),
            ({"zone": "x"}, [{"zone": "y"}, {"zone": "b"}], "b"),
            ({"zone": "x"}, [{"zone": "!b"}], "a"),
            ({"zone": "x"}, [{"zone": "b"}, {}], "b"),
        ):
            fallbacks = [{"label_selector": other} for other in others]
            where = labels.options(label_selector=first, fallback_strategy=fallbacks)
            assert rustyray.get(where.remote(), timeout=30)["zone"] == zone, (first, others)
            holder = Zoned.options(label_selector=first, fallback_strategy=fallbacks).remote()
            assert rustyray.get(holder.labels.remote(), timeout=30)["zone"] == zone, (first, others)
        spread = labels.options(label_selector={"zone": "b"}, scheduling_strategy="SPREAD")
        assert {one["zone"] for one in rustyray.get([spread.remote() for _ in range(3)], timeout=30)} == {"b"}
        full = Zoned.options(num_cpus=2, label_selector={"zone": "b"}).remote()
        assert rustyray.get(full.labels.remote(), timeout=30)["zone"] == "b"
        busy = labels.options(label_selector={"zone": "b"}, fallback_strategy=[{"label_selector": {"zone": "a"}}])
        assert rustyray.get(busy.remote(), timeout=30)["zone"] == "a", "it has room at once"
        del full, holder
        actor = Zoned.options(label_selector={"zone": "b"}).remote()
        assert rustyray.get(actor.labels.remote(), timeout=30)["zone"] == "b"
        assert rustyray.get(labels.options(accelerator_type="X").remote(), timeout=30)["zone"] == "b"

        pair = placement_group([{"CPU": 1}])
        assert pair.wait(30)
        inside = group.options(
            placement_group=pair, placement_group_bundle_index=0, placement_group_capture_child_tasks=True
        )
        assert rustyray.get(inside.remote(), timeout=30) == (pair.id.hex(), True)
        assert rustyray.get(group.options(placement_group="default").remote(), timeout=30) == (None, False)
        with pytest.raises(ValueError, match="label_selector and placement_group each say where"):
            group.options(placement_group=pair, label_selector={"zone": "a"}).remote()
        remove_placement_group(pair)


@pytest.mark.parametrize(
    ("selector", "error"),
    [({"zone": "in(a"}, ValueError), ({"zone": ""}, ValueError), ({"zone": 1}, TypeError), ("zone", TypeError)],
)
def test_selectors_that_mean_nothing_are_refused(selector: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="label_selector"):
        labels.options(label_selector=selector)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("fallbacks", "error"),
    [
        ({"label_selector": {}}, TypeError),
        ([{}], ValueError),
        ([{"num_cpus": 1}], ValueError),
        (["zone"], ValueError),
        ([{"label_selector": {"zone": "in(a"}}], ValueError),
    ],
)
def test_fallbacks_that_mean_nothing_are_refused(fallbacks: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="fallback_strategy"):
        labels.options(fallback_strategy=fallbacks)  # type: ignore[call-overload]
