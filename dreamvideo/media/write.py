"""Write films: losslessly stored frames with exact times to a film file or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo import timers
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.formatting import format_bytes
from dreamvideo.media import codecs, containers, ffmpeg, folder, gif
from dreamvideo.media.audio import choose_tracks, find_undecodable
from dreamvideo.media.containers import supported_endings
from dreamvideo.media.film_encode import DEFAULT_ENCODING, EncodeOptions, Film, encode_part
from dreamvideo.media.paths import check_parent, check_place, escape_text, replace_atomically
from dreamvideo.media.probe import MediaInfo, probe
from dreamvideo.media.proof import ProofError
from dreamvideo.media.proxy import check_proxy, write_proxy
from dreamvideo.media.stored import StoredFrame, kind_of

__all__ = [
    "EncodeOptions",
    "StoredFrame",
    "check_max_size",
    "check_output",
    "encode",
    "supported_endings",
]

_ANIMATIONS = (".gif", ".webp")


def check_output(output: Path, options: EncodeOptions = DEFAULT_ENCODING) -> None:
    """Refuse, before any work, an output that cannot or must not be written.

    ``output`` is a film, or a folder of numbered pictures. Raises UsageError.
    """
    numbered = folder.is_folder(output)
    if numbered:
        folder.check_format(output, options.codec, options.depth, options.quality)
    else:
        containers.choose_container(output)
        chosen = codecs.choose_codec(output, options.codec)
        depth = codecs.choose_depth(chosen, options.depth)
        codecs.pixel_format(chosen, output, depth, alpha=False)
        codecs.check_quality(chosen, output, options.quality)
    if output.suffix.lower() not in _ANIMATIONS:
        if options.max_size is not None:
            raise UsageError(f"{escape_text(output)}: only GIF and WebP can be limited to a size")
        if options.loop:
            raise UsageError(f"{escape_text(output)}: only GIF and WebP have a repeat count")
    if options.proxy is not None:
        check_proxy(output, options.overwrite)
    if numbered:
        check_parent(folder.place_of(output))
        folder.check_folder(output, options.overwrite)
    else:
        check_place(output, options.overwrite)


@dataclass(frozen=True)
class Choice:
    """How frames are stored: the codec, bits per channel, whether in the source's own light."""

    codec: str | None
    depth: int
    own_light: bool = False


def choose_storage(
    output: Path, codec: str | None, depth: int | None, source: MediaInfo, *, tone_map: bool = False
) -> Choice:
    """Choose what the user leaves open, such that the output keeps what the source has.

    HDR films become films of 10 bits or more, unless the output cannot hold them; linear light is
    kept in a folder of EXR pictures.

    Args:
        output: The film or folder.
        codec: What the user asks for; None: to be chosen.
        depth: Bits per channel, likewise.
        source: The film or pictures.
        tone_map: Whether HDR and linear light are to become what a screen shows.

    Raises:
        UsageError: The codec does not go into the output.
    """
    light = None if tone_map else source.own_light
    if folder.is_folder(output):
        linear = folder.choose_format(output, codec) == "exr"
        return Choice(
            codec, folder.choose_depth(output, codec, depth), light is not None and linear
        )
    if light is not None and light.is_hdr:
        chosen = codecs.choose_for_hdr(output, codec, depth, source.depth)
        if chosen is not None:
            return Choice(*chosen, own_light=True)
    known = codecs.choose_codec(output, codec)
    return Choice(codec, codecs.choose_depth(known, depth, source.depth))


def check_frames(
    output: Path, options: EncodeOptions, size: tuple[int, int], rate: Fraction | None
) -> None:
    """Refuse, before any work, frames that the output cannot hold.

    Args:
        output: The film or folder.
        options: How it is written.
        size: (width, height) of the frames.
        rate: Frames per second; None: it varies.

    Raises:
        UsageError: It cannot hold frames of that size, or that rate.
    """
    if not folder.is_folder(output):
        containers.check_rate(output, rate)
        codecs.check_size(codecs.choose_codec(output, options.codec), output, size)


