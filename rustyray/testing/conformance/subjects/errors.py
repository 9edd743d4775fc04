"""Errors: what becomes of exceptions in tasks and actors."""

import pickle

import pytest

from rustyray.testing.conformance.helpers import got, until


class Custom(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")
        self.a = a
        self.b = b

    def __reduce__(self):
        return Custom, (self.a, self.b)


class KeywordsOnly(Exception):
    def __init__(self, *, code):
        super().__init__(f"code {code}")
        self.code = code


class Own(BaseException):
    pass


class NotToBeInherited(Exception):
    def __init_subclass__(cls):
        raise TypeError("this class is final")


class ReadOnlyArgs(Exception):
    @property
    def args(self):
        return ("fixed",)


class Unpicklable(Exception):
    def __init__(self):
        import threading

        super().__init__("has a lock")
        self.lock = threading.Lock()


def _raised(api, make, **options):
    """What ``get`` raises for a task that raises ``make()``."""

    def fails():
        raise make()

    remote = api.remote(**options)(fails) if options else api.remote(fails)
    with pytest.raises(BaseException) as caught:
        got(api, remote.remote())
    return caught.value


def an_error_is_of_the_causes_class(api):
    """``get`` raises an error that is an instance of RayTaskError and of the cause's class."""
    error = _raised(api, lambda: ValueError("bad"))
    assert isinstance(error, ValueError)
    assert isinstance(error, api.exceptions.RayTaskError)
    assert isinstance(error, api.exceptions.RayError)


def an_error_tells_its_text(api):
    """The error's text has the cause's text and the traceback from the worker."""
    text = str(_raised(api, lambda: ValueError("the reason")))
    assert "the reason" in text
    assert "fails" in text


def an_error_has_its_cause(api):
    """``error.cause`` is the exception itself."""
    error = _raised(api, lambda: KeyError("k"))
    assert type(error.cause) is KeyError
    assert error.cause.args == ("k",)


def an_error_has_the_causes_attributes(api):
    """The attributes of the cause are attributes of the error."""
    error = _raised(api, lambda: Custom(1, 2))
    assert isinstance(error, Custom)
    assert (error.a, error.b) == (1, 2)


def an_exception_of_odd_construction_arrives(api):
    """An exception whose class cannot be called with its ``args`` still arrives as an error of the task."""
    error = _raised(api, lambda: KeywordsOnly(code=7))
    assert isinstance(error, api.exceptions.RayError)


def a_final_class_is_the_cause_only(api):
    """Where the cause's class cannot be inherited from, the error is a plain RayTaskError with that cause."""
    error = _raised(api, lambda: NotToBeInherited("no"))
    assert isinstance(error, api.exceptions.RayTaskError)
    assert type(error.cause) is NotToBeInherited


def read_only_args_are_no_problem(api):
    """A cause whose ``args`` cannot be set arrives all the same."""
    error = _raised(api, lambda: ReadOnlyArgs("x"))
    assert isinstance(error, api.exceptions.RayTaskError)
    assert isinstance(error, ReadOnlyArgs)


def an_unpicklable_cause_is_told(api):
    """A cause that cannot be pickled is replaced; the text is still there."""
    error = _raised(api, Unpicklable)
    assert isinstance(error, api.exceptions.RayError)
    assert "has a lock" in str(error)


def exception_groups_arrive(api):
    """An ExceptionGroup arrives as one, with its exceptions."""
    error = _raised(api, lambda: ExceptionGroup("several", [ValueError(1), KeyError(2)]))
    assert isinstance(error, ExceptionGroup)
    assert [type(one) for one in error.exceptions] == [ValueError, KeyError]


def base_exceptions_arrive(api):
    """A BaseException that is no Exception arrives as a task's error."""
    error = _raised(api, lambda: Own("base"))
    assert isinstance(error, api.exceptions.RayError)


def an_error_can_be_pickled(api):
    """The error pickles, and is of the same classes again."""
    error = pickle.loads(pickle.dumps(_raised(api, lambda: ValueError("p"))))
    assert isinstance(error, ValueError)
    assert isinstance(error, api.exceptions.RayTaskError)


def an_error_passes_through_tasks(api):
    """A task whose argument failed fails with the same error and does not run."""

    @api.remote
    def fails():
        raise KeyError("first")

    @api.remote
    def uses(x):
        return x

    with pytest.raises(KeyError):
        got(api, uses.remote(uses.remote(fails.remote())))


def an_error_passes_through_a_nested_get(api):
    """An error that a nested ``get`` raises is still an instance of the first cause's class outside."""

    @api.remote
    def fails():
        raise KeyError("deep")

    @api.remote
    def outer():
        return api.get(fails.remote())

    with pytest.raises(KeyError):
        got(api, outer.remote())


def an_error_can_be_caught_in_a_task(api):
    """A task can catch the error of a task that it waits for."""

    @api.remote
    def fails():
        raise ValueError("caught")

    @api.remote
    def outer():
        try:
            api.get(fails.remote())
        except ValueError as error:
            return type(error.cause).__name__
        return "nothing"

    assert got(api, outer.remote()) == "ValueError"


def every_return_has_the_error(api):
    """All refs of a task with several returns raise its error."""

    @api.remote(num_returns=2)
    def fails():
        raise ValueError("both")

    for ref in fails.remote():
        with pytest.raises(ValueError):
            got(api, ref)


def an_error_is_raised_by_every_get(api):
    """``get`` raises the error each time."""

    @api.remote
    def fails():
        raise ValueError("again")

    ref = fails.remote()
    for _ in range(2):
        with pytest.raises(ValueError):
            got(api, ref)


def an_exception_can_be_a_value(api):
    """An exception that is returned, not raised, is a value."""

    @api.remote
    def returns():
        return ValueError("a value")

    found = got(api, returns.remote())
    assert type(found) is ValueError


def chained_causes_are_in_the_text(api):
    """The text shows the exception from which the cause was raised."""

    @api.remote
    def fails():
        try:
            raise KeyError("inner one")
        except KeyError as error:
            raise ValueError("outer one") from error

    with pytest.raises(ValueError) as caught:
        got(api, fails.remote())
    assert "inner one" in str(caught.value)


def a_method_that_raises(api):
    """An exception in a method is the call's error; the actor lives on."""

    @api.remote
    class Actor:
        def fails(self):
            raise ValueError("method")

        def fine(self):
            return "alive"

    actor = Actor.remote()
    with pytest.raises(ValueError):
        got(api, actor.fails.remote())
    assert got(api, actor.fine.remote()) == "alive"


def _broken(api):
    """An actor class that cannot be started."""

    @api.remote
    class Broken:
        def __init__(self):
            raise ValueError("constructor")

        def f(self):
            return 1

    return Broken


def a_constructor_that_raises(api):
    """When an actor's constructor raises, its calls raise ActorDiedError, a RayActorError."""
    with pytest.raises(api.exceptions.ActorDiedError) as caught:
        got(api, _broken(api).remote().f.remote())
    assert isinstance(caught.value, api.exceptions.RayActorError)
    assert "constructor" in str(caught.value)


def a_constructors_failure_is_marked(api):
    """Such an error has ``actor_init_failed`` set; others have not."""
    with pytest.raises(api.exceptions.RayActorError) as caught:
        got(api, _broken(api).remote().f.remote())
    assert caught.value.actor_init_failed is True


def actor_errors_name_the_actor(api):
    """``error.actor_id`` of a RayActorError is the actor's id in hexadecimal."""

    @api.remote
    class Actor:
        def f(self):
            return 1

    actor = Actor.remote()
    got(api, actor.f.remote())
    api.kill(actor)
    with pytest.raises(api.exceptions.RayActorError) as caught:
        until(lambda: got(api, actor.f.remote()) != 1)
    assert caught.value.actor_id == actor._actor_id.hex()


def an_unpicklable_result_is_an_error(api):
    """A result that cannot be pickled is an error of the task, of class TypeError."""

    @api.remote
    def lock():
        import threading

        return threading.Lock()

    with pytest.raises(TypeError):
        got(api, lock.remote())


def system_errors_are_in_one_family(api):
    """All of the runtime's own errors are RayErrors."""
    names = (
        "ActorDiedError ActorUnavailableError ActorUnschedulableError GetTimeoutError NodeDiedError ObjectLostError "
        "ObjectStoreFullError OutOfDiskError OutOfMemoryError OwnerDiedError RayActorError RaySystemError RayTaskError "
        "RuntimeEnvSetupError TaskCancelledError TaskUnschedulableError WorkerCrashedError ObjectFreedError "
        "ObjectReconstructionFailedError ObjectFetchTimedOutError PendingCallsLimitExceeded TaskPlacementGroupRemoved"
    )
    for name in names.split():
        assert issubclass(getattr(api.exceptions, name), api.exceptions.RayError), name


def lost_objects_are_in_one_family(api):
    """The errors about objects that are gone are ObjectLostErrors."""
    for name in "OwnerDiedError ObjectFreedError ObjectReconstructionFailedError ObjectFetchTimedOutError".split():
        assert issubclass(getattr(api.exceptions, name), api.exceptions.ObjectLostError), name


def actors_errors_are_in_one_family(api):
    """ActorDiedError and ActorUnavailableError are RayActorErrors."""
    assert issubclass(api.exceptions.ActorDiedError, api.exceptions.RayActorError)
    assert issubclass(api.exceptions.ActorUnavailableError, api.exceptions.RayActorError)


def a_missing_module_is_an_error_of_the_task(api):
    """An import that fails in a task raises ImportError."""

    @api.remote
    def imports():
        return __import__("no_such_module_anywhere")

    with pytest.raises(ImportError):
        got(api, imports.remote())


def a_task_error_names_its_function(api):
    """A RayTaskError made by hand has function_name, traceback_str, cause and pid, and can become its cause's class."""
    error = api.exceptions.RayTaskError("f", "a traceback", ValueError("v"), pid=5, ip="1.2.3.4")
    assert (error.function_name, error.traceback_str, error.pid, error.ip) == ("f", "a traceback", 5, "1.2.3.4")
    assert isinstance(error.as_instanceof_cause(), ValueError)
