"""Several processes make the film that one makes; what becomes of one is nobody's business."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from media_clips import make
from slow_dreamer import without_network
from tiny import QUICK, Cli, contents

from dreamvideo import dream_video, make_look
from dreamvideo.dream import runtime
from dreamvideo.errors import DreamVideoError, UsageError, left
from dreamvideo.render.job.job import Job, job_folder
from dreamvideo.render.options import RenderOptions
from dreamvideo.render.parallel.pool import LocalPool
from dreamvideo.render.planning.worker_count import count_cores
from dreamvideo.render.progress import Progress, silent
from dreamvideo.settings import make_machine

Frames = dict[str, bytes]
SHOTS = ("testsrc2", "mandelbrot", "smptebars", "rgbtestsrc")
LOOK = make_look((), {"dream": {"layers": "block1", "steps": 1, "octaves": 1}})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shots of ten frames."""
    inputs = [["-f", "lavfi", "-t", "0.4", "-i", f"{name}=size=64x48:rate=25"] for name in SHOTS]
    join = f"concat=n={len(SHOTS)}"
    path = tmp_path_factory.mktemp("shots") / "shots.mp4"
    return make(path, *chain(*inputs), "-filter_complex", join, "-pix_fmt", "yuv420p")


@pytest.fixture
def no_network() -> Iterator[None]:
    with without_network():
        yield


@pytest.fixture
def whole(clip: Path, no_network: None, tmp_path_factory: pytest.TempPathFactory) -> Frames:
    out = tmp_path_factory.mktemp("whole") / "frames"
    dream_video(clip, out, LOOK, machine=make_machine(workers="1"))
    return contents(out)


def children() -> list[int]:
    """Processes that this one has started and that are still there."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text().rpartition(")")
        except OSError:
            continue
        if int(rest.split()[1]) == os.getpid() and rest.split()[0] != "Z":
            command = (status.parent / "cmdline").read_bytes().decode()
            if "resource_tracker" not in command:
                found.append(int(name.split()[0]))
    return found


def test_two_workers_make_the_film_that_one_makes(
    clip: Path, tmp_path: Path, whole: Frames
) -> None:
    out = tmp_path / "frames"
    heard: list[Progress] = []
    killed: list[int] = []

    def listen(progress: Progress) -> None:
        heard.append(progress)
        if progress.stage == "dreaming" and not killed:
            # One of them is lost in the middle of a shot.
            killed.append(min(children()))
            os.kill(killed[0], signal.SIGKILL)

    machine = make_machine(workers="2")
    made = dream_video(clip, out, LOOK, machine=machine, on_progress=listen)
    assert made.frames == 40
    assert contents(out) == whole
    assert not children()
    assert not job_folder(out).exists()
    assert heard[-1].stage == "encoding"
    dreaming = [p for p in heard if p.stage == "dreaming"]
    assert (dreaming[-1].done, dreaming[-1].total) == (40, 40)
    assert dreaming[-1].detail.startswith("4/4 segments")


@pytest.mark.integration
def test_a_shot_that_nobody_survives_ends_in_one_line_and_a_job(
    clip: Path, tmp_path: Path, whole: Frames
) -> None:
    out = tmp_path / "frames"

    def listen(progress: Progress) -> None:
        if progress.stage == "dreaming":
            for child in children():
                os.kill(child, signal.SIGKILL)

    machine = make_machine(workers="2")
    with pytest.raises(DreamVideoError, match=r"frames \d+ to \d+: .*killed by signal 9") as failed:
        dream_video(clip, out, LOOK, machine=machine, on_progress=listen)
    assert "of 40 frames are kept" in left(failed.value)
    assert not children()
    # What is left may be dreamt by one process, as what was begun by one may by several.
    dream_video(clip, out, LOOK, machine=make_machine(workers="1"))
    assert contents(out) == whole


@pytest.mark.integration
def test_a_workers_error_is_told_as_it_is(cli: Cli, clip: Path, tmp_path: Path) -> None:
    ended = cli(
        "video", clip, "-o", tmp_path / "out.mp4", *QUICK, "--layers", "none", "--workers", "2"
    )
    assert ended.code == 2
    assert "none" in ended.err.splitlines()[-1]
    assert contents(tmp_path) == {}
    assert not children()


@pytest.mark.usefixtures("no_network")
def test_segments_cut_at_scene_cuts_alone_change_nothing(clip: Path, tmp_path: Path) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    dream_video(clip, one, LOOK)
    made: list[int] = []

    def listen(progress: Progress) -> None:
        if not made and progress.stage == "dreaming":
            made.append(len(Job.at(job_folder(many)).manifest.segments))

    options = RenderOptions(segment_length=1000)
    dream_video(clip, many, LOOK, options=options, on_progress=listen)
    assert made == [4]
    assert contents(one) == contents(many)


@pytest.mark.usefixtures("no_network")
def test_a_divided_shot_warms_up_and_does_not_keep_it(clip: Path, tmp_path: Path) -> None:
    cold, warm, whole = (tmp_path / name for name in ("cold", "warm", "whole"))
    dream_video(clip, whole, LOOK, end="10f")
    for out, warm_up in ((cold, 0), (warm, 5)):
        dream_video(
            clip, out, LOOK, end="10f", options=RenderOptions(segment_length=5, warm_up=warm_up)
        )
    frames = {out: list(contents(out).values()) for out in (cold, warm, whole)}
    assert len(frames[cold]) == len(frames[warm]) == 10
    assert frames[cold][:5] == frames[warm][:5] == frames[whole][:5]
    # Five frames back is where the shot begins: nothing is missing to what was dreamt in one go.
    assert frames[warm] == frames[whole]
    assert frames[cold][5] != frames[whole][5]


def test_workers_die_with_their_parent(clip: Path, tmp_path: Path) -> None:
    script = Path(__file__).with_name("slow_dreamer.py")
    command = [sys.executable, str(script), str(clip), str(tmp_path / "out.mp4"), "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if line.startswith("dreaming: "):
                break
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    mine = str(job_folder(tmp_path / "out.mp4").parent)
    until = time.monotonic() + 20
    while using(mine) and time.monotonic() < until:
        time.sleep(0.05)
    assert not using(mine)


def using(folder: str) -> list[str]:
    """Processes that have a file below a folder open."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith(folder):
            found.append(f"{link} {target}")
    return found


