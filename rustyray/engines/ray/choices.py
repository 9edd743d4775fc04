"""Our options, as plans have them, in Ray's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from rustyray.model import resources as res
from rustyray.model import streams

if TYPE_CHECKING:
    from rustyray.model.plans import ActorPlan, MethodPlan, RetryPolicy, TaskPlan
    from rustyray.model.resources import ResourceSet
    from rustyray.model.strategies import LabelMatch, Strategy

#: The lengths of Ray's ids; ours for actors and groups are longer, and have zeros at the end.
ACTOR_ID, GROUP_ID = 16, 18


def our_actor(actor: Any) -> bytes:
    binary: bytes = actor.binary()
    return binary + bytes(20 - ACTOR_ID)


def our_hex(actor: str | None) -> str | None:
    """The id of an actor as Ray's errors have it."""
    return actor and actor + "00" * (20 - ACTOR_ID)


def our_group(group: Any) -> bytes:
    """For one of Ray's ids."""
    binary: bytes = group.binary()
    return binary + bytes(20 - GROUP_ID)


def rays_group(group: bytes) -> Any:
    from ray import PlacementGroupID
    from ray.util.placement_group import PlacementGroup

    return PlacementGroup(PlacementGroupID(group[:GROUP_ID]))


def _returns(returns: int) -> dict[str, Any]:
    if returns == streams.DYNAMIC:
        return {"num_returns": "dynamic"}
    if returns >= 0:
        return {"num_returns": returns}
    limit = streams.limit_of(returns)
    return {"num_returns": "streaming"} | ({"_generator_backpressure_num_objects": limit} if limit else {})


def task_options(plan: TaskPlan) -> dict[str, Any]:
    options = _resources(plan.resources) | _returns(plan.returns)
    options |= {"max_retries": plan.max_retries, "name": plan.called}
    options["retry_exceptions"] = _retried(plan.retry)
    if plan.environment:
        options["runtime_env"] = _environment(plan.environment)
    if not plan.follows:
        options |= _where(plan.strategy)
    return options


def actor_options(plan: ActorPlan) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if plan.resources == plan.placement:  # otherwise nothing was asked for, which means the same to Ray
        options = _resources(plan.resources)
    elif plan.resources:
        options = {"memory": int(res.as_amounts(plan.resources)[res.MEMORY])}
    options |= {"max_restarts": plan.max_restarts, "max_task_retries": plan.max_task_retries}
    options["max_concurrency"] = plan.max_concurrency
    unordered, max_pending = msgspec.msgpack.decode(plan.handle_meta)[3:5]
    if unordered and not plan.is_async and plan.max_concurrency == 1:
        options["allow_out_of_order_execution"] = True
    if max_pending:
        options["max_pending_calls"] = max_pending
    if plan.name:
        options |= {"name": plan.name, "get_if_exists": plan.get_if_exists, "namespace": plan.namespace or None}
    if plan.ahead:
        options["_actor_generator_backpressure_num_objects"] = plan.ahead
    if plan.environment:
        options["runtime_env"] = _environment(plan.environment)
    if plan.detached is not None:
        options["lifetime"] = "detached" if plan.detached else "non_detached"
    if not plan.follows:
        options |= _where(plan.strategy)
    return options


def method_options(plan: MethodPlan, max_task_retries: int) -> dict[str, Any]:
    options = _returns(plan.returns)
    if plan.retry.on_error:
        options["retry_exceptions"] = _retried(plan.retry)
    if plan.max_task_retries != max_task_retries:
        options["max_task_retries"] = plan.max_task_retries
    if plan.group:
        options["concurrency_group"] = plan.group
    if plan.call_name:
        options["name"] = plan.call_name
    return options


def _environment(given: Mapping[str, Any]) -> dict[str, Any]:
    """Raises ValueError for what Ray takes from ``init`` only."""
    for field in ("working_dir", "py_modules", "worker_process_setup_hook"):
        if field in given:
            raise ValueError(f"runtime_env: with engine='ray', {field!r} is for the whole program: give it to init()")
    return dict(given)


def _retried(policy: RetryPolicy) -> Any:
    from rustyray.engines.ray.errors import RaisedAndRetried

    return [RaisedAndRetried] if policy.on_error else False


def _resources(held: ResourceSet) -> dict[str, Any]:
    amounts = res.as_amounts(held)
    options: dict[str, Any] = {"num_cpus": amounts.pop(res.CPU, 0), "num_gpus": amounts.pop(res.GPU, 0)}
    if memory := int(amounts.pop(res.MEMORY, 0)):
        options["memory"] = memory
    return options | {"resources": amounts}


def _where(strategy: Strategy | None) -> dict[str, Any]:
    if strategy is None or not (strategy.fallbacks or _is_selector(strategy)):
        return {"scheduling_strategy": _strategy(strategy)}
    first, *others = [{match.key: _selector(match) for match in selector} for selector in strategy.selectors()]
    options = {"scheduling_strategy": "SPREAD" if strategy.spread else "DEFAULT", "label_selector": first}
    return options | ({"fallback_strategy": [{"label_selector": other} for other in others]} if others else {})


def _is_selector(strategy: Strategy) -> bool:
    """Whether Ray's option ``label_selector`` says it all."""
    return bool(strategy.hard) and not strategy.preferred and all(match.values for match in strategy.hard)


def _selector(match: LabelMatch) -> str:
    return f"{'!' if match.negated else ''}in({','.join(match.values)})"


def _strategy(strategy: Strategy | None) -> Any:
    from ray.util import scheduling_strategies as theirs

    if strategy is None:
        return "DEFAULT"
    if strategy.node:
        return theirs.NodeAffinitySchedulingStrategy(strategy.node.hex(), soft=strategy.soft)
    if strategy.group:
        return theirs.PlacementGroupSchedulingStrategy(
            rays_group(strategy.group),
            placement_group_bundle_index=strategy.bundle,
            placement_group_capture_child_tasks=strategy.capture,
        )
    if strategy.hard or strategy.preferred:
        return theirs.NodeLabelSchedulingStrategy(_labels(strategy.hard), soft=_labels(strategy.preferred))
    return "SPREAD" if strategy.spread else "DEFAULT"


def _labels(matches: tuple[LabelMatch, ...]) -> dict[str, Any]:
    from ray.util import scheduling_strategies as theirs

    found: dict[str, Any] = {}
    for match in matches:
        if match.values:
            found[match.key] = (theirs.NotIn if match.negated else theirs.In)(*match.values)
        else:
            found[match.key] = theirs.DoesNotExist() if match.negated else theirs.Exists()
    return found
