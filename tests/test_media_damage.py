"""Damaged sources: what can be decoded comes out, what is missing is said."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from media_clips import make, picture, tone

from dreamvideo.errors import MediaError
from dreamvideo.media.read import ReadOptions, open_source

FAST = ["-movflags", "+faststart", "-g", "25"]


def read(path: Path, **wishes: Fraction) -> tuple[int, int, list[str]]:
    """Frames that came, frames missing, notes."""
    with open_source(path, ReadOptions(**wishes)) as source:  # type: ignore[arg-type]
        return sum(1 for _ in source), source.missing, source.notes


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Two seconds of picture and as much sound, by ending."""
    folder = tmp_path_factory.mktemp("damage")

    def clip(ending: str) -> Path:
        path = folder / f"a{ending}"
        sound = [] if ending in (".gif", ".webp") else tone(2)
        fast = FAST if ending in (".mp4", ".mov") else ["-g", "25"]
        return path if path.exists() else make(path, *picture(2), *sound, *fast)

    return clip


def truncated(path: Path, to: Path, share: float = 0.55) -> Path:
    data = path.read_bytes()
    to.write_bytes(data[: int(len(data) * share)])
    return to


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm", ".flv"])
def test_a_truncated_film_says_how_much_is_missing(
    clips: Callable[[str], Path], tmp_path: Path, ending: str
) -> None:
    came, missing, notes = read(truncated(clips(ending), tmp_path / f"cut{ending}"))
    assert 10 <= came < 50
    assert abs(came + missing - 50) <= 2
    assert any(f"{missing} frames missing" in note and "early" in note for note in notes)


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".webm", ".avi", ".flv", ".gif", ".ts"])
def test_a_whole_film_misses_nothing(clips: Callable[[str], Path], ending: str) -> None:
    assert read(clips(ending)) == (50, 0, [])


def test_sound_longer_than_the_picture_is_no_damage(tmp_path: Path) -> None:
    for ending in (".mp4", ".mkv", ".webm"):
        assert read(make(tmp_path / f"a{ending}", *picture(1), *tone(4))) == (25, 0, [])


def test_a_picture_that_is_shown_long_is_no_damage(tmp_path: Path) -> None:
    slow = ["-vf", "setpts='if(eq(N,24),N+100,N)/25/TB'", "-fps_mode", "passthrough"]
    for ending in (".mp4", ".mkv"):
        assert read(make(tmp_path / f"a{ending}", *picture(1), *slow))[1] == 0


def test_a_range_of_a_truncated_film_that_is_there_is_whole(
    clips: Callable[[str], Path], tmp_path: Path
) -> None:
    cut = truncated(clips(".mp4"), tmp_path / "cut.mp4", 0.8)
    assert read(cut, end=Fraction(1, 2))[:2] == (12 + 1, 0)


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".webm", ".gif", ".avi"])
@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_never_raise_anything_but_one_line(
    clips: Callable[[str], Path], tmp_path: Path, ending: str, seed: int
) -> None:
    data = bytearray(clips(ending).read_bytes())
    dice = random.Random(seed)
    for _ in range(10 ** (seed % 3 + 1)):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    (tmp_path / f"bad{ending}").write_bytes(data)
    try:
        came, missing, notes = read(tmp_path / f"bad{ending}")
    except MediaError as error:
        assert "bad" in str(error) and "\n" not in str(error)
    else:
        assert came + missing > 0 and all("\n" not in note for note in notes)


def test_undecodable_frames_are_counted(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.avi", *picture(2), "-c:v", "png")
    data = clip.read_bytes()
    places = [n for n in range(len(data)) if data.startswith(b"IHDR", n)]
    assert len(places) == 50
    broken = bytearray(data)
    for place in places[10:13]:
        broken[place : place + 4] = b"XXXX"
    (tmp_path / "b.avi").write_bytes(broken)
    came, missing, notes = read(tmp_path / "b.avi")
    assert (came, missing) == (47, 3)
    assert "3 frames missing" in notes[0]


def test_an_animated_webp_knows_its_length(tmp_path: Path) -> None:
    slow = ["-vf", "setpts='if(eq(N,9),N+20,N)/10/TB'", "-fps_mode", "passthrough"]
    clip = make(tmp_path / "a.webp", *picture(1, rate="10"), *slow, "-c:v", "libwebp_anim")
    with open_source(clip) as source:
        assert (source.info.frames, len(list(source))) == (10, 10)
        assert source.info.duration > Fraction(5, 2) and not source.notes


@pytest.mark.parametrize("where", [1, 4, 8])
def test_frames_behind_damage_in_a_webp_are_counted(tmp_path: Path, where: int) -> None:
    data = make(tmp_path / "a.webp", *picture(1, rate="10")).read_bytes()
    places = [n for n in range(len(data)) if data.startswith(b"ANMF", n)]
    at = places[where] + 40
    (tmp_path / "b.webp").write_bytes(data[:at] + bytes(33) + data[at:])
    came, missing, notes = read(tmp_path / "b.webp")
    assert came < 10 and came + missing == 10 and "frames missing" in notes[0]
