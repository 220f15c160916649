"""Encode frames, while they are read, to a small film that every browser plays."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from queue import Queue
from threading import Thread
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError
from dreamvideo.media import ffmpeg
from dreamvideo.media.ivf import ivf_frame, ivf_header
from dreamvideo.media.paths import escape_text
from dreamvideo.media.probe import MediaInfo
from dreamvideo.media.read import ReadOptions, open_source

QUALITY = 21
# Seeking to a frame is fast only if a key frame is never far away.
KEY_EVERY = 24
CLOCK = Fraction(1, 90_000)
SOUND_BITS = 96_000
# More bits per second than anything of this kind needs.
_FASTEST = 50_000_000
_WAITING = 4
_QUICKTIME = "mov,mp4"


class Proxy:
    """An MP4 (H.264, AAC) that grows as frames are added; a context manager.

    It is complete when the block ends without an error. ``most_bytes`` limits its size.
    """

    def __init__(
        self, path: Path, *, seconds: float, most_bytes: int, sound_of: Path | None = None
    ) -> None:
        """Start the encoder.

        Args:
            path: The file.
            seconds: Its approximate length.
            most_bytes: Its maximum size.
            sound_of: A film whose sound it gets.
        """
        self._path = path
        self._frames: Queue[bytes | None] = Queue(_WAITING)
        sound = ffmpeg.input_file(sound_of) if sound_of else []
        kept = ["-map", "1:a:0?", "-c:a", "aac", "-b:a", str(SOUND_BITS), "-ac", "2"]
        spent = SOUND_BITS if sound_of else 0
        rate = int(most_bytes * 8 / max(seconds, 0.1) * 0.92) - spent
        rate = min(max(rate, 20_000), _FASTEST)
        colours = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,setsar=1"
        even = "pad=ceil(iw/2)*2:ceil(ih/2)*2"
        self._process = ffmpeg.Process(
            [
                *("-f", "ivf", "-i", "pipe:0", *sound, "-map", "0:v:0"),
                *(kept if sound_of else []),
                *("-vf", f"{even},{colours}"),
                *("-c:v", "libx264", "-preset", "veryfast", "-crf", str(QUALITY)),
                *("-maxrate", str(rate), "-bufsize", str(2 * rate), "-g", str(KEY_EVERY)),
                *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
                # Without reordered frames all times are exactly as given, from the first on.
                *("-bf", "0", "-fps_mode", "passthrough", "-enc_time_base:v", "1:90000"),
                *("-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart"),
                *("-f", "mp4", "-y", ffmpeg.local_url(path)),
            ],
            feed=True,
        )
        self._feeder = Thread(target=self._feed, daemon=True)
        self._feeder.start()

    def add(self, pixels: NDArray[np.uint8], time: Fraction) -> None:
        """Add the next frame, H x W x 3 RGB, shown from ``time`` (seconds) on."""
        quick = [cv2.IMWRITE_PNG_COMPRESSION, 1]
        _, png = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]), quick)
        self._frames.put(ivf_frame(round(time / CLOCK), png.tobytes()))

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._process:
            if kind is not None:
                # Killed first, so that the feeder does not wait for it.
                self._process.kill()
            self._frames.put(None)
            self._feeder.join()
            if kind is None and self._process.wait() != 0:
                raise MediaError(f"{escape_text(self._path)}: {self._process.reason()}")

    def _feed(self) -> None:
        chunks = self._chunks()
        try:
            self._process.feed(chunks)
        finally:
            # However feeding ended, nothing may keep waiting for space in the queue.
            for _ in chunks:
                pass

    def _chunks(self) -> Iterator[bytes]:
        yield ivf_header(CLOCK)
        while (chunk := self._frames.get()) is not None:
            yield chunk


def store_excerpt(path: Path, film: Path, part: ReadOptions, *, most_bytes: int) -> None:
    """Store a part of a film for the browser, whose first frame is at its beginning.

    Args:
        path: The file to make; nothing of it is left after an error.
        film: The film.
        part: The part, which has a start and an end.
        most_bytes: Its maximum size.

    Raises:
        MediaError: It cannot be read or written.
        UsageError: The part is empty.
    """
    first: Fraction | None = None
    seconds = float((part.end or Fraction(0)) - (part.start or Fraction(0)))
    try:
        with (
            open_source(film, part) as source,
            Proxy(path, seconds=seconds, most_bytes=most_bytes) as made,
        ):
            for frame in source:
                first = frame.time if first is None else first
                made.add(frame.pixels, frame.time - first)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def plays_everywhere(info: MediaInfo) -> bool:
    """Return whether browsers play the file itself: 8-bit 4:2:0 H.264 in an MP4."""
    return (
        info.codec == "h264"
        and info.pixel_format in ("yuv420p", "yuvj420p")
        and info.container.startswith(_QUICKTIME)
        and not info.rotation
        and all(track.codec in ("aac", "mp3", "opus", "flac") for track in info.audio)
    )
