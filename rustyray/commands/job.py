"""``rustyray job …``: programs that run on a machine of the cluster, whether or not who started them stays."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

from rustyray.missing import OF_JOBS
from rustyray.runtime import addresses

if TYPE_CHECKING:
    from rustyray.engines.native.standing.everywhere import Everywhere
    from rustyray.model.messages import SubmittedJob

#: Options of Ray's that would mean something else here, and what to do.
_REFUSED = {
    **{f"--{option.replace('_', '-')}": instead for option, instead in OF_JOBS.items()},
    "--runtime-env": "give --runtime-env-json, with env_vars and working_dir",
    "--cluster": "write --address",
    "--headers": "there is no HTTP on the way",
    "--verify": "there is no HTTP on the way",
}


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("job", help="run programs on the cluster's machine")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
    submit = _verb(verbs, "submit", _submit, "start a program: rustyray job submit -- python script.py")
    submit.add_argument(
        "--submission-id", "--job-id", default="", metavar="NAME", help="the job's name; one is made up"
    )
    submit.add_argument("--working-dir", default="", metavar="PATH", help="a folder that is copied to where it runs")
    submit.add_argument("--runtime-env-json", default="{}", metavar="JSON", help="'{\"env_vars\": {…}}'")
    submit.add_argument("--metadata-json", default="{}", metavar="JSON", help="names and texts to be remembered")
    submit.add_argument("--no-wait", action="store_true", help="do not show what it writes until it is over")
    submit.add_argument("--entrypoint-num-cpus", type=float, metavar="N", help="what it holds as long as it runs")
    submit.add_argument("--entrypoint-memory", type=float, metavar="BYTES", help="likewise")
    submit.add_argument("--entrypoint-resources", default="{}", metavar="JSON", help="likewise: '{\"license\": 1}'")
    for option in _REFUSED:
        submit.add_argument(option, dest=f"refused {option}", help=argparse.SUPPRESS)
    submit.add_argument("entrypoint", nargs=argparse.REMAINDER, help="the program, behind --")
    _verb(verbs, "status", _status, "what has become of a job").add_argument("name")
    logs = _verb(verbs, "logs", _logs, "what a job has written")
    logs.add_argument("name")
    logs.add_argument("-f", "--follow", action="store_true", help="and what it writes, until it is over")
    _verb(verbs, "stop", _stop, "end a job").add_argument("name")
    _verb(verbs, "delete", _delete, "forget a job that is over, and its log").add_argument("name")
    _verb(verbs, "list", _list, "the jobs that were submitted to the cluster")


def _verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text)
    parser.set_defaults(run=run)
    parser.add_argument("--address", default="", metavar="HOST:PORT", help="the cluster; by default the only one here")
    return parser


def _jobs(given: argparse.Namespace) -> Everywhere:
    from rustyray.engines.native.standing.everywhere import Everywhere
    from rustyray.engines.native.standing.places import find

    return Everywhere(find(given.address or addresses.of_environment() or "auto"))


def _submit(given: argparse.Namespace) -> None:
    from rustyray.engines.native.standing import jobs
    from rustyray.job_submission.client import packed_for_job, refuse_for_jobs, to_hold
    from rustyray.model.messages import SubmittedJob

    for option, instead in _REFUSED.items():
        if getattr(given, f"refused {option}") is not None:
            raise ValueError(f"job submit has no {option}: {instead}")
    words = given.entrypoint[1:] if given.entrypoint[:1] == ["--"] else given.entrypoint
    if not words:
        raise ValueError("no program was given: rustyray job submit -- python script.py")
    environment = _json("runtime_env", given.runtime_env_json)
    refuse_for_jobs("--runtime-env-json", environment)
    if given.working_dir:
        environment["working_dir"] = given.working_dir
    variables = _texts("env_vars", json.dumps(environment.get("env_vars", {})))
    metadata = _texts("metadata", given.metadata_json)
    everywhere = _jobs(given)
    name = given.submission_id or f"raysubmit_{os.urandom(8).hex()}"
    entrypoint = words[0] if len(words) == 1 else shlex.join(words)
    resources = _json("entrypoint_resources", given.entrypoint_resources)
    job = SubmittedJob(name, entrypoint, "", metadata, variables)
    job.holds = to_hold(given.entrypoint_num_cpus, given.entrypoint_memory, resources)
    everywhere.submit(job, packed_for_job(environment))
    print(f"Job '{name}' submitted successfully")
    if given.no_wait:
        print(f"What it writes: rustyray job logs {name}\nTo end it: rustyray job stop {name}")
        return
    _show(everywhere, name)
    job = everywhere.find(name)
    if job.status != jobs.SUCCEEDED:
        raise RuntimeError(f"job '{name}': {job.message}")
    print(f"Job '{name}' succeeded")


def _texts(what: str, text: str) -> dict[str, str]:
    value = _json(what, text)
    if not all(isinstance(one, str) for one in value.values()):
        raise ValueError(f"{what} must be texts by name, got {text}")
    return value


def _json(what: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be a JSON object, got {text}")
    return value


def _show(everywhere: Everywhere, name: str) -> None:
    for text in everywhere.follow(name):
        sys.stdout.write(text)
        sys.stdout.flush()


def _status(given: argparse.Namespace) -> None:
    job = _jobs(given).find(given.name)
    print(f"Status for job '{given.name}': {job.shown_status}\nStatus message: {job.message}")


def _logs(given: argparse.Namespace) -> None:
    everywhere = _jobs(given)
    if given.follow:
        _show(everywhere, given.name)
    else:
        sys.stdout.write(everywhere.output(given.name))


def _stop(given: argparse.Namespace) -> None:
    ran = _jobs(given).stop(given.name)
    print(f"Job '{given.name}' was stopped" if ran else f"Job '{given.name}' was over already")


def _delete(given: argparse.Namespace) -> None:
    _jobs(given).delete(given.name)
    print(f"Job '{given.name}' deleted")


def _list(given: argparse.Namespace) -> None:
    found = _jobs(given).all()
    for job in found:
        print(_line(job))
    if not found:
        print("No job was submitted to this cluster.")


def _line(job: SubmittedJob) -> str:
    seconds = (job.end_time or time.time()) - job.start_time
    return f"{job.submission_id}  {job.shown_status}  {seconds:.0f} s  {job.entrypoint}"
