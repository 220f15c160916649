"""A Dask worker's preload: its dreaming processes dream a swirl instead of a network."""

from __future__ import annotations

import os

from dreamvideo.cluster import desk

# A preload is copied before it is run: it cannot know where it came from.
vars(desk)["PROGRAM"] = (os.environ["SWIRLING_HAND"],)
