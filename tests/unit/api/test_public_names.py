"""The flat namespace: each name once, and nothing else."""

from __future__ import annotations

import tomllib
from pathlib import Path

import rustyray

ROOT = Path(rustyray.__file__).parent.parent


def test_every_public_name_is_there_once() -> None:
    assert rustyray.__all__ == sorted(set(rustyray.__all__))
    public = {name for name in vars(rustyray) if not name.startswith("_")}
    modules = set(
        "sys api cluster_utils commands core dag engines experimental job_config job_submission model runtime".split()
    )
    modules |= {"compat", "missing", "runtime_env", "testing", "util", "wire"}
    assert public - modules == set(rustyray.__all__) - {"__version__"}


def test_no_two_names_mean_the_same_except_where_ray_has_two() -> None:
    things = {name: getattr(rustyray, name) for name in rustyray.__all__}
    twice = {
        frozenset({one, two})
        for one, thing in things.items()
        for two, other in things.items()
        if thing is other and one != two
    }
    assert twice == {frozenset({"ObjectRef", "ObjectID"})}


def test_the_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert rustyray.__version__ == project["version"]
