"""Errors of the user's code on their way back, and mistakes in calling RustyRay."""

from __future__ import annotations

import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

import rustyray
from rustyray.exceptions import RayError, RayTaskError

pytestmark = pytest.mark.usefixtures("local")


def test_an_error_is_of_its_own_class_and_tells_where_it_happened() -> None:
    class OwnError(LookupError):
        def __init__(self, code: int, *, detail: str) -> None:
            super().__init__(f"code {code}")
            self.code = code
            self.detail = detail

    @rustyray.remote
    def fails() -> None:
        raise OwnError(7, detail="deep")

    with pytest.raises(OwnError) as caught:
        rustyray.get(fails.remote())
    error: Any = caught.value
    assert (error.code, error.detail) == (7, "deep")
    assert isinstance(error, RayTaskError)
    assert isinstance(error.cause, OwnError)
    text = str(error)
    for told in ("fails", f"{error.pid}", "raise OwnError(7", "code 7", "127.0.0.1"):
        assert told in text
    for ours in ("engines/native", "running.py", "worker.py"):
        assert ours not in text
    again = cloudpickle.loads(cloudpickle.dumps(error))
    assert isinstance(again, RayTaskError)


def test_the_first_error_of_several_is_raised_without_waiting_for_the_others() -> None:
    @rustyray.remote
    def slow() -> None:
        time.sleep(60)

    @rustyray.remote
    def fails() -> None:
        raise ValueError("first")

    running, failed = slow.remote(), fails.remote()
    rustyray.wait([failed])
    began = time.monotonic()
    for refs in ([running, failed], [failed, running]):
        with pytest.raises(ValueError, match="first"):
            rustyray.get(refs)
    assert time.monotonic() - began < 30
    rustyray.cancel(running, force=True)


def test_an_error_passes_through_tasks_that_use_its_ref() -> None:
    @rustyray.remote
    def fails() -> int:
        raise ValueError("first")

    @rustyray.remote
    def uses(value: int) -> int:
        return value

    @rustyray.remote
    def gets(box: list[Any]) -> int:
        return int(rustyray.get(box[0]))

    for ref in (uses.remote(uses.remote(fails.remote())), gets.remote([fails.remote()])):
        with pytest.raises(ValueError, match="first"):
            rustyray.get(ref)


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), GeneratorExit(), BaseException("base")], ids=repr)
def test_what_is_not_an_exception_is_an_error_of_the_task_too(raised: BaseException) -> None:
    @rustyray.remote(max_retries=0)
    def fails() -> None:
        raise raised

    with pytest.raises(RayError) as caught:
        rustyray.get(fails.remote(), timeout=30)
    assert type(raised).__name__ in str(caught.value)
    assert not isinstance(caught.value, KeyboardInterrupt)

    @rustyray.remote
    def fine() -> int:
        return 1

    assert rustyray.get([fine.remote() for _ in range(10)]) == [1] * 10


def test_exception_groups_and_causes_arrive() -> None:
    @rustyray.remote
    def group() -> None:
        raise ExceptionGroup("several", [ValueError(1), TypeError(2)])

    @rustyray.remote
    def chained() -> None:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise RuntimeError("outer") from error

    with pytest.raises(ExceptionGroup) as several:
        rustyray.get(group.remote())
    assert [type(error) for error in several.value.exceptions] == [ValueError, TypeError]
    with pytest.raises(RuntimeError, match="outer") as outer:
        rustyray.get(chained.remote())
    assert "KeyError: 'inner'" in str(outer.value)


# --- what cannot be pickled -------------------------------------------------------------------------------------------


def test_an_argument_that_cannot_be_pickled_is_named() -> None:
    @rustyray.remote
    def f(*args: Any, **kwargs: Any) -> None: ...

    with pytest.raises(TypeError, match=r"lock") as caught:
        f.remote(1, {"inner": [threading.Lock()]})
    assert "inner" in str(caught.value)
    with socket.socket() as connection, pytest.raises(TypeError, match="connection"):
        f.remote(connection=connection)
    with pytest.raises(TypeError, match="lock"):
        rustyray.put([threading.Lock()])