def check_max_size(output: Path, first: NDArray[np.uint8], options: EncodeOptions) -> None:
    """Refuse, before any work, a limit of an animation's size that cannot be met.

    Args:
        output: The film.
        first: Its first frame before it is dreamt, H x W x 3.
        options: How it is written.

    Raises:
        UsageError: Not even the first frame would fit.
    """
    ending = output.suffix.lower()
    if options.max_size is None or ending not in _ANIMATIONS:
        return
    least = gif.least_bytes(first, ending)
    if least > options.max_size:
        raise UsageError(
            f"{escape_text(output)}: cannot fit into {format_bytes(options.max_size)}: at its "
            f"smallest, the first frame alone takes {format_bytes(least)}"
        )


@timers.stage("encode")
def encode(
    frames: Sequence[StoredFrame],
    output: Path,
    *,
    duration_of_last: Fraction,
    rate: Fraction | None,
    source: Path | None,
    source_start: Fraction = Fraction(0),
    source_end: Fraction | None = None,
    options: EncodeOptions = DEFAULT_ENCODING,
) -> list[str]:
    """Encode stored frames at their exact times, with everything else from ``source``.

    Frame times and ``source_start`` .. ``source_end`` are seconds on the source's clock (its first
    video frame is 0). The output starts at ``source_start``, and a picture that started later than
    its sound still does. The film is written next to the output and gets its name only when it is
    complete and was decoded once, with the frames, the times and the sound that it should have.

    Args:
        frames: The frames in the order they are shown.
        output: The film; its extension chooses the container. Without one it is a folder of
            numbered pictures.
        duration_of_last: Duration of the last frame in seconds.
        rate: A constant rate; if the times do not keep to it (or it is None) every frame keeps its
            own time.
        source: The film that sound, subtitles, chapters and tags come from.
        source_start: Start of the frames in the source, in seconds.
        source_end: End of the frames in the source, in seconds; None: its end.
        options: How it is written.

    Returns:
        Notes for the user: what was converted or left out.

    Raises:
        UsageError: As in ``check_output``.
        MediaError: The film cannot be written.
        Interrupted: This process was asked to stop; no part of the film is left.
    """
    check_output(output, options)
    if not frames:
        raise MediaError(f"{escape_text(output)}: there is no frame to write")
    info = probe(source) if source is not None else None
    if info is not None and info.kind == "sequence":
        info = None
    if info is not None:
        audio = () if options.no_audio else choose_tracks(info, options.audio_track)
        if options.soundtrack is not None:
            begins = frames[0].time
            heard = replace(options.soundtrack, clip=replace(info, audio=audio), begin=begins)
            options, audio = replace(options, soundtrack=heard), ()
        info = replace(info, audio=audio)
    kind = kind_of(frames)
    film = Film(frames, duration_of_last, source_start, source_end, rate, info, kind)
    notes = _write(film, output, options)
    if options.proxy is not None:
        try:
            notes.append(write_proxy(output, options.proxy, rate, options.background))
        except MediaError as error:
            # The film is complete and has its name: it must not fail for its copy.
            notes.append(f"the proxy is missing: {error}")
    return notes


def _write(film: Film, output: Path, options: EncodeOptions) -> list[str]:
    """Write the film or folder; return notes for the user."""
    shape: list[str] = []
    if folder.is_folder(output) or output.suffix.lower() in _ANIMATIONS:
        film, shape = _with_square_pixels(film)
    if folder.is_folder(output):
        notes = folder.write_folder(film.frames, output, film.kind, options, film.size)
        silent = (film.source is not None and film.source.audio) or options.soundtrack
        sound = ["the sound is left out: pictures hold none"] if silent else []
        return [*sound, *shape, *notes]
    if output.suffix.lower() in _ANIMATIONS:
        return [*shape, *_encode_animation(film, output, options)]
    with replace_atomically(output) as part:
        try:
            return encode_part(film, output, part, options)
        except ProofError:
            raise
        except MediaError as error:
            if film.source is None or ffmpeg.NOT_THE_SOURCE.search(str(error)):
                raise
            # A broken sound track must not cost hours of dreaming.
            return _encode_rest(film, film.source, output, part, options, error)


