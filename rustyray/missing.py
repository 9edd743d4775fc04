"""What of Ray there is not, why, and what to do instead.

`rustyray.X` and ``ray.X`` raise these sentences, and docs/reference/ray_api.md shows them.
"""

from __future__ import annotations

import sys
from opcode import opmap
from typing import Final

_LIBRARY: Final = "is one of Ray's libraries, and RustyRay is Ray's core only: run what needs it on Ray itself"
_CLOUD: Final = "is for clusters that grow by themselves, which RustyRay's do not: add nodes with 'rustyray start'"
_JAVA: Final = "calls code in another language, and RustyRay runs Python only"
_CLIENT: Final = "is Ray Client's, which RustyRay has none of: connect with init(address='host:port')"
_DEVICES: Final = "moves tensors between devices, which RustyRay knows nothing of: pass arrays as values"
_INTERNAL: Final = "is internal to Ray, and nothing in RustyRay is like it"
_CONTROL: Final = "breaks into a running program with Ray's own debugger: use engine='sim', where breakpoint() works"

_GRAPHS: Final = "belongs to compiled graphs, which are not there: run the graph with .execute()"

#: By full name of what Ray has; a module stands for all that is in it.
REASONS: Final[dict[str, str]] = {
    "ray.air": _LIBRARY,
    "ray.data": _LIBRARY,
    "ray.dag": _GRAPHS,
    "ray.llm": _LIBRARY,
    "ray.rllib": _LIBRARY,
    "ray.serve": _LIBRARY,
    "ray.train": _LIBRARY,
    "ray.tune": _LIBRARY,
    "ray.workflow": _LIBRARY,
    "ray.autoscaler": _CLOUD,
    "ray.cluster_utils.AutoscalingCluster": _CLOUD,
    "ray.dashboard": "belongs to the dashboard, and there is none: see rustyray.util.state, and 'rustyray status'",
    "ray.client": _CLIENT,
    "ray.ClientBuilder": _CLIENT,
    "ray.client_builder": _CLIENT,
    "ray.util.client": _CLIENT,
    "ray.util.connect": _CLIENT,
    "ray.util.disconnect": _CLIENT,
    "ray.Language": _JAVA,
    "ray.cpp_function": _JAVA,
    "ray.cross_language": _JAVA,
    "ray.java_actor_class": _JAVA,
    "ray.java_function": _JAVA,
    "ray.ActorClassID": _INTERNAL,
    "ray.ClusterID": _INTERNAL,
    "ray.FunctionID": _INTERNAL,
    "ray.PlacementGroupID": _INTERNAL,
    "ray.UniqueID": _INTERNAL,
    "ray._config": _INTERNAL,
    "ray.internal": _INTERNAL,
    "ray.experimental.tqdm_ray.instance": "manages bars that stay in their place: here each bar writes lines",
    "ray.util.debug.Suspect": "is what a search for leaks of Ray's finds: the plugin tells what a test leaks",
    "ray.util.dask.dataframe_optimize": "is for graphs as versions of dask made them that are too old for RustyRay",
    "ray.cluster_utils.Cluster.remaining_processes_alive": "is about Ray's processes: see rustyray.nodes()",
    "ray.actor.ActorClassInheritanceException": _INTERNAL,
    "ray.exceptions.RayCgraphCapacityExceeded": _DEVICES,
    "ray.exceptions.RayChannelError": _DEVICES,
    "ray.exceptions.RayChannelTimeoutError": _DEVICES,
    "ray.exceptions.RayDirectTransportError": _DEVICES,
    "ray.widgets": "draws in notebooks: print what rustyray.nodes() and rustyray.util.state give",
    "ray.util.accelerators.tpu": _DEVICES,
    "ray.util.collective": _DEVICES,
    "ray.util.tpu": _DEVICES,
    "ray.util.spark": "starts Ray on Spark: start RustyRay with 'rustyray start' on each machine",
    "ray.util.debugpy": _CONTROL,
    "ray.util.ray_debugpy": _CONTROL,
    "ray.util.lightgbm": "was removed from Ray as well",
    "ray.util.xgboost": "was removed from Ray as well",
    "ray.util.iter_metrics": "counts what Ray's parallel iterators did: see rustyray.stats() and rustyray.util.metrics",
    "ray.experimental.channel": _DEVICES,
    "ray.experimental.set_resource": "is not allowed in Ray any more, either: resources are a node's for its life",
    "ray.experimental.compiled_dag_ref": _DEVICES,
}
_FIELDS: Final = (
    "is about a field that is refused: workers are forked from their node, with all that is installed there"
)
_FROM_ID: Final = "makes a ref of an id alone, which keeps no object: pass on the ref itself"
_OF_CLASSES: Final = {
    "ray.runtime_env.RuntimeEnv": {
        "conda_config conda_env_name conda_uri extensions_fields get_extension image_uri java_jars known_fields nsight "
        "pip_config pip_uri plugin_uris plugins py_container_image py_container_run_options py_container_worker_path "
        "py_executable rocprof_sys uv_config uv_uri virtualenv_name": _FIELDS,
        "py_modules_uris working_dir_uri": "is where Ray has put a folder: RustyRay carries folders as objects",
    },
    "ray.ObjectRef": {
        "from_binary from_hex from_random nil": _FROM_ID,
        "redis_shard_hash": _INTERNAL,
        "job_id": "is of this program's job, as all refs here: get_runtime_context().get_job_id()",
        "tensor_transport": _DEVICES,
    },
}
for _owner, _members in _OF_CLASSES.items():
    for _names, _why in _members.items():
        REASONS.update(dict.fromkeys((f"{_owner}.{_name}" for _name in _names.split()), _why))
