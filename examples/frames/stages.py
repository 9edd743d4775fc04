"""A camera, a correction and a summary, each an actor, with frames of 50 MB passing between them.

The driver wires the stages together with refs; a frame's pixels go from the worker that made it to the worker that
needs it, through shared memory, and never through the driver.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import rustyray

Frame = npt.NDArray[np.float32]

SHAPE = (2500, 5000)
"""Rows and columns of a frame: 12.5 million pixels of 4 bytes, 50 MB."""


@dataclass(frozen=True)
class Summary:
    """What is kept of a frame."""

    mean: float
    brightest: float


def expose(number: int) -> Frame:
    """Returns the frame that the camera takes as number `number`: a ramp, brighter every time."""
    row = np.linspace(number, number + 1, SHAPE[1], dtype=np.float32)
    return np.broadcast_to(row, SHAPE).copy()


def summarise(frame: Frame) -> Summary:
    """Boils a frame down to a few numbers."""
    return Summary(float(frame.mean(dtype=np.float64)), float(frame.max()))


@rustyray.remote
class Camera:
    """Takes one frame after another."""

    def __init__(self) -> None:
        self._taken = 0

    def capture(self) -> Frame:
        """Takes the next frame."""
        self._taken += 1
        return expose(self._taken)


@rustyray.remote
class Correction:
    """Subtracts the dark frame from what it is given."""

    def __init__(self, dark: Frame) -> None:
        self._dark = dark

    def apply(self, frame: Frame) -> Frame:
        """Returns a corrected copy."""
        return frame - self._dark

    def apply_in_place(self, frame: Frame) -> Frame:
        """Tries to save the copy; a frame belongs to everyone who holds its ref, so this raises ValueError."""
        frame -= self._dark
        return frame


@rustyray.remote
class Archive:
    """Keeps frames alive after everyone else let go of them, by keeping their refs."""

    def __init__(self) -> None:
        self._frames: list[rustyray.ObjectRef[Frame]] = []

    def keep(self, frames: list[rustyray.ObjectRef[Frame]]) -> int:
        """Takes refs, not frames: nothing is copied."""
        self._frames += frames
        return len(self._frames)

    def summary(self, position: int) -> Summary:
        """Summarises a kept frame."""
        return summarise(rustyray.get(self._frames[position]))


@rustyray.remote
def summary_of(frame: Frame) -> Summary:
    """Summarises a frame in a worker."""
    return summarise(frame)


def run(frames: int, dark: Frame) -> list[Summary]:
    """Takes, corrects and summarises some frames; while one is corrected the next one is taken."""
    camera, correction = Camera.remote(), Correction.remote(rustyray.put(dark))
    corrected = [correction.apply.remote(camera.capture.remote()) for _ in range(frames)]
    return rustyray.get([summary_of.remote(frame) for frame in corrected])
