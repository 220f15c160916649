"""What is stored of one segment: its frames, their records and the checkpoints to resume from.

There are three kinds of files, each written atomically: the frames, without loss, a log with one
line per frame that ends in its own checksum, and two checkpoints that are written in turn. A
frame's file is written first, then its line, then perhaps a checkpoint, so whatever a checkpoint
counts is there.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo import timers
from dreamvideo.cancel import check
from dreamvideo.errors import DreamVideoError, MediaError
from dreamvideo.media.paths import describe_os_error, escape_text, replace_atomically
from dreamvideo.media.stills import load_deep, stored_bytes, to_depth
from dreamvideo.media.stored import StoredFrame, name_stored_frame
from dreamvideo.render.job.checkpoint import Arrays, load_checkpoint, pack_checkpoint


def source_path(folder: Path, number: int) -> Path:
    """Return the path of a source frame, for a pass that needs it again."""
    return folder / "source" / name_stored_frame(number)


def ahead_path(folder: Path, segment: int, number: int) -> Path:
    """Return the path of a warm-up frame, stacked above its source.

    Args:
        folder: The job's folder.
        segment: Number of the segment that dreams it before its own.
        number: Number of the frame in the film.
    """
    return folder / "ahead" / f"{segment:04d}-{name_stored_frame(number)}"


def joined_path(folder: Path, number: int) -> Path:
    """Return the path of a frame that two segments dreamt, cross-faded from one to the other."""
    return folder / "joined" / name_stored_frame(number)


# Checkpoints may take this share of a render's time; frames after the last one are dreamt again.
SHARE = 0.04


@dataclass(frozen=True)
class FrameRecord:
    """The record of one stored frame.

    Attributes:
        number: Number in the film.
        time: Presentation time in seconds.
        duration: Duration in seconds.
        loss: The objective.
        starts: Whether it starts a shot.
        size: Bytes of the file.
        crc: CRC-32 of the file.
        seconds: Time it took since the frame before it, or since its process started on this
            segment; None in logs of earlier versions.
    """

    number: int
    time: Fraction
    duration: Fraction
    loss: float
    starts: bool
    size: int
    crc: int
    seconds: float | None = None

    def line(self) -> str:
        """Return the record as JSON."""
        values = {**vars(self), "time": str(self.time), "duration": str(self.duration)}
        return json.dumps(values)

    @classmethod
    def of(cls, values: dict[str, Any]) -> FrameRecord:
        """Create a record from a line's JSON."""
        times = {name: Fraction(values[name]) for name in ("time", "duration")}
        return cls(**{**values, **times})


@dataclass(frozen=True)
class SegmentEnd:
    """The log's last line: the segment is complete, with the notes about its source."""

    notes: tuple[str, ...] = ()
    missing: int = 0