def _with_square_pixels(film: Film) -> tuple[Film, list[str]]:
    """Return the film at a size at which square pixels keep its shape, and a note if it differs."""
    if film.aspect == 1:
        return film, []
    width, height = film.size
    # Enlarged, never reduced, so that nothing is lost.
    if film.aspect > 1:
        width = round(width * film.aspect)
    else:
        height = round(height / film.aspect)
    note = f"the source's pixels are not square: written as {width} x {height} with square ones"
    return replace(film, resized=(width, height)), [note]


def _encode_rest(
    film: Film,
    source: MediaInfo,
    output: Path,
    part: Path,
    options: EncodeOptions,
    error: MediaError,
) -> list[str]:
    """Encode without the tracks that are broken or, if none can be identified, without any."""
    whole = tuple(track for track in source.audio if find_undecodable(source.path, track) is None)
    if whole and (len(whole) < len(source.audio) or source.subtitle_tracks):
        rest = replace(source, audio=whole, subtitle_tracks=())
        try:
            notes = encode_part(replace(film, source=rest), output, part, options)
        except MediaError:
            pass
        else:
            left = ["subtitles"] if source.subtitle_tracks else []
            if len(whole) < len(source.audio):
                left.insert(0, f"{len(source.audio) - len(whole)} of the sound tracks")
            return [*notes, f"{' and '.join(left)} left out: the source's are broken ({error})"]
    if not (source.audio or source.subtitle_tracks):
        raise error
    silent = replace(source, audio=(), subtitle_tracks=())
    notes = encode_part(replace(film, source=silent), output, part, options)
    return [*notes, f"sound and subtitles are left out: the source's are broken ({error})"]


def _encode_animation(film: Film, output: Path, options: EncodeOptions) -> list[str]:
    """Encode a GIF or WebP, repeatedly if it must not exceed a size."""
    whole = film
    if output.suffix.lower() == ".gif":
        whole = replace(film, frames=gif.at_gif_pace(film.frames))
    attempt: gif.Attempt | None = gif.Attempt()
    with replace_atomically(output) as part:
        while attempt is not None:
            tried = _attempted(whole, attempt)
            notes = encode_part(tried, output, part, options)
            got = part.stat().st_size
            if options.max_size is None or got <= options.max_size:
                return [*notes, _size_note(output, tried, len(film.frames), got)]
            rate = len(whole.frames) / whole.length
            attempt = gif.shrink_gif(attempt, got, options.max_size, rate, whole.size[0])
        part.unlink()
        raise MediaError(
            f"{escape_text(output)}: does not fit into {options.max_size} bytes even at "
            f"{tried.size[0]} x {tried.size[1]} ({got} bytes); allow more, or take a shorter range"
        )


def _attempted(film: Film, attempt: gif.Attempt) -> Film:
    frames = film.frames[:: attempt.step]
    last = film.frames[-1].time + film.last - frames[-1].time
    rate = film.wanted_rate / attempt.step if film.wanted_rate else None
    size = attempt.size(film.size)
    resized = size if size != film.kind.size else None
    return replace(film, frames=frames, last=last, wanted_rate=rate, resized=resized)


def _size_note(output: Path, film: Film, whole: int, size: int) -> str:
    rate = len(film.frames) / film.length if film.length else Fraction(0)
    kept = len(film.frames)
    left_out = f", {kept} of {whole} frames" if kept < whole else ""
    return (
        f"{escape_text(output)}: {format_bytes(size)}, {film.size[0]} x {film.size[1]}{left_out}, "
        f"{float(rate):.4g} frames a second"
    )