def test_a_result_that_cannot_be_pickled_is_named() -> None:
    @rustyray.remote
    def f() -> Any:
        return {"good": 1, "bad": threading.Lock()}

    @rustyray.remote
    class A:
        def method(self) -> Any:
            return [threading.Lock()]

    with pytest.raises(TypeError, match="lock") as caught:
        rustyray.get(f.remote())
    assert "bad" in str(caught.value)
    with pytest.raises(TypeError, match="lock"):
        rustyray.get(A.remote().method.remote())


def test_an_exception_that_cannot_be_pickled_still_tells_its_story() -> None:
    class Sticky(Exception):
        def __init__(self) -> None:
            super().__init__("sticky situation")
            self.lock = threading.Lock()

    @rustyray.remote
    def f() -> None:
        raise Sticky

    with pytest.raises(RayTaskError, match="sticky situation") as caught:
        rustyray.get(f.remote())
    assert "lock" in str(caught.value)


def test_an_exception_whose_text_is_no_unicode_is_the_tasks_error() -> None:
    """Python reads such names of files from the system. The actor lives on."""

    @rustyray.remote
    class Reader:
        def read(self) -> None:
            raise OSError("cannot read report-\udcff")

        def ready(self) -> int:
            return 1

    reader = Reader.remote()
    with pytest.raises(OSError, match="cannot read report-"):
        rustyray.get(reader.read.remote())
    assert rustyray.get(reader.ready.remote()) == 1


class Lookup(Exception):
    """Its attributes are looked up in a dict, which raises KeyError."""

    def __getattr__(self, name: str) -> object:
        return self.args[0][name]


class Leaver(Exception):
    """It cannot be pickled."""

    def __reduce__(self) -> str:
        sys.exit("no")

    def __str__(self) -> str:
        raise SyntaxError


@pytest.mark.parametrize("kind", ["Lookup", "Leaver"])
def test_an_exception_that_cannot_be_described_is_the_tasks_error(kind: str) -> None:
    @rustyray.remote
    class Actor:
        def fail(self) -> None:
            raise Lookup({}) if kind == "Lookup" else Leaver()

        def ready(self) -> int:
            return 1

    actor = Actor.remote()
    [error] = rustyray.get([actor.fail.remote()], on_error="return")  # pytest could not describe it, either
    assert kind in str(error)
    assert rustyray.get(actor.ready.remote()) == 1


def test_a_predicate_that_raises_lets_the_task_fail() -> None:
    def is_busy(error: BaseException) -> bool:
        return bool(error.code == 503)  # type: ignore[attr-defined]

    @rustyray.remote(retry_exceptions=is_busy)
    def fails() -> None:
        raise OSError("once")

    with pytest.raises(OSError, match=r"(?s)once.*not tried again, as retry_exceptions itself raised AttributeError"):
        rustyray.get(fails.remote(), timeout=30)


def test_an_exception_that_is_too_large_still_tells_its_story() -> None:
    class Laden(Exception):
        def __init__(self) -> None:
            super().__init__("x" * (2 << 20))
            self.load = bytes(70 << 20)

    @rustyray.remote
    def large() -> None:
        raise Laden

    with pytest.raises(rustyray.exceptions.RayTaskError) as caught:
        rustyray.get(large.remote())
    text = str(caught.value)
    assert "in large" in text
    assert "it has 75.5 MB, and 67.1 MB at most go with an error" in text
    assert len(text) < 1.1 * (1 << 20)


def test_a_function_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rustyray.runtime.serialization.MOST_CODE", 1_000_000)
    table = bytes(1_000_000)

    @rustyray.remote
    def look_up(place: int) -> int:
        return table[place]

    with pytest.raises(ValueError, match=r"look_up has 1 MB with the globals and closures that it uses, and may have"):
        look_up.remote(1)


def test_an_exception_that_cannot_be_unpickled_still_tells_its_story() -> None:
    class Hostile(Exception):
        def __reduce__(self) -> Any:
            return eval, ("1/0",)

    @rustyray.remote
    def f() -> None:
        raise Hostile("how it was")

    with pytest.raises(RayTaskError, match="how it was") as caught:
        rustyray.get(f.remote())
    assert "division by zero" in str(caught.value)


def test_an_argument_that_cannot_be_unpickled_is_the_tasks_error() -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return eval, ("1/0",)

    @rustyray.remote(max_retries=0)
    def f(value: object) -> None: ...

    with pytest.raises(ZeroDivisionError):
        rustyray.get(f.remote(Hostile()))


