"""Pictures of the looks, dreamt from the user's own source while nothing else is dreamt.

They are small, made one by one in a process of low priority, and kept in the cache folder.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from dreamvideo.dream.runtime import cache_folder
from dreamvideo.errors import DreamVideoError
from dreamvideo.media.paths import keep_newest
from dreamvideo.render.job.manifest import compute_fingerprint
from dreamvideo.studio.messages import Answer, Failed, PictureGrown, PictureWanted, Rest
from dreamvideo.studio.preview_client import Previewer
from dreamvideo.version import __version__

# As many pixels as 160 x 107 has.
PIXELS = 160 * 107
# Seconds without any other dream before tiles are made.
IDLE = 1.0
# The cache drops its oldest pictures beyond this many: about 20 MB.
MOST_KEPT = 2000


class OwnTiles:
    """Makes a tile for every look (values by name, from ``list_looks``) of the present source.

    ``made`` has the finished ones by name; ``on_change`` is called, on any thread, after each.
    """

    def __init__(
        self,
        list_looks: Callable[[], Mapping[str, Mapping[str, Any]]],
        on_change: Callable[[], None],
        make_previewer: Callable[..., Previewer] = Previewer,
    ) -> None:
        self.made: dict[str, Path] = {}
        self._list_looks, self._tell, self._make = list_looks, on_change, make_previewer
        self._lock = threading.Lock()
        self._tickets = count(1)
        self._ticket, self._idle_from = 0, time.monotonic()
        self._source: tuple[Path, float] | None = None
        # None: not listed yet.
        self._todo: list[tuple[str, Path, Mapping[str, Any]]] | None = None
        self._previewer: Previewer | None = None

    def pace(self, source: tuple[Path, float] | None, *, busy: bool) -> None:
        """Go on if nothing else is dreamt, else give up the tile under way; to be called often.

        Args:
            source: The picture, or a clip and the time of its frame in seconds.
            busy: Whether something else is dreamt.
        """
        with self._lock:
            if source != self._source:
                self._source, self._todo, self.made = source, None, {}
                self._rest()
            if busy:
                self._rest()
            elif source and not self._ticket and time.monotonic() - self._idle_from > IDLE:
                self._go_on(*source)

    def list_again(self) -> None:
        """Look for looks that have been added."""
        with self._lock:
            self._rest()
            self._todo = None

    def close(self) -> None:
        """End the process."""
        previewer, self._previewer = self._previewer, None
        if previewer:
            previewer.close()

    def _rest(self) -> None:
        self._idle_from = time.monotonic()
        if self._ticket and self._previewer:
            self._previewer.ask(Rest())
        self._ticket = 0

    def _go_on(self, path: Path, at: float) -> None:
        if self._todo is None:
            self._todo = []
            with suppress(DreamVideoError, OSError, RuntimeError):
                self._todo = self._list(path, at)
            self._tell()
        if self._todo:
            self._previewer = self._previewer or self._make(self._hear, background=True)
            self._ticket = next(self._tickets)
            values = self._todo[0][2]
            self._previewer.ask(PictureWanted(self._ticket, path, values, at, 0.0, 0.0, PIXELS))
        elif self._previewer:
            threading.Thread(target=self.close, daemon=True).start()

    def _list(self, path: Path, at: float) -> list[tuple[str, Path, Mapping[str, Any]]]:
        """List the tiles that are not in the cache, and take those that are."""
        source, folder = compute_fingerprint(path), cache_folder() / "looks"
        todo, self.made = [], {}
        for name, values in self._list_looks().items():
            what = json.dumps([__version__, source, at, values], sort_keys=True)
            tile = folder / f"{hashlib.sha256(what.encode()).hexdigest()[:32]}.jpg"
            if tile.is_file():
                tile.touch()
                self.made[name] = tile
            else:
                todo.append((name, tile, values))
        return todo

    def _hear(self, answer: Answer) -> None:
        with self._lock:
            if not isinstance(answer, PictureGrown | Failed) or answer.ticket != self._ticket:
                return
            if not self._todo or (isinstance(answer, PictureGrown) and answer.done < answer.total):
                return
            self._ticket, self._idle_from = 0, 0.0
            name, tile, _ = self._todo.pop(0)
            if isinstance(answer, PictureGrown):
                with suppress(DreamVideoError, OSError):
                    keep_newest(tile, answer.picture, MOST_KEPT)
                    self.made[name] = tile
        self._tell()
