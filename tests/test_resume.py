"""A render goes on where it was ended, by whatever, and nobody can tell from its frames."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from media_clips import make, picture
from slow_dreamer import without_network
from tiny import QUICK, Cli, contents, pixels_of

from dreamvideo import dream_video, make_look, zoom
from dreamvideo.errors import DreamVideoError, UsageError, left
from dreamvideo.media.stills import store_frame
from dreamvideo.render.job.job import job_folder
from dreamvideo.render.options import RenderOptions
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.settings import Look, make_output

SCRIPT = Path(__file__).with_name("slow_dreamer.py")
FRAMES = 8


class Enough(BaseException):
    """What ends a render in these tests."""


@pytest.fixture(autouse=True, scope="module")
def _no_network() -> Iterator[None]:
    with without_network():
        yield


def look(**coherence: float) -> Look:
    dream = {"layers": "block1", "steps": 1, "octaves": 1}
    return make_look((), {"dream": dream, "coherence": coherence})


def ending_after(frames: int, stage: str = "dreaming") -> OnProgress:
    def listen(progress: Progress) -> None:
        if progress.stage == stage and not progress.note and progress.done >= frames:
            raise Enough

    return listen


def render(clip: Path, out: Path, listen: OnProgress = silent, **options: float) -> None:
    dream_video(clip, out, look(**options), on_progress=listen)


def end_it(start: Callable[[OnProgress], object], frames: int, stage: str = "dreaming") -> str:
    with pytest.raises(Enough) as ended:
        start(ending_after(frames, stage))
    return left(ended.value)


@pytest.fixture(scope="module")
def whole(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The frames of a render that nothing has interrupted."""
    out = tmp_path_factory.mktemp("whole") / "frames"
    render(shelf / "clip.mp4", out)
    return contents(out)


@pytest.mark.sample(2)
@pytest.mark.parametrize("ends", [[1], [3, 5], [FRAMES], [2, 4, 7, 8]])
def test_a_render_goes_on_to_the_same_frames(
    shelf: Path, tmp_path: Path, whole: dict[str, bytes], ends: list[int]
) -> None:
    out = tmp_path / "frames"
    for frames in ends:
        said = end_it(lambda listen: render(shelf / "clip.mp4", out, listen), frames)
        assert said == f"{frames} of {FRAMES} frames are kept"
    assert not out.exists()
    heard: list[Progress] = []
    render(shelf / "clip.mp4", out, heard.append)
    assert heard[0].note == f"resuming {out}: {ends[-1]} of {FRAMES} frames are done"
    assert sum(p.stage == "dreaming" for p in heard[1:]) == FRAMES - ends[-1]
    assert contents(tmp_path / "frames") == whole
    assert not job_folder(out).exists()


def test_two_passes_go_on_within_the_second(shelf: Path, tmp_path: Path) -> None:
    clip, one, two = shelf / "clip.mp4", tmp_path / "one", tmp_path / "two"
    render(clip, one, passes=2)
    for frames, stage in ((5, "dreaming"), (1, "second pass"), (4, "second pass")):
        end_it(lambda listen: render(clip, two, listen, passes=2), frames, stage)
    render(clip, two, passes=2)
    assert contents(one) == contents(two)


def test_what_is_transparent_and_deep_goes_on_too(tmp_path: Path) -> None:
    shots = tmp_path / "shots"
    shots.mkdir()
    random = np.random.default_rng(0)
    for number in range(4):
        pixels = random.integers(0, 2**16, (48, 64, 3)).astype(np.uint16)
        alpha = random.integers(0, 2**8, (48, 64)).astype(np.uint8)
        store_frame(shots / f"{number}.png", pixels, alpha if number != 1 else None)
    one, two = tmp_path / "one", tmp_path / "two"
    wanted = make_output(depth=16)
    dream_video(shots, one, look(), wanted)
    end_it(lambda listen: dream_video(shots, two, look(), wanted, on_progress=listen), 2)
    dream_video(shots, two, look(), wanted)
    assert contents(one) == contents(two)


