"""What is tried again, and how often."""

import os
import signal

import pytest
import ray
from ray.exceptions import RayActorError, WorkerCrashedError


def count(path):
    """Add one to a file's count of runs."""
    with open(path, "a") as file:
        file.write("x")
    return os.path.getsize(path)


@pytest.fixture
def runs(tmp_path):
    return str(tmp_path / "runs")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_dies_once(ray_start_regular, runs):
    @ray.remote
    def once():
        if count(runs) == 1:
            die()
        return "done"

    assert ray.get(once.remote()) == "done"


def test_max_retries_is_kept(ray_start_regular, runs):
    @ray.remote(max_retries=2)
    def always():
        count(runs)
        die()

    with pytest.raises(WorkerCrashedError):
        ray.get(always.remote())
    assert os.path.getsize(runs) == 3


def test_no_retries(ray_start_regular, runs):
    @ray.remote(max_retries=0)
    def always():
        count(runs)
        die()

    with pytest.raises(WorkerCrashedError):
        ray.get(always.remote())
    assert os.path.getsize(runs) == 1


def test_exceptions_are_not_retried_by_default(ray_start_regular, runs):
    @ray.remote
    def bad():
        count(runs)
        raise ValueError

    with pytest.raises(ValueError):
        ray.get(bad.remote())
    assert os.path.getsize(runs) == 1


def test_retry_exceptions(ray_start_regular, runs):
    @ray.remote(max_retries=4, retry_exceptions=True)
    def flaky():
        if count(runs) < 3:
            raise ValueError
        return "done"

    assert ray.get(flaky.remote()) == "done"


def test_retry_of_listed_exceptions(ray_start_regular, runs):
    @ray.remote(max_retries=4, retry_exceptions=[KeyError])
    def flaky():
        if count(runs) < 3:
            raise KeyError("again")
        raise ValueError("not again")

    with pytest.raises(ValueError):
        ray.get(flaky.remote())
    assert os.path.getsize(runs) == 3


def test_retries_of_exceptions_run_out(ray_start_regular, runs):
    @ray.remote(max_retries=1, retry_exceptions=True)
    def bad():
        count(runs)
        raise ValueError

    with pytest.raises(ValueError):
        ray.get(bad.remote())
    assert os.path.getsize(runs) == 2


def test_retries_by_options(ray_start_regular, runs):
    @ray.remote
    def flaky():
        if count(runs) < 2:
            raise OSError
        return "done"

    assert ray.get(flaky.options(retry_exceptions=True).remote()) == "done"


def test_an_actor_is_not_restarted_by_default(ray_start_regular):
    @ray.remote
    class Plain:
        def die(self):
            die()

        def ping(self):
            return 1

    actor = Plain.remote()
    with pytest.raises(RayActorError):
        ray.get(actor.die.remote())
    with pytest.raises(RayActorError):
        ray.get(actor.ping.remote())


def test_an_actor_restarts_and_forgets(ray_start_regular):
    @ray.remote(max_restarts=1, max_task_retries=2)
    class Counter:
        def __init__(self):
            self.value = 0

        def add(self):
            self.value += 1
            return self.value

        def pid(self):
            return os.getpid()

    actor = Counter.remote()
    assert ray.get([actor.add.remote() for _ in range(3)]) == [1, 2, 3]
    os.kill(ray.get(actor.pid.remote()), signal.SIGKILL)
    assert ray.get(actor.add.remote()) == 1


def test_a_method_is_retried(ray_start_regular, runs):
    @ray.remote(max_restarts=-1, max_task_retries=-1)
    class Flaky:
        def work(self):
            if count(runs) < 3:
                die()
            return "done"

    assert ray.get(Flaky.remote().work.remote()) == "done"


def test_a_method_is_retried_after_an_exception(ray_start_regular, runs):
    @ray.remote
    class Flaky:
        @ray.method(max_task_retries=3, retry_exceptions=True)
        def work(self):
            if count(runs) < 3:
                raise ValueError
            return "done"

    assert ray.get(Flaky.remote().work.remote()) == "done"


def test_kill_with_restart(ray_start_regular):
    @ray.remote(max_restarts=1, max_task_retries=-1)
    class Plain:
        def pid(self):
            return os.getpid()

    actor = Plain.remote()
    first = ray.get(actor.pid.remote())
    ray.kill(actor, no_restart=False)
    while ray.get(actor.pid.remote()) == first:
        pass


def test_was_current_actor_reconstructed(ray_start_regular):
    @ray.remote(max_restarts=1, max_task_retries=-1)
    class Plain:
        def again(self):
            return os.getpid(), ray.get_runtime_context().was_current_actor_reconstructed

    actor = Plain.remote()
    pid, again = ray.get(actor.again.remote())
    assert not again
    os.kill(pid, signal.SIGKILL)
    assert ray.get(actor.again.remote())[1]


def test_invalid_retries_are_refused(ray_start_regular):
    with pytest.raises(ValueError):
        ray.remote(max_retries=-2)(lambda: 1)
