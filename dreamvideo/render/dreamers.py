"""Settings -> a dreamer, with the files that they name read."""

from __future__ import annotations

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.runtime import settle_threads
from dreamvideo.media.pixels import to_float
from dreamvideo.media.stills import read_still
from dreamvideo.settings import DreamSettings, Look, MachineSettings

DEFAULT_MACHINE = MachineSettings()


def dreamer_of(
    dream: DreamSettings, look: Look, machine: MachineSettings = DEFAULT_MACHINE
) -> Dreamer:
    """A dreamer of ``dream``, which is the look's own or that of a part of it.

    What changes over time in the look is compiled so that it can. Raises UsageError, WeightsError,
    MediaError for a guide that cannot be read.
    """
    if machine.threads is not None:
        settle_threads(machine.threads)
    varying = {name.partition(".")[2] for name in look.over_time if name.startswith("dream.")}
    guide = None if dream.guide is None else to_float(read_still(dream.guide))
    return Dreamer(dream, guide=guide, varying=varying, machine=machine)
