"""What plans are made of, read from options that were checked: returns, retries, resources, where to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rustyray.model import resources as res
from rustyray.model.options import DYNAMIC, STREAMING, value_of
from rustyray.model.plans import RetryPolicy
from rustyray.model.resources import ResourceSet

if TYPE_CHECKING:
    from rustyray.model.strategies import Strategy


def returns_of(options: Mapping[str, Any], called: str, is_generator: bool) -> int:
    """How many values it returns, as plans say it (`rustyray.model.streams`): a generator streams its items.

    Raises:
        ValueError: It is no generator, and is to stream.
    """
    from rustyray.model import streams

    number: int | str | None = options.get("num_returns")
    if number is None:
        number = STREAMING if is_generator else 1
    if isinstance(number, int):
        return number
    if not is_generator:
        raise ValueError(
            f"num_returns={number!r} is for generators, and {called} is none: it has no yield (a wrapper around a "
            "generator function has to yield its items itself)"
        )
    limit = value_of(options, "_generator_backpressure_num_objects")
    return streams.DYNAMIC if number == DYNAMIC else streams.streaming(limit)


def retry_policy(options: Mapping[str, Any]) -> RetryPolicy | None:
    """None when exceptions of the application are not retried, and nothing else waits before it is."""
    on_error = value_of(options, "retry_exceptions")
    first, factor, most = value_of(options, "retry_backoff")
    return RetryPolicy(on_error, first, factor, most) if on_error or first else None


#: What of the resource "accelerator_type:…" those hold that want to be where it is (as in Ray).
ACCELERATOR_SHARE: Final = 0.001


def _asked(options: Mapping[str, Any]) -> dict[str, float]:
    asked = dict(options.get("resources") or {})
    for resource, name in ((res.CPU, "num_cpus"), (res.GPU, "num_gpus"), (res.MEMORY, "memory")):
        if options.get(name) is not None:
            asked[resource] = options[name]
    if options.get("accelerator_type"):
        asked[f"accelerator_type:{options['accelerator_type']}"] = ACCELERATOR_SHARE
    return asked


def task_resources(options: Mapping[str, Any]) -> ResourceSet:
    """What a task holds while it runs: 1 CPU unless it says otherwise."""
    return res.resource_set({res.CPU: 1, **_asked(options)})


def actor_resources(options: Mapping[str, Any]) -> tuple[ResourceSet, ResourceSet]:
    """What an actor holds while it lives, and what must be free where it is placed (as in Ray).

    An actor that asks for nothing but memory needs 1 CPU to be placed and holds none; one that asks for any other
    resource holds 1 CPU too, unless it says otherwise.
    """
    asked = _asked(options)
    if asked.keys() <= {res.MEMORY}:
        return res.resource_set(asked), res.resource_set({**asked, res.CPU: 1})
    held = res.resource_set({res.CPU: 1, **asked})
    return held, held


_PLACES: Final = ("scheduling_strategy", "label_selector", "fallback_strategy", "placement_group")


def where_to_run(
    options: Mapping[str, Any], called: str, resources: ResourceSet, placement: ResourceSet
) -> tuple[Strategy | None, bool]:
    """The strategy for what holds ``resources`` and needs ``placement`` to be placed; None for the default one.

    The second is whether nothing was said, so that it goes where its parent wants it.

    Raises:
        ValueError: No bundle of its placement group can ever hold it, or it was said in two ways where it has to be.
    """
    chosen, labels, fallbacks, group = (options.get(name) for name in _PLACES)
    if chosen is None and labels is None and not fallbacks and group is None:
        return None, True
    from rustyray.model import strategies as known

    given = [name for name in _PLACES if options.get(name) not in (None, (), known.Strategy())]
    spread = chosen == known.Strategy(spread=True) and group is None
    if len(given) > 1 and not spread and not set(given) <= {"label_selector", "fallback_strategy"}:
        raise ValueError(f"{called}: {' and '.join(given)} each say where it is to run; give one of them")
    if labels is not None or fallbacks:
        hard = labels.hard if labels is not None else ()
        labels = known.Strategy(spread=spread, hard=hard, fallbacks=fallbacks or ())
    if group is not None:
        index = value_of(options, "placement_group_bundle_index")
        capture = value_of(options, "placement_group_capture_child_tasks")
        chosen = known.PlacementGroupSchedulingStrategy(group, index, capture)
    elif labels is not None:
        chosen = labels

    if isinstance(chosen, known.PlacementGroupSchedulingStrategy):
        chosen.check_room(called, resources, placement)
        return chosen.strategy, False
    return (chosen if chosen != known.Strategy() else None), False
