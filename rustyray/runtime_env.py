"""Runtime environments as objects (module path and names as in Ray): a dict, checked where it is made."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from rustyray.model import environments


class RuntimeEnvConfig(dict[str, Any]):
    """How an environment is set up (as in Ray).

    Args:
        setup_timeout_seconds: seconds that a worker may take to fetch what it needs; -1: as long as it takes.
        eager_install: accepted, and of no effect: nothing is installed.
        log_files: refused.

    Raises:
        TypeError, ValueError: A value is wrong.
    """

    def __init__(
        self, setup_timeout_seconds: float = 600, eager_install: bool = True, log_files: list[str] | None = None
    ) -> None:
        given = {
            "setup_timeout_seconds": setup_timeout_seconds,
            "eager_install": eager_install,
            "log_files": log_files or [],
        }
        environments.checked("runtime_env", {"config": given})
        super().__init__(given)

    def to_dict(self) -> dict[str, Any]:
        return dict(self)


class RuntimeEnv(dict[str, Any]):
    """What workers are to have that run a task, an actor, or a whole program (as in Ray).

    Args:
        env_vars: variables of the environment, added to those that the parent has; ``${NAME}`` in a value stands for
            the variable as it was.
        working_dir: a folder, or a zip file, in a copy of which the workers run and from which they import.
        py_modules: folders of packages, modules, zip files or wheels that can be imported.
        excludes: patterns of what is left out of those folders, as in a ``.gitignore``.
        worker_process_setup_hook: a function, or "module.function", that runs in each worker before anything else.
        config: a `RuntimeEnvConfig`, or a dict like it.
        fields: Ray's other fields are refused; the message says what to do instead.

    Raises:
        ValueError: There is no such field, or it cannot be had.
        TypeError: A value has the wrong type.
    """

    def __init__(
        self,
        *,
        env_vars: dict[str, str] | None = None,
        working_dir: str | None = None,
        py_modules: list[Any] | None = None,
        excludes: list[str] | None = None,
        worker_process_setup_hook: Callable[[], object] | str | None = None,
        config: dict[str, Any] | None = None,
        _validate: bool = True,
        **fields: Any,
    ) -> None:
        given = {
            "env_vars": env_vars,
            "working_dir": working_dir,
            "py_modules": py_modules,
            "excludes": excludes,
            "worker_process_setup_hook": worker_process_setup_hook,
            "config": config,
            **fields,
        }
        given = {name: value for name, value in given.items() if value is not None}
        super().__init__(environments.checked("runtime_env", given) if _validate else given)

    if not TYPE_CHECKING:  # which would take any name for one that is there

        def __getattr__(self, name: str) -> NoReturn:
            from rustyray.missing import member

            raise AttributeError(member("ray.runtime_env.RuntimeEnv", name))

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, environments.checked("runtime_env", {key: value}).get(key))

    def set(self, name: str, value: Any) -> None:
        """The same as ``env[name] = value``."""
        self[name] = value

    def to_dict(self) -> dict[str, Any]:
        return dict(self)

    def serialize(self) -> str:
        """The environment as JSON. Raises TypeError when it holds functions or modules."""
        return json.dumps(self, sort_keys=True)

    @classmethod
    def deserialize(cls, serialized_runtime_env: str) -> RuntimeEnv:
        return cls(_validate=False, **json.loads(serialized_runtime_env))

    def env_vars(self) -> dict[str, str]:
        return dict(self.get("env_vars") or {})

    def working_dir(self) -> str | None:
        return self.get("working_dir")

    def has_working_dir(self) -> bool:
        return self.get("working_dir") is not None

    def py_modules(self) -> list[Any]:
        return list(self.get("py_modules") or [])

    def has_pip(self) -> bool:
        """False: such an environment is refused."""
        return False

    has_uv = has_conda = has_py_container = has_pip


__all__ = ["RuntimeEnv", "RuntimeEnvConfig"]
