"""Stopping a render: exit code, what is left to go on from, no process left."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from media_clips import make, picture, tone
from tiny import QUICK, contents

from dreamvideo.cli import entry
from dreamvideo.cli.entry import run
from dreamvideo.render.job.job import Job, job_folder


def ffmpegs_on(path: Path) -> list[str]:
    """Command lines of running processes that name a file."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(path) in command and "ffmpeg" in command.split("\0")[0]:
            found.append(command)
    return found


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("long") / "clip.mp4", *picture(60), *tone(60))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_render_leaves_its_frames_and_says_how_to_go_on(
    long_clip: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    command = [sys.executable, "-m", "dreamvideo", "video", str(long_clip), *QUICK]
    process = subprocess.Popen(
        [*command, "-o", str(tmp_path / "out.mp4")], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        first = process.stderr.readline()
        assert first.startswith("dreaming: 1/1500 frames"), first
        assert contents(tmp_path), "it has begun to store frames"
        assert ffmpegs_on(long_clip), "it is still decoding"
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(60) == code
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    said = [line for line in rest.splitlines() if line]
    assert not [line for line in said[:-1] if not line.startswith("dreaming: ")]
    found = re.fullmatch(
        r"dreamvideo: stopped before the end; (\d+) of 1500 frames are kept, resume with: (.*)",
        said[-1],
    )
    assert found, said[-1]
    assert shlex.split(found[2]) == ["dreamvideo", *command[3:], "-o", str(tmp_path / "out.mp4")]
    job = job_folder(tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == [job]
    assert not [name for name in contents(job) if ".part." in name]
    assert Job.at(job).segment_stores()[0].resume()[0] == int(found[1]), (
        "nothing need be dreamt again"
    )
    assert not ffmpegs_on(long_clip)


def ends(group: int) -> bool:
    """Whether all processes of a group are gone, at the latest a few seconds from now."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(("workers", "times"), [("1", 2), ("2", 2)])
def test_ctrl_c_reaches_a_terminals_whole_group(tmp_path: Path, workers: str, times: int) -> None:
    """Parent, workers and encoders hear it all at once, and the second one while they end."""
    shots = ["-f", "lavfi", "-i", "mandelbrot=size=320x180:rate=25"]
    join = "[0]trim=duration=2[a];[1][a]concat=n=2"
    clip = make(tmp_path / "clip.mp4", *shots, *picture(2, size="320x180"), "-filter_complex", join)
    output = tmp_path / "out.mp4"
    script = str(Path(__file__).with_name("slow_dreamer.py"))
    process = subprocess.Popen(
        [sys.executable, script, str(clip), str(output), workers],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        assert any(line.startswith("dreaming: ") for line in process.stderr)
        for _ in range(times):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.02)
        rest = process.stderr.read()
        # The second one may come when all is tidied up, and then just ends it.
        assert process.wait(30) in (130, -signal.SIGINT), rest
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    said = [line for line in rest.splitlines() if line and not line.startswith("dreaming: ")]
    assert len(said) == 1, rest
    assert re.match(r"dreamvideo: stopped .*; \d+ of 100 frames are kept, resume with: ", said[0])
    assert ends(process.pid), "a process is left"
    assert not ffmpegs_on(tmp_path)
    assert Job.at(job_folder(output)).done


def test_a_command_leaves_the_callers_signals_as_they_were() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert run(["models"]) == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def hit() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_second_ctrl_c_does_not_disturb_the_tidying(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tidied = []

    def dispatch(_: list[str]) -> None:
        try:
            hit()
        finally:
            for number in range(100):
                hit()
                tidied.append(number)

    monkeypatch.setattr(entry, "_dispatch", dispatch)
    assert run([]) == 130
    assert len(tidied) == 100
    assert capsys.readouterr().err == "dreamvideo: stopped before the end\n"


@pytest.mark.parametrize(("stopped", "code"), [(True, 130), (False, 0)])
def test_a_ctrl_c_when_all_is_said_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, stopped: bool, code: int
) -> None:
    unwind = entry._signals_unwind
    heard: list[bool] = []

    class Late:
        def __init__(self) -> None:
            self.inner = unwind()

        def __enter__(self) -> Any:
            return self.inner.__enter__()

        def __exit__(self, *how: Any) -> None:
            hit()
            heard.append(True)
            self.inner.__exit__(*how)

    monkeypatch.setattr(entry, "_dispatch", lambda _: hit() if stopped else None)
    monkeypatch.setattr(entry, "_signals_unwind", Late)
    assert run([]) == code
    assert heard == [True]


def test_what_goes_wrong_while_tidying_is_no_other_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def dispatch(_: list[str]) -> None:
        try:
            hit()
        finally:
            raise ValueError("generator already executing")

    monkeypatch.setattr(entry, "_dispatch", dispatch)
    assert run([]) == 130
    assert capsys.readouterr().err == "dreamvideo: stopped before the end\n"


def test_a_tidying_without_end_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def dispatch(_: list[str]) -> None:
        try:
            hit()
        finally:
            while True:
                hit()

    monkeypatch.setattr(entry, "_dispatch", dispatch)
    monkeypatch.setattr(entry, "UNWINDING", 0.05)
    assert run([]) == 130


def test_a_ctrl_c_that_somebody_swallows_does_not_make_the_next_one_vanish(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def dispatch(_: list[str]) -> None:
        with suppress(BaseException):
            hit()
        hit()
        raise AssertionError("the second one was not heard")

    monkeypatch.setattr(entry, "_dispatch", dispatch)
    assert run([]) == 130


def test_a_job_in_the_background_ignores_ctrl_c_as_its_shell_asked() -> None:
    script = (
        "import os, signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from dreamvideo.cli import entry\n"
        "entry._dispatch = lambda _: os.kill(os.getpid(), signal.SIGINT)\n"
        "print(entry.run([]))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0\n", "")
