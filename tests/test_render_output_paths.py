from __future__ import annotations

from pathlib import Path

import pytest

from dreamvideo.errors import UsageError
from dreamvideo.render import output_paths


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("clips/cat.avi", "clips/cat-dream.mp4"),
        ("cat.tar.avi", "cat.tar-dream.mp4"),
        ("shots/%04d.png", "shots-dream.mp4"),
        ("shots/cat%d.png", "shots-dream.mp4"),
        ("clips/100%.avi", "clips/100%-dream.mp4"),
        ("shots", "shots-dream.mp4"),
        ("shots/", "shots-dream.mp4"),
    ],
)
def test_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, expected: str
) -> None:
    (tmp_path / "shots").mkdir()
    monkeypatch.chdir(tmp_path)
    assert output_paths.default_output(Path(source), "dream", ".mp4") == Path(expected)


@pytest.mark.parametrize("source", [".", "%04d.png", "inner/..", "../shots/%04d.png"])
def test_a_folder_without_a_name_is_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    shots = tmp_path / "shots"
    (shots / "inner").mkdir(parents=True)
    monkeypatch.chdir(shots)
    named = output_paths.default_output(Path(source), "dream", ".mp4")
    assert named.resolve() == tmp_path / "shots-dream.mp4"


@pytest.mark.parametrize(
    ("source", "ending"),
    [
        ("a.mp4", ".mp4"),
        ("a.GIF", ".gif"),
        ("a.webm", ".webm"),
        ("a.mov", ".mov"),
        ("a.mkv", ".mkv"),
        ("a.avi", ".mp4"),
        ("a", ".mp4"),
        ("%d.gif", ".mp4"),
    ],
)
def test_a_film_keeps_its_ending_where_we_write_it(source: str, ending: str) -> None:
    assert output_paths.default_film_suffix(Path(source)) == ending


def test_the_root_folder_has_no_name_and_makes_no_trouble() -> None:
    assert output_paths.default_output(Path("/"), "dream", ".mp4").name == "-dream.mp4"


def test_a_picture_is_refused_before_any_work(tmp_path: Path) -> None:
    taken = tmp_path / "taken.png"
    taken.touch()
    folder = tmp_path / "folder.png"
    folder.mkdir()
    output_paths.check_picture(tmp_path / "new.png", overwrite=False)
    output_paths.check_picture(taken, overwrite=True)
    for path, overwrite in ((taken, False), (folder, True), (tmp_path / "gone" / "a.png", True)):
        with pytest.raises(UsageError, match=str(path)):
            output_paths.check_picture(path, overwrite)
