"""Where Ray has its error."""

from __future__ import annotations

from rustyray.util.state.choosing import RayStateApiException

__all__ = ["RayStateApiException"]
