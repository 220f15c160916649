"""``-`` as input and output of ``video``, with real ffmpeg processes on both ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_clips import make, times_of
from tiny import QUICK, RATE, Cli, Ended, Pixels, contents, pixels_of

from dreamvideo.cancel import TOKEN
from dreamvideo.guide import read_page
from dreamvideo.media import ffmpeg
from dreamvideo.media.probe import probe
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import read_still, store_frame

SIZE = (64, 48)
LEAST = ["-loglevel", "error"]
Y4M = ["-f", "yuv4mpegpipe", "-"]
NUT = ["-c:v", "rawvideo", "-f", "nut", "-"]


@dataclass(frozen=True)
class Piped(Ended):
    """How a command ended, and what came out of its standard output."""

    data: bytes = b""


Pipe = Callable[..., Piped]


@contextmanager
def moved(descriptor: int, onto: int) -> Iterator[None]:
    """Make ``onto`` the same file as ``descriptor`` for the duration of the block."""
    kept = os.dup(onto)
    os.dup2(descriptor, onto)
    os.close(descriptor)
    try:
        yield
    finally:
        os.dup2(kept, onto)
        os.close(kept)


@pytest.fixture
def pipe(cli: Cli) -> Pipe:
    """Run ``ffmpeg ARGUMENTS | dreamvideo ARGUMENTS | READER``; by default all is read."""

    def run(source: Sequence[str] | bytes, *arguments: object, most: int | None = None) -> Piped:
        got = bytearray()
        come, give = os.pipe()
        read, write = os.pipe()

        def take() -> None:
            with os.fdopen(read, "rb", 0) as out:
                while (most is None or len(got) < most) and (piece := out.read(1 << 16)):
                    got.extend(piece)

        def send() -> None:
            with os.fdopen(give, "wb") as out, suppress(BrokenPipeError):
                out.write(source)  # type: ignore[arg-type]

        taker = threading.Thread(target=take)
        taker.start()
        program = None
        if isinstance(source, bytes):
            threading.Thread(target=send).start()
        else:
            program = subprocess.Popen([ffmpeg.executable(), *LEAST, *source], stdout=give)
            os.close(give)
        with moved(come, 0), moved(write, 1):
            ended = cli("video", *arguments)
        taker.join(30)
        assert not taker.is_alive(), "standard output was not closed"
        if program is not None:
            program.wait(30)
        return Piped(ended.code, ended.out, ended.err, bytes(got))

    return run


def decode(data: bytes, folder: Path, ending: str) -> list[Pixels]:
    path = folder / f"out.{ending}"
    path.write_bytes(data)
    return pixels_of(path)


@pytest.fixture(scope="session")
def piped_clip(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip as YUV4MPEG2 and NUT, with a cut in the middle, and their dreams as frames."""
    from dreamvideo import dream_video, make_look

    folder = tmp_path_factory.mktemp("piped")
    shots = sorted((shelf / "shots").glob("*.png"))[:4]
    for number, shot in enumerate([*shots, *reversed(shots[:2])]):
        pixels = read_still(shot)
        # A negative is another shot.
        store_frame(folder / f"s{number}.png", pixels if number < 4 else 255 - pixels)
    given = ["-framerate", "25", "-i", str(folder / "s%d.png")]
    make(folder / "clip.y4m", *given, "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe")
    make(folder / "clip.nut", *given, "-pix_fmt", "rgb24", "-c:v", "rawvideo")
    # One frame comes late, between the ticks of any rate.
    late = "settb=1/1000,setpts=N*40+17*gte(N\\,3)"
    kept = ["-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-c:v", "rawvideo"]
    make(folder / "late.nut", *given, "-vf", late, *kept, "-pix_fmt", "rgb24")
    look = make_look((), {"dream": {"layers": "block1", "steps": 1, "octaves": 1}})
    for name in ("clip.y4m", "clip.nut"):
        dream_video(folder / name, folder / f"frames-{name[-3:]}", look)
    return folder


