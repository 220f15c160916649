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
from dreamvideo.media.stills import store_frame
from dreamvideo.media.write import StoredFrame


@dataclass
class Job:
    """Where the frames of one render are kept, in the order in which they were added."""

    folder: Path
    frames: list[StoredFrame] = field(default_factory=list)
    sources: list[StoredFrame] = field(default_factory=list)

    def add(self, pixels: NDArray[np.uint8], time: Fraction) -> None:
        """Store one frame (uint8, H x W x 3 RGB) with its presentation time in seconds."""
        self._append(self.frames, "", pixels, time)

    def add_source(self, pixels: NDArray[np.uint8], time: Fraction) -> None:
        """Store a source frame too, for a pass over the film that needs it again."""
        self._append(self.sources, "source-", pixels, time)

    def replace(self, index: int, pixels: NDArray[np.uint8]) -> None:
        """Store another picture as frame ``index``."""
        store_frame(self.frames[index].path, pixels)

    def _append(
        self, to: list[StoredFrame], prefix: str, pixels: NDArray[np.uint8], time: Fraction
    ) -> None:
        path = self.folder / f"{prefix}{len(to):08d}.png"
        store_frame(path, pixels)
        to.append(StoredFrame(path, time))


@contextmanager
def open_job(output: Path) -> Iterator[Job]:
    """A job folder on the output's own disk, gone afterwards whatever happens."""
    try:
        made = tempfile.mkdtemp(
            prefix=f".{output.name}.", suffix=".dreamjob", dir=output.absolute().parent
        )
    except OSError as error:
        raise MediaError(f"cannot write beside {output}: {error.strerror}") from error
    folder = Path(made)
    try:
        yield Job(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
