"""Dream every Nth frame (a keyframe) and interpolate the frames in between.

Each of those carries detail from the keyframes before and after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dreamvideo import timers
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.motion.flow import Motion, chain_motions
from dreamvideo.motion.warp import warp
from dreamvideo.render.frames.carry import GROWTH, State, carry_weight, store_pixels
from dreamvideo.render.frames.frame_plan import FramePlan
from dreamvideo.render.frames.tracking import TrackedFrame

# A frame is dreamt itself if more than this share of it cannot be traced to the last keyframe.
MAX_UNTRACED = 0.3
# Where neither side is trusted more than this, the dream fades.
LEAST_TRUST = 0.2


@dataclass(frozen=True)
class TimedFrame:
    """A frame, its plan and its position relative to the last keyframe.

    Attributes:
        seen: The tracked frame.
        plan: What to do with it.
        since: Motion to the last keyframe; None where a shot starts.
        at: Changes of the picture since the last keyframe.
    """

    seen: TrackedFrame
    plan: FramePlan
    since: Motion | None
    at: int

    @property
    def starts_shot(self) -> bool:
        """Whether nothing is carried to this frame."""
        return self.since is None


def time_frame(seen: TrackedFrame, plan: FramePlan, last: TimedFrame | None) -> TimedFrame:
    """Place a frame relative to the last keyframe.

    Args:
        seen: The tracked frame.
        plan: What to do with it.
        last: The frame before it; None if that was a keyframe.
    """
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
    """Yield groups of frames; the last of each is a keyframe, the others are interpolated.

    A group ends with every ``cadence``-th change of the picture, before a cut, where too much of
    the picture is new, and at the end of the film. Repeated frames extend it to at most twice that
    length.
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
    """Return the motion from each frame of a group to the keyframe at its end."""
    height, width = group[-1].seen.source.shape[:2]
    still = Motion(np.zeros((height, width, 2), np.float32), np.ones((height, width), np.float32))
    motions = [still]
    for cue in reversed(group[1:]):
        back = cue.seen.back
        motions.append(
            motions[-1] if back is None or cue.seen.repeats else chain_motions(back, motions[-1])
        )
    return motions[::-1]


@timers.stage("warp and carry")
def interpolate(
    before: State, after: State, cue: TimedFrame, back: Motion, share: float, target: Image
) -> Image:
    """Interpolate the dream of a frame between two keyframes.

    Each side's detail is warped onto the frame and weighted by its nearness and confidence.

    Args:
        before: State of the keyframe before.
        after: State of the keyframe after.
        cue: The frame, with its motion to the keyframe before.
        back: Motion from the frame to the keyframe after.
        share: Position between the keyframes, 0 at the first and 1 at the second.
        target: H x W, from ``make_target_map``.

    Returns:
        The dreamt frame, H x W x 3 in [-1, 1].
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
