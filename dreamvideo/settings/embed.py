"""How films are embedded in a report page; not part of a look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Embed:
    """Embedded films of at most ``height`` px (0: none) and ``most_bytes`` each."""

    height: int = 480
    most_bytes: int = 16_000_000