@pytest.mark.parametrize("name", ["clip.y4m", "clip.nut"])
def test_frames_of_a_pipe_are_those_of_the_file(
    pipe: Pipe, piped_clip: Path, tmp_path: Path, name: str
) -> None:
    form = ["-f", "yuv4mpegpipe" if name.endswith("y4m") else "nut"]
    source = ["-i", str(piped_clip / name), "-c", "copy", *form, "-"]
    ended = pipe(source, "-", "-o", "-", "--to", "nut", *QUICK)
    assert (ended.code, ended.out) == (0, "")
    assert "standard output: 6 frames\n" in ended.err
    assert "a pipe cannot be resumed" in ended.err
    dreamt = decode(ended.data, tmp_path, "nut")
    expected = pixels_of(piped_clip / f"frames-{name[-3:]}")
    assert len(dreamt) == 6
    assert all(np.array_equal(a, b) for a, b in zip(dreamt, expected, strict=True))
    assert times_of(tmp_path / "out.nut") == [n / RATE for n in range(6)]


def test_colours_can_follow_the_first_frame(
    pipe: Pipe, cli: Cli, piped_clip: Path, tmp_path: Path
) -> None:
    follow = ["--match-colour", "first", *QUICK]
    assert cli("video", piped_clip / "clip.nut", "-o", tmp_path / "frames", "-q", *follow).code == 0
    source = ["-i", str(piped_clip / "clip.nut"), "-c", "copy", "-f", "nut", "-"]
    ended = pipe(source, "-", *follow)
    dreamt = decode(ended.data, tmp_path, "nut")
    expected = pixels_of(tmp_path / "frames")
    assert all(np.array_equal(a, b) for a, b in zip(dreamt, expected, strict=True))


def test_y4m_comes_out_where_it_came_in(pipe: Pipe, piped_clip: Path, tmp_path: Path) -> None:
    source = ["-i", str(piped_clip / "clip.y4m"), "-c", "copy", *Y4M]
    ended = pipe(source, "-", *QUICK)
    assert ended.code == 0
    assert ended.data.startswith(b"YUV4MPEG2 W64 H48 F25:1 ")
    dreamt = decode(ended.data, tmp_path, "y4m")
    expected = pixels_of(piped_clip / "frames-y4m")
    # Chroma at half the resolution is all that is lost.
    for a, b in zip(dreamt, expected, strict=True):
        grey_a, grey_b = (each.astype(float).mean(-1) for each in (a, b))
        assert np.abs(grey_a - grey_b).mean() < 2


def test_an_undreamt_film_passes_in_its_own_colours(
    pipe: Pipe, piped_clip: Path, tmp_path: Path
) -> None:
    source = ["-i", str(piped_clip / "clip.y4m"), "-c", "copy", *Y4M]
    ended = pipe(source, "-", "--strength", "0", *QUICK)
    before = np.asarray(pixels_of(piped_clip / "clip.y4m"), float)
    after = np.asarray(decode(ended.data, tmp_path, "y4m"), float)
    assert np.abs(after - before).mean() < 1.5
    assert np.abs((after - before).mean()) < 0.3


def test_nut_keeps_the_time_of_each_frame(pipe: Pipe, piped_clip: Path, tmp_path: Path) -> None:
    source = ["-i", str(piped_clip / "late.nut"), "-c", "copy", "-f", "nut", "-"]
    ended = pipe(source, "-", "-o", "-", *QUICK)
    decode(ended.data, tmp_path, "nut")
    expected = [Fraction(n, 1000) for n in (0, 40, 80, 137, 177, 217)]
    assert times_of(piped_clip / "late.nut") == expected
    assert times_of(tmp_path / "out.nut") == expected
    plain = pipe(source, "-", "-o", "-", "--to", "y4m", "--end", "0.06", *QUICK)
    assert plain.data.count(b"FRAME\n") == 2
    # Of a negative of what came before, nothing may be said to be lost.
    assert not [note for note in ended.notes if "rate" in note]


def test_raw_frames_in_by_their_description(pipe: Pipe, piped_clip: Path, tmp_path: Path) -> None:
    raw = b"".join(frame.tobytes() for frame in pixels_of(piped_clip / "clip.nut"))
    # An early end, in the middle of a frame, is an end.
    ended = pipe(raw[: 3 * 64 * 48 * 5 + 77], "-", "--raw", "64x48@25:rgb24", *QUICK)
    assert ended.code == 0
    dreamt = decode(ended.data, tmp_path, "nut")
    expected = pixels_of(piped_clip / "frames-nut")[:5]
    assert all(np.array_equal(a, b) for a, b in zip(dreamt, expected, strict=True))


