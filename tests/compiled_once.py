"""Renders of the same look share one compiled network: most of the tests' time was compiling."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import pytest

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.runtime import own_process
from dreamvideo.render.frames.planner import dreamer_factory, set_dreamer_factory
from dreamvideo.settings import DreamSettings, MachineSettings

MOST = 8
# What a compiled step knows nothing of.
FREE = frozenset({"octaves", "octave_scale", "steps", "step_size", "jitter", "seed"})

_made: dict[tuple[Any, ...], Dreamer] = {}


def shared(
    settings: DreamSettings,
    *,
    guide: Any = None,
    varying: Collection[str] = (),
    machine: MachineSettings,
) -> Dreamer:
    """A dreamer of the bundled network, compiled by whichever render came first; others anew."""
    if guide is not None or settings.classes or settings.model != DreamSettings().model:
        return Dreamer(settings, guide=guide, varying=varying, machine=machine)
    look = settings.model_dump_json(exclude=set(FREE))
    key = (look, tuple(sorted(varying)), machine.model_dump_json())
    if key not in _made:
        while len(_made) >= MOST:
            del _made[next(iter(_made))]
        _made[key] = Dreamer(settings, varying=varying, machine=machine)
    _made[key] = _made.pop(key)
    return _made[key].at(settings)


@pytest.fixture(autouse=True)
def compiled_once() -> Iterator[None]:
    """Renders of this process use shared dreamers; and TensorFlow is no garbage."""
    own_process()
    before = dreamer_factory()
    if before is Dreamer:
        set_dreamer_factory(shared)
    yield
    set_dreamer_factory(before)
