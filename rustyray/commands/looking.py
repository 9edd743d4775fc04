"""``rustyray list``, ``get``, ``summary``, ``memory``, ``timeline``, ``metrics``: what `rustyray.util.state` tells."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rustyray.runtime import addresses

KINDS = ("tasks", "actors", "objects", "nodes", "workers", "jobs", "placement-groups")
#: Kinds that can be listed, and have no ids.
_MORE = ("runtime-envs", "cluster-events")
#: The fields in a table; the others are in JSON, or with --detail.
_SHORT = {
    "tasks": "task_id attempt_number name state job_id type node_id worker_pid error_type waits_for",
    "actors": "actor_id class_name state job_id name node_id pid",
    "objects": "object_id object_size task_status reference_type type pid task_name",
    "nodes": "node_id node_ip is_head_node state node_name resources_total",
    "workers": "worker_id state node_id pid actor_id answers",
    "jobs": "job_id type status message namespace",
    "placement_groups": "placement_group_id name creator_job_id state",
    "runtime_envs": "node_id ref_cnt runtime_env",
    "cluster_events": "time severity source_type message",
}


def add_to(commands: Any) -> None:
    listing = _command(commands, "list", _list, "list tasks, actors, objects, nodes, workers, jobs, placement-groups")
    listing.add_argument("kind", choices=(*KINDS, *_MORE))
    listing.add_argument("-f", "--filter", action="append", default=[], metavar="FIELD=VALUE", help="or FIELD!=VALUE")
    listing.add_argument("--limit", type=_rows, default=100, help="so many rows at most; 100")
    getting = _command(commands, "get", _get, "one of those, by its id")
    getting.add_argument("kind", choices=[kind.removesuffix("s") for kind in KINDS] + list(KINDS))
    getting.add_argument("id")
    summary = _command(commands, "summary", _summary, "how many tasks, actors or objects there are, and in which state")
    summary.add_argument("kind", choices=("tasks", "actors", "objects"))
    _command(commands, "memory", _memory, "the objects, and how full the nodes' stores are")
    timeline = _command(commands, "timeline", _timeline, "write what ran where and when, for https://ui.perfetto.dev")
    timeline.add_argument("--filename", default="ray-timeline.json", metavar="PATH", help="where; ray-timeline.json")
    _command(commands, "metrics", _metrics, "what programs have recorded, for Prometheus")


def _command(commands: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text)
    parser.set_defaults(run=run)
    parser.add_argument("--address", default="", metavar="HOST:PORT", help="the cluster; by default the only one here")
    parser.add_argument(
        "--timeout", type=_seconds, default=30, help="seconds to wait for processes that do not answer; 30"
    )
    parser.add_argument(
        "--format",
        type=lambda name: "json" if name == "yaml" else name,
        choices=("default", "table", "json"),
        default="default",
        help="table, or json (for yaml as well, as it is YAML, too)",
    )
    parser.add_argument("--detail", action="store_true", help="all fields")
    return parser


def _rows(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {text}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, got {text}")
    return number


@contextmanager
def _connected(given: argparse.Namespace) -> Iterator[str]:
    """To the cluster, as a program; yields this program's own job."""
    import rustyray

    address = given.address or addresses.of_environment() or "auto"
    with rustyray.init(address, logging_level="ERROR"):
        yield rustyray.get_runtime_context().get_job_id()


def _list(given: argparse.Namespace) -> None:
    from rustyray.util import state

    kind = given.kind.replace("-", "_")
    filters = [_filter(text) for text in given.filter]
    with _connected(given) as mine:
        rows = getattr(state, f"list_{kind}")(filters=filters, limit=given.limit + 1, timeout=given.timeout)
    rows = [row for row in rows if row.get("job_id") != mine][: given.limit]
    _print(given, kind, [row.asdict() for row in rows])


def _filter(text: str) -> tuple[str, str, str]:
    for predicate in ("!=", "="):
        field, found, value = text.partition(predicate)
        if found and field:
            return field.strip(), predicate, value.strip()
    raise ValueError(f"a filter is FIELD=VALUE or FIELD!=VALUE, got {text!r}")


def _get(given: argparse.Namespace) -> None:
    from rustyray.util import state

    kind = given.kind.removesuffix("s").replace("-", "_")
    with _connected(given):
        get = getattr(state, "get_objects" if kind == "object" else f"get_{kind}")
        found = get(given.id, timeout=given.timeout)
    rows = found if isinstance(found, list) else [found] if found is not None else []
    if not rows:
        raise ValueError(f"nothing is known of the {kind} {given.id}")
    print(json.dumps([row.asdict() for row in rows], indent=2))


def _summary(given: argparse.Namespace) -> None:
    from rustyray.util import state

    with _connected(given):
        summary = getattr(state, f"summarize_{given.kind}")(timeout=given.timeout)["cluster"]
    if given.format == "json":
        print(json.dumps(summary, indent=2))
        return
    for key, value in summary.items():
        if key != "summary":
            print(f"{key}: {value}")
    for name, row in summary["summary"].items():
        counts = row.get("state_counts") or row.get("ref_type_counts", {})
        print(f"  {name}: " + ", ".join(f"{count} {state_}" for state_, count in counts.items()))


def _memory(given: argparse.Namespace) -> None:
    import rustyray
    from rustyray.util import state

    with _connected(given):
        rows = [row.asdict() for row in state.list_objects(limit=10_000, timeout=given.timeout)]
        stats = rustyray.stats(timeout=given.timeout)
    _print(given, "objects", sorted(rows, key=lambda row: -row["object_size"]))
    if given.format != "json":
        for node in stats.nodes:
            store = node.store
            print(
                f"node {node.node}: {store.used} of {store.capacity} bytes used, {store.spilled_bytes} spilled so far"
            )


def _timeline(given: argparse.Namespace) -> None:
    import rustyray

    with _connected(given):
        runs = rustyray.timeline(given.filename, timeout=given.timeout)
    print(f"{len(runs)} runs are in {given.filename}: open it at https://ui.perfetto.dev")


def _metrics(given: argparse.Namespace) -> None:
    from rustyray.util import metrics

    with _connected(given):
        print(metrics.prometheus_text(timeout=given.timeout), end="")


def _print(given: argparse.Namespace, kind: str, rows: list[dict[str, Any]]) -> None:
    if given.format == "json":
        print(json.dumps(rows, indent=2))
        return
    fields = list(rows[0]) if given.detail and rows else _SHORT[kind].split()
    for line in _table(fields, rows):
        print(line)
    print(f"{len(rows)} {kind.replace('_', ' ')}")


def _table(fields: list[str], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    cells = [[field.upper() for field in fields]]
    cells += [["" if row[field] is None else str(row[field]) for field in fields] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
