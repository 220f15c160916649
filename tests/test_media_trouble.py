"""What goes wrong under way: killed encoders, vanished sources, folders that cannot be replaced."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_clips import film, make, picture, tone
from test_media_process import children, little_room

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.paths import check_place, replace_atomically, sync_files
from dreamvideo.media.read import open_source
from dreamvideo.media.stills import load_frame, store_frame
from dreamvideo.media.write import StoredFrame, encode

SECOND = [Fraction(n, 25) for n in range(25)]


def made(frames: list[StoredFrame], output: Path, source: Path | None = None) -> list[str]:
    return encode(
        frames,
        output,
        duration_of_last=Fraction(1, 25),
        source=source,
        rate=Fraction(25),
        options=EncodeOptions(overwrite=True, on_frame=None),
    )


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.webm"])
def test_an_encoder_that_is_killed_is_one_line_and_the_frames_stay(
    tmp_path: Path, name: str
) -> None:
    frames = film(tmp_path / "f", SECOND)
    kept = [load_frame(frame.path) for frame in frames]

    def kill(done: int) -> None:
        if done == 5:
            os.kill(children()[0], signal.SIGKILL)

    with pytest.raises(MediaError, match=rf"{name}: encoding failed: .*signal 9") as caught:
        encode(
            frames,
            tmp_path / name,
            duration_of_last=Fraction(1, 25),
            source=None,
            rate=Fraction(25),
            options=EncodeOptions(on_frame=kill),
        )
    assert "\n" not in str(caught.value) and children() == []
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert all(np.array_equal(load_frame(f.path), k) for f, k in zip(frames, kept, strict=True))


def test_a_source_that_is_gone_when_its_sound_is_wanted(tmp_path: Path) -> None:
    clip = make(tmp_path / "clip.mp4", *picture(1), *tone(1))
    frames = film(tmp_path / "f", SECOND)
    clip.unlink()
    with pytest.raises(MediaError, match=r"clip\.mp4: no such file"):
        made(frames, tmp_path / "a.mp4", clip)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_film_is_not_lost_to_a_broken_sound_track(tmp_path: Path) -> None:
    clip = make(tmp_path / "clip.mkv", *picture(1), *tone(1), "-c:a", "libvorbis")
    data = bytearray(clip.read_bytes())
    setup = data.index(b"\x05vorbis") + 8
    data[setup : setup + 40] = b"\xff" * 40
    clip.write_bytes(data)
    notes = made(film(tmp_path / "f", SECOND), tmp_path / "a.mp4", clip)
    said = "the sound is left out: its vorbis cannot be decoded"
    assert any(note.startswith(said) and "\n" not in note for note in notes)
    with open_source(tmp_path / "a.mp4") as done:
        assert sum(1 for _ in done) == 25 and not done.info.audio


def test_a_source_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    clip = make(tmp_path / "clip.mkv", *picture(8, size="320x240"), "-c:v", "mpeg4", "-q:v", "1")
    with open_source(clip) as source:
        frames = iter(source)
        next(frames)
        os.truncate(clip, clip.stat().st_size // 4)
        came = 1 + sum(1 for _ in frames)
        assert came < 200 and abs(came + source.missing - 200) <= 2
        assert "frames missing" in source.notes[0]


def test_pictures_that_vanish_while_they_are_read(tmp_path: Path) -> None:
    film(tmp_path / "f", SECOND[:4])
    with open_source(tmp_path / "f") as source:
        frames = iter(source)
        next(frames)
        (tmp_path / "f" / "000002.png").unlink()
        with pytest.raises(MediaError, match=r"000002\.png: no such file"):
            list(frames)


def test_a_folder_that_cannot_be_replaced_keeps_its_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = film(tmp_path / "f", SECOND[:3])
    made(frames, tmp_path / "shots")
    before = sorted(path.name for path in (tmp_path / "shots").iterdir())
    rename = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.name == ".shots.part":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(MediaError, match=r"shots: cannot be written \(input/output error\)"):
        made(frames[:1], tmp_path / "shots")
    monkeypatch.undo()
    assert sorted(path.name for path in (tmp_path / "shots").iterdir()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "shots"]


def test_a_folder_is_never_seen_half_written(tmp_path: Path) -> None:
    """Whoever looks at the name while it is written sees nothing, or all frames."""
    frames = film(tmp_path / "f", SECOND)
    seen: set[int] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            if (tmp_path / "shots").is_dir():
                seen.add(len(list((tmp_path / "shots").iterdir())))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        made(frames, tmp_path / "shots")
        time.sleep(0.05)
    finally:
        done.set()
        looking.join()
    assert seen == {25}


def test_a_real_full_disk(tmp_path: Path) -> None:
    """On a file system of its own where one may be made; else no file may grow."""
    script = (
        "import sys, pathlib, numpy as np\n"
        "from dreamvideo.errors import MediaError\n"
        "from dreamvideo.media.stills import load_frame, store_frame\n"
        "disk = pathlib.Path(sys.argv[1])\n"
        "noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)\n"
        "count = 0\n"
        "try:\n"
        "    while count < 40:\n"
        "        store_frame(disk / f'{count:04d}.png', noise)\n"
        "        count += 1\n"
        "except MediaError as error:\n"
        "    print(error)\n"
        "stored = sorted(disk.iterdir())\n"
        "assert len(stored) == count, stored\n"
        "assert all((load_frame(path) == noise).all() for path in stored)\n"
        "print(count)\n"
    )
    disk = tmp_path / "disk"
    disk.mkdir()
    run = [sys.executable, "-c", script, str(disk)]
    mounted = f'mount -t tmpfs -o size=500k none "{disk}" && exec "$@"'
    tool = shutil.which("unshare")
    command = [tool, "-rm", "sh", "-c", mounted, "sh", *run] if tool else run
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0 and "mount" in done.stderr + done.stdout:
        with little_room(500_000):
            done = subprocess.run(run, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *said, count = done.stdout.splitlines()
    assert int(count) == 40 or (len(said) == 1 and "cannot be written (no space left" in said[0])


def test_frames_synced_later_are_there(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for path in paths:
        store_frame(path, np.zeros((4, 4, 3), np.uint8), sync=False)
    sync_files(paths)
    assert all(load_frame(path).shape == (4, 4, 3) for path in paths)
    with pytest.raises(MediaError, match=r"gone\.png: cannot be written"):
        sync_files([tmp_path / "gone.png"])


@pytest.mark.parametrize("sync", [True, False])
def test_what_fails_halfway_leaves_the_old_file(tmp_path: Path, sync: bool) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyError), replace_atomically(tmp_path / "a", sync=sync) as part:
        part.write_text("half")
        raise KeyError
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_places_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there.png").touch()
    os.mkfifo(tmp_path / "fifo.png")
    check_place(tmp_path / "new.png", overwrite=False)
    check_place(tmp_path / "there.png", overwrite=True)
    for name, overwrite, words in (
        ("there.png", False, "exists already; -y"),
        ("gone/new.png", True, "does not exist"),
        ("fifo.png", True, "not a regular file"),
        (".", True, "is a folder"),
    ):
        with pytest.raises(UsageError, match=words):
            check_place(tmp_path / name, overwrite)
    # The system answers for a disk that is mounted read-only, also to the superuser.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UsageError, match=r"new\.png: no permission to write into"):
        check_place(tmp_path / "new.png", overwrite=False)
