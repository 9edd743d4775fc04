"""Actor classes: what ``@rustyray.remote`` makes of a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from rustyray.api import lifecycle
from rustyray.api.actor_handle import ActorHandle
from rustyray.api.actor_shape import describe_class
from rustyray.api.shipping import Code, global_name
from rustyray.api.signatures import Arguments, Parameter, parameters_of
from rustyray.model import options as opt
from rustyray.model import plan_parts as parts
from rustyray.model.plans import ActorPlan
from rustyray.runtime import context

if TYPE_CHECKING:
    from typing import Unpack

    from rustyray.api.typed import ActorOptions
    from rustyray.dag import ClassNode

T = TypeVar("T")

_ASYNC_CONCURRENCY = 1000
_DETACHED = {None: None, "detached": True, "non_detached": False}


class ActorClass(Generic[T]):
    """A class whose instances live in workers of their own (as in Ray): ``Actor.remote(…)`` makes one.

    The plain class stays within reach as ``Actor.cls`` (and ``Actor.__wrapped__``): make instances of it to use them
    here, in a test say, or inherit from it.
    """

    cls: type[T]

    def __init__(
        self,
        cls: type[T],
        options: Mapping[str, Any] | None = None,
        parameters: Sequence[Parameter] | None = None,  # of a class that is just being unpickled, and has none yet
    ) -> None:
        self.cls = self.__wrapped__ = cls
        self._options = dict(options or {})
        self._code = Code(cls)
        if parameters is None:
            parameters = _constructor_parameters(cls)
        self._arguments = arguments = Arguments(cls.__qualname__, parameters)
        self._low, self._high = arguments.low, arguments.high
        self._plan: ActorPlan | None = None
        self.__name__, self.__qualname__ = cls.__name__, cls.__qualname__
        self.__module__, self.__doc__ = cls.__module__, cls.__doc__

    def remote(self, *args: Any, **kwargs: Any) -> ActorHandle[T]:
        """Create an actor and return its handle at once; calls wait until its constructor has returned.

        An error in the constructor is raised by the calls, as `ActorDiedError`.

        Raises:
            TypeError: The arguments do not fit the constructor, or cannot be pickled.
            ValueError: A living actor has the name that was asked for.
        """
        if kwargs or not self._low <= len(args) <= self._high:
            self._arguments.check(args, kwargs)
        engine = context._engine
        if engine is None:
            engine = lifecycle.running_engine()
        return ActorHandle(engine.create_actor(self._plan or self._make_plan(), args, kwargs))

    def options(self, **options: Unpack[ActorOptions]) -> ActorClass[T]:
        """The same class with other options, such as ``Actor.options(name="board").remote(…)``.

        Raises:
            ValueError: There is no such option, it is not supported yet, or its value is out of range.
            TypeError: A value has the wrong type.
        """
        changed = {**self._options, **opt.check_options(opt.Scope.ACTOR, options)}
        opt.check_actor_options(changed)
        other: ActorClass[T] = ActorClass.__new__(ActorClass)
        other.__dict__.update(self.__dict__)
        other._options, other._plan = changed, None
        return other

    def _remote(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """``options(…).remote(…)`` in one, which suites written for Ray use."""
        return self.options(**options).remote(*args, **(kwargs or {}))

    def bind(self, *args: Any, **kwargs: Any) -> ClassNode:
        """A node of a graph that makes an actor at each execution: see `rustyray.dag` (as in Ray).

        Raises:
            TypeError: The arguments do not fit.
        """
        from rustyray.dag.class_node import ClassNode  # which few programs need

        if kwargs or not self._low <= len(args) <= self._high:
            self._arguments.check(args, kwargs)
        return ClassNode(self, args, kwargs)

    def _make_plan(self) -> ActorPlan:
        options = self._options
        resources, placement = parts.actor_resources(options)
        strategy, follows = parts.where_to_run(options, self._code.called, resources, placement)
        fn, blob, held = self._code.packed()
        context.remember(self)
        meta, methods, is_async = describe_class(self.cls, self._code.called, options)
        self._plan = ActorPlan(
            fn,
            blob,
            self._code.called,
            methods,
            resources,
            placement,
            name=options.get("name") or "",
            namespace=options.get("namespace") or "",
            detached=_DETACHED[options.get("lifetime")],
            get_if_exists=opt.value_of(options, "get_if_exists"),
            max_restarts=opt.value_of(options, "max_restarts"),
            max_task_retries=opt.value_of(options, "max_task_retries"),
            max_concurrency=options.get("max_concurrency") or (_ASYNC_CONCURRENCY if is_async else 1),
            groups=options.get("concurrency_groups"),
            is_async=is_async,
            handle_meta=meta,
            held=held,
            strategy=strategy,
            follows=follows,
            environment=options.get("runtime_env") or None,
            ahead=max(0, opt.value_of(options, "_actor_generator_backpressure_num_objects")),
        )
        return self._plan

    def forget_engine(self) -> None:
        self._plan = None

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        name = self.cls.__name__
        raise TypeError(
            f"{self._code.called} is an actor class and cannot be called directly: write {name}.remote(…) to make "
            f"an actor, or {name}.cls(…) for an instance here."
        )

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        name = self.cls.__name__
        raise TypeError(f"Actor classes cannot be inherited from: write class …({name}.cls), and make that remote")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or "cls" not in self.__dict__:
            raise AttributeError(name)
        where = f"it is an attribute of the plain class, {self.cls.__name__}.cls.{name}"
        found = where if hasattr(self.cls, name) else "actor classes have .remote(…), .options(…) and .cls"
        raise AttributeError(f"{self._code.called} is an actor class and has no attribute {name!r}; {found}")

    def __getitem__(self, parameters: object) -> object:
        """``Actor[int]``, in annotations, is what the plain class makes of it."""
        return self.cls[parameters]  # type: ignore[index]

    def __repr__(self) -> str:
        return f"<actor class {self._code.called}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return global_name(self.cls, self) or (ActorClass, (self.cls, self._options, self._arguments.parameters))


def _constructor_parameters(cls: type) -> tuple[Parameter, ...]:
    plain: Any = object
    constructor: Any = getattr(cls, "__init__")  # noqa: B009 - typed, it would be an instance's
    if constructor is plain.__init__:
        constructor = getattr(cls, "__new__")  # noqa: B009
        if constructor is plain.__new__:
            return ()
    return parameters_of(constructor, skip_first=True)
