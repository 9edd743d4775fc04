"""What a process takes over from the driver for which it works: directory, environment, import path, arguments, umask.

The user's code runs in workers as if it ran in the driver. A node that belongs to one driver takes all that over
itself, so that its workers are forked with it; of a shared node each worker does so, for the driver of its job.
"""

from __future__ import annotations

import os
import sys
import time

from rustyray.engines.native.processes import kernel
from rustyray.engines.native.processes.boot import NodeBoot
from rustyray.engines.native.processes.texts import received
from rustyray.model.messages import JobSetup


def tell(text: str) -> None:
    """Say something on the driver's standard error."""
    try:
        print(f"rustyray: {text}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass  # nobody reads it any more, and that is no reason to end


def take_over(setup: JobSetup) -> None:
    """In a worker: what its driver has. From another machine only where its modules are, as far as that is here too."""
    if setup.machine == kernel.this_machine():
        enter(setup)
    else:
        path = map(received, setup.sys_path)
        sys.path += [entry for entry in path if entry not in sys.path and os.path.isdir(entry)]


def enter(driver: NodeBoot | JobSetup) -> None:
    """Take over all that the driver has, which runs on this machine."""
    os.umask(driver.umask)
    _take_over_environment({received(name): received(value) for name, value in driver.env.items()})
    sys.path[:] = map(received, driver.sys_path)
    sys.argv[:] = map(received, driver.argv or [""])
    try:
        os.chdir(received(driver.cwd))
    except OSError as error:
        tell(f"the workers run in {os.getcwd()}, not in the driver's directory: {error}")


def _take_over_environment(env: dict[str, str]) -> None:
    """Change what differs only: the zygote began with the driver's environment, and each page touched is copied."""
    environ = os.environ
    time_zone = environ.get("TZ")
    for name in [name for name in environ if name not in env]:
        del environ[name]
    for name, value in env.items():
        if environ.get(name) != value:
            environ[name] = value
    if environ.get("TZ") != time_zone:
        time.tzset()
