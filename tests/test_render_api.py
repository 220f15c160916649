from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from tiny import contents, quick_dream

import dreamvideo
from dreamvideo import DreamVideoError, Look, Progress, dream_image, dream_video, zoom

QUICK = Look(dream=quick_dream(steps=1))


class Heard(list[Progress]):
    """A listener that remembers."""

    def __call__(self, progress: Progress) -> None:
        self.append(progress)

    def counted(self, stage: str) -> list[tuple[int, int | None]]:
        return [(p.done, p.total) for p in self if p.stage == stage]


@pytest.mark.parametrize(
    ("name", "options", "frames"),
    [
        ("clip.mp4", {}, 8),
        ("clip.mp4", {"start": "2f", "end": "0.2"}, 3),
        ("clip.mp4", {"fps": "12.5"}, 4),
        ("clip.gif", {}, 8),
        ("shots", {}, 8),
        ("shots", {"fps": "10"}, 8),
    ],
)
def test_progress_counts_up_to_its_total(
    shelf: Path, tmp_path: Path, name: str, options: dict[str, Any], frames: int
) -> None:
    heard = Heard()
    out = tmp_path / "out.mp4"
    made = dream_video(shelf / name, out, QUICK, on_progress=heard, **options)
    assert made.frames == frames
    assert heard.counted("dreaming") == [(n, frames) for n in range(1, frames + 1)]
    assert heard.counted("encoding")[-1] == (frames, frames)


def test_what_a_video_render_returns(shelf: Path, tmp_path: Path) -> None:
    heard = Heard()
    out = tmp_path / "out.mp4"
    made = dream_video(str(shelf / "clip.mp4"), str(out), QUICK, on_progress=heard)
    assert (made.output, made.frames, made.notes, made.kept) == (out, 8, (), ())
    assert list(made.losses) == [p.loss for p in heard if p.stage == "dreaming"]
    assert all(map(math.isfinite, made.losses))


def test_what_an_image_render_returns(shelf: Path, tmp_path: Path) -> None:
    heard = Heard()
    look = Look(dream=quick_dream(steps=6))
    out = tmp_path / "out.png"
    made = dream_image(shelf / "photo.png", out, look, every=4, on_progress=heard)
    assert (made.output, made.frames) == (out, 1)
    assert made.kept == (tmp_path / "out-000004.png",)
    assert heard.counted("dreaming") == [(n, 6) for n in range(1, 7)]
    assert list(made.losses) == [p.loss for p in heard]
    assert made.losses[-1] > made.losses[0]


def test_what_a_zoom_returns(shelf: Path, tmp_path: Path) -> None:
    heard = Heard()
    look = QUICK.model_copy(update={"zoom": QUICK.zoom.model_copy(update={"seconds": 0.2})})
    made = zoom(shelf / "photo.png", tmp_path / "out.gif", look, fps="10", on_progress=heard)
    assert (made.output, made.frames) == (tmp_path / "out.gif", 2)
    assert heard.counted("dreaming") == [(1, 2), (2, 2)]


def test_a_listener_that_raises_stops_the_render_and_its_frames_are_kept(
    shelf: Path, tmp_path: Path
) -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 3 or progress.stage == "encoding":
            raise KeyboardInterrupt

    for source, render in (("clip.mp4", dream_video), ("photo.png", zoom)):
        out = tmp_path / f"{source}.mp4"
        with pytest.raises(KeyboardInterrupt):
            render(shelf / source, out, QUICK, on_progress=stop)
        assert not out.exists()
        assert len(list((tmp_path / f"{out.name}.dreamjob" / "frames").iterdir())) == 3


def test_errors_are_of_the_package(shelf: Path, tmp_path: Path) -> None:
    calls: list[Any] = [
        lambda: dream_image(shelf / "gone.png"),
        lambda: dream_video(shelf / "text.mp4", tmp_path / "out.mp4"),
        lambda: zoom(shelf / "photo.png", tmp_path / "out.mp4", fps="0"),
        lambda: dreamvideo.make_look(["gone"]),
        lambda: dreamvideo.make_look((), {"dream": {"steps": 0}}),
    ]
    for call in calls:
        with pytest.raises(DreamVideoError) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert contents(tmp_path) == {}
