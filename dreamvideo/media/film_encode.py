"""Encode one film file from stored frames and their source, in one checked run of ffmpeg."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from dreamvideo.errors import MediaError
from dreamvideo.media import codecs, containers, ffmpeg, webp
from dreamvideo.media.codecs import Codec
from dreamvideo.media.containers import Container
from dreamvideo.media.demux import sound_ends
from dreamvideo.media.ivf import ivf_stream
from dreamvideo.media.mastering import read_mastering
from dreamvideo.media.own_light import screen_codes
from dreamvideo.media.paths import describe_os_error, escape_text
from dreamvideo.media.pixel_formats import Color
from dreamvideo.media.png import with_chunks
from dreamvideo.media.probe import AudioStream, MediaInfo, read_tags
from dreamvideo.media.proof import FilmContents, SoundSpan, measure_sound_end, prove_film
from dreamvideo.media.soundtrack import CHANNELS, RATE, Soundtrack, render_soundtrack
from dreamvideo.media.stills import Color as Background
from dreamvideo.media.stored import Kind, StoredFrame, read_packets
from dreamvideo.media.time_code import read_time_code, shift_time_code

# Millisecond containers place a frame up to half a millisecond off its constant-rate time.
_GRID_TOLERANCE = Fraction(6, 10_000)
_FINE_CLOCK = Fraction(1, 90_000)
# Muxers that write the tag "timecode" as a track, or keep it as a tag.
_TIME_CODED = ("mov", "mxf", "matroska")


@dataclass(frozen=True)
class EncodeOptions:
    """How a film is written.

    Attributes:
        codec: One of ``codecs.CODECS``; None: the container's default.
        depth: Bits per channel; None: as many as ``choose_depth`` says.
        quality: On the codec's own scale.
        loop: How often an animation is repeated, 0 forever, -1 never.
        background: Colour that transparent areas are composited over if alpha cannot be kept.
        max_size: Maximum size of an animation in bytes; it is reduced to fit.
        metadata: Tags to add.
        alone: Whether to code each frame without reference to its neighbours: larger, and as good
            at the end as at the beginning.
        strip_metadata: Whether to drop the source's own tags.
        no_audio: Whether to drop the sound.
        audio_track: Keep only this track (``audio.choose_tracks``).
        soundtrack: What is heard in place of the source's own sound; None: that sound.
        overwrite: Whether to replace an existing output.
        proxy: Width of a small film to write beside the output; None: none.
        own_light: The source's colour tags, if the frames are in its own light instead of a
            screen's.
        on_frame: Called with the number of frames passed to the encoder.
    """

    codec: str | None = None
    depth: int | None = None
    quality: int | None = None
    loop: int = 0
    background: Background = (0, 0, 0)
    max_size: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False
    strip_metadata: bool = False
    no_audio: bool = False
    audio_track: str | None = None
    soundtrack: Soundtrack | None = None
    overwrite: bool = False
    proxy: int | None = None
    own_light: Color | None = None
    on_frame: Callable[[int], None] | None = None


DEFAULT_ENCODING = EncodeOptions()


@dataclass(frozen=True)
class Film:
    """Frames in order, the range of the source that they come from, and what to keep of it."""

    frames: Sequence[StoredFrame]
    last: Fraction
    start: Fraction
    end: Fraction | None
    wanted_rate: Fraction | None
    source: MediaInfo | None
    kind: Kind
    resized: tuple[int, int] | None = None

    @cached_property
    def rate(self) -> Fraction | None:
        """The constant rate that all frame times keep to, or None."""
        rate, first = self.wanted_rate, self.frames[0].time
        if rate is None:
            return None
        errors = (abs(f.time - first - n / rate) for n, f in enumerate(self.frames))
        return rate if all(error <= _GRID_TOLERANCE for error in errors) else None

    @property
    def offset(self) -> Fraction:
        """When the first frame is shown: later than 0 only to keep sound or subtitles in sync."""
        if self.source is None or not (self.source.audio or self.source.subtitles):
            return Fraction(0)
        late = self.source.start if not self.start else Fraction(0)
        return self.frames[0].time - self.start + late

    @property
    def clock(self) -> Fraction:
        """Seconds per tick, such that every time of a constant rate is a whole number of ticks."""
        if self.rate is None:
            return _FINE_CLOCK
        if (self.offset * self.rate).denominator == 1:
            return 1 / self.rate
        finer = -(-_FINE_CLOCK.denominator // self.rate.numerator)
        return Fraction(1, self.rate.numerator * finer)

    @property
    def ticks(self) -> list[int]:
        """Times of all frames relative to the first."""
        if self.rate is not None:
            return [round(n / self.rate / self.clock) for n in range(len(self.frames))]
        return [round((f.time - self.frames[0].time) / self.clock) for f in self.frames]

    @property
    def origin(self) -> Fraction:
        """The source's time stamp at which the output starts, in seconds."""
        if self.source is None:
            return Fraction(0)
        file_begins = self.source.first_time - self.source.start
        return self.source.first_time + self.start if self.start else file_begins

    @property
    def until(self) -> Fraction | None:
        """End of the output in seconds from its start; None: with the source."""
        if self.end is None or self.source is None:
            return None
        return self.end - self.start if self.start else self.end + self.source.start

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the output."""
        return self.resized or self.kind.size

    @property
    def length(self) -> Fraction:
        """Seconds from the first frame to the end of the last."""
        return self.frames[-1].time + self.last - self.frames[0].time

    @property
    def aspect(self) -> Fraction:
        """Shape of a pixel with which the picture keeps the shape that it has in the source."""
        if self.source is None or self.source.sample_aspect == 1:
            return Fraction(1)
        width, height = self.size
        stretched = Fraction(self.source.width * height, self.source.height * width)
        aspect = (self.source.sample_aspect * stretched).limit_denominator(1000)
        return aspect if abs(aspect - 1) > Fraction(1, 100) else Fraction(1)


def encode_part(film: Film, output: Path, part: Path, options: EncodeOptions) -> list[str]:
    """Write the film under its temporary name and prove it (``prove_film``).

    Args:
        film: The frames and what to keep of their source.
        output: The final name, whose extension chooses the container.
        part: The temporary name.
        options: The user's options.

    Returns:
        Notes for the user.

    Raises:
        MediaError: Encoding failed.
        ProofError: The finished film does not hold the frames and the sound that it should.
    """
    codec = codecs.choose_codec(output, options.codec)
    container = containers.choose_container(output, edits=codec.edits)
    with (
        _cut_titles(film, container, part) as titles,
        _cut_chapters(film, part) as chapters,
        _write_soundtrack(film, container, part, options.soundtrack) as sound,
    ):
        return _encode(film, output, part, options, _Companions(titles, chapters, sound))


@dataclass(frozen=True)
class _Companions:
    """Files that are encoded with the picture, where they were made for it."""

    titles: Path | None
    chapters: Path | None
    sound: Path | None


@contextmanager
def _write_soundtrack(
    film: Film, container: Container, part: Path, track: Soundtrack | None
) -> Iterator[Path | None]:
    """Write the soundtrack to a file, as long as the film to the sample."""
    if track is None or container.sound_encoder is None:
        yield None
        return
    samples = part.with_name(f"{part.name}.samples")
    try:
        try:
            with samples.open("wb") as file:
                for piece in render_soundtrack(track, film.length, film.offset):
                    file.write(piece.astype("<f4").tobytes())
        except OSError as error:
            raise MediaError(f"{escape_text(samples)}: {describe_os_error(error)}") from error
        yield samples
    finally:
        samples.unlink(missing_ok=True)


@contextmanager
def _cut_titles(film: Film, container: Container, part: Path) -> Iterator[Path | None]:
    """Write the range's subtitles to a file if they are to be converted.

    ffmpeg cuts subtitles correctly when it copies them, but shifts them when it also converts them.
    """
    source = film.source
    if source is None or not film.start or not containers.converts_titles(container, source):
        yield None
        return
    muxer = "mov" if "mov_text" in source.subtitle_codecs else "matroska"
    titles = part.with_suffix(".titles")
    copied = ["-map", "0:s", "-c", "copy", "-copypriorss", "0", "-f", muxer, "-y"]
    try:
        ffmpeg.run(
            [*_source_input(film, source), *copied, ffmpeg.local_url(titles)],
            subject=f"{escape_text(source.path)}: subtitles cannot be cut",
        )
        yield titles
    finally:
        titles.unlink(missing_ok=True)


@contextmanager
def _cut_chapters(film: Film, part: Path) -> Iterator[Path | None]:
    """Write the range's chapters to a file: ffmpeg would keep all those after its end."""
    source = film.source
    if source is None or not source.chapter_list or not (film.start or film.end is not None):
        yield None
        return
    entries = [";FFMETADATA1"]
    for chapter in source.chapter_list:
        begin = max(Fraction(0), chapter.start - film.origin)
        end = chapter.end - film.origin
        end = end if film.until is None else min(end, film.until)
        if begin < end:
            entries += ["[CHAPTER]", "TIMEBASE=1/1000"]
            entries += [f"START={round(begin * 1000)}", f"END={round(end * 1000)}"]
            entries += [f"{_escaped(k)}={_escaped(v)}" for k, v in chapter.tags.items()]
    listed = part.with_suffix(".chapters")
    try:
        listed.write_text("\n".join(entries) + "\n", "utf-8")
        yield listed
    finally:
        listed.unlink(missing_ok=True)


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\\n])", r"\\\1", text)


