"""Planners of recent looks, kept so that a changed number is dreamt without compiling again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from dreamvideo.render.frames.planner import FilmSpan, FramePlanner, make_planner
from dreamvideo.settings import Look

# Numbers of a look that are not compiled: ``Dreamer.at`` takes them as they are.
_FREE = ("octaves", "octave_scale", "steps", "step_size", "jitter", "strength", "seed")


class KeptPlanners:
    """The last ``most`` planners of single frames, by what is compiled of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, FramePlanner] = OrderedDict()

    def get(self, look: Look, size: tuple[int, int]) -> FramePlanner:
        """Return a planner for a look without schedules, and frames of (width, height).

        Raises DreamVideoError.
        """
        values = look.model_dump(mode="json", include={"dream", "mask", "regions"})
        fixed = {name: value for name, value in values["dream"].items() if name not in _FREE}
        fixed["smooth"] = fixed["smooth"] > 0
        palette = look.colour.match_colour
        mask = values["mask"] if values["regions"] else None
        key = repr((fixed, mask, values["regions"], palette, *size))
        made = self._kept.pop(key, None)
        if made is None:
            made = make_planner(look, FilmSpan(size))
        elif made.look.mask != look.mask:
            # Each stroke of a brush is another mask of the same dream.
            (dreamer,) = made.dreamers
            made = make_planner(look, FilmSpan(size), make=lambda *_: dreamer)
        self._kept[key] = made
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)[1].close()
        return replace(made, look=look)