def test_a_value_that_cannot_be_unpickled_raises_where_it_is_read() -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return eval, ("1/0",)

    for ref in (rustyray.put(Hostile()), rustyray.put([Hostile(), bytes(200_000)])):
        with pytest.raises(ZeroDivisionError):
            rustyray.get(ref)
        with pytest.raises(ZeroDivisionError):
            rustyray.get([rustyray.put(1), ref])
    assert rustyray.get(rustyray.put(1)) == 1


@pytest.mark.native_only("simulated processes have the driver's modules")
def test_a_function_that_is_not_importable_in_the_worker_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here_module.py").write_text("def function():\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))  # after init: the workers do not know of it
    import only_here_module  # type: ignore[import-not-found]

    try:
        with pytest.raises(ModuleNotFoundError, match="only_here_module") as caught:
            rustyray.get(rustyray.remote(max_retries=0)(only_here_module.function).remote())
        assert "importable" in str(caught.value)

        @rustyray.remote
        class Uses:
            def __init__(self) -> None:
                import only_here_module

                only_here_module.function()

            def ping(self) -> int:
                return 1

        with pytest.raises(rustyray.exceptions.ActorDiedError, match="only_here_module"):
            rustyray.get(Uses.remote().ping.remote())
    finally:
        del sys.modules["only_here_module"]


# --- retries for exceptions -------------------------------------------------------------------------------------------


def test_exceptions_are_not_retried_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "runs"

    def fails() -> int:
        with path.open("a") as log:
            log.write("x")
        count = len(path.read_text())
        if count < 3:
            raise ValueError(count)
        return count

    with pytest.raises(ValueError, match="1"):
        rustyray.get(rustyray.remote(fails).remote())
    path.unlink()
    assert rustyray.get(rustyray.remote(retry_exceptions=True)(fails).remote()) == 3
    path.unlink()
    assert rustyray.get(rustyray.remote(retry_exceptions=[ValueError])(fails).remote()) == 3
    path.unlink()
    with pytest.raises(ValueError, match="1"):
        rustyray.get(rustyray.remote(retry_exceptions=[KeyError])(fails).remote())
    path.unlink()
    with pytest.raises(ValueError, match="2"):
        rustyray.get(rustyray.remote(retry_exceptions=True, max_retries=1)(fails).remote())


def test_the_last_attempt_is_the_one_that_is_told(tmp_path: Path) -> None:
    @rustyray.remote(retry_exceptions=True, max_retries=2)
    def fails() -> int:
        raise ValueError("again and again")

    with pytest.raises(ValueError, match="3/3"):
        rustyray.get(fails.remote())


# --- options ----------------------------------------------------------------------------------------------------------


def test_unknown_and_misspelt_options_name_the_close_match() -> None:
    def f() -> None: ...

    class C: ...

    with pytest.raises((TypeError, ValueError), match="num_cpus"):
        rustyray.remote(num_cpu=1)(f)  # type: ignore[call-overload]
    with pytest.raises((TypeError, ValueError), match="max_retries"):
        rustyray.remote(f).options(max_retry=1)  # type: ignore[call-overload]
    with pytest.raises((TypeError, ValueError), match="max_restarts"):
        rustyray.remote(max_restart=1)(C)  # type: ignore[call-overload]
    rustyray.shutdown()
    with pytest.raises(TypeError, match="num_cpus"):
        rustyray.init(num_cpu=1)
    assert not rustyray.is_initialized()


@pytest.mark.parametrize(
    "options", [{"num_cpus": -1}, {"num_gpus": -0.5}, {"resources": {"x": -2}}, {"memory": -1}, {"num_cpus": "2"}]
)
def test_negative_resources_are_refused(options: Any) -> None:
    def f() -> None: ...

    with pytest.raises((TypeError, ValueError), match=next(iter(options))):
        rustyray.remote(**options)(f)
    with pytest.raises((TypeError, ValueError), match=next(iter(options))):
        rustyray.remote(f).options(**options)
    rustyray.shutdown()
    with pytest.raises((TypeError, ValueError), match=next(iter(options))):
        rustyray.init(**options)
    assert not rustyray.is_initialized()
