"""What a film sounds like and what its look listens to: its clip's sound, or files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from dreamvideo.errors import UsageError
from dreamvideo.media.beats import Beats, even_beats
from dreamvideo.media.paths import escape_text
from dreamvideo.media.probe import MediaInfo
from dreamvideo.media.sound import Curve, SoundTrack, measure_file, measure_sound
from dreamvideo.media.soundtrack import (
    Soundtrack,
    open_sound_file,
    track_beats,
    track_clip_beats,
)
from dreamvideo.schedules import CLOCKS
from dreamvideo.settings import Look, OutputSettings


def make_soundtrack(wanted: OutputSettings, *, loops: bool = False) -> Soundtrack | None:
    """Return what is heard in place of the clip's own sound; None: that sound, as it is.

    Args:
        wanted: Output settings.
        loops: Whether the film leads back into its beginning: its sound does not fade then.
    """
    if wanted.no_audio or not (wanted.sound or wanted.click):
        return None
    fades = wanted.sound is not None and not loops
    return Soundtrack(
        wanted.sound,
        wanted.sound_start,
        wanted.sound_fade if fades or wanted.sound_fade is not None else 0.0,
        wanted.click,
        wanted.bpm,
        wanted.downbeat,
    )


def check_sound_files(look: Look, wanted: OutputSettings, clip: MediaInfo | None) -> None:
    """Refuse, before any work, sound that cannot be read or that the look misses.

    Args:
        look: The look.
        wanted: Output settings.
        clip: The clip; None: the film has none, or one without sound.

    Raises:
        MediaError: A file cannot be read, or has no sound.
        UsageError: The look follows what is not there.
    """
    if wanted.sound is not None:
        open_sound_file(wanted.sound, wanted.sound_start)
    for path in wanted.stems.values():
        open_sound_file(path)
    for name in sorted(look.sounds):
        stem, _, level = name.partition("~")[0].rpartition(".")
        if stem and stem not in wanted.stems:
            raise UsageError(f"audio:{stem}.{level}: name the file with --stem {stem}=FILE")
    if wanted.sound is None and clip is None and _follows_levels(look):
        raise _no_sound()
    if wanted.click or look.sounds & {*CLOCKS}:
        find_music_beats(wanted, clip)


def _follows_levels(look: Look) -> bool:
    """Whether the look follows levels of the sound itself, not only stems and clocks."""
    return any("." not in name.partition("~")[0] for name in look.sounds - {*CLOCKS})


def _no_sound() -> UsageError:
    return UsageError("there is no sound for `audio:` to follow: give it some with --sound")


def find_music_beats(wanted: OutputSettings, clip: MediaInfo | None) -> Beats:
    """Return the beats of a film's music.

    They are timed from the start of its sound file or, without one, from its clip's first picture.

    Args:
        wanted: Output settings.
        clip: The clip, if there is one.

    Raises:
        UsageError: There is no music, or no beat in it.
        MediaError: It cannot be decoded.
    """
    if wanted.sound is not None:
        sound = open_sound_file(wanted.sound, wanted.sound_start)
        return track_beats(sound, wanted.bpm, wanted.downbeat)
    if clip is not None:
        return track_clip_beats(clip, wanted.bpm, wanted.downbeat)
    if wanted.bpm is None:
        raise UsageError(
            "there is no music to find a beat in: set the tempo with --bpm, or --sound"
        )
    return even_beats(wanted.bpm, wanted.downbeat or 0.0)


def listen(
    look: Look,
    wanted: OutputSettings,
    clip: MediaInfo | None = None,
    begin: Fraction = Fraction(0),
    end: Fraction | None = None,
) -> SoundTrack | None:
    """Measure all sound that a look follows; None if it follows none.

    Args:
        look: The look.
        wanted: Output settings.
        clip: The clip, if there is one.
        begin: Start of the film in seconds of the clip's picture.
        end: Its end, likewise; None: the clip's end.

    Raises:
        UsageError: The look follows what is not there.
        MediaError: It cannot be decoded.
    """
    if not look.sounds:
        return None
    plain = {name.partition("~")[0] for name in look.sounds}
    curves: dict[str, Curve] = {}
    stems_begin = float(begin)
    start, period = float(begin), None
    if wanted.sound is not None:
        sound = open_sound_file(wanted.sound, wanted.sound_start)
        start, period = float(begin) - wanted.sound_start, float(sound.length)
        stems_begin = 0.0
        if _follows_levels(look):
            curves |= measure_file(sound)
    elif _follows_levels(look):
        if clip is None:
            raise _no_sound()
        curves |= measure_sound(clip, begin, end).curves
    for stem in {name.partition(".")[0] for name in plain if "." in name}:
        if stem not in wanted.stems:
            raise UsageError(f"audio:{stem}: name the file with --stem {stem}=FILE")
        levels = measure_file(open_sound_file(wanted.stems[stem]), stems_begin)
        curves |= {f"{stem}.{level}": curve for level, curve in levels.items()}
    found = None
    if plain & {*CLOCKS}:
        found = find_music_beats(wanted, clip)
        if wanted.sound is None:
            found = found.shift(-float(begin))
    return SoundTrack(curves, start, period, found)


def collect_music_notes(
    look: Look, wanted: OutputSettings, clip: MediaInfo | None = None
) -> tuple[str, ...]:
    """Return a note on the tempo that was found, if the film shows or sounds the beat.

    Args:
        look: The look.
        wanted: Output settings.
        clip: The clip, if there is one.
    """
    if not (wanted.click or look.sounds & {*CLOCKS}) or wanted.bpm is not None:
        return ()
    found = find_music_beats(wanted, clip)
    path = wanted.sound or (clip.path if clip is not None else Path())
    begins = f"a beat at {found.times[0]:.2f} s"
    return (f"{escape_text(path)}: {found.bpm:.1f} beats a minute, {begins}; --bpm sets another",)


def list_sound_files(look: Look, wanted: OutputSettings) -> dict[str, Path]:
    """Return the sound files that the frames of a look depend on, by what messages call them."""
    if not look.sounds:
        return {}
    files = {f"the stem {name}": path for name, path in wanted.stems.items()}
    return files if wanted.sound is None else {"the sound": wanted.sound, **files}
