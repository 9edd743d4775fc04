"""``rustyray start``: a head and its node, or one more node; options are Ray's where Ray has them."""

from __future__ import annotations

import argparse
import json
import signal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rustyray.api import init_options

if TYPE_CHECKING:
    from rustyray.engines.native.standing.places import ClusterFile
    from rustyray.engines.native.standing.starting import Encrypt

#: Options of ``ray start`` that scripts pass and that ask for nothing here, with the number of their values.
_WITHOUT_EFFECT: Final = {
    "--disable-usage-stats": 0,
    "--verbose": 0,
    "-v": 0,
    "--no-redirect-output": 0,
    "--no-monitor": 0,
    "--enable-object-reconstruction": 0,
    "--log-style": 1,
    "--log-color": 1,
    "--dashboard-host": 1,
    "--dashboard-port": 1,
    "--dashboard-agent-listen-port": 1,
    "--dashboard-agent-grpc-port": 1,
    "--metrics-export-port": 1,
    "--node-manager-port": 1,
    "--object-manager-port": 1,
    "--runtime-env-agent-port": 1,
    "--min-worker-port": 1,
    "--max-worker-port": 1,
    "--worker-port-list": 1,
}
#: Others that ask for what is not there, and what to do; 0 and false ask for nothing.
_REFUSED: Final = {
    "--include-dashboard": "there is no dashboard; rustyray status, list and summary tell what there is",
    "--ray-client-server-port": "there is no Ray Client; programs join with rustyray.init(address='HOST:PORT')",
    "--autoscaling-config": "there is no autoscaler; add nodes with rustyray start --address=…",
    "--redis-password": "the key of the cluster is in its key file; see --store for Redis",
    "--temp-dir": "the variable RUSTYRAY_TMPDIR names the directory for what is written down",
    "--plasma-directory": "objects are in anonymous memory; see --object-spilling-directory for what does not fit",
}


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("start", help="start a cluster, or add a node to one")
    parser.set_defaults(run=run)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--head", action="store_true", help="start a cluster: its head, and a node on this machine")
    what.add_argument("--address", metavar="HOST:PORT", help="add a node to the cluster whose head is there")
    parser.add_argument("--port", type=int, default=None, help="where the head listens; 6379, 0: any that is free")
    parser.add_argument(
        "--store", default="", metavar="URL", help="sqlite:PATH or redis://…, for another head to go on from"
    )
    parser.add_argument(
        "--node-ip-address",
        metavar="IP",
        help="where to listen for others; 127.0.0.1, or what faces the head",
    )
    parser.add_argument("--tls", action="store_true", help="encrypt what goes over TCP, with certificates made for it")
    parser.add_argument("--tls-cert", metavar="PATH", help="encrypt with this certificate instead (PEM)")
    parser.add_argument("--tls-key", metavar="PATH", help="its key (PEM)")
    parser.add_argument("--tls-ca", metavar="PATH", help="the authority that all certificates must come from (PEM)")
    parser.add_argument("--key-file", default="", metavar="PATH", help="the key of a cluster on another machine")
    parser.add_argument("--num-cpus", type=float, help="CPUs of the node; the machine's")
    parser.add_argument("--num-gpus", type=float, help="GPUs of the node, which are not looked for; 0")
    parser.add_argument("--memory", type=int, help="bytes of memory for tasks that ask for some; 70%% of the machine's")
    parser.add_argument("--object-store-memory", type=int, help="bytes that the node's large objects may take")
    parser.add_argument("--object-spilling-directory", metavar="PATH", help="where to spill those that do not fit")
    parser.add_argument("--resources", type=_json, help="custom resources, as JSON: '{\"license\": 2}'")
    parser.add_argument("--enforce-memory", action="store_true", help="end workers that use more than they asked for")
    parser.add_argument("--system-config", type=_json, help="how the node treats memory, as JSON: see docs/memory.md")
    parser.add_argument("--labels", type=_labels, help='labels, as JSON or as "key=value,key=value"')
    for option, values in _WITHOUT_EFFECT.items():
        parser.add_argument(option, action="store" if values else "store_true", help=argparse.SUPPRESS)
    for option in _REFUSED:
        parser.add_argument(option, dest=f"refused {option}", nargs="?", const=True, help=argparse.SUPPRESS)
    parser.add_argument("--block", action="store_true", help="stay until interrupted, then stop what was started")


def _refuse(given: argparse.Namespace) -> None:
    for option, why in _REFUSED.items():
        value = getattr(given, f"refused {option}")
        if value is not None and str(value).lower() not in ("false", "0", ""):
            raise ValueError(f"there is no {option} here: {why}")


