"""What a report tells of a film: figures of known truth, moments, recipes, notes and refusals."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_clips import make, tone
from numpy.typing import NDArray
from synthetic import glide, scene
from tiny import QUICK, Cli, contents

from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.stills import store_frame
from dreamvideo.metrics.measure import measure_film
from dreamvideo.metrics.pairing import Excerpt, open_film_pair
from dreamvideo.render.job.segment_store import FrameRecord, SegmentStore
from dreamvideo.report.compare import compare_films
from dreamvideo.report.film import report_film
from dreamvideo.report.recipe import find_recorded_source
from dreamvideo.report.review import Review, review
from dreamvideo.report.stills import Sheet, WorstFrames
from dreamvideo.settings.embed import Embed

NOTHING = Embed(height=0)
COUNT = 16


def held(page: Path) -> dict[str, Any]:
    """The figures in a page."""
    found = re.search(r'id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def reviewed(film: Path, source: Path | None, **part: str) -> Review:
    return review(open_film_pair(film, source, Excerpt(**part)), embed=NOTHING)


def stored(folder: Path, frames: list[NDArray[np.float32]]) -> Path:
    folder.mkdir()
    for number, frame in enumerate(frames):
        store_frame(folder / f"{number:04d}.png", to_bytes(frame))
    return folder


def lossless(path: Path, pictures: Path, *more: str) -> Path:
    exact = ["-c:v", "ffv1", "-pix_fmt", "gbrp"]
    return make(path, "-framerate", "25", "-i", str(pictures / "%04d.png"), *exact, *more)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``source.mkv`` without loss, and ``bright.mkv``, the same by 0.2 brighter."""
    folder = tmp_path_factory.mktemp("world")
    frames = [0.6 * frame for frame in scene(48, 64, glide(COUNT, 1 + 0.5j)).frames]
    lossless(folder / "source.mkv", stored(folder / "shots", frames))
    lossless(folder / "bright.mkv", stored(folder / "lit", [frame + 0.2 for frame in frames]))
    return folder


def test_a_film_that_is_its_source_has_no_strength(world: Path) -> None:
    seen = reviewed(world / "source.mkv", world / "source.mkv")
    assert seen.series["strength"] == [0.0] * COUNT
    assert seen.series["error"] == seen.series["source_error"]
    assert seen.series["error"][0] is None
    assert seen.worst == []
    assert [still.index for still in seen.sheet] == list(range(COUNT))


def test_a_brighter_film_is_as_much_brighter_all_along(world: Path) -> None:
    seen = reviewed(world / "bright.mkv", world / "source.mkv")
    assert seen.series["brightness"] == pytest.approx([0.2] * COUNT, abs=0.005)
    assert seen.series["strength"] == pytest.approx([0.2] * COUNT, abs=0.005)
    assert seen.series["saturation"] == pytest.approx([0.0] * COUNT, abs=0.005)
    assert seen.figures is not None and seen.figures.flicker is not None
    assert seen.figures.flicker.ratio == pytest.approx(1, abs=0.05)
    assert [moment.why for moment in seen.worst] == ["brighter than the source by 0.2"]


def test_the_frame_that_flickers_is_the_worst_moment(world: Path, tmp_path: Path) -> None:
    frames = [0.6 * frame for frame in scene(48, 64, glide(COUNT, 1 + 0.5j)).frames]
    frames[9] = frames[9] + 0.3 * np.sign(frames[9])
    film = lossless(tmp_path / "film.mkv", stored(tmp_path / "shots", frames))
    worst = reviewed(film, world / "source.mkv").worst[0]
    assert worst.index in (9, 10) and worst.why.startswith("flickers: warping error")


def test_a_part_of_the_source_is_found_by_the_renders_options(world: Path, tmp_path: Path) -> None:
    part = make(
        tmp_path / "part.mkv", "-ss", "0.2", "-i", str(world / "source.mkv"), "-c:v", "ffv1"
    )
    seen = reviewed(part, world / "source.mkv", start="0.2")
    assert seen.series["strength"] == [0.0] * (COUNT - 5)
    assert seen.notes == ()
    wrong = reviewed(part, world / "source.mkv")
    assert min(value or 0 for value in wrong.series["strength"]) > 0.01
    assert "the source continues after the film ends" in wrong.notes[0]


