"""Errors of tasks and actors, and what the caller sees of them."""

import os
import signal

import pytest
import ray
from ray.exceptions import RayActorError, RayError, RayTaskError, TaskCancelledError, WorkerCrashedError


class BadInput(ValueError):
    def __init__(self, code):
        super().__init__(f"bad input {code}")
        self.code = code


@ray.remote
def fail(message="boom"):
    raise ValueError(message)


@ray.remote
def die():
    os.kill(os.getpid(), signal.SIGKILL)


@ray.remote
def identity(x):
    return x


def test_the_cause_is_raised(ray_start_regular):
    with pytest.raises(ValueError, match="boom"):
        ray.get(fail.remote())


def test_it_is_a_task_error_as_well(ray_start_regular):
    with pytest.raises(RayTaskError) as info:
        ray.get(fail.remote())
    assert isinstance(info.value, ValueError)
    assert isinstance(info.value, RayError)
    assert isinstance(info.value.cause, ValueError)


def test_the_traceback_is_in_the_text(ray_start_regular):
    with pytest.raises(RayTaskError) as info:
        ray.get(fail.remote("look here"))
    assert "look here" in str(info.value)
    assert "fail" in str(info.value)


def test_attributes_of_an_error_of_ones_own(ray_start_regular):
    @ray.remote
    def bad():
        raise BadInput(7)

    with pytest.raises(BadInput) as info:
        ray.get(bad.remote())
    assert info.value.cause.code == 7


def test_as_instanceof_cause(ray_start_regular):
    with pytest.raises(RayTaskError) as info:
        ray.get(fail.remote())
    assert isinstance(info.value.as_instanceof_cause(), ValueError)


def test_an_error_passes_through_dependent_tasks(ray_start_regular):
    with pytest.raises(ValueError, match="first"):
        ray.get(identity.remote(identity.remote(fail.remote("first"))))


def test_an_error_passes_through_nested_tasks(ray_start_regular):
    @ray.remote
    def outer():
        return ray.get(fail.remote("inner"))

    with pytest.raises(ValueError, match="inner"):
        ray.get(outer.remote())


def test_an_error_may_be_handled_in_a_task(ray_start_regular):
    @ray.remote
    def careful():
        try:
            ray.get(fail.remote())
        except ValueError:
            return "handled"

    assert ray.get(careful.remote()) == "handled"


def test_one_error_in_a_list(ray_start_regular):
    refs = [identity.remote(1), fail.remote(), identity.remote(2)]
    with pytest.raises(ValueError):
        ray.get(refs)
    assert ray.get([refs[0], refs[2]]) == [1, 2]


def test_wait_counts_errors_as_ready(ray_start_regular):
    ref = fail.remote()
    assert ray.wait([ref], timeout=30) == ([ref], [])


def test_a_returned_exception_is_a_value(ray_start_regular):
    @ray.remote
    def give():
        return KeyError("k")

    value = ray.get(give.remote())
    assert isinstance(value, KeyError) and value.args == ("k",)


def test_all_returns_have_the_error(ray_start_regular):
    @ray.remote(num_returns=2)
    def two():
        raise KeyError("k")

    for ref in two.remote():
        with pytest.raises(KeyError):
            ray.get(ref)


def test_a_dead_worker(ray_start_regular):
    with pytest.raises(WorkerCrashedError):
        ray.get(die.options(max_retries=0).remote())


def test_work_goes_on_after_a_dead_worker(ray_start_regular):
    with pytest.raises(WorkerCrashedError):
        ray.get(die.options(max_retries=0).remote())
    assert ray.get(identity.remote(1)) == 1


def test_sys_exit_in_a_task(ray_start_regular):
    @ray.remote(max_retries=0)
    def leave():
        raise SystemExit(1)

    with pytest.raises(RayError):
        ray.get(leave.remote())


def test_an_error_of_an_actor_method_leaves_it_alive(ray_start_regular):
    @ray.remote
    class Fragile:
        def bad(self):
            raise RuntimeError("no")

        def good(self):
            return "yes"

    actor = Fragile.remote()
    with pytest.raises(RuntimeError, match="no"):
        ray.get(actor.bad.remote())
    assert ray.get(actor.good.remote()) == "yes"


def test_an_error_in_the_constructor(ray_start_regular):
    @ray.remote
    class Broken:
        def __init__(self):
            raise RuntimeError("cannot start")

        def ping(self):
            return 1

    with pytest.raises(RayActorError, match="cannot start"):
        ray.get(Broken.remote().ping.remote())


def test_calls_of_a_killed_actor(ray_start_regular):
    @ray.remote
    class Plain:
        def ping(self):
            return 1

    actor = Plain.remote()
    assert ray.get(actor.ping.remote()) == 1
    ray.kill(actor)
    with pytest.raises(RayActorError):
        while True:  # the first calls may come before its end
            ray.get(actor.ping.remote())


def test_a_missing_method(ray_start_regular):
    @ray.remote
    class Plain:
        pass

    with pytest.raises(AttributeError):
        Plain.remote().missing.remote()


def test_an_error_that_cannot_be_pickled(ray_start_regular):
    @ray.remote
    def odd():
        import threading

        class Odd(Exception):
            def __init__(self):
                super().__init__("odd one")
                self.lock = threading.Lock()

        raise Odd

    with pytest.raises(RayTaskError, match="odd one"):
        ray.get(odd.remote())


@pytest.mark.parametrize("kind", [ValueError, KeyError, OSError, ZeroDivisionError, StopIteration, AssertionError])
def test_errors_of_python(ray_start_regular, kind):
    @ray.remote
    def bad():
        raise kind("x")

    with pytest.raises(kind):
        ray.get(bad.remote())


def test_cancelled_is_an_error_of_ray():
    assert issubclass(TaskCancelledError, RayError)
    assert issubclass(ray.exceptions.ActorDiedError, RayActorError)
