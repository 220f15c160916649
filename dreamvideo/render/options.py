"""How a render goes on after an earlier one, and how it is divided: plain values."""

from __future__ import annotations

from dataclasses import dataclass

# Frames in which one part's dream goes over into the next one's: on real clips the film is then as
# still as within a part, to 10 %.
WARM_UP = 32


@dataclass(frozen=True)
class RenderOptions:
    """How a render goes on, and how it is divided.

    ``restart`` forgets an earlier job, ``keep_job`` keeps this one's folder when the film is
    complete. Shots of a clip of more than ``segment_length`` frames are divided into parts that
    may be dreamt side by side, each begun ``warm_up`` frames early, in which the film goes over
    from one to the next; None: only scene cuts divide.
    """

    restart: bool = False
    keep_job: bool = False
    segment_length: int | None = None
    warm_up: int = WARM_UP


DEFAULT_OPTIONS = RenderOptions()
