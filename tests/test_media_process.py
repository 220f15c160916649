"""ffmpeg as a child: always reaped, never in the way, its failures in one line."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_clips import film, make, picture

from dreamvideo.errors import MediaError
from dreamvideo.media import ffmpeg
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.paths import partial_path
from dreamvideo.media.read import open_source
from dreamvideo.media.stills import store_frame
from dreamvideo.media.write import StoredFrame, encode


def children() -> list[int]:
    """Running ffmpeg processes that this one started."""
    tasks = Path(f"/proc/{os.getpid()}/task")
    found = [
        int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()
    ]
    return [pid for pid in found if "ffmpeg" in Path(f"/proc/{pid}/comm").read_text()]


def test_a_source_left_by_an_exception_is_reaped(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4", *picture(5))
    with pytest.raises(KeyError), open_source(clip) as source:
        for _ in source:
            assert len(children()) == 1
            raise KeyError
    assert children() == []


def test_ffmpeg_killed_while_decoding_is_an_error_and_not_an_end(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4", *picture(20, size="320x240"))
    with open_source(clip) as source:
        frames = iter(source)
        next(frames)
        os.kill(children()[0], signal.SIGKILL)
        with pytest.raises(MediaError, match=r"a\.mp4: decoding stopped.*signal 9"):
            list(frames)


def _noise(folder: Path, count: int) -> list[StoredFrame]:
    folder.mkdir()
    dice = np.random.default_rng(0)
    frames = []
    for n in range(count):
        store_frame(folder / f"{n}.png", dice.integers(0, 256, (120, 160, 3), np.uint8))
        frames.append(StoredFrame(folder / f"{n}.png", Fraction(n, 25)))
    return frames


@contextmanager
def little_room(size: int) -> Iterator[None]:
    """No file may grow beyond this many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif", "shots"])
def test_a_full_disk_ends_in_one_line_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    frames = _noise(tmp_path / "f", 12)
    with little_room(30_000), pytest.raises(MediaError) as caught:
        encode(
            frames,
            tmp_path / name,
            duration_of_last=Fraction(1, 25),
            source=None,
            rate=Fraction(25),
        )
    assert name in str(caught.value) and "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_full_disk_leaves_no_half_frame(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    with little_room(10_000), pytest.raises(MediaError, match=r"1\.png: cannot be written"):
        store_frame(tmp_path / "1.png", pixels)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_encoding_keeps_the_old_film(tmp_path: Path) -> None:
    frames = film(tmp_path / "f", [Fraction(n, 25) for n in range(3)])
    frames[1].path.write_bytes(frames[1].path.read_bytes()[:60])
    (tmp_path / "a.mp4").write_text("the old film")
    with pytest.raises(MediaError):
        encode(
            frames,
            tmp_path / "a.mp4",
            duration_of_last=Fraction(1, 25),
            source=None,
            rate=Fraction(25),
            options=EncodeOptions(overwrite=True),
        )
    assert (tmp_path / "a.mp4").read_text() == "the old film"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "f"]


@pytest.mark.parametrize("name", ["a.mp4", "shots"])
def test_what_a_killed_run_left_is_no_obstacle(tmp_path: Path, name: str) -> None:
    frames = film(tmp_path / "f", [Fraction(n, 25) for n in range(3)])
    left = partial_path(tmp_path / name)
    if name == "shots":
        left.mkdir()
        left /= "000009.png"
    left.write_text("half a film")
    with left.open("a") as orphan:
        encode(
            frames,
            tmp_path / name,
            duration_of_last=Fraction(1, 25),
            source=None,
            rate=Fraction(25),
        )
        orphan.write("the orphan's last words")
    with open_source(tmp_path / name) as source:
        assert len(list(source)) == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "f"])


def test_ctrl_c_reaches_the_render_and_not_its_ffmpeg(tmp_path: Path) -> None:
    """An interrupt to the whole foreground group stops Python where it likes; ffmpeg lives on."""
    clip = make(tmp_path / "a.mp4", *picture(20, size="320x240"))
    script = (
        "import sys, time\n"
        "from dreamvideo.media.read import open_source\n"
        "with open_source(sys.argv[1]) as source:\n"
        "    count = 0\n"
        "    for frame in source:\n"
        "        count += 1\n"
        "        try:\n"
        "            if count == 2:\n"
        "                print('ready', flush=True); time.sleep(60)\n"
        "        except KeyboardInterrupt:\n"
        "            pass\n"
        "print(count)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(clip)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    time.sleep(0.2)
    os.killpg(child.pid, signal.SIGINT)
    assert child.communicate(timeout=60)[0] == "500\n" and child.returncode == 0


def test_only_local_files_are_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    playlist = tmp_path / "list.mp4"
    playlist.write_text(f"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/{secret}\n")
    for words in (["-i", str(playlist)], ffmpeg.input_file(playlist)):
        with pytest.raises(MediaError):
            ffmpeg.run([*words, "-f", "null", "-"], subject="list")
    with pytest.raises(MediaError):
        ffmpeg.run(
            [*ffmpeg.input_file(Path("http://127.0.0.1:9/a.mp4")), "-f", "null", "-"], subject="x"
        )


def test_an_error_holds_ffmpegs_own_words(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"film: .*nonesuch"):
        ffmpeg.run(["-f", "lavfi", "-i", "nonesuch", "-f", "null", "-"], subject="film")


@pytest.mark.integration
def test_memory_does_not_grow_with_the_film(tmp_path: Path) -> None:
    """Ten times the frames, the same peak."""
    script = (
        "import resource, sys\n"
        "from dreamvideo.media.read import open_source\n"
        "with open_source(sys.argv[1]) as source:\n"
        "    count = sum(1 for _ in source)\n"
        "print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = []
    for seconds in (1, 10):
        clip = make(tmp_path / f"{seconds}.mp4", *picture(seconds, size="320x180"))
        done = subprocess.run(
            [sys.executable, "-c", script, str(clip)], capture_output=True, text=True, check=True
        )
        count, peak = map(int, done.stdout.split())
        assert count == 25 * seconds
        peaks.append(peak)
    assert peaks[1] < peaks[0] * 1.1


def test_a_broken_pipe_of_somebody_else_is_no_end_of_ffmpeg() -> None:
    def report() -> Iterator[bytes]:
        yield bytes(64)
        # As printing progress does once nobody reads it.
        raise BrokenPipeError

    words = ["-f", "rawvideo", "-s", "4x4", "-pix_fmt", "rgb24", "-i", "-", "-f", "null", "-"]
    with pytest.raises(BrokenPipeError):
        ffmpeg.run(words, subject="film", feed=report())
    assert children() == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the size of a pipe is fixed")
def test_pipes_of_frames_are_wide() -> None:
    import fcntl

    with ffmpeg.Process(["-f", "rawvideo", "-i", "pipe:0"], feed=True) as process:
        for pipe in (process._process.stdin, process._process.stdout):
            assert pipe is not None
            assert fcntl.fcntl(pipe.fileno(), fcntl.F_GETPIPE_SZ) >= 1 << 20