def run(given: argparse.Namespace) -> None:
    _refuse(given)
    from rustyray.core.node.knobs import KNOBS, configured
    from rustyray.engines.native.driver import check_config, node_limits, spill_directory
    from rustyray.engines.native.nodes import descriptors
    from rustyray.engines.native.standing import starting
    from rustyray.engines.native.standing.places import Place, find

    settings = init_options.checked(
        num_cpus=given.num_cpus,
        num_gpus=given.num_gpus,
        memory=given.memory,
        object_store_memory=given.object_store_memory,
        object_spilling_directory=given.object_spilling_directory,
        resources=given.resources,
        labels=given.labels,
        enforce_memory=given.enforce_memory,
        _system_config=given.system_config,
    )
    check_config(settings.system_config, (*KNOBS, "descriptors"))
    descriptors(settings)
    configured(node_limits(settings), settings.system_config)
    spill_directory(settings)  # before anything has been started
    encrypt = _certificates(given)
    host = given.node_ip_address or "127.0.0.1"
    if given.head and given.key_file:
        raise ValueError("--key-file is for a cluster that is there already: it goes with --address")
    if given.head:
        cluster = starting.start_head(host, given.port, encrypt, given.store)
    elif given.port is not None or given.tls or given.store:
        option = "--tls" if given.tls else "--store" if given.store else "--port"
        raise ValueError(f"{option} is the head's: it goes with --head")
    else:
        cluster = find(given.address, given.key_file)
        if encrypt is not None:
            cluster = msgspec.structs.replace(cluster, certificates=encrypt(cluster.session, None))
        host = given.node_ip_address or starting.facing(cluster)
    place = Place.named(cluster.session)
    if given.head and any(process.beside for process in place.processes()):
        print(f"The head is back at {cluster.address}; its node still runs, and no other was started.")
        return
    try:
        node = starting.start_node(cluster, settings, host, beside=given.head)
    except BaseException:
        if given.head:
            from rustyray.engines.native.standing.stopping import stop

            stop(place, force=True)
        raise
    print(f"Node {node.node.hex()} is up (pid {node.pid}).")
    if given.head:
        _tell(cluster, place.key_file)
    if given.block:
        _block(given, node.pid)


def _certificates(given: argparse.Namespace) -> Encrypt | None:
    """Where certificates are to come from, if there are to be any."""
    from rustyray.engines.native.network import certificates

    own = (given.tls_cert, given.tls_key, given.tls_ca)
    if any(own):
        if not all(own):
            raise ValueError("--tls-cert, --tls-key and --tls-ca go together: give all three")
        found = certificates.read(*own)
        if given.tls:
            raise ValueError("--tls makes certificates: leave it out, or --tls-cert, --tls-key and --tls-ca")
        return lambda session, before: found
    return (lambda session, before: before or certificates.make(session)) if given.tls else None


def _tell(cluster: ClusterFile, key_file: str) -> None:
    print(
        f"""
The cluster is up. Next steps

To add a node:
    rustyray start --address='{cluster.address}'

To use it from Python:
    import rustyray
    rustyray.init(address='{cluster.address}')

To submit a program:
    RUSTYRAY_ADDRESS='{cluster.address}' rustyray job submit --working-dir . -- python my_script.py

From another machine, copy the key there, for that user's eyes only, and name it with --key-file or RUSTYRAY_KEY_FILE:
    {key_file}

To see what there is: rustyray status. To end it: rustyray stop."""
    )


def _block(given: argparse.Namespace, node: int) -> None:
    from rustyray.engines.native.processes import kernel
    from rustyray.engines.native.standing import stopping
    from rustyray.engines.native.standing.places import places

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        print("It stays until you press Ctrl-C.", flush=True)
        kernel.wait_for_end(node, None)
        ended = "The node has ended."
    except KeyboardInterrupt:
        ended = "Stopping."
    print(ended)
    for place in places():
        mine = [process for process in place.processes() if process.pid == node]
        if mine and given.head:
            stopping.stop(place)
        elif mine:
            stopping.end(mine, force=False)


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"not a JSON object, but {value!r}")
    return value


def _labels(text: str) -> dict[str, Any]:
    if text.lstrip().startswith("{"):
        return _json(text)
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    for key, equals, _ in pairs:
        if not (key and equals):
            raise argparse.ArgumentTypeError(f"not of the form key=value: {text!r}")
    return {key: value for key, _, value in pairs}
