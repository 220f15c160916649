"""Numbers that change over time, as they are seen in the pixels of a film."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from media_clips import make, picture
from tiny import QUICK, Cli, pixels_of

FRAMES = 20


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a resting picture at ten frames a second; from 1.0 to 1.6 s it sounds."""
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    still = ["-f", "lavfi", "-i", "testsrc2=duration=0.1:rate=10:size=64x48"]
    loop = ["-vf", f"loop=loop={FRAMES - 1}:size=1:start=0,setpts=N/10/TB", "-r", "10"]
    hum = "sine=frequency=100:duration=2,volume=between(t\\,1\\,1.6):eval=frame"
    sound = ["-f", "lavfi", "-i", hum, "-c:a", "pcm_s16le"]
    return make(path, *still, *sound, *loop, "-c:v", "ffv1", "-pix_fmt", "bgr0")


def strengths(cli: Cli, clip: Path, folder: Path, *options: str) -> list[float]:
    """How far each frame is from its source, mean levels."""
    out = folder / "frames"
    made = cli("video", clip, "-o", out, *QUICK, "--coherence", "0", *options)
    assert made.code == 0, made.err
    # All of its frames are the same.
    source = pixels_of(clip)[0].astype(float)
    return [float(np.abs(frame - source).mean()) for frame in pixels_of(out)]


def test_strength_is_what_its_keys_say_at_each_frame(cli: Cli, clip: Path, tmp_path: Path) -> None:
    seen = strengths(cli, clip, tmp_path, "--strength", "0:0 hold, 5f:0, 1s:1, 75%:0.5 hold, end:0")
    assert len(seen) == FRAMES
    assert seen[:6] == [0] * 6
    assert all(b > a for a, b in pairwise(seen[5:11]))
    assert seen[15] < 0.8 * seen[10]
    assert seen[15:] == pytest.approx([seen[15]] * 5, rel=0.25)


def test_a_loud_passage_dreams_stronger(cli: Cli, clip: Path, tmp_path: Path) -> None:
    seen = strengths(cli, clip, tmp_path, "--strength", "audio:low * 1.5 - 0.1")
    assert max(seen[:9]) == 0
    assert min(seen[11:15]) > 1.5
    assert seen[19] < 0.5 * seen[13]


def test_the_sound_of_a_part_of_a_clip_is_heard_at_its_time(
    cli: Cli, clip: Path, tmp_path: Path
) -> None:
    part = ("--start", "0.5", "--end", "1.5")
    seen = strengths(cli, clip, tmp_path, "--strength", "audio:low * 1.5 - 0.1", *part)
    # The sound begins in the sixth frame.
    assert max(seen[:4]) == 0
    assert min(seen[6:]) > 1.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--strength", "1 / (t - 1)"], ["strength", "at 1 s", "divides by zero"]),
        (["--strength", "audio:bass"], ["--strength", "bass", "low"]),
        (["--step-size", "0:0.01, 2x:1"], ["--step-size", "2x"]),
    ],
)
def test_what_cannot_be_followed_is_said_before_any_work(
    cli: Cli, clip: Path, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    said = cli("video", clip, "-o", tmp_path / "out.mp4", *QUICK, *options)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert all(word in said.err for word in words)
    assert list(tmp_path.iterdir()) == []


def test_a_clip_without_sound_cannot_be_followed(cli: Cli, tmp_path: Path) -> None:
    silent = make(tmp_path / "silent.mkv", *picture(0.4))
    said = cli("video", silent, "-o", tmp_path / "out.mp4", *QUICK, "--strength", "audio:low")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "silent.mkv: has no sound" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["silent.mkv"]


def test_a_zoom_dreams_what_its_schedules_say(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    still = ("--seconds", "0.6", "--fps", "10", "--rate", "1", "--rotate", "0", "--anchor", "0")
    seen = []
    for number, strength in enumerate(("0", "0:0 hold, 3f:1")):
        out = tmp_path / f"{number}"
        arguments = (shelf / "photo.png", "-o", out, *QUICK, *still, "--strength", strength)
        assert cli("zoom", *arguments).code == 0
        seen.append([frame.astype(float) for frame in pixels_of(out)])
    changes = [float(np.abs(a - b).mean()) for a, b in zip(*seen, strict=True)]
    assert changes[:3] == [0] * 3
    assert changes[3] > 0 and changes[5] > changes[3]
