"""What Ray has under ``ray.experimental`` and programs use: where objects are, the head's entries, progress bars."""

from __future__ import annotations

from rustyray.experimental.locations import get_local_object_locations, get_object_locations

__all__ = ["get_local_object_locations", "get_object_locations"]


def __getattr__(name: str) -> object:
    if name not in ("internal_kv", "queue", "tqdm_ray"):
        from rustyray.missing import absent

        raise absent(__name__, name)
    from importlib import import_module

    return import_module(f"rustyray.experimental.{name}")
