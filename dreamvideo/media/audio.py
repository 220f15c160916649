"""Sound tracks: which ones are kept, and how each is copied or converted into a container."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media import ffmpeg
from dreamvideo.media.languages import same_language
from dreamvideo.media.paths import escape_text
from dreamvideo.media.probe import AudioStream, MediaInfo

# Layouts that AAC and Opus encode; ffmpeg mixes others to the nearest of them.
_ENCODED = {
    "aac": "mono|stereo|3.0|4.0|quad|5.0|5.0(side)|5.1|5.1(side)|6.1|7.1",
    "libopus": "7.1|6.1|5.1|5.0|quad|3.0|stereo|mono",
}
# Unnamed channels are taken for these, in order.
_USUAL = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_MANY = ("hexadecagonal", "22.2", "5.1.4", "7.1.2", "7.1.4", "7.2.3", "9.1.4", "9.1.6")
_UNNAMED = re.compile(r"(\d+) channels(?: \((.*)\))?")
_AMBISONIC = re.compile(r"ambisonic (\d+)")
_NO_NAME = ("UNSD", "UNK", "USR", "AMBI")


def choose_tracks(info: MediaInfo, track: str | None) -> tuple[AudioStream, ...]:
    """Return the sound tracks to keep: all, or the requested one.

    Args:
        info: The film.
        track: A number counted from 1, or a language such as ``eng``, ``en`` or ``en-US``.

    Returns:
        The tracks in order.

    Raises:
        UsageError: The film has no such track; the message names those that it has.
    """
    if track is None:
        return info.audio
    wanted = track.strip()
    if wanted.isdigit():
        found = info.audio[int(wanted) - 1 : int(wanted)] if int(wanted) else ()
    else:
        found = tuple(t for t in info.audio if t.language and same_language(t.language, wanted))[:1]
    if not found:
        have = ", ".join(
            f"{number} ({each.language or 'no language'})"
            for number, each in enumerate(info.audio, 1)
        )
        raise UsageError(
            f"--audio-track {escape_text(track)}: {escape_text(info.path)} has "
            f"{f'the sound tracks {have}' if have else 'no sound'}"
        )
    return found


@dataclass(frozen=True)
class AudioPlan:
    """How one track goes into a film: arguments before and after the input, and a note."""

    track: AudioStream
    encoder: str
    filters: str = ""
    layout: str = ""
    note: str = ""

    @property
    def input_options(self) -> list[str]:
        """Options that precede the input."""
        return [f"-channel_layout:{self.track.index}", self.layout] if self.layout else []

    def output_options(self, source: int, number: int) -> list[str]:
        """Return options that map the track from input ``source`` to sound track ``number``."""
        mapped = ["-map", f"{source}:{self.track.index}", f"-c:a:{number}", self.encoder]
        return [*mapped, *([f"-filter:a:{number}", self.filters] if self.filters else [])]


def plan_audio(
    path: Path,
    tracks: Sequence[AudioStream],
    muxer: str,
    copied: tuple[str, ...] | None,
    encoder: str,
    keeps_pcm: bool,
    rate: int | None = None,
) -> tuple[list[AudioPlan], list[str]]:
    """Plan how each track is kept; one that cannot be decoded is dropped with a note.

    Args:
        path: The film that the tracks are in.
        tracks: The requested tracks.
        muxer: ffmpeg's name of the container.
        copied: Codecs that it holds as they are; None: whatever its muxer takes.
        encoder: What other codecs are converted to.
        keeps_pcm: Whether the container holds uncompressed sound, so that no quality need be lost.
        rate: Samples per second that the container needs; None: any.

    Returns:
        The plans of the tracks that remain, and notes for the user.
    """
    plans, notes = [], []
    for number, track in enumerate(tracks, 1):
        if rate in (None, track.rate) and _is_copied(path, track, muxer, copied):
            plans.append(AudioPlan(track, "copy"))
            continue
        reason = find_undecodable(path, track)
        if reason is not None:
            which = f"sound track {number}" if len(tracks) > 1 else "the sound"
            notes.append(f"{which} is left out: its {track.codec} cannot be decoded ({reason})")
            continue
        plans.append(_at_rate(_plan_conversion(track, encoder, keeps_pcm), rate))
        notes.append(plans[-1].note)
    return plans, list(dict.fromkeys(notes))


def find_undecodable(path: Path, track: AudioStream) -> str | None:
    """Return why a sound track cannot be decoded; None if its beginning can."""
    arguments = [*ffmpeg.input_file(path), "-map", f"0:{track.index}", "-t", "1"]
    arguments += ["-c:a", "pcm_s16le", "-f", "framecrc", "pipe:1"]
    try:
        _, written = ffmpeg.run(arguments, subject="")
    except MediaError as error:
        return str(error).removeprefix(": ")
    heard = any(not line.startswith(b"#") for line in written.splitlines())
    return None if heard else "it is empty"


def _is_copied(path: Path, track: AudioStream, muxer: str, copied: tuple[str, ...] | None) -> bool:
    if copied is not None:
        return track.codec in copied
    trial = ["-map", f"0:{track.index}", "-c", "copy", "-t", "0.1", "-f", muxer, "pipe:1"]
    try:
        ffmpeg.run([*ffmpeg.input_file(path), *trial], subject="")
    except MediaError:
        return False
    return True


def _at_rate(plan: AudioPlan, rate: int | None) -> AudioPlan:
    """Return the plan with its sound resampled, if a container needs another rate."""
    if rate in (None, plan.track.rate):
        return plan
    filters = ",".join(filter(None, [plan.filters, f"aresample={rate}"]))
    return replace(plan, filters=filters, note=f"{plan.note}, at {rate} Hz")


def _plan_conversion(track: AudioStream, encoder: str, keeps_pcm: bool) -> AudioPlan:
    if keeps_pcm and track.codec.startswith("pcm_"):
        pcm = "pcm_s16le" if track.bits <= 16 else "pcm_s24le"
        return AudioPlan(track, pcm, note=f"sound converted from {track.codec} to {pcm}")
    if encoder.startswith("pcm_"):
        # What was compressed without loss may have more bits.
        deeper = (
            track.codec in ("flac", "alac", "truehd", "mlp", "wavpack", "tta") and track.bits > 16
        )
        pcm = "pcm_s24le" if deeper else encoder
        return AudioPlan(track, pcm, note=f"sound converted from {track.codec} to {pcm}")
    name = encoder.removeprefix("lib")
    note = f"sound converted from {track.codec} to {name}"
    count = _count_unnamed_channels(track.channels)
    if count is None and track.channels in _MANY:
        filters = "aformat=channel_layouts=7.1"
        return AudioPlan(track, encoder, filters, "", f"{note}, {track.channels} mixed to 7.1")
    if count is None:
        return AudioPlan(track, encoder, f"aformat=channel_layouts={_ENCODED[encoder]}", "", note)
    if count in _USUAL:
        layout = _USUAL[count]
        filters = "|".join([f"pan={layout}", *(f"c{n}=c{n}" for n in range(count))])
        note += f", its {count} unnamed channels taken as {layout}"
    else:
        left, right = ("+".join(f"c{n}" for n in range(side, count, 2)) for side in (0, 1))
        filters = f"pan=stereo|c0<{left}|c1<{right}"
        note += f", its {count} unnamed channels mixed to stereo"
    return AudioPlan(track, encoder, filters, f"{count}C", note)


def _count_unnamed_channels(layout: str) -> int | None:
    """Return how many channels a layout without speaker names has; None for a usual layout."""
    unnamed = _UNNAMED.match(layout)
    if unnamed and (not unnamed[2] or int(unnamed[1]) > 8):
        return int(unnamed[1])
    if unnamed:
        return int(unnamed[1]) if any(name in layout for name in _NO_NAME) else None
    ambisonic = _AMBISONIC.match(layout)
    return (int(ambisonic[1]) + 1) ** 2 if ambisonic else None
