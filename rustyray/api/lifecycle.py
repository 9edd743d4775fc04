"""``init`` and ``shutdown``: one runtime at a time for each process, started by whoever needs it first."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rustyray._version import RAY_VERSION
from rustyray.api import init_options
from rustyray.runtime import addresses, context

if TYPE_CHECKING:
    from rustyray.job_config import JobConfig
    from rustyray.model.logging_config import LoggingConfig
    from rustyray.model.settings import Settings
    from rustyray.runtime.engine import Engine, ShutdownReport

#: The address of a new runtime of this process' own.
LOCAL = "local"

_lock = threading.RLock()
_exit_hook_of = 0


class Session(Mapping[str, str]):
    """A running RustyRay, as `rustyray.init` returns it: use it in ``with``, and it is shut down at the end.

    ``address_info`` names the node, the session's folder and the address (keys as in Ray). The session itself can be
    asked for them, too, and has Ray's fields: ``ray_version`` is that of the Ray whose API this is.
    """

    #: Ray's, without a dashboard.
    dashboard_url = ""
    python_version = "{}.{}.{}".format(*sys.version_info[:3])
    ray_version = RAY_VERSION
    ray_commit = "rustyray"

    def __init__(self, engine: Engine) -> None:
        here = engine.process()
        address = addresses.shown(here.head)
        self.namespace = here.namespace
        self.address_info = {
            "node_id": here.node.hex(),
            "job_id": here.job.hex(),
            "session_dir": here.session_dir,
            "address": address,
            "gcs_address": address,
            "node_ip_address": "127.0.0.1",
            "webui_url": "",
        }
        self._engine = engine

    def shutdown(self, *, grace: float | None = None) -> ShutdownReport | None:
        """Shut this runtime down, as `rustyray.shutdown`; if that has happened already, do nothing."""
        return _shut_down(self._engine, grace)

    def disconnect(self) -> None:
        """As `shutdown` (Ray's name for it)."""
        self.shutdown()

    def __getitem__(self, key: str) -> str:
        """What ``address_info`` has under ``key``; as in Ray."""
        return self.address_info[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.address_info)

    def __len__(self) -> int:
        return len(self.address_info)

    __eq__ = object.__eq__  # one that was shut down is not the next one
    __hash__ = object.__hash__

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        state = "running" if context.engine() is self._engine else "shut down"
        return f"<RustyRay session on node {self.address_info['node_id']}, {state}>"


def init(
    address: str | None = None,
    *,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    memory: float | None = None,
    resources: Mapping[str, float] | None = None,
    object_store_memory: int | None = None,
    object_spilling_directory: str | None = None,
    enforce_memory: bool = False,
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
    ignore_reinit_error: bool = False,
    engine: str = "native",
    seed: int | None = None,
    num_nodes: int | None = None,
    configure_logging: bool = True,
    logging_level: int | str = "WARNING",
    logging_format: str | None = None,
    logging_config: LoggingConfig | None = None,
    log_to_driver: bool | None = None,
    runtime_env: Mapping[str, Any] | None = None,
    job_config: JobConfig | None = None,
    _temp_dir: str | None = None,
    _tracing_startup_hook: str | Callable[[], object] | None = None,
    _system_config: Mapping[str, Any] | None = None,
    **options: object,
) -> Session:
    """Start RustyRay on this machine. Without ``init``, the first ``.remote()`` or ``put`` does it, with the defaults.

    Args:
        address: None: what the environment variable ``RUSTYRAY_ADDRESS`` says (where ``import ray`` means RustyRay,
            ``RAY_ADDRESS`` as well), else as "local": a new runtime, for this process alone. Otherwise a cluster to
            connect to, whose nodes have their resources already: "host:port" of one that ``rustyray start --head`` has
            started (by a user who may read its key file) or of a `rustyray.cluster_utils.Cluster`; "auto": what these
            variables say, else the `Cluster` of this program, or of the one that has started it, or else the only
            cluster that stands by itself on this machine. With ``engine="ray"``, Ray's own addresses; "ray://host:port"
            is one in any case.
        num_cpus: how many CPUs there are to share out; the machine's, or the part of it this process may use.
        num_gpus: likewise GPUs, which need not be there: see `get_gpu_ids`; 0.
        memory: likewise bytes of memory for tasks that ask for some; 70% of the machine's.
        resources: custom resources by name, such as ``{"license": 2}``.
        object_store_memory: the most memory that large objects may take, in bytes; the engine has a default. What does
            not fit is spilled to disk.
        enforce_memory: end workers that use more memory than their task or actor asked for with ``memory=``.
        object_spilling_directory: where the spill file is made; the system's directory for temporary files.
        namespace: where names of actors are unique; a new, anonymous one.
        labels: labels of this node.
        ignore_reinit_error: if RustyRay runs already, return that instead of raising.
        engine: what runs the program; "native": processes on this machine; "sim": all of it in this process, in
            simulated processes and virtual time; "ray": a real Ray, which is installed with ``rustyray[ray]``.
        seed: for "sim" only: draw another order of events, and delays, from this number; 0 draws nothing.
        num_nodes: how many nodes there are, each a process of its own with these resources; 1.
        configure_logging: False: the next two say nothing, since the program sets up the logger "rustyray" itself.
        logging_level: a level of the logging module, for messages of the runtime itself.
        logging_format: a format of the logging module for those in the driver; without one they are sentences.
        logging_config: how the driver and the workers log; without it, logging is left alone.
        log_to_driver: False: what workers print goes nowhere.
        runtime_env: what all workers of this program are to have, as `rustyray.runtime_env.RuntimeEnv` says.
        job_config: a `rustyray.job_config.JobConfig`: another way to give ``runtime_env`` and ``namespace``.
        _tracing_startup_hook: a function (or "module:function", as in Ray) that sets up OpenTelemetry, called here and
            in each worker: submissions and runs are then spans.
        _temp_dir: where temporary files go unless ``object_spilling_directory`` says so; it is made if need be.
        options: Ray's other options are refused, unless they ask for nothing; the message says what to do. Those for a
            dashboard, for Redis, and for addresses and directories that nothing here has, are without effect.

    Raises:
        RuntimeError: RustyRay runs already.
        ConnectionError: There is no such cluster, or no node of it on this machine, or it does not answer.
        TypeError: There is no such option, or its value has the wrong type.
        ValueError: A value is out of range, or the option is not supported yet, or ``job_config`` says something else.
        RuntimeEnvSetupError: A folder of ``runtime_env`` cannot be had.
    """
    from rustyray.model import settings
    from rustyray.model.logging_config import LoggingConfig
    from rustyray.runtime import tracing
    from rustyray.runtime.serialization import dumps_function

    if not configure_logging:
        logging_level, logging_format = "WARNING", None
    memory = options.pop("_memory", None) if memory is None else memory  # type: ignore[assignment] # Ray's name for it
    of_nodes: dict[str, Any] = {
        "num_cpus": num_cpus,
        "num_gpus": num_gpus,
        "memory": memory,
        "resources": resources,
        "object_store_memory": object_store_memory,
        "object_spilling_directory": object_spilling_directory,
        "enforce_memory": enforce_memory or None,
        "labels": labels,
        "_temp_dir": _temp_dir,
        "num_nodes": num_nodes,
        "seed": seed,
        "_system_config": _system_config,
    }
    settings.refuse_unknown(options)
    before = context.own_engine()
    environment, namespace = init_options.of_job(job_config, runtime_env, namespace)
    if logging_config is None and job_config is not None:
        logging_config = job_config.py_logging_config
    if logging_config is not None and not isinstance(logging_config, LoggingConfig):
        raise TypeError(f"logging_config must be a rustyray.LoggingConfig, got {logging_config!r}")
    if address is not None and not isinstance(address, str):
        raise TypeError(f"address must be a string such as '127.0.0.1:6379' or 'auto', got {address!r}")
    if address in (None, "", "auto"):
        address = addresses.of_environment() or address or LOCAL
    if address != LOCAL:
        init_options.refuse_observing(address, logging_config, _tracing_startup_hook)
        init_options.refuse_for_nodes(address, of_nodes)
        engine = "ray" if address.startswith("ray://") else engine
        logs = log_to_driver is not False
        environment = init_options.in_the_jobs_folder(environment)
        session = _join(address, engine, namespace, ignore_reinit_error, logs, environment or {})
        return _in_environment(session, environment, before)
    chosen = init_options.checked(
        engine=engine,
        namespace=namespace,
        logging_level=logging_level,
        logging_format=logging_format,
        log_to_driver=log_to_driver,
        **of_nodes,
    )
    hook = None if _tracing_startup_hook is None else tracing.resolve(_tracing_startup_hook)
    blob = b"" if hook is None else dumps_function(hook, "_tracing_startup_hook")[0]
    chosen = chosen._replace(logging=logging_config, tracing_hook=blob, environment=environment or {})
    session = start(chosen, ignore_reinit_error)
    return _in_environment(session, environment, before)


def _in_environment(session: Session, environment: dict[str, Any] | None, before: Engine | None) -> Session:
    """Have what a new ``session`` submits run in the environment; one that was there ``before`` keeps its own."""
    if environment is not None and session._engine is not before:
        try:
            session._engine.set_environment(environment)
        except BaseException:
            session.shutdown()
            raise
    return session


def _join(
    address: str,
    engine: str,
    namespace: str | None,
    ignore_reinit_error: bool,
    log_to_driver: bool,
    environment: Mapping[str, Any],
) -> Session:
    """A cluster that is there already."""
    from rustyray.api import engines
    from rustyray.model import options

    namespace = "" if namespace is None else options.text("namespace", namespace)
    with _lock:
        if context.own_engine() is not None:
            return _already(ignore_reinit_error)
        joined = engines.join(engine, address, namespace, log_to_driver, environment)
        context.set_engine(joined)
        _shut_down_at_exit()
        return Session(joined)


def _already(ignore_reinit_error: bool) -> Session:
    running = context.require_engine("init()")
    if ignore_reinit_error:
        return Session(running)
    raise RuntimeError(
        "rustyray.init() was called, but RustyRay is running in this process already (an earlier .remote() or "
        "put() may have started it). Call shutdown() first, or pass ignore_reinit_error=True."
    )


def start(settings: Settings, ignore_reinit_error: bool = False) -> Session:
    """As `init`, with options that have been checked."""
    from rustyray.api import engines

    with _lock:
        if context.own_engine() is not None:
            return _already(ignore_reinit_error)
        if settings.tracing_hook:
            _start_tracing(settings.tracing_hook)
        try:
            started = engines.start(settings)
        except BaseException:
            _observe_no_more()
            raise
        context.set_engine(started)
        if settings.says_how_to_log:
            from rustyray.runtime import logs

            logs.configure(settings.logging, settings.log_level, settings.log_format)
        _shut_down_at_exit()
        return Session(started)


def _start_tracing(hook: bytes) -> None:
    from rustyray.runtime import tracing
    from rustyray.runtime.serialization import loads

    tracing.start(loads(hook))


def shutdown(*, grace: float | None = None) -> ShutdownReport | None:
    """Stop everything that `init` started, and return how that went; None (and nothing happens) when RustyRay is down.

    Any number of threads may call it at once: all return when it is done. ``init`` works again right afterwards.

    Args:
        grace: how many seconds running tasks have to finish; the engine has a default.
    """
    engine = context.own_engine()
    return None if engine is None else _shut_down(engine, grace)


def is_initialized() -> bool:
    """Whether RustyRay runs in this process; always so inside tasks and actors."""
    return context.own_engine() is not None


def running_engine() -> Engine:
    """The engine; started with the defaults if RustyRay is down."""
    engine = context.engine()
    if engine is None:
        with _lock:
            if context.engine() is None:
                init()
        engine = context.require_engine("this call")
    return engine


def _shut_down(engine: Engine, grace: float | None) -> ShutdownReport | None:
    ended = True
    try:
        return engine.shutdown(grace)
    except Exception:
        ended = False  # it has refused, and goes on
        raise
    finally:  # whatever interrupts it (Ctrl-C)
        if ended:
            with _lock:
                _observe_no_more()
                if context.engine() is engine:
                    context.set_engine(None)


def _observe_no_more() -> None:
    if (tracing := sys.modules.get("rustyray.runtime.tracing")) is not None:
        tracing.stop()
    if (logs := sys.modules.get("rustyray.runtime.logs")) is not None:
        logs.restore()


def _shut_down_at_exit() -> None:
    global _exit_hook_of
    if _exit_hook_of != os.getpid():
        import atexit

        _exit_hook_of = os.getpid()
        atexit.register(_at_exit, _exit_hook_of)


def _at_exit(pid: int) -> None:
    if os.getpid() == pid:  # a process that the user forked has no say over its parent's runtime
        shutdown()
