"""A segment on its way: what is known of it here, and what becomes of what arrives of it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dreamvideo import errors
from dreamvideo.cluster.wire import Message, Unpacker
from dreamvideo.errors import DreamVideoError
from dreamvideo.render.job.checkpoint import pack_checkpoint
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.segment_store import FrameRecord, SegmentStore
from dreamvideo.render.job.segments import Segment


class FailedError(Exception):
    """A dreaming process says that it failed: with ``error``."""

    def __init__(self, error: DreamVideoError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass
class Flight:
    """A segment as a task of Dask: the workers that may take it, and the one that has.

    ``offset`` bytes of what is said of it have arrived; ``ended`` once all has.
    """

    job: Job
    segment: Segment
    future: Any
    workers: frozenset[str]
    address: str | None = None
    offset: int = 0
    done: int = 0
    loss: float = float("nan")
    ended: bool = False
    _part: SegmentStore | None = None
    _unpacker: Unpacker = field(default_factory=Unpacker)

    def begin(self, address: str, shares: bool) -> tuple[int, bytes]:
        """A worker has taken it: frames that it need not dream, and what the next is made from.

        One that ``shares`` the job's folder finds that there, and stores its frames itself.
        """
        self.address = address
        if shares:
            return 0, b""
        self._part = self.job.segment_store(self.segment)
        kept, arrays = self._part.resume()
        return kept, b"" if arrays is None else pack_checkpoint(kept, arrays)

    def order(self, shares: bool, kept: int, state: str) -> bytes:
        """What its process is told; ``state`` is the file of what the next frame is made from."""
        words = {"shared": shares, "kept": kept, "state": state}
        return Message("segment", {"segment": self.segment.model_dump(), **words}).packed()

    def take(self, data: bytes) -> Iterator[None]:
        """Keep what arrives; after each frame it is known how far the segment is.

        Raises FailedError, and MediaError where it cannot be kept.
        """
        self.offset += len(data)
        for message in self._unpacker.feed(data):
            if message.kind == "error":
                raise FailedError(_error(message))
            if message.kind in ("told", "frame", "ended"):
                self._hear(message)
                yield
            elif self._part is not None:
                self._keep(self._part, message)

    def _hear(self, message: Message) -> None:
        values = message.values
        if message.kind == "told":
            self.done, self.loss = values["done"], values["loss"]
            return
        part = self._part or self.job.segment_store(self.segment)
        if message.kind == "ended":
            self.ended = True
            if self._part is not None:
                part.finish(tuple(values["notes"]), values["missing"])
        else:
            record = FrameRecord.of(json.loads(values["record"]))
            lost = zlib.crc32(message.payload) != record.crc
            if lost or record.number != part.first + part.count:
                raise DreamVideoError(f"frame {record.number}: did not arrive as it was sent")
            part.put(record, message.payload)
            self.loss = record.loss
        self.done = part.count

    def _keep(self, part: SegmentStore, message: Message) -> None:
        values, data = message.values, message.payload
        if message.kind == "checkpoint":
            part.put_checkpoint(values["count"], data)
        elif message.kind == "source":
            part.put_source(values["number"], data)
        elif message.kind == "ahead":
            part.put_ahead(values["number"], data)


def _error(message: Message) -> DreamVideoError:
    kind = getattr(errors, message.values["what"], DreamVideoError)
    error: DreamVideoError = kind(message.values["text"])
    return error
