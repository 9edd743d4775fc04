"""The runtime environment of a process: what the tasks that it submits inherit, and how a worker is set up for it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from rustyray.exceptions import RuntimeEnvSetupError
from rustyray.model import environments
from rustyray.model.environments import Environment, Package
from rustyray.runtime import packages
from rustyray.runtime.serialization import dumps_function, loads

if TYPE_CHECKING:
    from rustyray.engines.client.client import Client
    from rustyray.model.plans import ActorPlan, TaskPlan
    from rustyray.runtime.ref import ObjectRef

    AnyPlan = TypeVar("AnyPlan", TaskPlan, ActorPlan)


class Environments:
    """Makes environments of what users write, and of that of this process, ``own``.

    Args:
        client: the process.
        env: its own environment, encoded.
    """

    def __init__(self, client: Client, env: bytes) -> None:
        self._client = client
        self.own = environments.decode(env) if env else Environment("{}")
        #: Keeps the packages that were made here.
        self._made: dict[str, tuple[Package, ObjectRef[bytes]]] = {}

    def given(self) -> dict[str, Any]:
        """What users read back."""
        told: dict[str, Any] = json.loads(self.own.given)
        return told

    def enter(self, given: Mapping[str, Any]) -> bytes:
        """This process asks for ``given`` itself from now on. Returns its environment, encoded."""
        env = self.resolved(given)
        self.own = environments.decode(env)
        return env

    def within(self, plan: AnyPlan, env: bytes) -> AnyPlan:
        """The plan as a process submits it whose own environment is ``env``."""
        found = plan.inside.get(env)
        if found is None:
            own = self.resolved(plan.environment) if plan.environment is not None else env
            found = plan.inside[env] = plan.set_in(own)
        return found

    def actor_within(self, plan: ActorPlan, env: bytes) -> ActorPlan:
        """As `within`; an actor that does not say how long it lives does as the program has said."""
        found = self.within(plan, env)
        if found.detached is None:
            found.detached = self.own.detached
        return found

    def resolved(self, given: Mapping[str, Any]) -> bytes:
        """The environment of a task that asks for ``given``: what it does not say, it has from here.

        Raises:
            RuntimeEnvSetupError: A folder cannot be packed.
        """
        own = self.own
        excludes = given.get("excludes", ())
        directory, modules, hook, timeout = own.directory, own.modules, own.hook, own.timeout
        try:
            if "working_dir" in given:
                directory = self._package(given["working_dir"], excludes, inside=False)
            if "py_modules" in given:
                paths = [one if isinstance(one, str) else packages.module_path(one) for one in given["py_modules"]]
                modules = tuple(self._package(path, excludes, inside=True) for path in paths)
        except (ValueError, OSError) as error:
            raise RuntimeEnvSetupError(f"{error}. The folders of a runtime_env must be on this machine.") from error
        if "worker_process_setup_hook" in given:
            hook = dumps_function(given["worker_process_setup_hook"], "worker_process_setup_hook")[0]
        if "setup_timeout_seconds" in given.get("config", {}):
            timeout = float(given["config"]["setup_timeout_seconds"])
        detached = own.detached or given.get(environments.LIFETIME) == "detached"
        told = {name: _shown(value) for name, value in given.items() if name != environments.LIFETIME}
        shown = environments.merged(self.given(), told)
        env_vars = {**own.env_vars, **given.get("env_vars", {})}
        text = json.dumps(shown, sort_keys=True)
        return Environment(text, env_vars, directory, modules, hook, timeout, detached).encode()

    def _package(self, path: str, excludes: Any, inside: bool) -> Package:
        self._client.check_packages()
        data = packages.pack(path, excludes, inside)
        digest = packages.digest_of(data)
        made = self._made.get(digest)
        if made is None:
            ref: ObjectRef[bytes] = self._client.put(data)
            made = self._made[digest] = Package(digest, ref._id, self._client.address), ref
        return made[0]

    # --- in a worker --------------------------------------------------------------------------------------------------

    def set_variables(self) -> None:
        """``$NAME`` and ``${NAME}`` in a value are variables as they are; ``${NAME}`` is empty if there is none.

        Both as in Ray.
        """
        import time

        for name, value in self.own.env_vars.items():
            os.environ[name] = _REFERENCE.sub("", os.path.expandvars(value))
        if "TZ" in self.own.env_vars:
            time.tzset()

    def unpack(self, folder: str) -> None:
        """Fetch the packages into ``folder``, and go where they are."""
        found = [self._fetch(package, folder) for package in self.own.modules]
        if self.own.directory is not None:
            found.insert(0, self._fetch(self.own.directory, folder))
            os.chdir(found[0])
        sys.path[:0] = found
        if found:
            inherited = os.environ.get("PYTHONPATH")
            os.environ["PYTHONPATH"] = os.pathsep.join([*found, inherited] if inherited else found)

    def _fetch(self, package: Package, folder: str) -> str:
        timeout = self.own.timeout if self.own.timeout >= 0 else None
        data = self._client.get([self._client.adopt(package.object, package.owner_address)], timeout)[0]
        return packages.unpacked(data, package.digest, folder)

    def run_hook(self) -> None:
        if self.own.hook:
            hook: str | Callable[[], object] = loads(self.own.hook)
            if isinstance(hook, str):
                from importlib import import_module

                module, _, name = hook.rpartition(".")
                hook = getattr(import_module(module), name)
                if isinstance(hook, str):
                    raise TypeError(f"worker_process_setup_hook: {module}.{name} is no function")
            hook()


_REFERENCE = re.compile(r"\$\{[A-Z0-9_]+\}")


def _shown(value: Any) -> Any:
    """A field as users read it back, where it may be something else than a folder that was on another machine."""
    if isinstance(value, dict):
        return {name: _shown(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_shown(one) for one in value]
    if isinstance(value, str | int | float | bool | None):
        return value
    return getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or repr(value)
