"""Options for resuming and dividing a render, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

# Warm-up frames over which one segment's dream is cross-faded into the next. On real clips the film
# is then as still there as within a segment, to within 10 %.
WARM_UP = 32


@dataclass(frozen=True)
class RenderOptions:
    """How a render is resumed and divided.

    Attributes:
        restart: Discard an earlier job and start over.
        keep_job: Keep the job folder when the film is complete.
        segment_length: Divide shots of more frames than this into segments that can be dreamt in
            parallel; None: divide only at cuts.
        warm_up: Frames that such a segment starts early, over which it is cross-faded with the one
            before.
    """

    restart: bool = False
    keep_job: bool = False
    segment_length: int | None = None
    warm_up: int = WARM_UP


DEFAULT_OPTIONS = RenderOptions()
