"""Runtime environments: what workers are to have that others have not."""

import os

import pytest

from rustyray.testing.conformance.helpers import got


def _variables(api, **options):
    @api.remote(**({"num_cpus": 1} | options))
    def variables(*names):
        return [os.environ.get(name) for name in names]

    return variables


def _reader(api, **options):
    class Reader:
        def variable(self, name):
            return os.environ.get(name)

        def nested(self, name):
            return api.get(_variables(api).remote(name))

    return api.remote(**({"num_cpus": 0} | options))(Reader).remote()


def _env(**variables):
    return {"env_vars": variables}


def variables_are_there(api):
    """``env_vars`` are in the environment of the task that asked for them, and of no other."""
    asks = _variables(api)
    assert got(api, asks.options(runtime_env=_env(CONFORM_A="1")).remote("CONFORM_A")) == ["1"]
    assert got(api, asks.remote("CONFORM_A")) == [None]
    assert "CONFORM_A" not in os.environ


def variables_refer_to_others(api):
    """``$NAME`` and ``${NAME}`` in a value are the worker's variables; ``${NAME}`` is empty if there is none."""
    env = _env(CONFORM_A="${PATH}:/bin", CONFORM_B="$PATH", CONFORM_C="<${CONFORM_NONE}>", CONFORM_D="$CONFORM_NONE!")
    path, same, none, left = got(api, _variables(api).options(runtime_env=env).remote(*sorted(env["env_vars"])))
    assert path == f"{same}:/bin" != ":/bin"
    assert (none, left) == ("<>", "$CONFORM_NONE!")


def environments_differ(api):
    """Tasks with different environments run in different processes, each with its own."""
    asks = _variables(api)
    refs = [asks.options(runtime_env=_env(CONFORM_A=str(n))).remote("CONFORM_A") for n in range(3)]
    assert got(api, refs) == [["0"], ["1"], ["2"]]


def actors_have_environments(api):
    """All calls of an actor see its ``env_vars``."""
    reader = _reader(api, runtime_env=_env(CONFORM_A="1"))
    assert got(api, [reader.variable.remote("CONFORM_A") for _ in range(2)]) == ["1", "1"]


def children_inherit(api):
    """What a task or an actor submits has the same environment."""
    reader = _reader(api, runtime_env=_env(CONFORM_A="1"))
    assert got(api, reader.nested.remote("CONFORM_A")) == ["1"]


def variables_are_merged(api):
    """A child's ``env_vars`` are added to its parent's, and come first where both have one."""

    @api.remote
    def outer():
        child = _variables(api, runtime_env=_env(CONFORM_B="3", CONFORM_C="4"))
        return api.get(child.remote("CONFORM_A", "CONFORM_B", "CONFORM_C"))

    parent = outer.options(runtime_env=_env(CONFORM_A="1", CONFORM_B="2"))
    assert got(api, parent.remote()) == ["1", "3", "4"]


def a_class_or_function_may_have_one(api):
    """The decorator's ``runtime_env`` is for all calls; ``.options`` gives one call another."""
    asks = _variables(api, runtime_env=_env(CONFORM_A="1"))
    assert got(api, asks.remote("CONFORM_A")) == ["1"]
    assert got(api, asks.options(runtime_env=_env(CONFORM_A="2")).remote("CONFORM_A")) == ["2"]


def runtime_env_objects(api):
    """A ``RuntimeEnv`` is a dict with checked fields, and can be used as one."""
    env = api.runtime_env.RuntimeEnv(env_vars={"CONFORM_A": "1"})
    assert env["env_vars"] == {"CONFORM_A": "1"}
    assert env.env_vars() == {"CONFORM_A": "1"}
    assert got(api, _variables(api).options(runtime_env=env).remote("CONFORM_A")) == ["1"]


def variables_are_text(api):
    """Names and values of ``env_vars`` are strings; anything else raises TypeError."""
    for variables in ({"CONFORM_A": 1}, {1: "a"}, ["CONFORM_A"]):
        with pytest.raises(TypeError):
            _variables(api).options(runtime_env={"env_vars": variables}).remote()


def the_context_tells_the_environment(api):
    """The runtime context has the process' ``runtime_env``."""

    @api.remote(runtime_env=_env(CONFORM_A="1"))
    def own():
        return api.get_runtime_context().runtime_env["env_vars"]

    assert got(api, own.remote()) == {"CONFORM_A": "1"}


def what_cannot_be_had_fails(api):
    """An environment that cannot be had fails clearly: ValueError at once, or RuntimeEnvSetupError; nothing hangs."""
    with pytest.raises((ValueError, api.exceptions.RuntimeEnvSetupError)):
        got(api, _variables(api).options(runtime_env={"conda": "no such environment"}).remote())


def environments_are_dicts(api):
    """A ``runtime_env`` that is no dict raises TypeError."""
    with pytest.raises(TypeError):
        _variables(api).options(runtime_env="CONFORM_A=1").remote()
