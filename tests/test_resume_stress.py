"""Twenty-five kills at random moments, and not a bit is changed: minutes long, so marked slow."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from media_clips import make, picture, tone

from dreamvideo.render.job.job import job_folder

KILLS = 25
FRAMES = 300
SCRIPT = Path(__file__).with_name("slow_dreamer.py")
LOOK = ("--layers", "block3_expand", "--steps", "4", "--octaves", "2")


def hashes(folder: Path) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())]


def command(clip: Path, out: Path, kind: str) -> list[str]:
    if kind == "network":
        options = ["--passes", "2", *LOOK, "--workers", "1"]
        return [sys.executable, "-m", "dreamvideo", "video", str(clip), "-o", str(out), *options]
    return [sys.executable, str(SCRIPT), str(clip), str(out), {"one": "1", "two": "2"}[kind]]


def busy(job: Path, begun: float) -> bool:
    """Whether a render is beyond its start: something in its job is younger than itself."""
    paths = [*job.glob("frames/*"), *job.glob("second/*")]
    return any(path.exists() and path.stat().st_mtime > begun for path in paths)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["one", "two", "network"])
def test_a_render_killed_again_and_again_is_the_same(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make(tmp_path / "clip.mp4", *picture(FRAMES / 25, size="96x64"), *tone(FRAMES / 25))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(clip, whole, kind), check=True, capture_output=True)
    chance = random.Random(kind)
    kills, moments = 0, []
    while not killed.exists():
        begun = time.time()
        process = subprocess.Popen(
            command(clip, killed, kind), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        job = job_folder(killed)
        while process.poll() is None and not busy(job, begun):
            time.sleep(0.002)
        if kills < KILLS:
            # From in the middle of a frame's or the record's writing to some frames later.
            time.sleep(chance.expovariate(1 / 0.08))
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
            moments.append(len(list(job.glob("frames/*.frame"))))
        else:
            assert process.wait() == 0
    assert hashes(killed) == hashes(whole)
    assert len(hashes(killed)) == FRAMES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "killed", "whole"]
    with capsys.disabled():
        print(f"\n{kind}: {kills} kills with {moments} frames there, {FRAMES} frames identical")
    assert kills == KILLS
