"""Every so many-th frame is dreamt; those between carry from the dream before and the one after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.motion.flow import Motion, chain_motions
from dreamvideo.motion.warp import warp
from dreamvideo.render.frames.carry import GROWTH, State, carry_weight, store_pixels
from dreamvideo.render.frames.frame_plan import FramePlan
from dreamvideo.render.frames.tracking import TrackedFrame

# A frame of which more than this share cannot be traced to the last dreamt one is dreamt itself.
MAX_UNTRACED = 0.3
# Where neither side can be trusted more than this, the dream thins out.
LEAST_TRUST = 0.2


@dataclass(frozen=True)
class TimedFrame:
    """A frame, what it is to become, and where it stands.

    ``since`` is the motion to the last dreamt frame (None where a shot begins), ``at`` how many
    changes of the picture lie between.
    """

    seen: TrackedFrame
    plan: FramePlan
    since: Motion | None
    at: int

    @property
    def starts_shot(self) -> bool:
        """Whether nothing is carried to it."""
        return self.since is None


def time_frame(seen: TrackedFrame, plan: FramePlan, last: TimedFrame | None) -> TimedFrame:
    """The frame after ``last`` (None: after a dreamt one)."""
    onto = seen.onto
    if onto is None or plan.coherence.coherence == 0:
        return TimedFrame(seen, plan, None, 0)
    moved = 0 if seen.repeats and not plan.changing else 1
    if last is None or last.since is None:
        return TimedFrame(seen, plan, onto, moved)
    since = last.since if seen.repeats else chain_motions(onto, last.since)
    return TimedFrame(seen, plan, since, last.at + moved)


def group_keyframes(
    frames: Iterable[tuple[TrackedFrame, FramePlan]], cadence: int
) -> Iterator[list[TimedFrame]]:
    """Groups of frames of which the last is to be dreamt and the others lie between.

    A group ends with every ``cadence``-th change of the picture, before a cut, where too much of
    the picture is new and where the film ends. Held frames do not make it longer than twice that.
    """
    group: list[TimedFrame] = []
    for seen, plan in frames:
        cue = time_frame(seen, plan, group[-1] if group else None)
        if cue.starts_shot and group:
            yield group
            group = []
        group.append(cue)
        if _ends_group(group, cadence):
            yield group
            group = []
    if group:
        yield group


def _ends_group(group: list[TimedFrame], cadence: int) -> bool:
    last = group[-1]
    if last.since is None or not cadence > last.at > 0 or len(group) >= 2 * cadence:
        return True
    return float(last.since.confidence.mean()) < 1 - MAX_UNTRACED


def chain_backward_motion(group: list[TimedFrame]) -> list[Motion]:
    """From each frame of a group to the dreamt one at its end."""
    height, width = group[-1].seen.source.shape[:2]
    still = Motion(np.zeros((height, width, 2), np.float32), np.ones((height, width), np.float32))
    motions = [still]
    for cue in reversed(group[1:]):
        back = cue.seen.back
        motions.append(
            motions[-1] if back is None or cue.seen.repeats else chain_motions(back, motions[-1])
        )
    return motions[::-1]


def interpolate(
    before: State, after: State, cue: TimedFrame, back: Motion, share: float, target: Image
) -> Image:
    """The dream of a frame between two dreamt ones, ``share`` of the way from the first.

    Each side's detail is warped onto it and counts for as much as it is near and trusted.
    """
    assert cue.since is not None
    source = cue.seen.source
    total = np.zeros_like(target)
    detail = np.zeros_like(source)
    for state, motion, near in ((before, cue.since, 1 - share), (after, back, share)):
        maturity = warp(state.maturity, motion.flow, interpolation="linear")
        weight = near * motion.confidence
        kept = weight * carry_weight(maturity, target) ** GROWTH
        detail += kept[..., None] * warp(state.dream - state.source, motion.flow)
        total += weight
    detail /= np.maximum(total, LEAST_TRUST)[..., None]
    return store_pixels(source + detail, source, target)
