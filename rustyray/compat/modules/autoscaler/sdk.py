"""``ray.autoscaler.sdk``: its names are there, as libraries import them; what starts clusters raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from rustyray import missing


def request_resources(
    num_cpus: int | None = None,
    bundles: Sequence[Mapping[str, float]] | None = None,
    bundle_label_selectors: Sequence[Mapping[str, str]] | None = None,
) -> None:
    """Nothing: it asks an autoscaler for more nodes, and there is none (as in a Ray without one)."""


def _refuse(*args: object, **kwargs: object) -> NoReturn:
    raise RuntimeError(f"ray.autoscaler.sdk {missing.REASONS['ray.autoscaler']}")


create_or_update_cluster = teardown_cluster = run_on_cluster = rsync = get_head_node_ip = _refuse
get_worker_node_ips = fillout_defaults = bootstrap_config = configure_logging = get_docker_host_mount_location = _refuse
