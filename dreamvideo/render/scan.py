"""A clip, read once from its start to its end -> its shots, and where each part of it may begin."""

from __future__ import annotations

from dataclasses import dataclass

from dreamvideo.errors import MediaError
from dreamvideo.media.paths import shown
from dreamvideo.media.pixels import to_float
from dreamvideo.media.read import Opening, checksum
from dreamvideo.motion.cuts import is_cut
from dreamvideo.render.footage import Footage
from dreamvideo.render.going import Going
from dreamvideo.render.progress import OnProgress, Progress
from dreamvideo.render.scene import viewpoint_of
from dreamvideo.render.segments import Segment, opened, plan
from dreamvideo.settings import Look

# Frames that need no others are divided into so many parts for each process, so that none waits
# long for the last one; but into none so short that its start would be felt.
PARTS_EACH = 4
LEAST_PART = 16


@dataclass(frozen=True)
class Scan:
    """Every frame of a clip as where it may be opened, and the numbers of those that begin a shot.

    ``missing`` frames are lost to damage, ``notes`` are what the user should hear. Of a clip that
    is not ``sound``, what is decoded depends on where that began.
    """

    frames: tuple[Opening, ...]
    cuts: tuple[int, ...]
    missing: int
    notes: tuple[str, ...]
    sound: bool


def scan(read: Footage, look: Look, on_progress: OnProgress) -> Scan:
    """Read a clip whole. Raises MediaError."""
    viewpoint = viewpoint_of(look, read)
    follow = not independent(look)
    frames: list[Opening] = []
    cuts: list[int] = []
    before = None
    with read.open() as source:
        for frame in source:
            if follow:
                now = to_float(viewpoint.seen(frame).pixels)
                if before is not None and is_cut(now, before, look.coherence.cut_threshold):
                    cuts.append(frame.index)
                before = now
            frames.append(Opening(frame.index, frame.time, checksum(frame)))
            on_progress(Progress("looking for cuts", "frame", len(frames), read.expected))
    if not frames:
        raise MediaError(f"{shown(read.info.path)}: no frame could be decoded in that range")
    return Scan(tuple(frames), tuple(cuts), source.missing, tuple(source.notes), source.sound)


def segments_of(
    read: Footage, look: Look, going: Going, most: int, on_progress: OnProgress
) -> tuple[tuple[Segment, ...], Scan]:
    """The parts in which a clip is dreamt by ``most`` processes at a time, and what it holds.

    Raises MediaError.
    """
    found = scan(read, look, on_progress)
    count = len(found.frames)
    longest, warm_up = going.segment_length, going.warm_up
    if independent(look):
        longest, warm_up = longest or even_length(count, most), 0
    parts = plan(found.cuts, count, longest, warm_up)
    return opened(parts, found.frames) if found.sound else parts, found


def independent(look: Look) -> bool:
    """Whether no frame of a look needs any other: such a film may be divided anywhere."""
    coherence = look.coherence
    follows = any(where.motion != "any" for where in (look.mask, *look.regions))
    varies = any(name.startswith("coherence.") for name in look.over_time)
    return coherence.coherence == 0 and coherence.passes == 1 and not varies and not follows


def even_length(frames: int, most: int) -> int | None:
    """Frames in a part of a film that may be divided anywhere; None: it stays whole."""
    if most < 2:
        return None
    return max(LEAST_PART, -(-frames // (PARTS_EACH * most)))