def _encode(
    film: Film,
    output: Path,
    part: Path,
    options: EncodeOptions,
    companions: _Companions,
) -> list[str]:
    titles, chapters = companions.titles, companions.chapters
    codec = codecs.choose_codec(output, options.codec)
    container = containers.choose_container(output, edits=codec.edits)
    containers.check_rate(output, film.rate)
    codecs.check_size(codec, output, film.size)
    depth = codecs.choose_depth(codec, options.depth, film.kind.depth)
    arguments = _picture_input(film, container)
    tail = ["-map", "0:v:0", *_picture_output(film, output, container, codec, depth, options)]
    tail += _last_shown(film, container)
    notes: list[str] = []
    tracks: tuple[AudioStream, ...] = ()
    if film.source is not None:
        inputs = [*(ffmpeg.input_file(titles) if titles else [])]
        inputs += ffmpeg.metadata_file(chapters) if chapters else []
        carried = containers.stream_copy_args(
            container,
            film.source,
            starts_late=bool(film.start),
            end=film.until,
            titles_from=2 if titles else 1,
            chapters_from=(3 if titles else 2) if chapters else 1,
        )
        arguments += [*_source_input(film, film.source, carried.input_options), *inputs]
        strips = options.strip_metadata
        tail += containers.without_tags(carried.arguments) if strips else carried.arguments
        notes, tracks = carried.notes, carried.tracks
    if companions.sound is not None:
        number = arguments.count("-i")
        arguments += ffmpeg.raw_sound_file(companions.sound, RATE, CHANNELS)
        tail += containers.soundtrack_args(container, number)
    elif options.soundtrack is not None:
        notes += containers.no_sound_notes(container)
    tags, tag_notes = _tags(film, container, options.metadata)
    tail += tags
    notes = [*notes, *tag_notes]
    clock = (
        "demux" if container.muxer == "gif" else f"{film.clock.numerator}:{film.clock.denominator}"
    )
    tail += ["-fps_mode", "passthrough", "-enc_time_base:v", clock]
    tail += [*container.options, "-f", container.muxer, "-y", ffmpeg.local_url(part)]
    keep_alpha = codecs.holds_alpha(codec, output, depth)
    pictures = read_packets(
        film.frames,
        film.kind,
        keep_alpha=keep_alpha,
        background=ground_of(options),
        # ffmpeg clears the canvas only after GIF frames that are not fully opaque.
        pinhole=container.muxer == "gif",
    )
    mastering = b""
    if options.own_light is not None and film.source is not None:
        mastering = read_mastering(film.source.path, film.source.stream_index)
    mastered = (with_chunks(each, mastering) for each in pictures) if mastering else pictures
    lines, _ = ffmpeg.run(
        [*arguments, *tail],
        subject=f"{escape_text(output)}: encoding failed",
        feed=ivf_stream(
            film.ticks, film.clock, _counted(mastered, options.on_frame), film.kind.codec
        ),
    )
    # WebP merges equal frames into one that is shown longer.
    merges = container.muxer == "webp"
    wanted, got = len(film.frames), _frames_encoded(lines) if merges else 0
    if merges and got != wanted:
        raise MediaError(
            f"{escape_text(output)}: encoding failed: {got} of {wanted} frames arrived"
        )
    if merges and not webp.is_animation(part):
        webp.make_animation(part, film.size, film.length, codecs.webp_plays(options.loop))
    times = [tick * film.clock for tick in film.ticks]
    spans = _sound_spans(film, tracks)
    if companions.sound is not None:
        end = film.offset + film.length
        spans.append(SoundSpan(end, lambda: end))
    prove_film(part, FilmContents(container.muxer, times, spans), output)
    return [*notes, *_picture_notes(film, output, codec, keep_alpha)]