class SegmentSink:
    """Takes a segment's frames as they are dreamt; subclasses decide where to keep them.

    The first frame's number in the film is ``first``. ``takes_any_thread`` is whether frames may
    come from another thread than the one that looks at what is kept.
    """

    takes_any_thread = True

    def __init__(self, first: int, kept: int = 0) -> None:
        """Start with ``kept`` frames already stored."""
        self.first = first
        self._waits_until = 0.0
        self._checked = kept
        self._last = monotonic()

    @property
    def count(self) -> int:
        """Number of frames kept."""
        raise NotImplementedError

    def put(self, record: FrameRecord, data: bytes) -> None:
        """Keep the next frame, as ``stored_bytes`` has it. Raises MediaError."""
        raise NotImplementedError

    def put_source(self, number: int, data: bytes) -> None:
        """Keep the source of a frame for a pass that needs it again. Raises MediaError."""
        raise NotImplementedError

    def put_ahead(self, number: int, data: bytes) -> None:
        """Keep a warm-up frame before the first, stacked above its source.

        Raises MediaError.
        """
        raise NotImplementedError

    def put_checkpoint(self, count: int, data: bytes) -> None:
        """Keep a checkpoint: the state after the first ``count`` frames. Raises MediaError."""
        raise NotImplementedError

    def finish(self, notes: tuple[str, ...] = (), missing: int = 0) -> None:
        """Mark the segment as complete."""
        raise NotImplementedError

    @timers.stage("store")
    def add(
        self,
        pixels: NDArray[np.uint8] | NDArray[np.uint16],
        time: Fraction,
        duration: Fraction,
        *,
        alpha: NDArray[np.uint8] | None = None,
        loss: float = float("nan"),
        starts: bool = False,
    ) -> None:
        """Keep the next frame.

        Args:
            pixels: H x W x 3 RGB.
            time: Presentation time in seconds.
            duration: Duration in seconds.
            alpha: H x W.
            loss: The objective.
            starts: Whether the frame starts a shot.

        Raises:
            MediaError: It cannot be written.
        """
        number = self.first + self.count
        data = stored_bytes(pixels, None if alpha is None else to_depth(alpha, 8 * pixels.itemsize))
        took = round(monotonic() - self._last, 4)
        record = FrameRecord(
            number, time, duration, loss, starts, len(data), zlib.crc32(data), took
        )
        self.put(record, data)
        self._last = monotonic()

    @timers.stage("store")
    def checkpoint(self, arrays: Arrays, count: int, *, now: bool = False) -> None:
        """Keep a checkpoint if one is due.

        Args:
            arrays: The state after the first ``count`` frames.
            count: Number of frames.
            now: Whether to keep it in any case.

        Raises:
            MediaError: It cannot be written.
        """
        began = monotonic()
        if count <= self._checked or (not now and began < self._waits_until):
            return
        self.put_checkpoint(count, pack_checkpoint(count, arrays))
        self._checked = count
        cost = monotonic() - began
        self._waits_until = began + cost / SHARE


@contextmanager
def keeping_state(store: SegmentSink) -> Iterator[Callable[[Arrays], None]]:
    """Give a function that is called with the state after the frame just added.

    It keeps a checkpoint if one is due, and the last state in any case if the block fails.
    """
    last: tuple[Arrays, int] | None = None

    def keep(arrays: Arrays) -> None:
        nonlocal last
        last = arrays, store.count
        store.checkpoint(*last)

    try:
        yield keep
    except BaseException:
        if last is not None:
            with suppress(DreamVideoError):
                store.checkpoint(*last, now=True)
        raise


