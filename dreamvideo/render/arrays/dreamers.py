"""Dreamers that outlive a call, so that a loop over pictures loads and compiles one only once."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any

from dreamvideo.dream.dream_objective import DreamObjective, Value
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.mixture import list_model_files
from dreamvideo.render.frames.planner import (
    MakeDreamer,
    dreamer_factory,
    list_varying,
    make_dreamer,
)
from dreamvideo.settings import DreamSettings, Look, MachineSettings

# A compiled dreamer takes some hundred megabytes.
MOST_KEPT = 2
# What a compiled dreamer knows nothing of: it can have any value of these.
FREE = frozenset(
    {
        *("creature_size", "detail", "headroom", "dream_size", "octaves", "octave_scale"),
        *("steps", "step_size", "jitter", "strength", "seed"),
    }
)

_lock = Lock()
_kept: OrderedDict[tuple[Any, ...], Dreamer] = OrderedDict()


def reuse_dreamers(objective: DreamObjective | Value | None = None) -> MakeDreamer:
    """Return a ``make_dreamer`` that finds again what recent calls have made.

    Args:
        objective: What to dream instead of the layers, classes and guide of a look's own dream. A
            ``DreamObjective`` is known again if it is the same object; a function is compiled anew
            each time, since what it refers to may have changed.

    Raises:
        UsageError: The objective is neither.
    """
    own = None
    if objective is not None:
        own = objective if isinstance(objective, DreamObjective) else DreamObjective(objective)

    def find_or_make(dream: DreamSettings, look: Look, machine: MachineSettings) -> Dreamer:
        # Regions and stages that name their own layers or preset keep to them.
        wanted = own if dream == look.dream else None
        if wanted is not None and wanted is not objective:
            return make_dreamer(dream, look, machine, wanted)
        key = (
            dreamer_factory(),
            wanted,
            dream.model_dump_json(exclude=set(FREE)),
            tuple(sorted(list_varying(look))),
            machine.model_dump_json(),
            _stamp(dream),
        )
        with _lock:
            found = _kept.pop(key, None)
        if found is None:
            found = make_dreamer(dream, look, machine, wanted)
        with _lock:
            _kept[key] = found
            while len(_kept) > MOST_KEPT:
                _kept.popitem(last=False)
        return found.at(dream)

    return find_or_make


def _stamp(dream: DreamSettings) -> tuple[tuple[int, int] | None, ...]:
    """Return what tells whether the files that a dream reads have changed."""
    files = (dream.guide, dream.weights, *list_model_files(dream.model).values())
    stats = (path.stat() if path and path.exists() else None for path in files)
    return tuple(None if stat is None else (stat.st_mtime_ns, stat.st_size) for stat in stats)
