"""What is dropped into the page: known by what it is, under a tame name, in a private folder."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamvideo.errors import DreamVideoError, MediaError, UsageError
from dreamvideo.media.identify import SourceFile, identify_file, make_safe_name
from dreamvideo.studio.uploads import private_folder, take


async def pieces(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def taken(data: bytes, name: str, folder: Path, most: int = 10_000_000) -> SourceFile:
    found = asyncio.run(take(pieces(data), name, folder, most))
    assert isinstance(found, SourceFile)
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat.JPG", "cat.jpg"),
        ("../../etc/pass wd", "pass wd"),
        ("C:\\films\\a b.mp4", "a b.mp4"),
        ("-y; rm -rf ~.mp4", "y_ rm -rf.mp4"),
        (".bashrc", "bashrc"),
        ("two\nlines\x00.png", "twolines.png"),
        ("%04d.png", "04d.png"),
        ("", "upload"),
        ("...", "upload"),
        ("кот.png", "кот.png"),
        ("x" * 300 + ".mp4", "x" * 60 + ".mp4"),
    ],
)
def test_names_are_tamed(name: str, expected: str) -> None:
    assert make_safe_name(name) == expected


@given(st.text())
def test_a_tame_name_is_one_file_in_its_folder(name: str) -> None:
    made = make_safe_name(name)
    assert made and Path(made).name == made
    assert made[0] not in ".-" and made.isprintable()
    assert not set(made) & set("/\\%*?:;|<>\"'$`\n")


def test_the_folder_is_private() -> None:
    before = os.umask(0)
    try:
        folder = private_folder()
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.rmdir()


def test_a_picture_is_known_by_its_content(shelf: Path, tmp_path: Path) -> None:
    found = taken((shelf / "photo.png").read_bytes(), "holiday.mp4", tmp_path)
    assert (found.kind, found.width, found.height) == ("still", 64, 48)
    assert found.path.name == found.name == "holiday.png"
    assert found.is_private and found.path.parent.parent == tmp_path


def test_a_film_is_known_by_its_content(shelf: Path, tmp_path: Path) -> None:
    found = taken((shelf / "clip.mp4").read_bytes(), "../cat.jpg", tmp_path)
    assert (found.kind, found.width, found.height) == ("film", 64, 48)
    assert found.path.name == "cat.mp4" and found.duration > 0
    assert taken((shelf / "clip.gif").read_bytes(), "a.gif", tmp_path).kind == "film"


@pytest.mark.parametrize("name", ["cat.jpg", "cat.mp4", "cat"])
def test_what_is_neither_is_refused_and_gone(name: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError) as told:
        taken(b"<svg onload=alert(1)>" * 100, name, tmp_path)
    assert str(told.value).startswith(name)
    assert str(tmp_path) not in str(told.value) and "\n" not in str(told.value)
    assert not list(tmp_path.iterdir())


def test_sound_alone_is_no_source_and_nothing_is_refused(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"tone\.mp3: holds no moving picture"):
        identify_file(shelf / "tone.mp3", "tone.mp3")
    # What it is instead: tests/test_studio_music.py.
    with pytest.raises(MediaError, match="empty"):
        taken(b"", "cat.png", tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_too_large_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cat\.png: larger than 2 kB; --max-upload"):
        taken(bytes(5000), "cat.png", tmp_path, most=2000)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    async def chunks() -> AsyncIterator[bytes]:
        raise OSError(28, "No space left on device")
        yield b""

    with pytest.raises(DreamVideoError, match=r"cat\.png: cannot be kept \(no space left"):
        asyncio.run(take(chunks(), "cat.png", gone, 100))
    assert not list(gone.iterdir())


def test_files_of_the_users_own_stay_as_they_are(shelf: Path) -> None:
    found = identify_file(shelf / "clip.mp4")
    assert found.path == shelf / "clip.mp4" and found.name == str(shelf / "clip.mp4")
    assert not found.is_private
    assert identify_file(shelf / "shots").kind == "film"
