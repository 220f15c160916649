"""Moving pictures out: losslessly stored frames with exact times -> a film file or a folder."""

from __future__ import annotations

import os
import re
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media import ffmpeg, outputs
from dreamvideo.media.outputs import supported_endings
from dreamvideo.media.paths import partial_path, read_bytes, replacing, shown
from dreamvideo.media.probe import MediaInfo, probe
from dreamvideo.media.read import count_packets

__all__ = ["StoredFrame", "check_output", "encode", "supported_endings"]

_OWN_FRAME = re.compile(r"\d{6,}\.(png|jpg|tiff?)")
# Millisecond containers place a frame up to half a millisecond off its constant-rate time.
_GRID_TOLERANCE = Fraction(6, 10_000)
_FINE_CLOCK = Fraction(1, 90_000)
_IVF_HEADER = struct.Struct("<4sHH4sHHIIII")
_SHORTEST_DELAY = Fraction(1, 50)


@dataclass(frozen=True)
class StoredFrame:
    """A finished frame: a lossless PNG, and when it is shown on the source's clock, seconds."""

    path: Path
    time: Fraction


def check_output(output: Path, overwrite: bool) -> None:
    """Refuse, before any work, an output that cannot or must not be written. Raises UsageError."""
    if not _is_folder(output):
        outputs.container_for(output)
    parent = output.absolute().parent
    if not parent.is_dir():
        raise UsageError(f"{shown(output)}: the folder {shown(parent)} does not exist")
    if not os.access(parent, os.W_OK):
        raise UsageError(f"{shown(output)}: no permission to write into {shown(parent)}")
    if output.is_dir() and not _is_folder(output):
        raise UsageError(f"{shown(output)}: is a folder; choose another name")
    if output.is_dir():
        _check_folder(output, overwrite)
    elif output.exists() and not overwrite:
        raise UsageError(f"{shown(output)}: exists already; -y overwrites it")
    elif output.exists() and (_is_folder(output) or not output.is_file()):
        raise UsageError(f"{shown(output)}: exists and is no file of that kind; choose another")


