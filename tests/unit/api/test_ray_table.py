"""The table of Ray's public names says what is in the code, and gives a reason for the rest."""

from __future__ import annotations

import sys

import pytest

from rustyray import missing
from rustyray.compat.table import names, status
from rustyray.model import options


@pytest.mark.parametrize("module", names.MODULES)
def test_each_name_is_there_or_has_a_reason(module: str) -> None:
    rows = status.module(module)
    assert [row.name.rpartition(".")[2] for row in rows] == names.MODULES[module].split()
    assert all(row.there != bool(row.note) for row in rows)


def test_what_is_there_is_found_in_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def there(rows: list[status.Row]) -> set[str]:
        return {row.name for row in rows if row.there}

    assert {"ray.get", "ray.remote"} <= there(status.module("ray"))
    assert "ray.client" not in there(status.module("ray"))
    monkeypatch.delattr(sys.modules["rustyray.util.placement_group"], "placement_group_table")
    gone = "ray.util.placement_group.placement_group_table"
    assert status.Row(gone, False, missing.OTHERWISE) in status.module("ray.util.placement_group")
    assert {"ray.cluster_utils.Cluster.address", "ray.cluster_utils.Cluster.add_node"} <= there(
        status.members("ray.cluster_utils.Cluster")
    )
    assert {"num_cpus", "max_retries"} <= there(status.options("task"))
    assert {"num_cpus", "max_restarts"} <= there(status.options("actor"))
    assert {"address", "num_cpus"} <= there(status.options("init"))
    assert there(status.commands(["start", "mine"])) == {"start"}


def test_refused_options_have_the_sentence_that_refuses_them() -> None:
    assert status.Row("enable_task_events", True) in status.options("actor")
    for name, option in options.UNSUPPORTED.items():
        if name != "enable_task_events" and options.Scope.ACTOR in option.scopes and name in names.ACTOR.split():
            assert status.Row(name, False, f"refused: {option.instead}") in status.options("actor")
