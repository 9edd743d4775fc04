"""``ActorGroup``: several actors of one class, called together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

import rustyray


class ActorConfig(NamedTuple):
    """What each actor of a group is made with."""

    num_cpus: float
    num_gpus: float
    resources: Mapping[str, float] | None
    init_args: tuple[Any, ...]
    init_kwargs: Mapping[str, Any]


class ActorWrapper(NamedTuple):
    """An actor, and what its ``get_actor_metadata`` returned, if it has that method."""

    actor: Any
    metadata: Any


class ActorGroupMethod:
    """A method of all actors of a group."""

    def __init__(self, group: ActorGroup, name: str) -> None:
        self._group = group
        self._name = name

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError(f"methods of a group cannot be called directly: write group.{self._name}.remote(…)")

    def remote(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Call it in every actor; a ref for each, in the order of the actors."""
        return [getattr(one.actor, self._name).remote(*args, **kwargs) for one in self._group.actors]


class ActorGroup:
    """Actors of one class: ``group.method.remote(…)`` calls all of them (as in Ray, where it is deprecated).

    Args:
        actor_cls: the plain class.
        num_actors: how many, 1 or more.
        num_cpus_per_actor, num_gpus_per_actor, resources_per_actor: what each holds while it lives.
        init_args, init_kwargs: arguments of the constructor.

    Raises:
        ValueError: There are to be no actors, or less than no CPUs or GPUs.
    """

    def __init__(
        self,
        actor_cls: type,
        num_actors: int = 1,
        num_cpus_per_actor: float = 1,
        num_gpus_per_actor: float = 0,
        resources_per_actor: Mapping[str, float] | None = None,
        init_args: tuple[Any, ...] | None = None,
        init_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if num_actors <= 0:
            raise ValueError(f"num_actors must be 1 or more, got {num_actors!r}")
        if num_cpus_per_actor < 0 or num_gpus_per_actor < 0:
            raise ValueError(
                "num_cpus_per_actor and num_gpus_per_actor must not be negative, got "
                f"{num_cpus_per_actor!r} and {num_gpus_per_actor!r}"
            )
        self.actors: list[ActorWrapper] = []
        self.num_actors = num_actors
        self._init = init_args or (), dict(init_kwargs or {})
        plain: Any = rustyray.remote(
            num_cpus=num_cpus_per_actor, num_gpus=num_gpus_per_actor, resources=dict(resources_per_actor or {})
        )
        self._actor_class = plain(actor_cls)
        self.start()

    def __getattr__(self, name: str) -> ActorGroupMethod:
        if name.startswith("_") or name == "actors":  # a half-made group
            raise AttributeError(name)
        if not self.actors:
            raise RuntimeError("this group was shut down: call start() first")
        return ActorGroupMethod(self, name)

    def __len__(self) -> int:
        return len(self.actors)

    def __getitem__(self, index: int) -> ActorWrapper:
        return self.actors[index]

    def start(self) -> None:
        """Start the actors, after a `shutdown`. Raises RuntimeError if there are some."""
        if self.actors:
            raise RuntimeError("the actors run already: call shutdown() before start()")
        self.add_actors(self.num_actors)

    def shutdown(self, patience_s: float = 5) -> None:
        """End the actors after their calls, or at once those that have not ended in ``patience_s`` seconds."""
        last = [one.actor.__ray_terminate__.remote() for one in self.actors] if patience_s > 0 else []
        done = set(rustyray.wait(last, num_returns=len(last), timeout=patience_s)[0]) if last else set()
        for number, one in enumerate(self.actors):
            if not last or last[number] not in done:
                rustyray.kill(one.actor)
        self.actors = []

    def add_actors(self, num_actors: int) -> None:
        """Start so many actors more."""
        args, kwargs = self._init
        new = [self._actor_class.remote(*args, **kwargs) for _ in range(num_actors)]
        metadata = [actor.get_actor_metadata.remote() for actor in new if "get_actor_metadata" in dir(actor)]
        self.actors += map(ActorWrapper, new, rustyray.get(metadata) if metadata else [None] * num_actors)

    def remove_actors(self, actor_indexes: Iterable[int]) -> None:
        """Let go of the actors with these numbers: each ends if nobody else has its handle."""
        gone = set(actor_indexes)
        self.actors = [one for number, one in enumerate(self.actors) if number not in gone]

    @property
    def actor_metadata(self) -> list[Any]:
        """What ``get_actor_metadata`` returned in each actor; None where there is no such method."""
        return [one.metadata for one in self.actors]