@pytest.mark.parametrize("loop", [False, True])
def test_a_zoom_goes_on_to_the_same_film(shelf: Path, tmp_path: Path, loop: bool) -> None:
    settings = {"seconds": 0.8, "rate": 60.0 if loop else 2.0}
    chosen = make_look(
        (), {"dream": {"layers": "block1", "steps": 1, "octaves": 1}, "zoom": settings}
    )

    def start(out: Path, listen: OnProgress = silent) -> tuple[str, ...]:
        return zoom(shelf / "photo.png", out, chosen, loop=loop, on_progress=listen).notes

    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    for frames in (1, 6):
        end_it(lambda listen: start(two, listen), frames)
    end_it(lambda listen: start(two, listen), 1, "encoding")
    assert start(one) == start(two)
    assert one.read_bytes() == two.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.mp4", "two.mp4"]


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    changed = {
        "gone": None,
        "cut": data[: len(data) // 2],
        "empty": b"",
        "flipped": data[: len(data) // 2]
        + bytes([data[len(data) // 2] ^ 1])
        + data[len(data) // 2 + 1 :],
    }[how]
    if changed is None:
        path.unlink()
    else:
        path.write_bytes(changed)


@pytest.mark.sample(4)
@pytest.mark.parametrize("how", ["gone", "cut", "empty", "flipped"])
@pytest.mark.parametrize(
    "what", ["frames/00000003.frame", "frames/00000005.frame", "parts/0000.log", "parts/0000.*.npz"]
)
def test_damage_in_the_job_costs_time_alone(
    shelf: Path, tmp_path: Path, whole: dict[str, bytes], what: str, how: str
) -> None:
    out = tmp_path / "frames"
    end_it(lambda listen: render(shelf / "clip.mp4", out, listen), 6)
    files = list(job_folder(out).glob(what))
    assert files
    for path in files:
        damage(path, how)
    render(shelf / "clip.mp4", out)
    assert contents(out) == whole


def test_other_settings_or_another_clip_are_refused_until_restart(
    cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    clip, out = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    clip.write_bytes((shelf / "clip.mp4").read_bytes())
    command = ["video", clip, "-o", out, *QUICK]
    end_it(lambda listen: render(clip, out, listen), 3)
    refused = cli(*command, "--step-size", "0.5")
    assert refused.code == 2
    assert refused.err.splitlines()[-1].startswith(
        f"dreamvideo: {out}: cannot be resumed: dream.step_size was 0.018 and is 0.5; "
    )
    assert "--end" in cli(*command, "--end", "4f").err
    clip.write_bytes((shelf / "clip.gif").read_bytes())
    assert "the input has changed" in cli(*command).err
    done = cli(*command, "--restart")
    assert (done.code, done.out) == (0, f"{out}: 8 frames\n")
    assert sorted(contents(tmp_path)) == ["clip.mp4", "out.mp4"]


@pytest.mark.parametrize("how", ["cut", "empty", "flipped"])
def test_a_damaged_manifest_is_one_line(cli: Cli, shelf: Path, tmp_path: Path, how: str) -> None:
    out = tmp_path / "out.mp4"
    end_it(lambda listen: render(shelf / "clip.mp4", out, listen), 3)
    path = job_folder(out) / "manifest.json"
    if how == "flipped":
        path.write_text(path.read_text().replace('"format"', '"fermat"'))
    else:
        damage(path, how)
    refused = cli("video", shelf / "clip.mp4", "-o", out, *QUICK)
    assert refused.code == 1
    (line,) = refused.err.splitlines()
    assert "manifest.json" in line and "--restart" in line
    assert cli("video", shelf / "clip.mp4", "-o", out, *QUICK, "--restart").code == 0


def test_how_it_is_encoded_may_change_meanwhile(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    end_it(lambda listen: render(shelf / "clip.mp4", out, listen), FRAMES)
    done = cli("video", shelf / "clip.mp4", "-o", out, *QUICK, "--quality", "30")
    assert "resuming" in done.err and done.code == 0


def test_a_kept_job_is_encoded_again_without_dreaming(
    cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    command = ["video", shelf / "clip.mp4", "-o", out, *QUICK]
    assert cli(*command, "--keep-job").code == 0
    assert len(list((job_folder(out) / "frames").iterdir())) == FRAMES
    first = out.read_bytes()
    again = cli(*command, "-y")
    assert "resuming" in again.err and "dreaming: " not in again.err
    assert out.read_bytes() == first
    assert list(contents(tmp_path)) == ["out.mp4"]


@pytest.mark.parametrize("name", ["out.mp4", "out"])
def test_a_partial_film_shows_what_is_there(
    cli: Cli, shelf: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    command = ["video", shelf / "clip.mp4", "-o", out, *QUICK]
    assert cli(*command, "--partial").code == 2
    end_it(lambda listen: render(shelf / "clip.mp4", out, listen), 3)
    done = cli(*command, "--partial")
    so_far = tmp_path / {"out.mp4": "out.partial.mp4", "out": "out-partial"}[name]
    assert (done.code, done.out) == (0, f"{so_far}: 3 frames\n")
    assert len(pixels_of(so_far)) == 3
    assert not out.exists()
    assert cli(*command).code == 0
    assert len(pixels_of(out)) == FRAMES


def test_a_second_render_of_one_output_is_refused(shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"

    def listen(progress: Progress) -> None:
        with pytest.raises(
            UsageError, match=rf"is being rendered already, by process {os.getpid()}"
        ):
            render(shelf / "clip.mp4", out)
        raise Enough

    with pytest.raises(Enough):
        render(shelf / "clip.mp4", out, listen)
    assert job_folder(out).exists(), "the refused one has touched nothing"


def test_a_folder_of_somebody_else_is_left_alone(shelf: Path, tmp_path: Path) -> None:
    folder = job_folder(tmp_path / "out.mp4")
    folder.mkdir()
    (folder / "diary.txt").write_text("dear")
    for restart in (False, True):
        with pytest.raises(UsageError, match="holds other files"):
            dream_video(
                shelf / "clip.mp4",
                tmp_path / "out.mp4",
                look(),
                options=RenderOptions(restart=restart),
            )
    assert (folder / "diary.txt").read_text() == "dear"


def test_a_job_without_a_frame_leaves_nothing(tmp_path: Path, shelf: Path) -> None:
    with pytest.raises(DreamVideoError) as failed:
        dream_video(shelf / "empty.mp4", tmp_path / "out.mp4", look())
    assert not left(failed.value)
    assert contents(tmp_path) == {}


def killed(process: subprocess.Popen[str], frames: Path, count: int) -> None:
    """End a render with SIGKILL as soon as so many files are there."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if frames.is_dir() and len(list(frames.iterdir())) >= count:
            break
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was still at it"


@pytest.mark.integration
def test_sigkill_costs_nothing_but_time(tmp_path: Path) -> None:
    clip = make(tmp_path / "clip.mp4", *picture(2, "20"))

    def start(out: Path) -> subprocess.Popen[str]:
        command = [sys.executable, str(SCRIPT), str(clip), str(out), "1"]
        return subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )

    one, two = tmp_path / "one", tmp_path / "two"
    process = start(one)
    assert process.communicate()[1].count("resuming") == 0
    for count in (4, 15, 29):
        killed(start(two), job_folder(two) / "frames", count)
    _, said = start(two).communicate()
    assert "resuming" in said
    assert contents(one) == contents(two)
    assert len(contents(one)) == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "one", "two"]
