"""A film within a time: what was chosen is said, kept to, and gone on with."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import Cli

from dreamvideo.errors import UsageError
from dreamvideo.media.probe import probe
from dreamvideo.render.job.job import job_folder
from dreamvideo.render.planning.budget import Budget, plan_budget
from dreamvideo.render.source import ClipRequest, open_clip_range
from dreamvideo.settings import Look, OutputSettings

SLOW = ("--steps", 6, "--octaves", 1, "--layers", "block3_expand")


def test_a_time_is_met_by_choosing_and_the_choice_is_said(
    cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    film = tmp_path / "film.mp4"
    made = cli("video", shelf / "clip.mp4", "--time-budget", "10m", "-o", film, *SLOW)
    assert made.code == 0, made.err
    assert "64x48" in made.err and "6 steps" in made.err
    assert probe(film).width == 64
    assert not job_folder(film).exists()


def test_a_plan_is_made_once_for_a_job(
    cli: Cli, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "film.mp4"
    line = ("video", shelf / "clip.mp4", "--fps-target", "0.1", "-o", film, *SLOW)
    assert cli(*line, "--keep-job").code == 0

    def never(*_: object, **__: object) -> None:
        raise AssertionError("planned anew")

    monkeypatch.setattr("dreamvideo.render.planning.budget.fit_budget", never)
    again = cli(*line, "-y")
    assert again.code == 0, again.err


def test_both_ways_to_say_it_are_one_too_many(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    line = ("video", shelf / "clip.mp4", "-o", tmp_path / "film.mp4")
    made = cli(*line, "--time-budget", "1m", "--fps-target", "3")
    assert (made.code, made.err.count("\n")) == (2, 1)


def test_without_a_budget_nothing_is_chosen(shelf: Path, tmp_path: Path) -> None:
    look = Look()
    read = open_clip_range(ClipRequest(shelf / "clip.mp4"), OutputSettings())
    made = plan_budget(Budget(), tmp_path / "film.mp4", read, look, "50%", 1)
    assert (made.look, made.size, made.mark, made.line) == (look, "50%", None, "")


def test_no_time_at_all_is_refused(shelf: Path, tmp_path: Path) -> None:
    read = open_clip_range(ClipRequest(shelf / "clip.mp4"), OutputSettings())
    with pytest.raises(UsageError, match="--time-budget"):
        plan_budget(Budget("0.001s"), tmp_path / "film.mp4", read, Look(), None, 1)
