"""A session's state: what its page shows of previews, and how a choice is changed and undone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny import Cli

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.identify import identify_file
from dreamvideo.media.stills import read_still, write_still
from dreamvideo.render.progress import Progress
from dreamvideo.settings import look_values, make_look
from dreamvideo.studio import own_tiles, session
from dreamvideo.studio.form_state import SLIDERS
from dreamvideo.studio.messages import (
    Answer,
    Failed,
    FilmGrown,
    FilmMade,
    FilmWanted,
    PictureGrown,
    PictureWanted,
    Rest,
    SourceSeen,
    Wanted,
)
from dreamvideo.studio.session import Studio, sample_paths

STRENGTH = next(each for each in SLIDERS if each.name == "strength")


class FakePreviewer:
    """A preview process that answers what it is told to."""

    def __init__(self, hear: Callable[[Answer], None], *, background: bool = False) -> None:
        self.hear, self.background = hear, background
        self.asked: list[Wanted] = []

    def ask(self, wanted: Wanted) -> None:
        self.asked.append(wanted)

    def close(self) -> None:
        pass


@pytest.fixture
def studio(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """A session with a clip; its network is loaded."""
    monkeypatch.setattr(session, "Previewer", FakePreviewer)
    made = Studio(tmp_path, own_tiles=False)
    made.is_warm = True
    made.take(identify_file(shelf / "clip.mp4"))
    yield made
    made.close()


def previewer_of(studio: Studio) -> FakePreviewer:
    assert isinstance(studio.previewer, FakePreviewer)
    return studio.previewer


def test_a_moving_preview_moves_its_bar_on_and_leaves_a_frame_to_be_finished(
    studio: Studio,
) -> None:
    fake = previewer_of(studio)
    picture = fake.asked[-1].ticket
    fake.hear(PictureGrown(picture, b"half", 9, 15))
    studio.ask_moving()
    film = fake.asked[-1]
    assert isinstance(film, FilmWanted)
    shares = [studio.moving.share]
    for stage, done in (("dreaming", 6), ("dreaming", 24), ("encoding", 0), ("encoding", 24)):
        fake.hear(FilmGrown(film.ticket, Progress(stage, "frame", done, 24)))
        shares.append(studio.moving.share)
    assert shares == pytest.approx([0, 0.2375, 0.95, 0.95, 1])
    fake.hear(FilmMade(film.ticket))
    # The process has given up the frame for the film: it is asked for again.
    studio.ask_again()
    again = fake.asked[-1]
    assert isinstance(again, PictureWanted) and again.ticket > film.ticket
    fake.hear(PictureGrown(again.ticket, b"whole", 15, 15))
    asked = len(fake.asked)
    studio.ask_again()
    assert len(fake.asked) == asked and not studio.seen.is_busy


def test_a_look_that_cannot_be_shown_does_not_show_the_last_one(studio: Studio) -> None:
    fake = previewer_of(studio)
    ticket = fake.asked[-1].ticket
    fake.hear(SourceSeen(ticket, b"source"))
    fake.hear(PictureGrown(ticket, b"fur", 1, 1))
    before = studio.seen.serial
    studio.choose(studio.choice.with_preset("classic"))
    fake.hear(Failed(fake.asked[-1].ticket, "needs a download"))
    assert (studio.seen.source, studio.seen.dream) == (b"source", b"")
    assert studio.seen.error == "needs a download" and studio.seen.serial > before


def test_every_change_is_undone_and_made_again(studio: Studio) -> None:
    first = studio.choice
    studio.choose(first.with_preset("ink"))
    ink = studio.choice
    # A slider that is dragged is one change.
    for value in (0.9, 0.7, 0.5):
        studio.move(STRENGTH, value)
    half = studio.choice
    studio.choose(replace(half, size="50%"))
    small = studio.choice
    assert half.changes == {"dream.strength": 0.5} and not studio.can_redo
    seen = []
    while studio.can_undo:
        studio.undo()
        seen.append(studio.choice)
    assert seen == [half, ink, first]
    for choice in (ink, half, small):
        studio.redo()
        assert studio.choice == choice
    studio.undo()
    studio.move(STRENGTH, None)
    assert not studio.can_redo and studio.choice == ink
    asked = previewer_of(studio).asked[-1]
    assert isinstance(asked, PictureWanted) and asked.values == look_values(ink.look)


def test_a_look_that_was_tried_is_restored_with_its_picture(studio: Studio) -> None:
    fake = previewer_of(studio)
    fake.hear(PictureGrown(fake.asked[-1].ticket, b"default", 15, 15))
    studio.choose(studio.choice.with_preset("ink"))
    studio.move(STRENGTH, 0.5)
    fake.hear(PictureGrown(fake.asked[-1].ticket, b"half", 7, 15))
    fake.hear(PictureGrown(fake.asked[-1].ticket, b"ink", 15, 15))
    assert [(each.choice.preset, each.picture) for each in studio.tried] == [
        ("ink", b"ink"),
        (None, b"default"),
    ]
    ink = studio.choice
    studio.restore(studio.tried[1])
    assert (studio.choice.preset, studio.choice.changes) == (None, {})
    studio.undo()
    assert studio.choice == ink
    studio.take(identify_file(sample_paths()["coffee"]))
    assert studio.tried == () and not studio.can_undo


def painted(studio: Studio, mask: NDArray[np.uint8]) -> str:
    """Paint a mask, as the page sends it."""
    folder = studio.private / f"upload-{len(list(studio.private.iterdir()))}"
    folder.mkdir()
    write_still(folder / "mask.png", np.repeat(mask[..., None], 3, axis=2))
    name = studio.take_mask(identify_file(folder / "mask.png", is_private=True))
    assert not folder.exists()
    return name


def test_masks_are_kept_where_presets_find_them_and_unused_ones_go(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "config"))
    folder = tmp_path / "config" / "dreamvideo" / "presets" / "masks"
    strokes = [np.zeros((48, 64), np.uint8) for _ in range(3)]
    for number, stroke in enumerate(strokes):
        stroke[: 8 * number + 8] = 255 - number
    names = [painted(studio, stroke) for stroke in strokes]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    data = (folder / names[2]).read_bytes()
    # Grey, 8 bit: the colour type in the header.
    assert data[24:26] == bytes([8, 0])
    assert np.array_equal(read_still(folder / names[2])[..., 0], strokes[2])
    assert studio.mask == str(folder / names[2])
    assert f"--mask {folder / names[2]}" in studio.command
    studio.undo()
    assert studio.mask == str(folder / names[1])
    path = studio.save_preset("by-hand")
    assert make_look(["by-hand"]).mask.mask == str(folder / names[1]) and path.is_file()
    studio.redo()
    # Another clip has no mask, unless its look has one.
    studio.choose(replace(studio.choice, preset=None))
    studio.take(identify_file(sample_paths()["coffee"]))
    assert studio.mask is None
    studio.close()
    assert [each.name for each in folder.iterdir()] == [names[1]]


def test_what_is_no_mask_of_the_frame_is_refused(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mask\.png: 65 x 48 is larger than the frame, 64 x 48"):
        painted(studio, np.zeros((48, 65), np.uint8))
    for name in ("photo.jpg", "clip.mp4"):
        folder = tmp_path / name
        folder.mkdir()
        if name == "photo.jpg":
            write_still(folder / name, np.zeros((8, 8, 3), np.uint8))
        else:
            shutil.copyfile(sample_paths()["bunny"], folder / name)
        with pytest.raises(MediaError, match=f"{name}: a painted mask is a PNG picture"):
            studio.take_mask(identify_file(folder / name, is_private=True))
    assert studio.choice.changes == {}


def test_a_frame_is_shown_as_it_is_at_its_time_of_the_film(studio: Studio) -> None:
    fake = previewer_of(studio)
    studio.choose(replace(studio.choice, start=0.08, end=0.28))
    studio.go_to(0.16)
    asked = fake.asked[-1]
    assert isinstance(asked, PictureWanted)
    assert (asked.at, asked.moment, asked.length) == pytest.approx((0.16, 0.08, 0.2))
    studio.choose(replace(studio.choice, kind="zoom"))
    asked = fake.asked[-1]
    assert isinstance(asked, PictureWanted)
    # A zoom begins with the clip's last frame, or with the one that is gone to.
    assert (asked.at, asked.moment, asked.length) == pytest.approx((0.28, 0, 8))
    studio.go_to(0.04)
    assert studio.choice.at == 0.04 and "--at 0.04 " in studio.command
    asked = fake.asked[-1]
    assert isinstance(asked, PictureWanted) and asked.at == 0.04
    studio.undo()
    assert studio.choice.at is None and studio.moment == pytest.approx(0.28)


def test_a_look_is_saved_by_name_for_the_command_line_too(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "config"))
    studio.choose(studio.choice.with_preset("ink"))
    studio.move(STRENGTH, 0.5)
    look = studio.choice.look
    path = studio.save_preset("my-ink_2")
    assert path == tmp_path / "config" / "dreamvideo" / "presets" / "my-ink_2.toml"
    assert (studio.choice.preset, studio.choice.changes) == ("my-ink_2", {})
    assert look_values(studio.choice.look) == look_values(look)
    assert "--preset my-ink_2 -o" in studio.command and "my-ink_2" in studio.own_looks
    assert make_look(["my-ink_2"]).dream.strength == 0.5
    assert "my-ink_2" in [row["preset"] for row in json.loads(cli("presets", "--json").out)]
    before = path.read_bytes()
    for name, said in (
        ("my-ink_2", "already"),
        ("ink", "already"),
        ("../ink", "letters"),
        ("", "letters"),
    ):
        with pytest.raises(UsageError, match=said):
            studio.save_preset(name)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1
    with pytest.raises(UsageError, match="no preset 'my-ink_3': choose my-ink_2"):
        make_look(["my-ink_3"])


def test_tiles_are_dreamt_from_the_own_picture_while_nothing_else_is(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made: list[FakePreviewer] = []
    looks = {"": {"a": 1}, "ink": {"a": 2}, "classic": {"a": 3}}
    monkeypatch.setattr(own_tiles, "IDLE", -1.0)
    monkeypatch.setattr(own_tiles, "MOST_KEPT", 3)

    def make(hear: Callable[[Answer], None], *, background: bool) -> FakePreviewer:
        made.append(FakePreviewer(hear, background=background))
        return made[-1]

    def begun() -> own_tiles.OwnTiles:
        return own_tiles.OwnTiles(lambda: looks, lambda: None, make)  # type: ignore[arg-type]

    def asked(number: int) -> PictureWanted:
        assert len(made) == 1 and len(made[0].asked) == number
        wanted = made[0].asked[-1]
        assert isinstance(wanted, PictureWanted)
        return wanted

    def pace(tiles: own_tiles.OwnTiles, *, busy: bool = False, name: str = "photo.png") -> None:
        tiles.pace((shelf / name, 0.0), busy=busy)

    tiles = begun()
    pace(tiles, busy=True)
    assert not made
    pace(tiles)
    first = asked(1)
    assert made[0].background and first.pixels == own_tiles.PIXELS and first.values == {"a": 1}
    # Another dream begins: the tile is given up, and asked for again afterwards.
    pace(tiles, busy=True)
    assert made[0].asked[-1] == Rest()
    made[0].hear(PictureGrown(first.ticket, b"late", 5, 5))
    assert tiles.made == {}
    pace(tiles)
    again = asked(3)
    assert again.values == {"a": 1} and again.ticket != first.ticket
    made[0].hear(PictureGrown(again.ticket, b"half", 2, 5))
    made[0].hear(PictureGrown(again.ticket, b"usual", 5, 5))
    pace(tiles)
    made[0].hear(PictureGrown(asked(4).ticket, b"ink", 5, 5))
    pace(tiles)
    # The last look cannot be dreamt: its tile stays as it is.
    made[0].hear(Failed(asked(5).ticket, "needs a download"))
    assert {name: path.read_bytes() for name, path in tiles.made.items()} == {
        "": b"usual",
        "ink": b"ink",
    }
    tiles.close()

    # The same picture, in another session, whatever it is called.
    copied = tmp_path / "copy.png"
    copied.write_bytes((shelf / "photo.png").read_bytes())
    tiles = begun()
    del looks["classic"]
    tiles.pace((copied, 0.0), busy=False)
    assert set(tiles.made) == {"", "ink"}
    assert len(made) == 1
    # Another one pushes the oldest tiles out.
    looks.clear()
    looks.update({"wood": {"a": 4}, "snow": {"a": 5}})
    old = set(tiles.made.values())
    for path in old:
        os.utime(path, (1, 1))
    tiles.list_again()
    for name in ("wood", "snow"):
        tiles.pace((copied, 0.0), busy=False)
        wanted = made[1].asked.pop()
        made[1].hear(PictureGrown(wanted.ticket, name.encode(), 1, 1))
    assert len(list((tmp_path / "cache").rglob("*.jpg"))) == 3
    tiles.close()
