"""Where RustyRay decides otherwise than Ray, or Ray's engine cannot give what a case asks: which case, and why."""

from __future__ import annotations

from typing import Final, NamedTuple

from rustyray.testing.conformance.cases import Case


class Departure(NamedTuple):
    """The ``engines`` on which the case fails, why that is so, and whether it only ``sometimes`` does.

    One that ``crashes`` would end the process that tries it.
    """

    engines: tuple[str, ...]
    why: str
    sometimes: bool = False
    crashes: bool = False


ITS_OWN_API: Final = ("oracle",)
_ONE_DIRECTORY: Final = Departure(
    ("sim",),
    "A simulated runtime is one process, with one directory and one `sys.path`: it refuses such environments.",
)
_OF_THE_CAUSE: Final = Departure(
    ITS_OWN_API, "The error that Ray's `get` raises has the fields of its cause, not those of RayTaskError."
)

#: By the id of the case.
DEPARTURES: Final[dict[str, Departure]] = {
    "cancelling_calls-a_queued_call_is_cancelled": Departure(
        ("oracle", "ray"), "Ray says that the queued call was cancelled, but may run it all the same.", sometimes=True
    ),
    "environments_of_programs-a_working_dir_is_a_copy": _ONE_DIRECTORY,
    "environments_of_programs-what_is_excluded_is_left_out": _ONE_DIRECTORY,
    "environments_of_programs-py_modules_can_be_imported": _ONE_DIRECTORY,
    "errors-an_error_can_be_pickled": Departure(
        ITS_OWN_API, "The class that Ray makes for an error is known to cloudpickle only; ours to pickle as well."
    ),
    "labels-an_actor_falls_back_too": Departure(
        ITS_OWN_API, "Ray's driver is aborted by an actor with a fallback.", crashes=True
    ),
    "scheduling-blanks_in_selectors_mean_nothing": Departure(
        ITS_OWN_API, "To Ray `in(a, b)` means the label `a` or a label that begins with a blank.", sometimes=True
    ),
    "generators-generators_in_generators": Departure(
        ITS_OWN_API, "Ray calls `send` of what `yield from` hands on: only other generators have that."
    ),
    "error_fields-task_errors_know_their_process": _OF_THE_CAUSE,
    "error_fields-actors_errors_show_the_actor": _OF_THE_CAUSE,
    "error_fields-cancelled_tasks_are_named": Departure(
        ("oracle", "ray"), "Ray does not say which task it was where it had not begun.", sometimes=True
    ),
    "actor_restarts-retried_calls_keep_their_order": Departure(
        ("oracle", "ray"), "Ray may run calls that are made again after later ones.", sometimes=True
    ),
    "process_pools-callbacks_are_called": Departure(
        ITS_OWN_API, "Ray hands an error of its own to the callback, which has the function's in it."
    ),
    "starting-custom_resources_may_be_fractions": Departure(
        ("oracle", "ray"), "A node of Ray has whole numbers of its resources; tasks may ask for fractions."
    ),
    "starting-job_and_driver_must_not_differ": Departure(
        ITS_OWN_API, "Ray takes what `init` says, and compares only what a submitted job has."
    ),
    "groups-negative_bundles_are_refused": Departure(ITS_OWN_API, "Ray takes such a group, which then never is there."),
    "objects-bytearrays_come_back": Departure(ITS_OWN_API, "Ray does not give a bytearray back as one."),
    "objects-an_out_of_band_ref_is_pinned": Departure(
        ITS_OWN_API, "With plain pickle Ray does not see that the ref is pickled, and drops the object."
    ),
    "objects-arrays_come_back_without_a_copy": Departure(
        ("sim",), "A simulated store is in no shared memory: each get makes its own, read-only all the same."
    ),
}

DEPARTURES.update(
    (
        f"states-{name}",
        Departure(
            ("oracle", "ray"),
            "Ray's state API asks its dashboard, which the suite does not start; nor does `engine='ray'` ask it.",
        ),
    )
    for name in (
        "tasks_are_listed_with_their_state",
        "failed_tasks_are_listed_as_such",
        "actors_are_listed_with_their_state",
        "rows_can_be_chosen",
        "nodes_jobs_and_workers_are_listed",
        "objects_are_listed",
        "counts_are_summed_up",
    )
)
DEPARTURES["states-groups_are_listed"] = Departure(
    ITS_OWN_API, "Ray's state API asks its dashboard, which the suite does not start."
)


def of(case: Case, engine: str) -> Departure | None:
    """Why the case fails on this engine, if it is known to."""
    departure = DEPARTURES.get(case.id)
    return departure if departure is not None and engine in departure.engines else None
