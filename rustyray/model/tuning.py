"""What programs written for Ray give as ``_system_config``: its knobs for what works in other ways here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

#: They say how often something looks, how long it waits, or how large a piece is, and nothing that a program sees.
WITHOUT_EFFECT: Final = frozenset(
    (
        "event_stats event_stats_print_interval_ms free_objects_batch_size free_objects_period_milliseconds "
        "gcs_pull_resource_loads_period_milliseconds gcs_rpc_server_reconnect_timeout_s "
        "gcs_server_request_timeout_seconds global_gc_min_interval_s health_check_failure_threshold "
        "health_check_initial_delay_ms health_check_period_ms health_check_timeout_ms "
        "idle_worker_killing_time_threshold_ms kill_idle_workers_interval_ms local_gc_interval_s "
        "local_gc_min_interval_s max_direct_call_object_size max_fused_object_count max_io_workers "
        "metrics_report_interval_ms min_spilling_size num_heartbeats_timeout object_manager_default_chunk_size "
        "object_manager_max_bytes_in_flight object_store_full_delay_ms object_timeout_milliseconds "
        "raylet_heartbeat_period_milliseconds raylet_report_resources_period_milliseconds "
        "task_events_report_interval_ms task_retry_delay_ms task_rpc_inlined_bytes_limit "
        "timeout_ms_task_wait_for_death_info worker_lease_timeout_milliseconds worker_register_timeout_seconds"
    ).split()
)
#: Ray's older way to name the directory to spill to.
SPILLING: Final = "object_spilling_config"


class _Directory(msgspec.Struct):
    directory_path: str | list[str]


class _Spilling(msgspec.Struct):
    type: Literal["filesystem"]
    params: _Directory


_SPILLINGS: Final = msgspec.json.Decoder(_Spilling)


def ours(config: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs without those of Ray's."""
    return {name: value for name, value in config.items() if name not in WITHOUT_EFFECT and name != SPILLING}


def spilling_directory(config: Mapping[str, Any]) -> str | None:
    """The directory that `SPILLING` names, if it is there. Raises ValueError if it says anything else."""
    text = config.get(SPILLING)
    if text is None:
        return None
    try:
        paths = _SPILLINGS.decode(text).params.directory_path
        (path,) = [paths] if isinstance(paths, str) else paths
    except (msgspec.MsgspecError, TypeError, ValueError):
        example = '{"type": "filesystem", "params": {"directory_path": "/tmp/spill"}}'
        raise ValueError(f"{SPILLING} must be JSON that names one directory, such as {example}, got {text!r}") from None
    return path