def test_a_film_of_another_rate_is_held_against_what_the_source_shows_then(
    world: Path, tmp_path: Path
) -> None:
    half = make(
        tmp_path / "half.mkv",
        *("-i", str(world / "source.mkv"), "-vf", "select=not(mod(n\\,2))", "-r", "25/2"),
        *("-c:v", "ffv1"),
    )
    seen = reviewed(half, world / "source.mkv")
    assert seen.series["strength"] == [0.0] * (COUNT // 2)
    assert any("different rates (12.5 and 25" in note for note in seen.notes)


def test_a_source_that_ends_early_is_said_to(world: Path, tmp_path: Path) -> None:
    short = make(
        tmp_path / "short.mkv",
        *("-i", str(world / "source.mkv"), "-frames:v", "6", "-c:v", "ffv1"),
    )
    seen = reviewed(world / "source.mkv", short)
    assert seen.series["strength"] == [0.0] * 6
    assert any("ends after the film's first 6 frames" in note for note in seen.notes)


def test_other_shapes_are_said(world: Path, tmp_path: Path) -> None:
    wide = make(tmp_path / "wide.mkv", "-i", str(world / "source.mkv"), "-vf", "scale=96:48")
    assert any("different shapes" in note for note in reviewed(wide, world / "source.mkv").notes)


@pytest.mark.integration
def test_folders_of_pictures_are_films_and_sources(world: Path) -> None:
    seen = reviewed(world / "shots", world / "source.mkv")
    assert seen.series["strength"] == [0.0] * COUNT
    assert reviewed(world / "source.mkv", world / "shots").series["strength"] == [0.0] * COUNT


def test_a_scene_cut_is_where_it_is(tmp_path: Path) -> None:
    a, b = (list(scene(48, 64, glide(6), seed=seed).frames) for seed in (1, 2))
    film = lossless(tmp_path / "film.mkv", stored(tmp_path / "shots", [*a, *b]))
    seen = reviewed(film, film)
    assert seen.cuts == (6,)
    assert seen.series["error"][6] is None
    assert reviewed(film, None).cuts == (6,)


def test_a_film_alone_tells_of_itself(world: Path) -> None:
    seen = reviewed(world / "bright.mkv", None)
    own = reviewed(world / "source.mkv", None)
    more = np.subtract(seen.series["brightness"], own.series["brightness"])  # type: ignore[arg-type]
    assert more == pytest.approx([0.2] * COUNT, abs=0.005)
    assert "strength" not in seen.series and seen.figures is None


def test_stills_are_few_however_many_frames_come() -> None:
    sheet, worst = Sheet(count=5), WorstFrames(count=3, apart=10)
    pixels = np.zeros((2, 2, 3), np.uint8)
    for index in range(1000):
        sheet.watch(index, pixels)
        worst.watch(1.0 - abs(index - 500) / 1000 + (index % 100 == 7), index, "", pixels)
        assert len(sheet._kept) <= 20 and len(worst._found) <= 6
    shown = [still.index for still in sheet.stills]
    assert len(shown) == 5 and shown[0] == 0 and shown[-1] >= 850
    assert max(np.diff(shown)) <= 1.5 * min(np.diff(shown))
    assert [moment.index for moment in worst.moments] == [507, 407, 607]


@pytest.mark.integration
def test_compared_films_have_the_same_figures_in_two_columns(
    cli: Cli, world: Path, tmp_path: Path
) -> None:
    source = world / "source.mkv"
    ended = cli("compare", source, world / "bright.mkv", source, "--json")
    assert ended.code == 0
    found = json.loads(ended.out)
    one, other = found["films"]
    assert one["figures"]["strength"] == 0
    assert other["figures"]["strength"] == pytest.approx(0.2, abs=0.005)
    assert other["curves"]["brightness"] == pytest.approx([0.2] * COUNT, abs=0.005)
    assert found["between"] is None
    alone = json.loads(cli("compare", source, world / "bright.mkv", "--alone", "--json").out)
    assert alone["source"] is None and alone["films"][0]["figures"] is None
    assert alone["between"]["strength"] == pytest.approx([0.2] * COUNT, abs=0.005)


@pytest.mark.integration
def test_a_render_comes_with_its_report_and_two_with_their_differences(
    cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    a, b = tmp_path / "a.mp4", tmp_path / "b.mp4"
    made = cli("video", shelf / "clip.mp4", "-o", a, "--report", *QUICK)
    page = tmp_path / "a.report.html"
    assert (made.code, made.out.splitlines()[-1]) == (0, str(page))
    data = held(page)
    took = data["panels"][-1]["lines"][0]["values"]
    assert len(took) == len(data["times"]) == 8
    assert all(0 < seconds < 600 for seconds in took)
    text = page.read_text("utf-8")
    assert "steps = 1" in text and "clip.mp4" in text and "tensorflow" in text
    again = cli("video", shelf / "clip.mp4", "-o", a, "--report", *QUICK)
    assert (again.code, len(again.err.splitlines())) == (2, 1)
    cli("video", shelf / "clip.mp4", "-o", b, "--keep-job", *QUICK, "--steps", "2")
    assert find_recorded_source(b) == (shelf / "clip.mp4", Excerpt())
    # Its kept job tells the source and the times.
    assert cli("report", b, "-q").code == 0
    later = held(tmp_path / "b.report.html")
    assert len(later["panels"][-1]["lines"][0]["values"]) == 8
    found = compare_films(a, b, shelf / "clip.mp4", embed=NOTHING)
    assert found.differences == [("dream.steps", "1", "2")]
    both = cli("compare", a, b, shelf / "clip.mp4", "-o", tmp_path / "both.html", "-q")
    assert (both.code, both.out) == (0, "")
    assert "dream.steps" in (tmp_path / "both.html").read_text("utf-8")


def test_a_film_that_says_no_times_says_that_it_does_not(world: Path, tmp_path: Path) -> None:
    page = report_film(
        world / "source.mkv", world / "source.mkv", tmp_path / "page.html", embed=NOTHING
    )
    text = page.read_text("utf-8")
    assert "does not record how long its frames took" in text
    assert held(page)["panels"][-1]["lines"] == []
    assert "has no record of how it was dreamt" in text and "<video" not in text


def test_a_source_is_found_by_the_films_name(world: Path, tmp_path: Path) -> None:
    film = tmp_path / "cat-dream.mp4"
    film.touch()
    assert find_recorded_source(film)[0] is None
    (tmp_path / "cat.mov").touch()
    assert find_recorded_source(film)[0] == tmp_path / "cat.mov"
    (tmp_path / "cat.mkv").touch()
    assert find_recorded_source(film)[0] is None


@pytest.mark.integration
def test_what_goes_into_the_page_is_bounded(world: Path) -> None:
    def clips(embed: Embed) -> Review:
        return review(
            open_film_pair(world / "bright.mkv", world / "source.mkv", Excerpt()), embed=embed
        )

    small = clips(Embed(height=24))
    assert small.film_clip is not None and small.film_clip.proxy.startswith("32 x 24")
    assert small.source_clip is not None
    none = clips(Embed(most_bytes=1000))
    assert none.film_clip is None and "too long to be played in a page" in none.notes[0]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["report", "none.mp4", "{source}"], 1, "none.mp4: no such file"),
        (["report", "{source}", "none.mp4"], 1, "none.mp4: no such file"),
        (["report", "{sound}", "{source}"], 1, "holds no moving picture"),
        (["report", "{text}", "{source}"], 1, "not a video"),
        (["report", "{source}", "--alone", "--start", "1"], 2, "give the source too"),
        (["report", "{source}", "{source}", "--alone"], 2, "not both"),
        (["report", "{source}", "{source}", "--start", "90"], 2, "nothing starts at 90 s"),
        (["report", "{source}", "{source}", "--embed-size", "big"], 2, "write a size as"),
        (["report", "{source}", "{source}", "-o", "{source}", "-y"], 2, "is the input itself"),
        (["report", "{source}", "{source}", "-o", "{page}"], 2, "exists already"),
        (["report", "{source}", "-o", "nowhere/page.html"], 2, "does not exist"),
        (["compare", "{source}", "none.mp4"], 1, "none.mp4: no such file"),
        (["compare", "{source}", "{source}", "-o", "{page}"], 2, "exists already"),
    ],
)
def test_what_cannot_be_told_is_one_clear_line_and_leaves_nothing(
    cli: Cli,
    shelf: Path,
    world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.html").write_text("mine")
    names = {"source": world / "source.mkv", "sound": shelf / "tone.mp3"}
    names |= {"text": shelf / "text.mp4", "page": tmp_path / "page.html"}
    before, there = contents(tmp_path), contents(world)
    ended = cli(*(word.format(**names) for word in words))
    assert ended.code == code
    line = ended.err.splitlines()[-1]
    assert line.startswith("dreamvideo: ") and said in line
    assert "Traceback" not in ended.err
    assert (contents(tmp_path), contents(world)) == (before, there)


def test_a_page_is_written_whole_or_not_at_all(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.html"
    page.write_text("the one before")

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(Exception, match=r"page.html: cannot be written \(no space left"):
        report_film(world / "source.mkv", None, page, embed=NOTHING, overwrite=True)
    monkeypatch.undo()
    assert contents(tmp_path) == {"page.html": b"the one before"}


def test_a_record_tells_its_time_and_one_without_is_still_read(tmp_path: Path) -> None:
    for name in ("parts", "frames"):
        (tmp_path / name).mkdir()
    part = SegmentStore(tmp_path, 0)
    for number in range(2):
        part.add(np.zeros((4, 4, 3), np.uint8), Fraction(number, 25), Fraction(1, 25), loss=1.0)
    read = SegmentStore(tmp_path, 0).records
    assert read == part.records
    assert all(record.seconds is not None and 0 <= record.seconds < 60 for record in read)
    values = json.loads(read[0].line())
    del values["seconds"]
    assert FrameRecord.of(values) == replace(read[0], seconds=None)


def test_sound_is_heard_in_a_stand_in_too(world: Path, tmp_path: Path) -> None:
    loud = make(
        tmp_path / "loud.mkv",
        *("-i", str(world / "source.mkv"), *tone(0.6), "-c:v", "ffv1", "-c:a", "flac"),
    )
    seen = review(open_film_pair(loud, world / "source.mkv", Excerpt()), embed=Embed())
    assert seen.film_clip is not None and seen.source_clip is not None
    assert b"mp4a" in seen.film_clip.data and b"mp4a" not in seen.source_clip.data


@pytest.mark.integration
def test_measure_and_report_pair_frames_alike(world: Path, tmp_path: Path) -> None:
    """By time, with the same notes: of a part, at another rate, against a source that ends."""
    source, exact = str(world / "source.mkv"), ("-c:v", "ffv1")
    part = make(tmp_path / "part.mkv", "-ss", "0.2", "-i", source, *exact)
    halved = ("-vf", "select=not(mod(n\\,2))", "-r", "25/2")
    half = make(tmp_path / "half.mkv", "-i", source, *halved, *exact)
    short = make(tmp_path / "short.mkv", "-i", source, "-frames:v", "6", *exact)
    for film, clip, start in (
        (part, world / "source.mkv", "0.2"),
        (part, world / "source.mkv", None),
        (half, world / "source.mkv", None),
        (world / "source.mkv", short, None),
    ):
        seen = reviewed(film, clip, **({"start": start} if start else {}))
        report = measure_film(film, clip, start=start)
        assert report.notes == seen.notes
        assert seen.figures is not None and report.frames == seen.figures.frames
        assert report.strength == pytest.approx(seen.figures.strength, abs=1e-6)