def ground_of(options: EncodeOptions) -> tuple[float, float, float]:
    """Return the colour behind transparent areas, 0 .. 255, in the light of the frames."""
    if options.own_light is None:
        return options.background
    red, green, blue = screen_codes(options.background, options.own_light) / 257
    return float(red), float(green), float(blue)


def _sound_spans(film: Film, tracks: Sequence[AudioStream]) -> list[SoundSpan | None]:
    """Return where each sound track of the film must end; None: its source's clock may leap."""
    source = film.source
    if source is None or not tracks:
        return []
    if source.clock_may_leap:
        return [None for _ in tracks]
    ends = sound_ends(source.path, [track.index for track in tracks])
    return [_sound_span(film, source, track, end) for track, end in zip(tracks, ends, strict=True)]


def _sound_span(
    film: Film, source: MediaInfo, track: AudioStream, end: Fraction | None
) -> SoundSpan:
    def measure() -> Fraction:
        return measure_sound_end([*_source_input(film, source), "-map", f"0:{track.index}"])

    last = Fraction(0) if end is None else max(Fraction(0), end - film.origin)
    return SoundSpan(last if film.until is None else min(last, film.until), measure)


def _frames_encoded(lines: Sequence[str]) -> int:
    """Return the frames that reached the first output's encoder, according to ffmpeg's log."""
    pattern = re.compile(r"Output stream #0:0 \(video\): (\d+) frames encoded")
    return next((int(m[1]) for line in lines if (m := pattern.search(line))), 0)


