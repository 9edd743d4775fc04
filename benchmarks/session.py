"""One started system serves probe after probe: ``python -m benchmarks.session SYSTEM DESCRIPTOR PROBE…``."""

from __future__ import annotations

import sys
import traceback

from benchmarks.plan import PROBES
from benchmarks.records import Record, Status
from benchmarks.system import System, Unsupported, load


def run(system: System, name: str, descriptor: int) -> None:
    """Runs one probe and reports it; its failure leaves the others their turn."""
    (measure,) = (probe.measure for probe in PROBES if probe.name == name)
    if measure is None:
        raise ValueError(f"the probe {name} needs a process of its own")
    Record(name, Status.BEGUN).send(descriptor)
    try:
        record = Record(name, Status.MEASURED, measure(system))
    except Unsupported:
        record = Record(name, Status.UNSUPPORTED)
    except Exception as error:  # noqa: BLE001  # a system may fail in any way; it is reported
        traceback.print_exc()
        record = Record(name, Status.FAILED, message=f"{type(error).__name__}: {error}")
    record.send(descriptor)


def main() -> None:
    """Starts the system, runs the probes, and stops it."""
    system = load(sys.argv[1])
    system.start()
    system.burst(200)
    for name in sys.argv[3:]:
        run(system, name, int(sys.argv[2]))
    system.stop()


if __name__ == "__main__":
    main()
