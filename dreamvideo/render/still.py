"""One picture dreamt as a director tells: where, what, how strongly, in which colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dreamvideo.dream.ascent import Image
from dreamvideo.dream.dreamer import ladder_for
from dreamvideo.dream.octaves import Climbing
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.read import Frame
from dreamvideo.paint.headroom import make_headroom
from dreamvideo.render.carry import headroom_map, stored
from dreamvideo.render.direction import Part, target_map
from dreamvideo.render.director import Director


@dataclass(frozen=True)
class Growing:
    """One step of a picture's dream: ``done`` of ``total``, the objective, the picture so far."""

    done: int
    total: int
    loss: float
    image: Callable[[], Image]


@dataclass(frozen=True)
class Dreamt:
    """A finished picture (H x W x 3 in [-1, 1]) and the objective before each step.

    Without a step, as where the strength is 0, there is no objective.
    """

    image: Image
    losses: tuple[float, ...]


def dream_still(
    director: Director, image: Image, on_step: Callable[[Growing], None] | None = None
) -> Dreamt:
    """Dream a picture, H x W x 3 in [-1, 1], as the director's first frame."""
    direction = director(_frame_of(image), image)
    target = target_map(direction, image.shape)
    parts = [part for part in direction.parts if np.any(target * part.share)]
    total, done = _total(parts, image), 0
    finish = direction.finish

    def finished(picture: Image) -> Image:
        kept = stored(picture, image, target)
        return kept if finish is None else finish(kept, image)

    current = make_headroom(image, headroom_map(parts, target))
    losses: list[float] = []
    for part in parts:
        scale = np.asarray(target * part.share, np.float32)

        def report(step: Climbing, before: int = done) -> None:
            if on_step is not None:
                grown = step.image
                on_step(Growing(before + step.done, total, step.loss, lambda: finished(grown())))

        plain = bool((scale == 1).all())
        dreamt = part.dreamer.dream(
            current, step_scale=None if plain else scale, on_step=report if on_step else None
        )
        current, done = dreamt.image, done + len(dreamt.losses)
        losses += dreamt.losses
    return Dreamt(finished(current), tuple(losses))


def steps_of(director: Director, image: Image) -> int:
    """How many steps ``dream_still`` takes."""
    direction = director(_frame_of(image), image)
    target = target_map(direction, image.shape)
    return _total([part for part in direction.parts if np.any(target * part.share)], image)


def _total(parts: Sequence[Part], image: Image) -> int:
    return sum(ladder_for(part.dreamer.settings, *image.shape[:2]).total for part in parts)


def _frame_of(image: Image) -> Frame:
    return Frame(0, Fraction(0), Fraction(1, 25), to_bytes(image))
