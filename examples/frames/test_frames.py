"""Frames arrive whole, read-only and without a detour, and live exactly as long as somebody holds them."""

from __future__ import annotations

import numpy as np
import pytest

import rustyray
from examples.frames.stages import (
    SHAPE,
    Archive,
    Camera,
    Correction,
    Frame,
    expose,
    run,
    summarise,
)
from rustyray.exceptions import RayTaskError

pytestmark = [pytest.mark.usefixtures("rustyray_local"), pytest.mark.rustyray(num_cpus=2)]


@rustyray.remote
def band_mean(frame: Frame, first: int, last: int) -> float:
    return float(frame[first:last].mean(dtype=np.float64))


@rustyray.remote
def properties(frame: Frame) -> tuple[int, bool, bool]:
    return frame.nbytes, frame.flags.writeable, frame.flags.owndata


def test_the_pipeline_computes_what_numpy_computes() -> None:
    dark = np.full(SHAPE, 0.25, dtype=np.float32)
    assert run(3, dark) == [summarise(expose(number) - dark) for number in (1, 2, 3)]


def test_a_frame_of_50_mb_comes_back_read_only() -> None:
    frame = rustyray.get(Camera.remote().capture.remote())
    assert frame.nbytes == 50_000_000
    np.testing.assert_array_equal(frame, expose(1))
    with pytest.raises(ValueError, match="read-only"):
        frame[0, 0] = 1


def test_a_worker_sees_the_shared_frame_and_not_a_copy() -> None:
    nbytes, writeable, owns_its_data = rustyray.get(properties.remote(rustyray.put(expose(1))))
    assert (nbytes, writeable, owns_its_data) == (50_000_000, False, False)


def test_a_stage_that_writes_into_its_input_fails_and_leaves_it_alone() -> None:
    dark = np.ones(SHAPE, dtype=np.float32)
    correction = Correction.remote(dark)
    frame = rustyray.put(expose(1))
    with pytest.raises(ValueError, match="read-only") as caught:
        rustyray.get(correction.apply_in_place.remote(frame))
    assert isinstance(caught.value, RayTaskError)
    assert "apply_in_place" in str(caught.value)
    corrected = rustyray.get(correction.apply.remote(frame))
    assert summarise(corrected) == summarise(expose(1) - dark)


def test_many_tasks_read_bands_of_one_frame() -> None:
    frame = rustyray.put(expose(2))
    bands = range(0, SHAPE[0], 250)
    means = rustyray.get([band_mean.remote(frame, first, first + 250) for first in bands])
    assert means == [pytest.approx(2.5)] * len(bands)


def test_an_archive_keeps_frames_that_the_driver_dropped() -> None:
    camera, archive = Camera.remote(), Archive.remote()
    frames = [camera.capture.remote() for _ in range(3)]
    kept = rustyray.get(archive.keep.remote(frames))
    del frames
    summaries = rustyray.get([archive.summary.remote(position) for position in range(kept)])
    assert summaries == [summarise(expose(number)) for number in (1, 2, 3)]


def test_a_gigabyte_of_frames_passes_through_without_piling_up() -> None:
    source = rustyray.put(expose(1))
    correction = Correction.remote(np.zeros(SHAPE, dtype=np.float32))
    for _ in range(20):
        corrected = rustyray.get(correction.apply.remote(source))
        assert corrected[0, -1] == 2
