"""The job folder: finished frames, stored without loss beside the output until it is encoded."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError
from dreamvideo.media.folder import place_of
from dreamvideo.media.stills import load_deep, store_frame, to_depth
from dreamvideo.media.write import StoredFrame

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass
class Job:
    """Where the frames of one render are kept, in the order in which they were added."""

    folder: Path
    frames: list[StoredFrame] = field(default_factory=list)
    sources: list[StoredFrame] = field(default_factory=list)

    def add(self, pixels: Pixels, time: Fraction, alpha: NDArray[np.uint8] | None = None) -> None:
        """Store one frame with its presentation time in seconds.

        ``pixels`` is uint8 or uint16, H x W x 3 RGB; ``alpha`` its transparency, H x W.
        """
        self._append(self.frames, "", pixels, time, alpha)

    def add_source(self, pixels: Pixels, time: Fraction) -> None:
        """Store a source frame too, for a pass over the film that needs it again."""
        self._append(self.sources, "source-", pixels, time, None)

    def replace(self, index: int, pixels: Pixels) -> None:
        """Store another picture as frame ``index``; its transparency stays."""
        path = self.frames[index].path
        _, alpha = load_deep(path)
        store_frame(path, pixels, None if alpha is None else to_depth(alpha, 8))

    def _append(
        self,
        to: list[StoredFrame],
        prefix: str,
        pixels: Pixels,
        time: Fraction,
        alpha: NDArray[np.uint8] | None,
    ) -> None:
        path = self.folder / f"{prefix}{len(to):08d}.png"
        store_frame(path, pixels, alpha)
        to.append(StoredFrame(path, time))


@contextmanager
def open_job(output: Path) -> Iterator[Job]:
    """A job folder on the output's own disk, gone afterwards whatever happens."""
    place = place_of(output)
    try:
        made = tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".dreamjob", dir=place.parent)
    except OSError as error:
        raise MediaError(f"cannot write beside {output}: {error.strerror}") from error
    folder = Path(made)
    try:
        yield Job(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
