"""Estimate how long a clip will take, from a few steps measured on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from dreamvideo.dream.dreamer import make_octave_schedule
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.mixture import weigh_equally
from dreamvideo.dream.octaves import Dream
from dreamvideo.imaging import resize
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.probe import MediaInfo
from dreamvideo.media.read import Frame
from dreamvideo.motion.flow import Motion
from dreamvideo.processors import available_processors
from dreamvideo.render.dream_size import STILL_PIXELS, choose_dream_size, enlarge_to_bytes
from dreamvideo.render.frames.carry import propagate, resolve_coherence, start_shot
from dreamvideo.render.frames.frame_plan import WeightedDream
from dreamvideo.render.frames.planner import make_dreamer
from dreamvideo.render.frames.tracking import track_frames
from dreamvideo.render.job.disk_space import estimate_disk_bytes
from dreamvideo.render.zoom.start_image import make_noise
from dreamvideo.settings import CoherenceSettings, DreamSettings, Look
from dreamvideo.settings.derive import derive_dream

# Steps are timed on a picture of at most this size; their cost grows with the pixels.
PROBE_PIXELS = 360 * 640
# Time to store and encode a frame, as a multiple of carrying it without the network.
STORING = 0.3
# Time of a whole dream whose last steps at each size are closing steps, as a multiple of one
# without.
CLOSING = 1.08
# A process on c cores is about c ** this times as fast as on one, while c processes with one core
# each are c times as fast. Two processes on two cores rendered 1.31 to 1.49 times the frames of
# one.
THREADS_GAIN = 0.5
# Time for motion in one direction, as a share of both directions.
ONE_WAY = 0.65


@dataclass(frozen=True)
class Cost:
    """Seconds per pixel on this machine.

    Attributes:
        step: A gradient step.
        whole: The average gradient step of a whole dream.
        flow: Motion both ways.
        rest: All else that a frame takes at the dream's size.
        enlarging: Bringing a smaller dream to full size, and storing it there.
    """

    step: float
    whole: float
    flow: float
    rest: float
    enlarging: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """What a render of a clip needs: frames, seconds per frame and in total, and bytes of disk."""

    frames: int
    seconds_per_frame: float
    seconds: float
    disk_bytes: int


def estimate_clip(
    info: MediaInfo,
    size: tuple[int, int],
    look: Look,
    rate: Fraction | None = None,
    *,
    workers: int = 1,
) -> Estimate:
    """Time some steps and one flow, and scale them to the clip; takes a few seconds.

    Args:
        info: The clip.
        size: (width, height) of the render in pixels.
        look: The look.
        rate: Frames per second of the render; None: the clip's own.
        workers: Number of processes that share the clip.
    """
    frames = max(1, round(info.duration * (rate or info.rate)))
    cost = measure_cost(look, size)
    frame = estimate_seconds_per_frame(cost, look, size) / estimate_gain(workers)
    disk = estimate_disk_bytes(frames, *size, look.coherence.passes, alpha=info.has_alpha)
    return Estimate(frames, frame, estimate_seconds(cost, look, size, frames, workers), disk)


def estimate_still(size: tuple[int, int], look: Look) -> float:
    """Time some steps and scale them to a picture; returns seconds.

    Args:
        size: (width, height) of the render in pixels.
        look: The look.
    """
    cost = measure_cost(look, size)
    dreamt = choose_dream_size(look.dream.dream_size, size, STILL_PIXELS)
    steps = sum(cost.whole * count_dreamt_pixels(dream, dreamt) for dream in _list_dreams(look))
    return steps + cost.enlarging * size[0] * size[1]


def measure_cost(look: Look, size: tuple[int, int]) -> Cost:
    """Measure the cost of each kind of work on this machine.

    Args:
        look: The look.
        size: (width, height) of the render in pixels.
    """
    width, height = size
    shrink = max(1.0, (width * height / PROBE_PIXELS) ** 0.5)
    small = (max(32, round(height / shrink)), max(32, round(width / shrink)))
    picture, other = make_noise(*small, seed=0), make_noise(*small, seed=1)
    shot = look.coherence.model_copy(update={"cut_threshold": 2.0, "cadence": 2})
    # A network may be silent at first; a film may be longer than its first weights hold.
    dreamer = make_dreamer(look.dream, look).at(weigh_equally(look.dream))
    dreamer.dream(picture, steps=1)
    step = _time_call(lambda: dreamer.dream(picture, steps=1))
    frame = Frame(0, Fraction(0), Fraction(1), to_bytes(picture))
    flow = _time_call(lambda: list(track_frames([frame], other, shot)))
    whole = np.ones(small, np.float32)
    parts = (WeightedDream(_NullDreamer(look.dream)),)
    state, _ = start_shot(picture, parts, whole, holds_bands=look.coherence.hold == "bands")
    motion = Motion(np.full((*small, 2), np.float32(0.5)), whole)
    carrying = _time_call(lambda: propagate(state, other, motion, parts, look.coherence, whole))
    pixels = small[0] * small[1]
    half = resize(picture, (small[0] // 2, small[1] // 2), "area")
    enlarging = _time_call(lambda: enlarge_to_bytes(half[::-1], half, frame.pixels))
    step /= count_dreamt_pixels(look.dream, small[::-1], 1)
    return Cost(
        step,
        step * (CLOSING if dreamer.closes else 1),
        flow / count_flow_pixels(small[::-1], look.coherence),
        carrying * (1 + STORING) / pixels,
        (enlarging + carrying * STORING) / pixels,
    )


def estimate_seconds(
    cost: Cost, look: Look, size: tuple[int, int], frames: int, workers: int = 1
) -> float:
    """Estimate the seconds for a clip of one shot.

    Args:
        cost: From ``measure_cost``.
        look: The look.
        size: (width, height) in pixels.
        frames: Number of frames.
        workers: Number of processes that share it.
    """
    dreamt = choose_dream_size(look.dream.dream_size, size)
    first = sum(cost.whole * count_dreamt_pixels(dream, dreamt) for dream in _list_dreams(look))
    return (first + frames * estimate_seconds_per_frame(cost, look, size)) / estimate_gain(workers)


def estimate_seconds_per_frame(cost: Cost, look: Look, size: tuple[int, int]) -> float:
    """Estimate the average seconds of a frame within a shot.

    Args:
        cost: From ``measure_cost``.
        look: The look.
        size: (width, height) in pixels.
    """
    full, size = size, choose_dream_size(look.dream.dream_size, size)
    coherence, passes = look.coherence, look.coherence.passes
    carried = coherence.coherence > 0
    dreaming = 0.0
    for dream in _list_dreams(look):
        steps, share = average_steps(coherence, dream.steps)
        step = cost.step if carried else cost.whole
        dreaming += step * share * count_dreamt_pixels(dream, size, steps)
    flows = ONE_WAY * (passes - 1)
    if carried or look.over_time:
        flows += ONE_WAY if coherence.cadence == 1 else 1.0
    motion = flows * cost.flow * count_flow_pixels(size, coherence)
    # A second pass works at the output's size.
    rest = cost.rest * (size[0] * size[1] + (passes - 1) * full[0] * full[1])
    if full != size:
        rest += cost.enlarging * full[0] * full[1]
    return dreaming + motion + rest


def average_steps(coherence: CoherenceSettings, full_steps: int) -> tuple[int, float]:
    """Return the steps of a frame within a shot, and the average share of its area they cover.

    Args:
        coherence: The coherence settings.
        full_steps: Steps of a whole dream.
    """
    if coherence.coherence == 0:
        return full_steps, 1.0
    carry = resolve_coherence(coherence, full_steps)
    return carry.steps, carry.climbed_share / coherence.cadence


def _list_dreams(look: Look) -> list[DreamSettings]:
    """List the dream settings that run on a frame, one after another."""
    if look.dream.strength == 0 and "dream.strength" not in look.over_time:
        return []
    return [look.dream, *(derive_dream(region, look.dream) for region in look.regions)]


def estimate_gain(workers: int) -> float:
    """Return how many times faster that many processes are than one on the available cores."""
    cores = available_processors()
    workers = max(1, min(workers, cores))
    return float(workers * (cores / workers) ** THREADS_GAIN / cores**THREADS_GAIN)


def count_dreamt_pixels(
    dream: DreamSettings, size: tuple[int, int], steps: int | None = None
) -> int:
    """Count the pixels in all steps of all octaves of a picture.

    Args:
        dream: The dream settings.
        size: (width, height) in pixels.
        steps: Steps per octave; None: the settings' own.
    """
    return make_octave_schedule(dream, size[1], size[0], steps).pixel_steps


def count_flow_pixels(size: tuple[int, int], coherence: CoherenceSettings) -> float:
    """Count the pixels at which flow is estimated in pictures of that (width, height)."""
    return size[0] * size[1] * min(1.0, coherence.flow_width / size[0]) ** 2


class _NullDreamer:
    """Dreams nothing at no cost, so that timing it measures everything else in a frame."""

    def __init__(self, settings: DreamSettings) -> None:
        self.settings = settings

    def dream(self, image: Image, **_: Any) -> Dream:
        return Dream(image, (0.0,))


def _time_call(work: Callable[[], object]) -> float:
    """Return the median time of three calls, in seconds."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return sorted(times)[1]
