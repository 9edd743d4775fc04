"""Options: which there are, what they accept, and what is said to those that ask for something else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rustyray.model import options as opt
from rustyray.model import plan_parts as parts
from rustyray.model import resources as res
from rustyray.model.options import Scope

CPU = {"CPU": res.UNIT}


def check(scope: Scope, **given: Any) -> dict[str, Any]:
    return opt.check_options(scope, given)


def test_options_come_back_plain() -> None:
    given = {"num_cpus": np.float64(0.5), "num_gpus": 1, "memory": 1e9, "resources": {"licence": 1}, "name": "n"}
    checked = check(Scope.TASK, **given, num_returns=np.int64(3), max_retries=-1)
    assert checked == {**given, "num_returns": 3, "max_retries": -1}
    assert type(checked["num_returns"]) is int
    assert type(checked["num_cpus"]) is float


@pytest.mark.parametrize("name", opt.OPTIONS)
def test_none_means_the_default(name: str) -> None:
    scope = next(scope for scope in Scope if scope in opt.OPTIONS[name].scopes)
    checked = opt.check_options(scope, {name: None})
    assert opt.value_of(checked, name) == opt.OPTIONS[name].default == opt.value_of({}, name)


@pytest.mark.parametrize(
    ("scope", "wrong", "error", "message"),
    [
        (Scope.TASK, {"num_cpus": -1}, ValueError, "num_cpus must be zero or more, got -1"),
        (Scope.TASK, {"num_cpus": "2"}, TypeError, r"num_cpus must be a number, got '2' \(str\)"),
        (Scope.TASK, {"num_cpus": True}, TypeError, "num_cpus must be a number"),
        (Scope.TASK, {"num_cpus": math.nan}, ValueError, "finite"),
        (Scope.TASK, {"num_cpus": math.inf}, ValueError, "finite"),
        (Scope.TASK, {"num_cpus": 0.00001}, ValueError, "finer than the smallest share"),
        (Scope.TASK, {"num_cpus": 1e300}, ValueError, r"num_cpus.*must be 1e\+14 or less"),
        (Scope.TASK, {"memory": 10**400}, ValueError, "memory.*finite"),
        (Scope.TASK, {"max_retries": 10**30}, ValueError, "max_retries must fit into 64 bits, got a number of 100"),
        (Scope.TASK, {"num_returns": 10**12}, ValueError, "num_returns must be 1000000 or less"),
        (Scope.TASK, {"num_gpus": 1.5}, ValueError, "num_gpus above 1 must be a whole number"),
        (Scope.TASK, {"memory": -5}, ValueError, "memory must be zero or more"),
        (Scope.TASK, {"resources": [1]}, TypeError, r"resources must be a dict such as {'license': 1}, got \[1\]"),
        (Scope.TASK, {"resources": {"CPU": 1}}, ValueError, "'CPU' has an option of its own, write num_cpus=1"),
        (Scope.TASK, {"resources": {"memory": 1}}, ValueError, "write memory=1"),
        (Scope.TASK, {"resources": {"": 1}}, TypeError, "must be a string that is not empty"),
        (Scope.TASK, {"resources": {3: 1}}, TypeError, "must be a string that is not empty, got 3"),
        (Scope.TASK, {"resources": {"x": -1}}, ValueError, r"resources\['x'\] must be zero or more"),
        (Scope.TASK, {"name": ""}, ValueError, "name must not be empty"),
        (Scope.TASK, {"name": 3}, TypeError, "name must be a string"),
        (Scope.TASK, {"num_returns": -1}, ValueError, "num_returns must be zero or more, got -1"),
        (Scope.TASK, {"num_returns": 1.0}, TypeError, "num_returns must be an integer"),
        (Scope.TASK, {"num_returns": "two"}, ValueError, "num_returns must be a number, 'streaming' or 'dynamic'"),
        (Scope.TASK, {"_generator_backpressure_num_objects": 0}, ValueError, "must be 1 or more, or -1 for no limit"),
        (Scope.TASK, {"max_retries": -2}, ValueError, r"max_retries must be -1 or more \(-1: without end\), got -2"),
        (Scope.TASK, {"max_retries": True}, TypeError, "max_retries must be an integer, got True"),
        (Scope.TASK, {"retry_exceptions": ValueError}, TypeError, r"a list of exception classes \(\[ValueError\]\)"),
        (Scope.TASK, {"retry_exceptions": ["x"]}, ValueError, "a list of exception classes, got 'x'"),
        (Scope.TASK, {"retry_exceptions": [int]}, ValueError, "a list of exception classes"),
        (Scope.TASK, {"retry_backoff": "1"}, TypeError, r"a number of seconds, or \(first, factor, most\)"),
        (Scope.TASK, {"retry_backoff": (1, 2)}, TypeError, r"a number of seconds, or \(first, factor, most\)"),
        (Scope.TASK, {"retry_backoff": -1}, ValueError, "seconds of zero or more"),
        (Scope.TASK, {"retry_backoff": (1, 0.5, 3)}, ValueError, "a factor of one or more"),
        (Scope.TASK, {"retry_backoff": math.inf}, ValueError, "seconds of zero or more"),
        (Scope.TASK, {"retry_exceptions": 1}, TypeError, "True, False, a list of exception classes, or a function"),
        (Scope.ACTOR, {"max_restarts": -2}, ValueError, "max_restarts must be -1 or more"),
        (Scope.ACTOR, {"max_task_retries": 0.5}, TypeError, "max_task_retries must be an integer"),
        (Scope.ACTOR, {"max_concurrency": 0}, ValueError, "max_concurrency must be 1 or more, got 0"),
        (Scope.ACTOR, {"lifetime": "detatched"}, ValueError, r"got 'detatched' \(did you mean 'detached'\?\)"),
        (Scope.ACTOR, {"lifetime": True}, TypeError, "lifetime must be a string"),
        (Scope.ACTOR, {"namespace": ""}, ValueError, "namespace must not be empty"),
        (Scope.ACTOR, {"get_if_exists": 1}, TypeError, "get_if_exists must be True or False"),
        (Scope.METHOD, {"max_task_retries": -2}, ValueError, "max_task_retries must be -1 or more"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_wrong_values_are_refused(scope: Scope, wrong: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        opt.check_options(scope, wrong)


@pytest.mark.parametrize(
    ("scope", "name", "message"),
    [
        (
            Scope.TASK,
            "num_cpu",
            r"Remote functions have no option 'num_cpu' \(did you mean 'num_cpus'\?\)\. Valid ones are",
        ),
        (Scope.ACTOR, "max_restart", r"Actor classes have no option 'max_restart' \(did you mean 'max_restarts'\?\)"),
        (Scope.METHOD, "num_return", r"Actor methods have no option 'num_return' \(did you mean 'num_returns'\?\)"),
        (Scope.TASK, "zzz", r"Remote functions have no option 'zzz'\. Valid ones are num_cpus, "),
        (
            Scope.TASK,
            "max_restarts",
            "'max_restarts' is an option of actor classes, not of remote functions, which take",
        ),
        (Scope.ACTOR, "max_retries", "'max_retries' is an option of remote functions, not of actor classes"),
        (Scope.ACTOR, "num_returns", "an option of remote functions and actor methods, not of actor classes"),
        (Scope.METHOD, "num_cpus", "an option of remote functions and actor classes, not of actor methods"),
        (Scope.TASK, "concurrency_groups", "an option of actor classes, not of remote functions"),
    ],
)
def test_unknown_options_are_refused_with_the_nearest(scope: Scope, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        opt.check_options(scope, {name: 1})


@pytest.mark.parametrize("name", opt.UNSUPPORTED)
def test_what_is_not_supported_is_refused_unless_it_asks_for_nothing(name: str) -> None:
    unsupported = opt.UNSUPPORTED[name]
    scope = next(scope for scope in Scope if scope in unsupported.scopes)
    for harmless in (None, *unsupported.harmless):
        assert opt.check_options(scope, {name: harmless}) == {}
    with pytest.raises(ValueError, match=rf"^{name}='asked' is not supported yet\. [A-Z].*[^.]\.$"):
        opt.check_options(scope, {name: "asked"})


def test_harmless_values_are_compared_with_their_type() -> None:
    with pytest.raises(ValueError, match="_num_objects_per_yield=True is not supported"):
        check(Scope.TASK, _num_objects_per_yield=True)


def test_get_if_exists_needs_a_name() -> None:
    opt.check_actor_options({"get_if_exists": True, "name": "n"})
    opt.check_actor_options({"get_if_exists": False})
    with pytest.raises(ValueError, match="needs a name"):
        opt.check_actor_options({"get_if_exists": True, "name": None})


# --- retries ----------------------------------------------------------------------------------------------------------


def test_retry_backoff_becomes_a_policy() -> None:
    policy = parts.retry_policy(check(Scope.TASK, retry_backoff=0.5))
    assert policy is not None
    assert (policy.on_error, policy.initial, policy.factor, policy.maximum) == (False, 0.5, 2.0, 30.0)
    policy = parts.retry_policy(check(Scope.TASK, retry_backoff=(1, 3, 10), retry_exceptions=True))
    assert policy is not None
    assert (policy.on_error, policy.initial, policy.factor, policy.maximum) == (True, 1.0, 3.0, 10.0)


def test_retry_exceptions_becomes_a_policy() -> None:
    assert parts.retry_policy({}) is None
    assert parts.retry_policy({"retry_exceptions": False}) is None
    assert parts.retry_policy(check(Scope.TASK, retry_exceptions=[])) is None
    always = parts.retry_policy({"retry_exceptions": True})
    assert always is not None
    assert always.on_error is True


def test_classes_to_retry_match_their_instances() -> None:
    policy = parts.retry_policy(check(Scope.TASK, retry_exceptions=[OSError, KeyError]))
    assert policy is not None
    assert callable(policy.on_error)
    assert policy.on_error(FileNotFoundError())
    assert policy.on_error(KeyError())
    assert not policy.on_error(ValueError())
    assert repr(policy.on_error) == "ExceptionIn(OSError, KeyError)"


def test_a_function_may_decide_on_retries() -> None:
    def decide(error: BaseException) -> bool:
        return "again" in str(error)

    assert check(Scope.TASK, retry_exceptions=decide)["retry_exceptions"] is decide


def test_checked_options_pass_a_second_check() -> None:
    checked = check(Scope.TASK, retry_exceptions=(OSError,), num_returns=2, resources={"x": 1})
    assert opt.check_options(Scope.TASK, checked) == checked


# --- resources --------------------------------------------------------------------------------------------------------


def test_a_task_holds_one_cpu_unless_it_says_otherwise() -> None:
    assert parts.task_resources({}) == CPU
    assert parts.task_resources({"num_cpus": None}) == CPU
    assert parts.task_resources({"num_cpus": 0}) == {}
    assert parts.task_resources({"num_cpus": 0.5, "num_gpus": 1, "memory": 2, "resources": {"x": 3}}) == {
        "CPU": res.UNIT // 2,
        "GPU": res.UNIT,
        "memory": 2 * res.UNIT,
        "x": 3 * res.UNIT,
    }


def test_an_actor_is_placed_with_one_cpu_and_holds_none() -> None:
    assert parts.actor_resources({}) == ({}, CPU)
    memory = {"memory": 5 * res.UNIT}
    assert parts.actor_resources({"memory": 5}) == (memory, {**memory, **CPU})


def test_an_actor_that_asks_for_resources_holds_them() -> None:
    assert parts.actor_resources({"num_cpus": 0}) == ({}, {})
    assert parts.actor_resources({"num_cpus": 2}) == ({"CPU": 2 * res.UNIT},) * 2
    assert parts.actor_resources({"num_gpus": 1}) == ({"CPU": res.UNIT, "GPU": res.UNIT},) * 2
    assert parts.actor_resources({"resources": {"x": 1}}) == ({"CPU": res.UNIT, "x": res.UNIT},) * 2