def test_a_file_goes_out_with_alpha_and_depth(pipe: Pipe, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "ghost").mkdir()
    random = np.random.default_rng(3)
    for number in range(2):
        alpha = np.zeros((48, 64), np.uint8)
        alpha[8:40, 10 + number : 50] = 200
        store_frame(
            tmp_path / "ghost" / f"{number}.png",
            random.integers(60, 200, (48, 64, 3)).astype(np.uint8),
            alpha,
        )
    expected = tmp_path / "frames"
    assert cli("video", tmp_path / "ghost", "-o", expected, "-q", *QUICK).code == 0
    ended = pipe(b"", tmp_path / "ghost", "-o", "-", *QUICK)
    assert ended.code == 0, ended.err
    (tmp_path / "out.nut").write_bytes(ended.data)
    for found, wanted in zip(read(tmp_path / "out.nut"), read(expected), strict=True):
        assert np.array_equal(found[0], wanted[0]) and np.array_equal(found[1], wanted[1])
    deep = pipe(b"", tmp_path / "ghost", "-o", "-", "--depth", "16", *QUICK)
    (tmp_path / "deep.nut").write_bytes(deep.data)
    assert probe(tmp_path / "deep.nut").pixel_format == "rgba64le"


def read(film: Path) -> list[tuple[Pixels, Pixels]]:
    with open_source(film, ReadOptions(keep_alpha=True)) as source:
        return [(frame.pixels, frame.alpha) for frame in source if frame.alpha is not None]


def test_a_pipe_becomes_a_film(pipe: Pipe, piped_clip: Path, tmp_path: Path) -> None:
    source = ["-i", str(piped_clip / "clip.y4m"), "-c", "copy", *Y4M]
    ended = pipe(source, "-", "-o", tmp_path / "frames", "--start", "0.04", "--end", "5f", *QUICK)
    assert (ended.code, ended.out) == (0, f"{tmp_path / 'frames'}: 4 frames\n")
    assert list(contents(tmp_path)) == ["frames/", *(f"frames/00000{n}.png" for n in range(1, 5))]


def test_a_reader_that_goes_away_ends_it_in_one_line(pipe: Pipe, tmp_path: Path) -> None:
    # More frames than the pipes hold.
    source = ["-f", "lavfi", "-i", "testsrc2=size=320x180:duration=60", *NUT]
    ended = pipe(source, "-", "-o", "-", "--strength", "0", "-q", *QUICK, most=400_000)
    assert ended.code == 1
    assert ended.err.startswith("dreamvideo: standard output: its reader has ended before the film")
    assert ended.err.count("\n") == 1
    assert contents(tmp_path) == {}


