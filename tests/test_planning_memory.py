"""Memory does not grow with the clip."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from media_clips import make, picture

pytestmark = pytest.mark.integration

WIDTH, HEIGHT = 256, 144
GROWTH = 1.03
SCRIPT = r"""
import json, pathlib, re, resource, sys
from dreamvideo import dream_video, make_look

look = make_look((), {"dream": {"layers": "stem", "steps": 1, "octaves": 1}})
clip, output, end = sys.argv[1:]
made = dream_video(clip, output, look, end=end, fps="25")
status = pathlib.Path("/proc/self/status")
# What a process was started from counts towards its ru_maxrss, here the whole test run.
own = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
peak = int(own[1]) if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([made.frames, peak]))
"""


def peak(clip: Path, output: Path, frames: int) -> int:
    """Largest resident size of a render's own process, in the system's unit."""
    command = [sys.executable, "-c", SCRIPT, str(clip), str(output), f"{frames}f"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rendered, size = json.loads(done.stdout)
    assert rendered == frames
    return int(size)


def test_ten_frames_and_three_hundred_peak_alike(tmp_path: Path) -> None:
    # Resampled from a fifth of the rate: a repeated frame takes all the memory, but less time.
    clip = make(tmp_path / "clip.mp4", *picture(12, "5", f"{WIDTH}x{HEIGHT}"))
    few = peak(clip, tmp_path / "few.mp4", 10)
    many = peak(clip, tmp_path / "many.mp4", 300)
    assert many < GROWTH * few
    if sys.platform == "linux":  # where the unit is 1024 bytes
        kept_as_bytes = 290 * WIDTH * HEIGHT * 3 / 1024
        assert (GROWTH - 1) * few < kept_as_bytes, "frames that were kept would be seen"