def encode(
    frames: Sequence[StoredFrame],
    output: Path,
    *,
    duration_of_last: Fraction,
    source: Path | None,
    source_start: Fraction = Fraction(0),
    source_end: Fraction | None = None,
    rate: Fraction | None,
    quality: int | None = None,
    loop: int = 0,
    overwrite: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> list[str]:
    """Make a film of stored frames at their exact times, with everything else from ``source``.

    Frame times and ``source_start`` .. ``source_end`` are seconds on the source's clock (its first
    video frame is 0); the output begins at ``source_start``, and a picture that started later than
    its sound still does. ``rate`` names a constant rate; where the times do not keep to it (or it
    is None) every frame keeps its own time. ``loop``: how often a GIF is shown again, 0 for ever,
    -1 once. The ending chooses the format; no ending makes a folder of numbered PNGs.

    The film grows beside the output and takes its name only when it is complete and its frames
    have been counted. Returns notes for the user: what was converted or left out. Raises UsageError
    as ``check_output`` does, and MediaError.
    """
    check_output(output, overwrite)
    if not frames:
        raise MediaError(f"{shown(output)}: there is no frame to write")
    info = probe(source) if source is not None else None
    if info is not None and info.kind == "sequence":
        info = None
    if _is_folder(output):
        _copy_frames(frames, output)
        return ["the sound is left out: the output is a folder of frames"] if _sounds(info) else []
    film = _Film(frames, duration_of_last, source_start, source_end, rate, info)
    if output.suffix.lower() == ".gif":
        film = _at_gif_pace(film)
    picture = outputs.picture_arguments(output, quality, _aspect(film), loop)
    if film.rate is None and "libx264" in picture:
        # Reordered frames of uneven length make MP4's idea of the whole duration wrong.
        picture += ["-bf", "0"]
    return _encode_file(film, output, picture, metadata or {})


@dataclass(frozen=True)
class _Film:
    frames: Sequence[StoredFrame]
    last: Fraction
    start: Fraction
    end: Fraction | None
    wanted_rate: Fraction | None
    source: MediaInfo | None

    @property
    def rate(self) -> Fraction | None:
        """The constant rate that all frame times keep to, or None."""
        rate, first = self.wanted_rate, self.frames[0].time
        if rate is None:
            return None
        errors = (abs(f.time - first - n / rate) for n, f in enumerate(self.frames))
        return rate if all(error <= _GRID_TOLERANCE for error in errors) else None

    @property
    def offset(self) -> Fraction:
        """When the first frame is shown in the output."""
        late = self.source.start if self.source and not self.start else Fraction(0)
        return self.frames[0].time - self.start + late


def _at_gif_pace(film: _Film) -> _Film:
    """Thin out what is faster than browsers play a GIF, to the ticks of 50 frames a second."""
    times = [frame.time for frame in film.frames]
    if all(later - earlier >= _SHORTEST_DELAY for earlier, later in pairwise(times)):
        return film
    ticks = {(t - times[0]) // _SHORTEST_DELAY: f for t, f in zip(times, film.frames, strict=True)}
    paced = [StoredFrame(f.path, times[0] + n * _SHORTEST_DELAY) for n, f in ticks.items()]
    return replace(film, frames=paced, wanted_rate=1 / _SHORTEST_DELAY)


def _encode_file(
    film: _Film, output: Path, picture: list[str], metadata: Mapping[str, str]
) -> list[str]:
    container = outputs.container_for(output)
    clock = 1 / film.rate if film.rate else _FINE_CLOCK
    arguments, feed = _picture_input(film, clock)
    notes: list[str] = []
    tail = ["-map", "0:v:0", *picture, *_last_shown(film, clock)]
    if film.source is not None:
        arguments += _source_input(film, film.source)
        sound, sound_notes = outputs.sound_arguments(container, film.source)
        titles, title_notes = outputs.title_arguments(container, film.source)
        tail += [*sound, *titles, "-map_metadata", "1", "-map_chapters", "1"]
        if film.start:
            # Without it, copied packets from the key frame before the cut come along.
            tail += ["-copypriorss:a", "0", "-copypriorss:s", "0"]
        notes += sound_notes + title_notes
        if film.source.language:
            tail += ["-metadata:s:v:0", f"language={film.source.language}"]
    for key, value in metadata.items():
        tail += ["-metadata", f"{key}={value}"]
    encoder_clock = (
        "demux" if container.muxer == "gif" else f"{clock.numerator}:{clock.denominator}"
    )
    tail += ["-fps_mode", "passthrough", "-enc_time_base:v", encoder_clock]
    with replacing(output) as part:
        arguments += [*tail, *container.options, "-f", container.muxer, "-y"]
        ffmpeg.run(
            [*arguments, ffmpeg.local_url(part)],
            subject=f"{shown(output)}: encoding failed",
            feed=feed,
        )
        _check_count(part, output, film)
    return notes


def _picture_input(film: _Film, clock: Fraction) -> tuple[list[str], Iterator[bytes]]:
    """Input 0: the stored PNGs in an IVF stream, the smallest container that has exact times."""
    offset = ["-itsoffset", f"{float(film.offset):.6f}"] if film.offset else []
    return [*offset, "-f", "ivf", "-i", "pipe:0"], _ivf(film, clock)


def _ivf(film: _Film, clock: Fraction) -> Iterator[bytes]:
    yield _IVF_HEADER.pack(
        b"DKIF", 0, _IVF_HEADER.size, b"MPNG", 16, 16, clock.denominator, clock.numerator, 0, 0
    )
    for number, frame in enumerate(film.frames):
        png = read_bytes(frame.path)
        ticks = number if film.rate else round((frame.time - film.frames[0].time) / clock)
        yield struct.pack("<IQ", len(png), ticks) + png


def _last_shown(film: _Film, clock: Fraction) -> list[str]:
    """A packet filter that says how long the last frame is shown: no frame comes after it."""
    if len(film.frames) < 2:
        return ["-bsf:v", f"setts=pts=PTS:dts=DTS:duration={round(film.last / clock)}"]
    between = film.offset + (film.frames[-1].time + film.frames[-2].time) / 2 - film.frames[0].time
    last = f"if(gt(PTS*TB,{float(between):.6f}),{float(film.last):.6f}/TB,DURATION)"
    return ["-bsf:v", f"setts=pts=PTS:dts=DTS:duration='{last}'"]


def _source_input(film: _Film, source: MediaInfo) -> list[str]:
    """Input 1: the source, cut to the rendered range."""
    options: list[str] = []
    lead = source.start + film.start
    if film.start:
        options += ["-ss", f"{float(lead):.6f}"]
    if film.end is not None:
        length = film.end - film.start if film.start else film.end + source.start
        options += ["-t", f"{float(length):.6f}"]
    return ffmpeg.input_file(source.path, *options)


def _aspect(film: _Film) -> Fraction:
    return film.source.sample_aspect if film.source else Fraction(1)


def _check_count(part: Path, output: Path, film: _Film) -> None:
    wanted, got = len(film.frames), count_packets(part)
    if got != wanted:
        raise MediaError(f"{shown(output)}: encoding failed: {got} of {wanted} frames arrived")


def _is_folder(output: Path) -> bool:
    return output.suffix == ""


def _sounds(info: MediaInfo | None) -> bool:
    return info is not None and bool(info.audio)


def _check_folder(folder: Path, overwrite: bool) -> None:
    names = [entry.name for entry in folder.iterdir()]
    foreign = [name for name in names if not _OWN_FRAME.fullmatch(name)]
    if foreign:
        raise UsageError(
            f"{shown(folder)}: holds other files ({shown(Path(foreign[0]))}); choose a new folder"
        )
    if names and not overwrite:
        raise UsageError(f"{shown(folder)}: holds frames already; -y replaces them")


def _copy_frames(frames: Sequence[StoredFrame], output: Path) -> None:
    """Frames as OUT/000001.png ...; earlier frames go, so none of them can end up in a film."""
    part = partial_path(output)
    try:
        part.mkdir()
        for number, frame in enumerate(frames, 1):
            with replacing(part / f"{number:06d}.png") as temporary:
                shutil.copyfile(frame.path, temporary)
        if output.is_dir():
            shutil.rmtree(output)
        part.replace(output)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MediaError(f"{shown(output)}: cannot be written ({reason})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
