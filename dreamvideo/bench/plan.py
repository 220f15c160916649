"""What a bench measures: networks, sizes, threads, rounds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dreamvideo.bench.step_api import LAYERS
from dreamvideo.processors import available_processors

Say = Callable[[str], None]
# (height, width) in pixels, small to large: what a worker's peak memory is told after.
SIZES = ((225, 375), (360, 640), (720, 1280))
HEADLINE = (360, 640)
FILM_NETWORK = "efficientnet-lite0"
SECTIONS = ("steps", "cores", "film", "farm", "growth")


def torch_here() -> str | None:
    """This interpreter, if it has torch."""
    return sys.executable if find_spec("torch") else None


@dataclass(frozen=True)
class Plan:
    """``sizes`` are (height, width), small to large; ``threads`` those of one worker.

    ``rounds`` are taken of each table's cell unless that takes longer than ``cell_seconds``, then
    fewer, but 3 at least (2 in a quick bench). ``torch`` is an interpreter that has torch,
    ``clip`` a film to render instead of a synthetic one, ``frames`` how many of it, ``film_size``
    how large. ``forms`` names those to time, None all. ``full`` times every size with every number
    of threads, both networks on all cores, torch.compile at every size; else that is for one.
    """

    sections: tuple[str, ...] = SECTIONS
    networks: tuple[str, ...] = tuple(LAYERS)
    sizes: tuple[tuple[int, int], ...] = SIZES
    threads: tuple[int, ...] = field(
        default_factory=lambda: tuple(sorted({1, available_processors()}))
    )
    rounds: int = 5
    cell_seconds: float = 15.0
    batch_seconds: float = 0.4
    torch: str | None = field(default_factory=torch_here)
    clip: Path | None = None
    frames: int = 36
    quick: bool = False
    full: bool = False
    film_size: tuple[int, int] = HEADLINE
    forms: tuple[str, ...] | None = None

    def sizes_with(self, threads: int) -> tuple[tuple[int, int], ...]:
        """The sizes that are timed with so many threads."""
        if self.full or threads == self.threads[0] or HEADLINE not in self.sizes:
            return self.sizes
        return (HEADLINE,)

    def compiles(self, size: tuple[int, int]) -> bool:
        """Whether what is compiled anew for every size is timed at this one."""
        return self.full or size == HEADLINE or HEADLINE not in self.sizes


def full_plan(**given: Any) -> Plan:
    """A plan of half an hour: everything with everything, more rounds."""
    return Plan(**{"rounds": 9, "cell_seconds": 30.0, "full": True, **given})


def quick_plan(**given: Any) -> Plan:
    """A plan of a minute or two: the bundled network, one size, few rounds, a short film."""
    return Plan(
        **{
            "sections": ("steps", "film"),
            "networks": (FILM_NETWORK,),
            "sizes": (HEADLINE,),
            "threads": (1,),
            "rounds": 3,
            "cell_seconds": 5.0,
            "batch_seconds": 0.2,
            "frames": 10,
            "quick": True,
            **given,
        }
    )