def test_ctrl_c_stops_a_stream(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    from dreamvideo.media import pipe_output

    nut_frames = pipe_output._nut_frames

    def stop_after_two(*arguments: object) -> Iterator[bytes]:
        for number, piece in enumerate(nut_frames(*arguments)):  # type: ignore[arg-type]
            yield piece
            if number == 2:
                TOKEN.cancel()

    monkeypatch.setattr(pipe_output, "_nut_frames", stop_after_two)
    source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:duration=60", *NUT]
    ended = pipe(source, "-", "-o", "-", "-q", *QUICK)
    assert (ended.code, ended.err) == (143, "dreamvideo: stopped before the end\n")


REFUSED: list[tuple[str, int, Sequence[str]]] = [
    ("- --passes 2 -o -", 2, ["--passes 2", "pipe"]),
    ("- --workers 2 -o -", 2, ["--workers", "whole clip"]),
    ("- --quality 20 -o -", 2, ["--quality", "files", "--depth"]),
    ("- --restart", 2, ["--restart", "whole file"]),
    ("- --report", 2, ["--report", "whole file"]),
    ("- --time-budget 10m", 2, ["--time-budget", "whole file"]),
    ("- --strength 0:0,50%:1", 2, ["dream.strength", "length"]),
    ("- --strength p", 2, ["dream.strength", "length"]),
    ("- --strength audio:low", 2, ["sound"]),
    ("- --zoom 0:1,end:2", 2, ["camera.zoom", "length"]),
    ("- clip.mp4", 2, ["standard input", "several"]),
    ("- --raw 64x48", 2, ["--raw", "640x360@25:rgb24"]),
    ("- --raw 64x48@25:rgb25", 2, ["--raw", "rgb25", "rgb24"]),
    ("- --raw 64x48@0:rgb24", 2, ["0", "rate"]),
    ("clip.mp4 --to nut", 2, ["--to", "standard output"]),
    ("clip.mp4 --raw 64x48@25:rgb24", 2, ["--raw", "standard input"]),
    ("-", 1, ["standard input", "nothing came"]),
]


@pytest.mark.parametrize(("line", "code", "words"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_a_pipe_cannot_do_is_refused(
    pipe: Pipe, line: str, code: int, words: Sequence[str]
) -> None:
    ended = pipe(b"", *line.split(), *QUICK)
    assert (ended.code, ended.out, ended.data) == (code, "", b"")
    assert ended.err.startswith("dreamvideo: ") and ended.err.count("\n") == 1
    assert not [word for word in words if word not in ended.err], ended.err


@pytest.mark.parametrize(
    "data", [b"RIFF....AVI LIST" * 20, b"YUV4MPEG2 W64", b"YUV4MPEG2 W64 H48\n"]
)
def test_what_is_no_film_is_told(pipe: Pipe, data: bytes) -> None:
    ended = pipe(data, "-", "-o", "-", *QUICK)
    assert (ended.code, ended.data) == (1, b"")
    assert ended.err.splitlines()[-1].startswith("dreamvideo: standard input")
    assert "/tmp" not in ended.err


@pytest.mark.integration
def test_the_pipelines_of_the_guide_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = re.findall(r"^```sh\n(.*?)^```$", read_page("pipes"), re.MULTILINE | re.DOTALL)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ffmpeg").symlink_to(ffmpeg.executable())
    for name, line in {
        "dreamvideo": f'exec {sys.executable} -m dreamvideo "$@" --steps 1 --octaves 1',
        # A player that shows every frame it is given.
        "ffplay": f'exec {ffmpeg.executable()} -i "$@" -f null -',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    samples = Path(__file__).parents[1] / "samples"
    (tmp_path / "samples").symlink_to(samples)
    for line in "".join(lines).splitlines():
        words = ["bash", "-o", "pipefail", "-c", line]
        done = subprocess.run(
            words, check=False, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True
        )
        assert done.returncode == 0, (line, done.stderr.decode())
    made = {path.name: len(pixels_of(path)) for path in tmp_path.iterdir() if path.is_file()}
    assert made == {"towers.mkv": 4, "raw.mp4": 4, "dream.mkv": 4, "sound.mp4": 5}


PEAK = """
import resource, sys
from dreamvideo.cli.entry import run
code = run(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.integration
def test_memory_does_not_grow_with_the_film(tmp_path: Path) -> None:
    peaks = []
    for frames in (200, 2000):
        source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25", "-frames:v", str(frames)]
        line = ["video", "-", "-o", "-", "-q", "--to", "nut", "--coherence", "0", *QUICK]
        given = subprocess.Popen(
            [ffmpeg.executable(), *LEAST, *source, *Y4M], stdout=subprocess.PIPE
        )
        dream = subprocess.Popen(
            [sys.executable, "-c", PEAK, *line],
            stdin=given.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        count = [ffmpeg.executable(), *LEAST, "-i", "-", "-f", "framecrc", "-"]
        counted = subprocess.run(count, stdin=dream.stdout, capture_output=True, check=True)
        assert dream.stderr is not None
        said = dream.stderr.read().decode()
        assert dream.wait() == 0 and given.wait() == 0, said
        lines = [line for line in counted.stdout.decode().splitlines() if line[:1].isdigit()]
        assert len(lines) == frames
        peaks.append(int(said.split("peak ")[1]))
    assert peaks[1] < peaks[0] * 1.05
