"""joblib on RustyRay: after ``register_ray()``, ``joblib.parallel_config(backend="ray")`` (as in Ray)."""

from __future__ import annotations


def register_ray() -> None:
    """Make the backend known to joblib under the names ``"ray"`` and ``"rustyray"``.

    Raises:
        ImportError: joblib is not installed.
    """
    from joblib.parallel import register_parallel_backend

    from rustyray.util.joblib.ray_backend import RayBackend

    for name in ("ray", "rustyray"):
        register_parallel_backend(name, RayBackend)


__all__ = ["register_ray"]