@pytest.mark.integration
def test_a_script_without_a_guard_is_not_run_again(clip: Path, tmp_path: Path) -> None:
    """The network itself, side by side and in one process: the same frames."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from dreamvideo import dream_video, make_look\n"
        "from dreamvideo.settings import make_machine\n"
        "print('once')\n"
        "look = make_look((), {'dream': {'layers': 'block1', 'steps': 1, 'octaves': 1}})\n"
        "made = dream_video(*sys.argv[1:3], look, machine=make_machine(workers='2'))\n"
        "print(made.frames)\n"
    )
    command = [sys.executable, str(script), str(clip), str(tmp_path / "two")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("once\n40\n", 0), done.stderr
    dream_video(clip, tmp_path / "one", LOOK, machine=make_machine(workers="1"))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_cores_that_are_asked_for_are_divided_among_the_processes() -> None:
    machine = make_machine(threads=6)
    assert count_cores(machine) == 6 and count_cores() >= 1
    offers = [LocalPool(count).find_capacity(machine, silent).threads for count in (1, 2, 4, 9)]
    assert offers == [6, 3, 1, 1]
    with pytest.raises(UsageError, match="--threads"):
        make_machine(threads=0)


def test_a_picture_is_dreamt_on_the_threads_that_are_asked_for(
    cli: Cli, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    threads: list[int] = []
    monkeypatch.setattr(runtime, "_started", started)
    monkeypatch.setattr(runtime, "_threads", threads)
    render = ["image", shelf / "photo.png", "-q", "-o", tmp_path / "a.png", "--overwrite"]
    with without_network():
        assert cli(*render).code == 0 and threads == []
        assert cli(*render, "--threads", "3").code == 0 and threads == [3]
        runtime.settle_threads(5)
        assert threads == [3], "a process has one number of threads"
        threads.clear()
        started.append("TensorFlow")
        assert cli(*render, "--threads", "3").code == 0 and threads == []
