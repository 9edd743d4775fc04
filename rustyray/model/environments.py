"""Runtime environments: what a worker is to have that others have not (as in Ray).

What users write is a dict (`rustyray.runtime_env.RuntimeEnv`), checked here. What travels is an `Environment`, encoded
so that equal ones are equal bytes: workers, claims and tasks are told apart by those, and no core looks inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from rustyray.model.options import hint

_HERE: Final = "Workers use the interpreter of their node: install what they need there"
_PROGRAM: Final = "Start the program that starts the nodes under it"

#: Fields of Ray's that are refused, and what to do instead.
REFUSED: Final = {
    "pip": _HERE,
    "uv": _HERE,
    "conda": "Start the nodes in that conda environment",
    "container": "Start the nodes in that container",
    "image_uri": "Start the nodes in a container of that image",
    "py_executable": "Start the nodes with that interpreter",
    "java_jars": "There is no Java here",
    "nsight": _PROGRAM,
    "_nsight": _PROGRAM,
    "rocprof_sys": _PROGRAM,
    "_rocprof_sys": _PROGRAM,
}
#: Fields that have an effect, and those that Ray uses for itself and may be there.
FIELDS: Final = ("env_vars", "working_dir", "py_modules", "excludes", "worker_process_setup_hook", "config")
IGNORED: Final = ("_ray_release", "_ray_commit", "_inject_current_ray")
CONFIG: Final = ("setup_timeout_seconds", "eager_install", "log_files")
#: Not users' to give: how long the actors of the program live that do not say it, which goes where environments go.
LIFETIME: Final = "_default_actor_lifetime"
#: Seconds that a worker may take to fetch what it needs (as in Ray).
SETUP_TIMEOUT: Final = 600.0


class Package(msgspec.Struct, array_like=True, frozen=True):
    """A zip file with that ``digest``: the object ``object`` of the process at ``owner_address``."""

    digest: str
    object: bytes
    owner_address: str


class Environment(msgspec.Struct, array_like=True, frozen=True):
    """What workers are set up with. ``given`` is what users read back, as JSON; ``hook`` a pickled function.

    Actors that are made in it are ``detached`` where they do not say what they are.
    """

    given: str
    env_vars: dict[str, str] = {}
    directory: Package | None = None
    modules: tuple[Package, ...] = ()
    hook: bytes = b""
    timeout: float = SETUP_TIMEOUT
    detached: bool = False

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self, order="sorted")


decode: Final = msgspec.msgpack.Decoder(Environment).decode


# --- checking what was given ------------------------------------------------------------------------------------------


def checked(name: str, value: Any) -> dict[str, Any]:
    """A runtime environment in its plain form, without fields that are None.

    Raises:
        ValueError: There is no such field, or it cannot be had; the message says what to do.
        TypeError: A value has the wrong type.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise TypeError(f"{name} must be a dict or a RuntimeEnv, got {value!r} ({type(value).__name__})")
    plain = {}
    for field, given in value.items():
        if given is None or field in IGNORED:
            continue
        if field in REFUSED:
            raise ValueError(f"{name}: {field!r} is not supported. {REFUSED[field]}.")
        if field not in FIELDS:
            known = ", ".join(FIELDS)
            raise ValueError(f"{name} has no field {field!r}{hint(field, FIELDS)}. Valid ones are {known}.")
        plain[field] = _CHECKS[field](f"{name}[{field!r}]", given)
    if "excludes" in plain and not plain.keys() & {"working_dir", "py_modules"}:
        raise ValueError(f"{name}: 'excludes' says what to leave out of working_dir or py_modules; give one of them")
    return plain


def merged(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    """What a task of ``inner`` has whose parent has ``outer``: its own fields count, but variables are merged."""
    both = {**outer, **inner}
    if "env_vars" in outer and "env_vars" in inner:
        both["env_vars"] = {**outer["env_vars"], **inner["env_vars"]}
    return both


def without_conflict(job: Mapping[str, Any], driver: Mapping[str, Any]) -> dict[str, Any]:
    """Both together, of which the job's was given first. Raises ValueError where they say different things."""
    for field in sorted(job.keys() & driver.keys()):
        if field == "env_vars":
            both = job[field].keys() & driver[field].keys()
            clash = [f"env_vars[{key!r}]" for key in sorted(both) if job[field][key] != driver[field][key]]
        else:
            clash = [field] if job[field] != driver[field] else []
        if clash:
            raise ValueError(
                f"the runtime_env of the job and that of init() conflict in {', '.join(clash)}: give it in one of them"
            )
    return merged(job, driver)


def _strings(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict of strings, got {value!r}")
    for key, text in value.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise TypeError(f"{name} must be a dict of strings, got {key!r}: {text!r}")
        if not key or "=" in key or "\0" in key + text:
            raise ValueError(f"{name}: {key!r}: {text!r} cannot be a variable of a process")
        try:
            (key + text).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{name}: {key!r}: {text!r} must be Unicode: {error}") from None
    return {str.__str__(key): str.__str__(text) for key, text in value.items()}


def _path(name: str, value: Any) -> str:
    if hasattr(value, "__fspath__"):
        value = value.__fspath__()
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name} must be the path of a folder or of a zip file, got {value!r}")
    if "://" in value:
        raise ValueError(f"{name}={value!r} is on another machine: fetch it first, and give the local path")
    return value


def _modules(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be a list of paths and modules, got {value!r}")
    return [one if hasattr(one, "__path__") or hasattr(one, "__file__") else _path(name, one) for one in value]


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise TypeError(f"{name} must be a list of strings, got {value!r}")
    return list(value)


def _hook(name: str, value: Any) -> Any:
    if isinstance(value, str):
        if not value.replace(".", "").isidentifier() or "." not in value.strip("."):
            raise ValueError(f"{name} must be a function or 'module.function', got {value!r}")
    elif not callable(value):
        raise TypeError(f"{name} must be a function or 'module.function', got {value!r}")
    return value


def _config(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict or a RuntimeEnvConfig, got {value!r}")
    for key in value:
        if key not in CONFIG:
            known = ", ".join(CONFIG)
            raise ValueError(f"{name} has no field {key!r}{hint(str(key), CONFIG)}. Valid ones are {known}.")
    if value.get("log_files"):
        raise ValueError(f"{name}: 'log_files' is not supported. What workers write goes to the driver's output.")
    timeout = value.get("setup_timeout_seconds")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float)):
        raise TypeError(
            f"{name}: setup_timeout_seconds must be a number of seconds, or -1 for no limit, got {timeout!r}"
        )
    if timeout is not None and timeout <= 0 and timeout != -1:
        raise ValueError(f"{name}: setup_timeout_seconds must be above zero, or -1 for no limit, got {timeout!r}")
    return {key: given for key, given in value.items() if given is not None}


_CHECKS: Final[dict[str, Callable[[str, Any], Any]]] = {
    "env_vars": _strings,
    "working_dir": _path,
    "py_modules": _modules,
    "excludes": _texts,
    "worker_process_setup_hook": _hook,
    "config": _config,
}
