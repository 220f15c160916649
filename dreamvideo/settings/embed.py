"""How films go into a page; no part of a look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Embed:
    """Films of ``height`` px at most (0: none at all) and ``most_bytes`` each."""

    height: int = 480
    most_bytes: int = 16_000_000
