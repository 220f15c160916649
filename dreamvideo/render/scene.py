"""A look and the footage that it is laid over, made ready: source frames -> dreamt ones."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from dreamvideo.media.read import Frame
from dreamvideo.media.sound import sound_of
from dreamvideo.render.carry import State
from dreamvideo.render.clip import Dreamt, dream_clip
from dreamvideo.render.director import Director, Span, direct, first_palette
from dreamvideo.render.dreamers import DEFAULT_MACHINE
from dreamvideo.render.footage import Footage
from dreamvideo.render.viewpoint import Viewpoint
from dreamvideo.settings import Look, MachineSettings


class Scene:
    """Camera, sound, masks, palette and networks of one clip's render."""

    def __init__(
        self,
        look: Look,
        footage: Footage,
        machine: MachineSettings = DEFAULT_MACHINE,
        on_tile: Callable[[int, int], None] | None = None,
    ) -> None:
        """``on_tile`` is told of the tiles of large frames: (done, total).

        Raises UsageError, MediaError for what cannot be read or heard, WeightsError.
        """
        self._footage = footage
        frames = footage.expected
        span = Span(footage.size, footage.rate, footage.begin, _length(footage))
        self._viewpoint = viewpoint_of(look, footage)
        sound = sound_of(footage.info, footage.begin, footage.end) if look.sounds else None
        director = direct(look, span, sound=sound, machine=machine)
        times = (footage.begin + n / footage.rate for n in range(frames or 0))
        look.check(director.moment(time) for time in times)
        self.director = self._matching_first(director)
        if on_tile is not None:
            self.director = self.director.telling(on_tile)

    def dream(
        self, frames: Iterator[Frame], state: State | None, ahead: int = 0
    ) -> Generator[Dreamt, None, None]:
        """The dreams of source frames, gone on with from ``state``.

        ``ahead`` of them are decoded and followed while another is dreamt (``dream_clip``).
        """
        director = self.director
        return dream_clip(
            map(self._viewpoint.seen, frames),
            director.dreamers[0],
            director.look.coherence,
            state=state,
            direct=director,
            follow=director.needs_motion,
            ahead=ahead,
        )

    def _matching_first(self, director: Director) -> Director:
        """The director, who knows the first frame's palette if colours are to match it."""
        if not director.needs_first:
            return director
        with self._footage.open() as source:
            for frame in source:
                palette = first_palette(director, self._viewpoint.seen(frame))
                return replace(director, palette=palette)
        return director


def viewpoint_of(look: Look, footage: Footage) -> Viewpoint:
    """The camera over a clip. Raises UsageError for a formula that has no value."""
    rate = float(footage.rate)
    return Viewpoint(look.camera, *footage.size, footage.begin, _length(footage), rate)


def _length(footage: Footage) -> float:
    frames = footage.expected
    return float(frames / footage.rate) if frames else float("inf")
