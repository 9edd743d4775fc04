"""A plugin for mypy, which cannot type by itself: class decorators, a handle's methods, and generators.

With ``plugins = ["rustyray.api.mypy_plugin"]`` in mypy's configuration a class under ``@rustyray.remote`` has
``.remote()`` with its constructor's parameters, and ``handle.method.remote()`` takes the method's parameters and
returns a ref to the method's result; without the plugin mypy denies the first and takes the second for ``Any``. What
a remote generator yields is known only with it, too (without, ``num_returns="streaming"`` says that it is one). Refs
may then stand for every argument, by keyword too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from mypy.errorcodes import ATTR_DEFINED, OPERATOR
from mypy.nodes import MDEF, SymbolTableNode, TypeInfo, Var
from mypy.plugin import AttributeContext, ClassDefContext, FunctionContext, MethodContext, MethodSigContext, Plugin
from mypy.typeops import type_object_type
from mypy.types import (
    AnyType,
    CallableType,
    FunctionLike,
    Instance,
    Parameters,
    Type,
    TypeOfAny,
    UnionType,
    get_proper_type,
)

if TYPE_CHECKING:
    from mypy.checker import TypeChecker

_REMOTE = "rustyray.api.decorators.remote"
_MAKES_REMOTE = "rustyray.api.decorators.MakesRemote.__call__"
_FUNCTION = "rustyray.api.remote_function.RemoteFunction"
_HANDLE = "rustyray.api.actor_handle.ActorHandle"
_METHOD = "rustyray.api.actor_handle.ActorMethod"
_ACTOR_CLASS = "rustyray.api.actor_class.ActorClass"
_SEVERAL = "rustyray.api.typed.SeveralReturns"
_ANY_REMOTE = "rustyray.api.typed.Remote"
_RETURNING = "rustyray.api.typed.Returning"
_RETURNING_METHOD = "rustyray.api.typed.ReturningMethod"
_REMOTE_METHODS = tuple(f"{owner}.remote" for owner in (_METHOD, _ANY_REMOTE, _RETURNING, _RETURNING_METHOD, _FUNCTION))
_REF = "rustyray.runtime.ref.ObjectRef"
_GENERATOR = "rustyray.runtime.generator.ObjectRefGenerator"
_GENERATORS = ("typing.Generator", "typing.Iterator", "typing.AsyncGenerator", "typing.AsyncIterator")
_MARK = "rustyray"
_ADDED = ("remote", "options", "cls")
_EVERY_ACTORS = ("__ray_ready__", "__ray_call__", "__ray_terminate__")


class RustyRayPlugin(Plugin):
    """What mypy asks."""

    def get_class_decorator_hook_2(self, fullname: str) -> Callable[[ClassDefContext], bool] | None:
        return _mark if fullname == _REMOTE else None

    def get_class_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        owner, _, name = fullname.rpartition(".")
        return functools.partial(self._of_actor_class, name) if name in _ADDED and self._is_actor(owner) else None

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        owner, _, name = fullname.rpartition(".")
        return functools.partial(self._of_handle, name) if owner == _HANDLE else None

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        return self._made_remote if fullname == _MAKES_REMOTE else None

    def get_method_signature_hook(self, fullname: str) -> Callable[[MethodSigContext], FunctionLike] | None:
        if fullname == f"{_ACTOR_CLASS}.remote":
            return self._constructor
        return self._or_refs if fullname in _REMOTE_METHODS else None

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        if fullname == _REMOTE:
            return self._made_remote
        return _called_directly if self._is_actor(fullname) else None

    def _made_remote(self, ctx: FunctionContext | MethodContext) -> Type:
        """``remote`` of a function: one that yields streams its items."""
        made = get_proper_type(ctx.default_return_type)
        if isinstance(made, Instance) and made.type.fullname == _FUNCTION:
            items = self._items(made.args[1])
            if items is not None:
                return self._instance(_RETURNING, [*made.args, items])
        return ctx.default_return_type

    def _items(self, returned: Type) -> Instance | None:
        """What a generator's ``.remote()`` returns, if what the function or method returns says that it is one."""
        plain = get_proper_type(returned)
        if isinstance(plain, Instance) and plain.type.fullname in _GENERATORS and plain.args:
            return self._instance(_GENERATOR, [plain.args[0]])
        return None

    def _is_actor(self, fullname: str) -> bool:
        found = self.lookup_fully_qualified(fullname)
        return found is not None and isinstance(found.node, TypeInfo) and _MARK in found.node.metadata

    def _instance(self, fullname: str, args: list[Type]) -> Instance:
        found = self.lookup_fully_qualified(fullname)
        assert found is not None
        assert isinstance(found.node, TypeInfo)
        return Instance(found.node, args)

    def _of_actor_class(self, name: str, ctx: AttributeContext) -> Type:
        """``Class.remote``, ``.options`` and ``.cls`` of a class under the decorator."""
        made = get_proper_type(ctx.type)
        if not isinstance(made, CallableType) or not made.is_type_obj():
            return ctx.default_attr_type
        api = _checker(ctx)
        constructor = get_proper_type(type_object_type(made.type_object(), api.named_type))
        if not isinstance(constructor, CallableType):
            return ctx.default_attr_type
        if name == "cls":
            return constructor
        actor = get_proper_type(constructor.ret_type)
        if name == "options":
            actor_class = self._instance(_ACTOR_CLASS, [actor])
            return api.expr_checker.analyze_external_member_access(name, actor_class, ctx.context)
        return self._making(constructor, actor, api)

    def _constructor(self, ctx: MethodSigContext) -> FunctionLike:
        """``ActorClass.remote``: it takes what the constructor takes."""
        made = get_proper_type(ctx.type)
        actor = get_proper_type(made.args[0]) if isinstance(made, Instance) else None
        api = _checker(ctx)
        if isinstance(actor, Instance):
            constructor = get_proper_type(type_object_type(actor.type, api.named_type))
            if isinstance(constructor, CallableType) and not constructor.variables:
                return self._making(constructor, actor, api)
        return ctx.default_signature

    def _or_refs(self, ctx: MethodSigContext) -> FunctionLike:
        """``Remote.remote``: the overload that is the exact signature takes refs too, so by keyword as well."""
        exact = ctx.default_signature
        return (
            exact if exact.variables else exact.copy_modified(arg_types=[self._or_ref(arg) for arg in exact.arg_types])
        )

    def _making(self, constructor: CallableType, actor: Type, api: TypeChecker) -> CallableType:
        return constructor.copy_modified(
            arg_types=[self._or_ref(arg) for arg in constructor.arg_types],
            ret_type=self._instance(_HANDLE, [actor]),
            fallback=api.named_type("builtins.function"),
            name=f"remote of {constructor.type_object().name}",
        )

    def _or_ref(self, arg: Type) -> Type:
        plain = get_proper_type(arg)
        parts = plain.items if isinstance(plain, UnionType) else [plain]
        if any(isinstance(part, Instance) and part.type.fullname == _REF for part in map(get_proper_type, parts)):
            return arg
        return UnionType([arg, self._instance(_REF, [arg])])

    def _of_handle(self, name: str, ctx: AttributeContext) -> Type:
        """``handle.method``."""
        handle = get_proper_type(ctx.type)
        if not isinstance(handle, Instance) or handle.type.get(name) is not None or name in _EVERY_ACTORS:
            return ctx.default_attr_type
        actor = get_proper_type(handle.args[0])
        if not isinstance(actor, Instance):
            return ctx.default_attr_type
        api = _checker(ctx)
        method = get_proper_type(api.expr_checker.analyze_external_member_access(name, actor, ctx.context))
        if isinstance(method, CallableType) and not method.variables:
            parameters = Parameters(method.arg_types, method.arg_kinds, method.arg_names)
            items = self._items(method.ret_type)
            if items is not None:
                return self._instance(_RETURNING_METHOD, [parameters, method.ret_type, items])
            return self._instance(_METHOD, [parameters, _result(method.ret_type)])
        if isinstance(method, Instance) and method.type.fullname == _SEVERAL:
            refs = api.named_generic_type("builtins.list", [self._instance(_REF, [AnyType(TypeOfAny.explicit)])])
            return self._instance(_RETURNING_METHOD, [*method.args, refs])
        if isinstance(method, Instance) and method.type.get("__call__") is None:
            text = f'"{name}" is no method of "{actor.type.name}", and handles have nothing but methods'
            api.fail(text, ctx.context, code=ATTR_DEFINED)
        return ctx.default_attr_type


