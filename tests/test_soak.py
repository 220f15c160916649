"""A long film takes no more memory, files or threads than a short one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from media_clips import make

# What a process was started from counts towards its memory, so the render has one of its own.
SOAK = """
import gc, json, os, sys, threading
from pathlib import Path

from dreamvideo import dream_video
from dreamvideo.settings import CoherenceSettings, DreamSettings, Look


def measure():
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = Path("/proc/self/fd").iterdir()
    return {
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
        "files": sorted(os.path.realpath(path) for path in files),
        "threads": sorted(thread.name for thread in threading.enumerate()),
    }


def note(progress):
    if progress.stage == "dreaming" and progress.done in (100, count):
        seen.append(measure())


if __name__ == "__main__":
    clip, film, count, dreamer = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    if dreamer == "none":
        from slow_dreamer import without_network

        without_network().__enter__()
    look = Look(
        dream=DreamSettings(layers="block1", steps=1, octaves=1),
        coherence=CoherenceSettings(carried_steps=1),
    )
    begin, seen = measure(), []
    made = dream_video(clip, film, look, on_progress=note)
    print(json.dumps({"frames": made.frames, "begin": begin, "seen": seen, "end": measure()}))
"""


def soak(folder: Path, frames: int, dreamer: str) -> dict[str, Any]:
    clip = make(
        folder / "clip.mp4",
        *("-f", "lavfi", "-i", f"testsrc2=rate=25:size=64x48:duration={frames / 25}"),
        *("-preset", "ultrafast"),
    )
    script = folder / "soak.py"
    script.write_text(SOAK)
    run = [sys.executable, str(script), str(clip), str(folder / "film.mp4"), str(frames), dreamer]
    path = f"{Path(__file__).parent.parent}:{Path(__file__).parent}"
    done = subprocess.run(
        run, check=True, capture_output=True, text=True, env={"PATH": "", "PYTHONPATH": path}
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("frames", "dreamer"),
    [
        pytest.param(10_000, "network", marks=pytest.mark.slow),
        pytest.param(250, "none", marks=pytest.mark.integration),
    ],
)
def test_a_long_film_takes_no_more_memory_files_or_threads(
    tmp_path: Path, frames: int, dreamer: str
) -> None:
    found = soak(tmp_path, frames, dreamer)
    early, late = found["seen"]
    begin, end = found["begin"], found["end"]
    assert found["frames"] == frames
    assert late["memory"] < 1.02 * early["memory"]
    # At the last frame the decoder has ended already.
    assert len(late["files"]) <= len(early["files"])
    assert len(late["threads"]) <= len(early["threads"])
    assert end["threads"] == begin["threads"]
    held = set(end["files"]) - set(begin["files"])
    assert not {path for path in held if str(tmp_path) in path}
