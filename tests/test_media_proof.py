from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from media_clips import film, make, picture, tone

from dreamvideo.errors import MediaError
from dreamvideo.media import ffmpeg
from dreamvideo.media.proof import (
    FilmContents,
    ProofError,
    SoundSpan,
    decode_times,
    measure_sound_end,
    prove_film,
)
from dreamvideo.media.write import encode

RATE = Fraction(25)
TIMES = [n / RATE for n in range(25)]
MUXERS = {".mp4": "mp4", ".mkv": "matroska", ".webm": "webm", ".gif": "gif"}


def spans(*ends: Fraction, decoded: Fraction | None = None) -> list[SoundSpan]:
    """Sound tracks that end there, and when decoded there too if nothing else is said."""
    return [SoundSpan(end, partial(_or, decoded, end)) for end in ends]


def _or(one: Fraction | None, other: Fraction) -> Fraction:
    return other if one is None else one


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("proof") / "clip.mp4"
    return make(path, *picture(1), *tone(2), "-map", "0", "-map", "1", "-bf", "2")


def test_a_film_that_agrees_passes(clip: Path) -> None:
    prove_film(clip, FilmContents("mp4", TIMES, spans(Fraction(2))), clip)
    assert decode_times(clip) == TIMES


@pytest.mark.parametrize(
    ("times", "sound", "words"),
    [
        ([*TIMES, Fraction(1)], [Fraction(2)], "25 of 26 frames can be decoded"),
        (TIMES[:-1], [Fraction(2)], "25 of 24 frames can be decoded"),
        ([*TIMES[:7], Fraction(3, 10), *TIMES[8:]], [Fraction(2)], "8 is shown at 0.28 s, not at"),
        (TIMES, [Fraction(3)], "its sound ends at 2"),
        (TIMES, [Fraction(1)], "its sound ends at 2"),
        (TIMES, [Fraction(2), Fraction(2)], "1 of 2 sound tracks"),
    ],
)
def test_what_differs_is_said(
    clip: Path, times: list[Fraction], sound: list[Fraction], words: str
) -> None:
    with pytest.raises(ProofError, match=re.escape(words)) as caught:
        prove_film(clip, FilmContents("mp4", times, spans(*sound)), Path("film.mp4"))
    assert str(caught.value).startswith("film.mp4: ")
    assert "\n" not in str(caught.value)


def test_sound_is_only_as_long_as_its_source_can_be_decoded(clip: Path) -> None:
    # Its packets claim ten seconds, of which two can be decoded.
    held = spans(Fraction(10), decoded=Fraction(2))
    prove_film(clip, FilmContents("mp4", TIMES, held), clip)
    prove_film(clip, FilmContents("mp4", TIMES, [*spans(Fraction(2)), *spans(Fraction(0))]), clip)
    cut = ["-t", "1.5", *ffmpeg.input_file(clip), "-map", "0:1"]
    assert measure_sound_end(cut) == pytest.approx(1.5, abs=0.03)


@pytest.mark.parametrize("ending", MUXERS)
def test_damage_anywhere_is_found(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    frames = film(tmp_path / "f", TIMES[:12])
    encode(frames, path, duration_of_last=1 / RATE, source=None, rate=RATE)
    contents = FilmContents(MUXERS[ending], TIMES[:12])
    prove_film(path, contents, path)
    data = bytearray(path.read_bytes())
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ProofError, match="does not agree"):
        prove_film(path, contents, path)


def test_a_webp_merges_equal_frames_and_loses_none(tmp_path: Path) -> None:
    frames = film(tmp_path / "f", TIMES[:6])
    frames[3].path.write_bytes(frames[2].path.read_bytes())
    path = tmp_path / "a.webp"
    encode(frames, path, duration_of_last=1 / RATE, source=None, rate=RATE)
    assert decode_times(path) == [TIMES[n] for n in (0, 1, 2, 4, 5)]
    late = [*TIMES[:5], Fraction(1)]
    with pytest.raises(ProofError, match=re.escape("frame 5 is shown at 0.2 s")):
        prove_film(path, FilmContents("webp", late), path)


@pytest.mark.parametrize("ending", [".mp4", ".gif"])
def test_a_film_that_does_not_agree_is_not_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    run = ffmpeg.run

    def damage(arguments: Sequence[str], **rest: Any) -> tuple[list[str], bytes]:
        result = run(arguments, **rest)
        part = Path(arguments[-1].removeprefix("file:"))
        data = part.read_bytes()
        part.write_bytes(data[: len(data) * 4 // 5])
        return result

    monkeypatch.setattr(ffmpeg, "run", damage)
    frames = film(tmp_path / "f", TIMES[:12])
    path = tmp_path / f"a{ending}"
    with pytest.raises(MediaError, match="does not agree"):
        encode(frames, path, duration_of_last=1 / RATE, source=None, rate=RATE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f"]
    monkeypatch.undo()
    encode(frames, path, duration_of_last=1 / RATE, source=None, rate=RATE)
    assert len(decode_times(path)) == 12
