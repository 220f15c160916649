"""Every so many-th frame is dreamt; those between carry from the dream before and the one after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dreamvideo.dream.ascent import Image
from dreamvideo.motion.flow import Motion, chained
from dreamvideo.motion.warp import warp
from dreamvideo.render.ahead import Seen
from dreamvideo.render.carry import GROWTH, State, stored, thinned
from dreamvideo.render.direction import Direction

# A frame of which more than this share cannot be traced to the last dreamt one is dreamt itself.
LOST = 0.3
# Where neither side can be trusted more than this, the dream thins out.
LEAST_TRUST = 0.2


@dataclass(frozen=True)
class Cue:
    """A frame, what it is to become, and where it stands.

    ``since`` is the motion to the last dreamt frame (None where a shot begins), ``at`` how many
    changes of the picture lie between.
    """

    seen: Seen
    direction: Direction
    since: Motion | None
    at: int

    @property
    def starts_shot(self) -> bool:
        """Whether nothing is carried to it."""
        return self.since is None


def cued(seen: Seen, direction: Direction, last: Cue | None) -> Cue:
    """The frame after ``last`` (None: after a dreamt one)."""
    onto = seen.onto
    if onto is None or direction.coherence.coherence == 0:
        return Cue(seen, direction, None, 0)
    moved = 0 if seen.repeats and not direction.changing else 1
    if last is None or last.since is None:
        return Cue(seen, direction, onto, moved)
    since = last.since if seen.repeats else chained(onto, last.since)
    return Cue(seen, direction, since, last.at + moved)


def grouped(frames: Iterable[tuple[Seen, Direction]], cadence: int) -> Iterator[list[Cue]]:
    """Groups of frames of which the last is to be dreamt and the others lie between.

    A group ends with every ``cadence``-th change of the picture, before a cut, where too much of
    the picture is new and where the film ends. Held frames do not make it longer than twice that.
    """
    group: list[Cue] = []
    for seen, direction in frames:
        cue = cued(seen, direction, group[-1] if group else None)
        if cue.starts_shot and group:
            yield group
            group = []
        group.append(cue)
        if _ends(group, cadence):
            yield group
            group = []
    if group:
        yield group


def _ends(group: list[Cue], cadence: int) -> bool:
    last = group[-1]
    if last.since is None or not cadence > last.at > 0 or len(group) >= 2 * cadence:
        return True
    return float(last.since.confidence.mean()) < 1 - LOST


def backwards(group: list[Cue]) -> list[Motion]:
    """From each frame of a group to the dreamt one at its end."""
    height, width = group[-1].seen.source.shape[:2]
    still = Motion(np.zeros((height, width, 2), np.float32), np.ones((height, width), np.float32))
    motions = [still]
    for cue in reversed(group[1:]):
        back = cue.seen.back
        motions.append(
            motions[-1] if back is None or cue.seen.repeats else chained(back, motions[-1])
        )
    return motions[::-1]


def between(
    before: State, after: State, cue: Cue, back: Motion, share: float, target: Image
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
        kept = weight * thinned(maturity, target) ** GROWTH
        detail += kept[..., None] * warp(state.dream - state.source, motion.flow)
        total += weight
    detail /= np.maximum(total, LEAST_TRUST)[..., None]
    return stored(source + detail, source, target)
