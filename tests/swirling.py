"""A Dask worker's preload: its dreaming processes dream a swirl instead of a network.

``SWIRLING_BLIND`` names a folder of which this worker sees nothing, ``SWIRLING_NUMPY`` a version
that it says it has.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dreamvideo.cluster import desk, station
from dreamvideo.cluster.signature import signature

# A preload is copied before it is run: it cannot know where it came from.
vars(desk)["PROGRAM"] = (os.environ["SWIRLING_HAND"],)

if "SWIRLING_NUMPY" in os.environ:
    vars(station)["signature"] = lambda: {**signature(), "numpy": os.environ["SWIRLING_NUMPY"]}

if "SWIRLING_BLIND" in os.environ:

    class Blind(type(Path())):  # type: ignore[misc]
        """A name of a file, which is not there if it is in that folder."""

        def read_text(self, *arguments: Any, **options: Any) -> str:
            if str(self).startswith(os.environ["SWIRLING_BLIND"]):
                raise FileNotFoundError(str(self))
            return str(super().read_text(*arguments, **options))

    vars(station)["Path"] = Blind