def plugin(version: str) -> type[Plugin]:
    """Where mypy enters."""
    return RustyRayPlugin


def _mark(ctx: ClassDefContext) -> bool:
    """Give the class what `ActorClass` has; the types follow when somebody asks."""
    info = ctx.cls.info
    info.metadata[_MARK] = {}
    for name in _ADDED:
        if name not in info.names:
            var = Var(name, AnyType(TypeOfAny.special_form))
            var.info, var._fullname, var.is_classvar = info, f"{info.fullname}.{name}", True
            info.names[name] = SymbolTableNode(MDEF, var, plugin_generated=True)
    return True


def _called_directly(ctx: FunctionContext) -> Type:
    made = get_proper_type(ctx.default_return_type)
    if isinstance(made, Instance):
        name = made.type.name
        ctx.api.fail(
            f'"{name}" is an actor class: write {name}.remote(...), or {name}.cls(...)', ctx.context, code=OPERATOR
        )
    return ctx.default_return_type


def _result(returned: Type) -> Type:
    """What a ref to the result refers to: an async method's is what the coroutine returns."""
    plain = get_proper_type(returned)
    if isinstance(plain, Instance) and plain.type.fullname == "typing.Coroutine":
        return plain.args[2]
    return returned


def _checker(ctx: AttributeContext | MethodSigContext) -> TypeChecker:
    api: TypeChecker = ctx.api  # type: ignore[assignment]  # the interface leaves out what we need
    return api