def _tags(
    film: Film, container: Container, metadata: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Return arguments that add tags to the source's own, and notes on those that are replaced."""
    arguments = []
    notes = []
    moved = {container.tag_names[key] for key in metadata if key in container.tag_names}
    kept = read_tags(film.source.path) if moved and film.source else {}
    code = _time_code(film, container)
    if film.start or code or container.muxer == "mxf":
        # The time code of the source's first frame would be wrong for a later one.
        arguments += ["-metadata", f"timecode={code}"]
    for key, value in metadata.items():
        arguments += ["-metadata", f"{container.tag_names.get(key, key)}={value}"]
    if metadata and not container.holds_tags:
        notes.append(f"the look is not recorded in the film: {container.muxer} has no place for it")
    for lost in sorted(moved & kept.keys()):
        notes.append(
            f"the source's {lost} is replaced by the recorded look: {container.muxer} has no "
            "other place for them"
        )
    return arguments, notes


def _time_code(film: Film, container: Container) -> str:
    """Return the time code of the film's first frame; empty if it has none there."""
    if container.muxer not in _TIME_CODED or film.source is None or film.rate is None:
        return ""
    code = read_time_code(film.source.path) if film.rate == film.source.rate else None
    if code is None:
        return ""
    count = round(film.frames[0].time * film.rate) if film.start else 0
    return shift_time_code(code, count, film.rate) or ""


def _counted(pictures: Iterator[bytes], on_frame: Callable[[int], None] | None) -> Iterator[bytes]:
    for number, picture in enumerate(pictures, 1):
        yield picture
        if on_frame:
            on_frame(number)


def _picture_input(film: Film, container: Container) -> list[str]:
    # Without sound to be late for, a film starts with its first picture.
    late = film.offset if container.sound_encoder else Fraction(0)
    offset = ["-itsoffset", f"{float(late):.6f}"] if late else []
    return [*offset, "-f", "ivf", "-i", "pipe:0"]


def _picture_output(
    film: Film,
    output: Path,
    container: Container,
    codec: Codec,
    depth: int,
    options: EncodeOptions,
) -> list[str]:
    resize = []
    if film.resized:
        shrinks = film.size[0] * film.size[1] < film.kind.size[0] * film.kind.size[1]
        kernel = "area" if shrinks else "lanczos"
        resize = [f"scale={film.size[0]}:{film.size[1]}:flags={kernel}+{ffmpeg.ACCURATE}"]
    return codecs.picture_arguments(
        codec,
        codecs.PictureOptions(
            muxer=container.muxer,
            size=film.size,
            pixels=codecs.pixel_format(codec, output, depth, film.kind.alpha),
            quality=codecs.check_quality(codec, output, options.quality),
            color=options.own_light or (film.source.color if film.source else Color()),
            aspect=film.aspect,
            # Reordered frames of uneven length make MP4's total duration wrong.
            reorder=film.rate is not None,
            loop=options.loop,
            alone=options.alone,
            resize=resize,
            own_light=options.own_light is not None,
        ),
    )


def _last_shown(film: Film, container: Container) -> list[str]:
    """Return a packet filter that sets how long the last frame is shown: no frame follows it."""
    if len(film.frames) < 2:
        return ["-bsf:v", f"setts=pts=PTS:dts=DTS:duration={round(film.last / film.clock)}"]
    late = film.offset if container.sound_encoder else Fraction(0)
    between = late + (film.frames[-1].time + film.frames[-2].time) / 2 - film.frames[0].time
    last = f"if(gt(PTS*TB,{float(between):.6f}),{float(film.last):.6f}/TB,DURATION)"
    return ["-bsf:v", f"setts=pts=PTS:dts=DTS:duration='{last}'"]


def _source_input(film: Film, source: MediaInfo, more: Sequence[str] = ()) -> list[str]:
    """Return input 1: the source, cut to the rendered range, with ``more`` options."""
    options = [*more]
    if film.start:
        options += ["-ss", f"{float(source.start + film.start):.6f}"]
    if film.until is not None:
        options += ["-t", f"{float(film.until):.6f}"]
    return ffmpeg.input_file(source.path, *options)


def _picture_notes(film: Film, output: Path, codec: Codec, keep_alpha: bool) -> list[str]:
    notes = []
    padded = codecs.padded_size(codec, film.size)
    if padded != film.size:
        size = "an even size" if codec.multiple == (2, 2) else f"{padded[0]} x {padded[1]}"
        notes.append(
            f"padded to {size}: {codec.encoder} cannot hold {film.size[0]} x {film.size[1]}"
        )
    if film.kind.alpha and not keep_alpha:
        notes.append(
            f"transparency composited over one colour: {output.suffix} cannot store it here"
        )
    return notes
