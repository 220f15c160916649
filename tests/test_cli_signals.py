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

from dreamvideo.cancel import GRACE, check, handle_signals
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


@pytest.mark.sample(1)
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


@pytest.mark.integration
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


@pytest.mark.integration
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_render_that_was_told_to_end_goes_on_to_the_same_film(
    tmp_path: Path, workers: str
) -> None:
    shots = ["-f", "lavfi", "-i", "mandelbrot=size=160x90:rate=25"]
    join = "[0]trim=duration=2[a];[1][a]concat=n=2"
    clip = make(tmp_path / "clip.mp4", *shots, *picture(2, size="160x90"), "-filter_complex", join)
    script = str(Path(__file__).with_name("slow_dreamer.py"))
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    command = [sys.executable, script, str(clip)]
    subprocess.run([*command, str(whole), "1"], check=True, capture_output=True)
    with subprocess.Popen(
        [*command, str(stopped), workers], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any(line.startswith("dreaming: ") for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read().splitlines()
    assert process.returncode == 143
    assert re.match(r"dreamvideo: stopped .*; \d+ of 100 frames are kept, resume", said[-1])
    assert Job.at(job_folder(stopped)).done < 100
    again = subprocess.run(
        [*command, str(stopped), workers], check=False, capture_output=True, text=True
    )
    assert again.returncode == 0 and "resuming" in again.stderr
    assert contents(stopped) == contents(whole)


def test_a_command_leaves_the_callers_signals_as_they_were() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert run(["models"]) == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def hit() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_second_ctrl_c_does_not_disturb_the_tidying(capsys: pytest.CaptureFixture[str]) -> None:
    tidied = []

    def command(_: list[str]) -> None:
        try:
            hit()
            check()
        finally:
            for number in range(100):
                hit()
                tidied.append(number)

    assert run([], command) == 130
    assert len(tidied) == 100
    assert capsys.readouterr().err == "dreamvideo: stopped before the end\n"


def test_nothing_is_raised_but_where_work_looks() -> None:
    seen = []

    def command(_: list[str]) -> None:
        for number in range(100):
            hit()
            seen.append(number)
        check()

    assert run([], command) == 130
    assert seen == list(range(100))


@pytest.mark.parametrize(("stopped", "code"), [(True, 130), (False, 0)])
def test_a_ctrl_c_when_all_is_said_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, stopped: bool, code: int
) -> None:
    heard: list[bool] = []

    class Late:
        def __init__(self) -> None:
            self.inner = handle_signals()

        def __enter__(self) -> Any:
            return self.inner.__enter__()

        def __exit__(self, *how: Any) -> None:
            hit()
            heard.append(True)
            self.inner.__exit__(*how)

    def command(_: list[str]) -> None:
        if stopped:
            hit()
            check()

    monkeypatch.setattr(entry, "handle_signals", Late)
    assert run([], command) == code
    assert heard == [True]
    check()


def test_what_goes_wrong_while_tidying_is_no_other_end(capsys: pytest.CaptureFixture[str]) -> None:
    def command(_: list[str]) -> None:
        try:
            hit()
            check()
        finally:
            raise ValueError("generator already executing")

    assert run([], command) == 130
    assert capsys.readouterr().err == "dreamvideo: stopped before the end\n"


def test_a_ctrl_c_that_somebody_swallows_does_not_make_the_next_one_vanish() -> None:
    def command(_: list[str]) -> None:
        with suppress(BaseException):
            hit()
            check()
        check()
        raise AssertionError("it was not heard")

    assert run([], command) == 130


BUSY = {
    "tidying without end": "try:\n  say(); waiting()\nfinally:\n  while True: time.sleep(0.01)",
    # No line of Python runs meanwhile.
    "a library": "say(); hashlib.pbkdf2_hmac('sha256', b'a', b'b', 2**31 - 1)",
    "an import": "say()\nwhile True: import_module('colorsys'); sys.modules.pop('colorsys')",
}


def start(body: str, prelude: str = "") -> subprocess.Popen[str]:
    """A command that does something else, once it has said so."""
    lines = "\n    ".join(body.splitlines())
    script = (
        "import hashlib, signal, sys, time\n"
        "from importlib import import_module\n"
        "from dreamvideo import cancel\n"
        "from dreamvideo.cli import entry\n"
        f"{prelude}\n"
        "def say(): print('begun', flush=True)\n"
        "def waiting():\n"
        "    while True: cancel.check(); time.sleep(0.01)\n"
        f"def command(_):\n    {lines}\n"
        "sys.exit(entry.run([], command))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.mark.sample(2)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("busy", BUSY)
def test_a_second_signal_stops_at_once_whatever_is_going_on(
    busy: str, number: signal.Signals
) -> None:
    process = start(BUSY[busy])
    try:
        process.send_signal(number)
        time.sleep(GRACE / 2)
        assert process.poll() is None
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        time.sleep(GRACE / 2)
        process.send_signal(number)
        _, said = process.communicate(timeout=5)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 128 + number
    assert said == "dreamvideo: stopped at once\n"


def test_tensorflow_s_import_can_be_stopped() -> None:
    process = start(
        "from dreamvideo.dream.runtime import tensorflow\nsay()\ntensorflow()\n"
        "raise AssertionError('it was imported')"
    )
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "dreamvideo: stopped before the end\n")


def test_a_wait_for_another_program_can_be_stopped(tmp_path: Path) -> None:
    """ffmpeg has nothing to say for a minute, and is gone when its reader is."""
    source = f"sine=duration=60,arealtime,ametadata=print:file={tmp_path / 'meta'}"
    process = start(
        "from dreamvideo.media import ffmpeg\nsay()\n"
        f"ffmpeg.run(['-f', 'lavfi', '-i', {source!r}, '-f', 'null', '-'], subject='nothing')"
    )
    meta = tmp_path / "meta"
    until = time.monotonic() + 20
    while not ffmpegs_on(meta) and time.monotonic() < until:
        time.sleep(0.02)
    assert ffmpegs_on(meta)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=5)
    assert (process.returncode, said) == (143, "dreamvideo: stopped before the end\n")
    assert not ffmpegs_on(meta)


def test_a_job_in_the_background_ignores_ctrl_c_as_its_shell_asked() -> None:
    process = start(
        "say(); signal.raise_signal(signal.SIGINT); cancel.check()",
        "signal.signal(signal.SIGINT, signal.SIG_IGN)",
    )
    _, said = process.communicate()
    assert (process.returncode, said) == (0, "")
