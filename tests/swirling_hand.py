"""A dreaming process of a Dask worker whose dream is a swirl."""

from __future__ import annotations

from slow_dreamer import Swirler

from dreamvideo.cluster import hand
from dreamvideo.render import dreamers

if __name__ == "__main__":
    vars(dreamers)["Dreamer"] = Swirler
    hand.main()