for _name in (
    "CommunicatorMetadata RDTManager TensorTransportManager TensorTransportMetadata deregister_nixl_memory "
    "register_nixl_memory register_nixl_memory_pool register_tensor_transport set_nixl_cuda_stream "
    "set_target_device_for_ref set_target_for_ref wait_tensor_freed"
).split():
    REASONS[f"ray.experimental.{_name}"] = _DEVICES
#: Options of programs that are submitted, which would mean something else here, and what to do.
OF_JOBS: Final = {
    "entrypoint_num_gpus": "the program itself sees no GPUs: have its tasks ask for num_gpus",
    "entrypoint_label_selector": "the program runs where it is submitted, or where what it holds is",
}
_DASHBOARD: Final = "there is no dashboard: 'rustyray status', 'list' and 'summary' tell what there is"
_LAUNCHER: Final = "there is no launcher of clusters: call 'rustyray start' on each machine"
_USAGE: Final = "nothing is reported about its use in any case"
_FILES: Final = "nothing keeps log files but jobs: see 'rustyray job logs'"
#: By name of a command of ``ray`` what ``rustyray`` says instead.
COMMANDS: Final = {
    **dict.fromkeys("attach down exec monitor rsync-down rsync-up submit up".split(), _LAUNCHER),
    **dict.fromkeys(
        "get-head-ip get-worker-ips".split(), "'rustyray status' and 'rustyray list nodes' tell the addresses"
    ),
    **dict.fromkeys("disable-usage-stats enable-usage-stats".split(), _USAGE),
    **dict.fromkeys("cluster-dump local-dump logs".split(), _FILES),
    **dict.fromkeys(
        "kill-random-node kill-actor".split(), "see rustyray.kill(), and the plugin's ways to break things"
    ),
    "check-open-ports": "processes take part only with the cluster's key: see docs/security.md",
    "cpp": "only Python runs here",
    "dashboard": _DASHBOARD,
    "debug": "there is no remote debugger: use engine='sim', where breakpoint() works",
    "drain-node": "'rustyray stop' on its machine ends a node in order",
    "get-auth-token": "the cluster's key is in its key file, which 'rustyray start' names",
    "global-gc": "objects are freed when their last ref is gone; call gc.collect() where refs are in cycles",
    "kuberay-autoscaler": _CLOUD.replace("is for", "it is for"),
    "microbenchmark": "the benchmarks are in the project's folder of that name",
    "sanity-check": "run a program of your own",
    "stack": "'rustyray list tasks' tells what runs; kill -s RTMAX-2 PID has a process print where its threads stand",
    "symmetric-run": _LAUNCHER,
}
#: For names without a reason of their own.
OTHERWISE: Final = "is not there; a program that needs it has to do without, or run on Ray"


def reason(name: str) -> str:
    """Why ``name`` of Ray is missing, and what to do: its own reason, or its package's; nothing if there is none."""
    while name:
        if name in REASONS:
            return REASONS[name]
        name = name.rpartition(".")[0]
    return ""


def module(name: str) -> str:
    """What the import of a module that is missing says."""
    why = reason(name)
    return f"No module named {name!r} in RustyRay, for which 'ray' stands here" + (f": it {why}" if why else "")


def member(owner: str, name: str) -> str:
    """What is said of a missing attribute of an object of Ray's class ``owner``."""
    why = REASONS.get(f"{owner}.{name}", "")
    return f"{owner.rpartition('.')[2]!r} object has no attribute {name!r}" + (f": it {why}" if why else "")


def absent(owner: str, name: str) -> Exception:
    """What the ``__getattr__`` of module ``owner`` (of ``rustyray``, or ``ray``) raises for a name that is not there.

    For ``from owner import name`` it is an ImportError: of an AttributeError's sentence Python would leave nothing.
    """
    inner = owner.partition(".")[2]
    why = reason(".".join(part for part in ("ray", inner, name) if part)) if not name.startswith("__") else ""
    why = f": it {why}" if why else ""
    asks = sys._getframe(2)
    if asks.f_code.co_code[asks.f_lasti] == opmap["IMPORT_FROM"]:
        return ImportError(f"cannot import name {name!r} from {owner!r}{why}", name=owner)
    return AttributeError(f"module {owner!r} has no attribute {name!r}{why}")