class SegmentStore(SegmentSink):
    """The stored frames ``first``, ``first + 1`` ... of a job.

    ``records`` are those of the stored frames; ``ending`` is not None once the segment is complete.
    Only one process at a time may write to it.
    """

    def __init__(self, folder: Path, index: int, first: int = 0, ahead: int = 0) -> None:
        """Read the log; an incomplete last line is ignored.

        Args:
            folder: The job's folder.
            index: Number of the segment.
            first: Number of its first frame in the film.
            ahead: Warm-up frames before the first that are dreamt, and kept, too.
        """
        super().__init__(first)
        self._folder = folder
        self._index = index
        self._ahead = range(first - ahead, first)
        self._frames = folder / "frames"
        self._log = folder / "parts" / f"{index:04d}.log"
        self._checkpoints = [self._log.with_suffix(f".{letter}.npz") for letter in "ab"]
        self.records: list[FrameRecord] = []
        self.ending: SegmentEnd | None = None
        self._ends: list[int] = []
        self._read_log()

    @property
    def count(self) -> int:
        """Number of frames stored."""
        return len(self.records)

    @property
    def frames(self) -> list[StoredFrame]:
        """The stored frames in order."""
        return [StoredFrame(self.path(record.number), record.time) for record in self.records]

    def path(self, number: int) -> Path:
        """Return where the frame with that number in the film is stored."""
        return self._frames / name_stored_frame(number)

    def resume(self) -> tuple[int, Arrays | None]:
        """Return how many frames to keep, and the state for the next one (None: start fresh).

        All kept frames are intact. What was stored after them is discarded, and dreamt again.
        """
        whole = self._whole() if self._has_ahead() else 0
        kept, arrays = 0, None
        if self.ending is not None and whole == len(self.records):
            return whole, None
        for path in self._checkpoints:
            count, found = load_checkpoint(path)
            if kept < count <= whole:
                kept, arrays = count, found
        # A shot's first frame needs nothing from those before it.
        starts = [n for n, record in enumerate(self.records[: whole + 1]) if record.starts]
        if starts and starts[-1] > kept and starts[-1] <= whole:
            kept, arrays = starts[-1], None
        self._forget(kept)
        return kept, arrays

    def put(self, record: FrameRecord, data: bytes) -> None:
        """Store the next frame, as ``stored_bytes`` has it. Raises MediaError."""
        write_atomically(self.path(record.number), data)
        self._append(record.line())
        self.records.append(record)

    def put_source(self, number: int, data: bytes) -> None:
        """Store the source of a frame, in the same form. Raises MediaError."""
        write_atomically(source_path(self._folder, number), data)

    def put_ahead(self, number: int, data: bytes) -> None:
        """Store a warm-up frame before the first, stacked above its source. Raises MediaError."""
        write_atomically(ahead_path(self._folder, self._index, number), data)

    def put_checkpoint(self, count: int, data: bytes) -> None:
        """Store a checkpoint: the state after the first ``count`` frames. Raises MediaError."""
        with _naming_file(self._log), self._log.open("rb+") as log:
            os.fsync(log.fileno())
        # The other checkpoint stays, in case this write does not complete.
        write_atomically(self._checkpoints[0], data)
        self._checkpoints.reverse()

    def finish(self, notes: tuple[str, ...] = (), missing: int = 0) -> None:
        """Mark the segment as complete."""
        self.ending = SegmentEnd(notes, missing)
        self._append(json.dumps({"ending": vars(self.ending)}))
        for path in self._checkpoints:
            with suppress(OSError):
                path.unlink()

    def _append(self, text: str) -> None:
        line = f"{text}\t{zlib.crc32(text.encode()):08x}\n".encode()
        with _naming_file(self._log), self._log.open("ab") as log:
            log.write(line)
        self._ends.append((self._ends[-1] if self._ends else 0) + len(line))

    def _read_log(self) -> None:
        try:
            data = self._log.read_bytes()
        except FileNotFoundError:
            return
        for line in data.splitlines(keepends=True):
            text, _, check = line.decode("utf-8", "replace").rpartition("\t")
            if check != f"{zlib.crc32(text.encode()):08x}\n":
                break
            values = json.loads(text)
            if "ending" in values:
                ending = values["ending"]
                self.ending = SegmentEnd(tuple(ending["notes"]), ending["missing"])
            else:
                self.records.append(FrameRecord.of(values))
            self._ends.append((self._ends[-1] if self._ends else 0) + len(line))

    def _has_ahead(self) -> bool:
        with suppress(MediaError):
            for number in self._ahead:
                load_deep(ahead_path(self._folder, self._index, number))
            return True
        return False

    def _whole(self) -> int:
        """Return how many frames, counted from the first, match their records on disk."""
        for count, record in enumerate(self.records):
            check()
            try:
                data = self.path(record.number).read_bytes()
            except OSError:
                return count
            if (len(data), zlib.crc32(data)) != (record.size, record.crc):
                return count
        return len(self.records)

    def _forget(self, kept: int) -> None:
        self.ending = None
        del self.records[kept:], self._ends[kept:]
        if self._log.exists():
            with self._log.open("rb+") as log:
                log.truncate(self._ends[-1] if self._ends else 0)
        # Checkpoints of discarded frames could be mistaken for those of the frames that replace
        # them.
        for path in self._checkpoints:
            if load_checkpoint(path)[0] > kept:
                path.unlink(missing_ok=True)
        self._checkpoints.sort(key=lambda path: load_checkpoint(path)[0])
        self._checked = kept


@contextmanager
def _naming_file(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MediaError(
            f"{escape_text(path)}: cannot be written ({describe_os_error(error)})"
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file completely or not at all. Raises MediaError."""
    with replace_atomically(path) as part:
        part.write_bytes(data)
