"""A song in the studio: dropped in, heard in the preview, and removed; the keys of the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from browser import Browse, browse, chromium
from media_clips import make, picture, tone
from music import drums, save
from playwright.sync_api import expect
from test_studio import LONG, Running, studio

from dreamvideo.errors import MediaError
from dreamvideo.media.identify import Song, SourceFile
from dreamvideo.media.probe import probe
from dreamvideo.studio.form_state import Choice
from dreamvideo.studio.uploads import take

__all__ = ["browse", "chromium", "studio"]


def taken(path: Path, folder: Path, *, song: bool = False) -> SourceFile | Song:
    """A file, uploaded."""

    async def chunks() -> AsyncIterator[bytes]:
        yield path.read_bytes()

    return asyncio.run(take(chunks(), path.name, folder, 10**7, song=song))


def test_what_only_sounds_is_a_song(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir()
    path = save(tmp_path / "a song.wav", drums(120, 0, 2))
    found = taken(path, folder)
    assert isinstance(found, Song)
    assert (found.name, found.length) == ("a song.wav", Fraction(2))
    assert found.path.read_bytes() == path.read_bytes()
    clip = make(tmp_path / "clip.mp4", *picture(0.4), *tone(0.4))
    assert isinstance(taken(clip, folder), SourceFile)
    assert isinstance(taken(clip, folder, song=True), Song)
    before = sorted(folder.iterdir())
    (tmp_path / "text.wav").write_text("no sound")
    for song in (True, False):
        with pytest.raises(MediaError, match=r"text\.wav"):
            taken(tmp_path / "text.wav", folder, song=song)
    assert sorted(folder.iterdir()) == before


def test_the_command_line_names_the_song() -> None:
    song = Song(Path("/private/1/song.wav"), "song.wav", Fraction(2))
    zoom = Choice("zoom", song=song, click=True)
    assert zoom.sound == {"sound": song.path, "click": True}
    line = zoom.command("a.jpg", "b.mp4")
    assert line == "dreamvideo zoom a.jpg --sound song.wav --click -o b.mp4"
    line = Choice("zoom", song=song, bpm=92.5).command("a.jpg", "b.mp4")
    assert line == "dreamvideo zoom a.jpg --sound song.wav --bpm 92.5 -o b.mp4"
    assert Choice("image", song=song).sound == {}
    assert "--sound" not in Choice("image", song=song).command("a.jpg", "b.png")


@pytest.mark.integration
def test_a_song_is_heard_and_removed(browse: Browse, studio: Running, tmp_path: Path) -> None:
    song = save(tmp_path / "song.wav", drums(120, 0.1, 3))
    page = browse.open(studio.address, patience=LONG)
    page.set_input_files("#upload", studio.clip)
    expect(page.locator(".source-name")).to_contain_text("clip.mp4", timeout=LONG)
    page.set_input_files("#upload-sound", song)
    expect(page.locator("#song")).to_have_text("song.wav: 3.0 s", timeout=LONG)
    expect(page.locator("#command")).to_contain_text("--sound song.wav")
    page.get_by_role("button", name="Click on the beat").press("Enter")
    expect(page.locator("#command")).to_contain_text("--click")
    page.get_by_role("button", name="Moving preview").press("Enter")
    film = page.locator("#moving")
    expect(film).to_be_visible(timeout=LONG)
    assert film.evaluate("e => e.muted")
    page.keyboard.press("m")
    assert not film.evaluate("e => e.muted")
    # The studio may have begun others before it.
    previews = studio.temporary.glob("dreamvideo-studio-*/preview-*.mp4")
    made = max(previews, key=lambda path: path.stat().st_mtime_ns)
    assert [track.codec for track in probe(made).audio] == ["aac"]
    # A tempo that was heard wrongly is set.
    page.fill("#bpm", "much")
    page.keyboard.press("Tab")
    expect(page.get_by_text("a number from 20 to 400")).to_be_visible()
    expect(page.locator("#bpm")).to_have_value("")
    page.fill("#bpm", "60")
    page.keyboard.press("Tab")
    expect(page.locator("#command")).to_contain_text("--bpm 60", timeout=LONG)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#bpm")).to_have_value("")
    page.get_by_role("button", name="Remove the song").click()
    expect(page.locator("#song")).to_have_text("")
    expect(page.locator("#command")).not_to_contain_text("--sound")


@pytest.mark.integration
def test_the_keys_are_listed_and_work(browse: Browse, studio: Running) -> None:
    page = browse.open(studio.address, patience=LONG)
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard")
    expect(keys).to_be_visible()
    for key in ("B", "F", "M", "Ctrl Z", "?"):
        expect(keys.get_by_text(key, exact=True)).to_be_visible()
    page.keyboard.press("f")
    assert not page.evaluate("!!document.fullscreenElement")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement === document.querySelector('.screen')")
    page.keyboard.press("f")
    page.wait_for_function("!document.fullscreenElement")
    page.get_by_role("button", name="Keys").press("Enter")
    expect(keys).to_be_visible()
    page.get_by_role("button", name="Close").press("Enter")
    expect(keys).to_be_hidden()
    # Letters that are typed are no keys.
    page.get_by_label("Name of the preset").fill("")
    page.get_by_label("Name of the preset").press_sequentially("f?m")
    assert not page.evaluate("!!document.fullscreenElement")
    expect(keys).to_be_hidden()


@pytest.mark.integration
def test_on_a_telephone_no_control_is_under_the_preview(browse: Browse, studio: Running) -> None:
    page = browse.open(studio.address, width=390, height=844, patience=LONG)
    page.set_input_files("#upload", studio.photo)
    expect(page.locator(".source-name")).to_contain_text("photo.png", timeout=LONG)
    tops = []
    for _ in range(60):
        page.keyboard.press("Tab")
        top, is_seen = page.evaluate(
            """() => {
                const e = document.activeElement, r = e.getBoundingClientRect();
                if (e === document.body || e === document.documentElement) return [-1, true];
                const hit = document.elementFromPoint(
                    Math.min(innerWidth - 1, r.left + r.width / 2),
                    r.top + Math.min(r.height, 40) / 2);
                const label = e.closest('label');
                const same = hit && (hit === e || e.contains(hit) || hit.contains(e)
                    || (label && label.contains(hit)));
                const inside = e.closest('.stage');
                return [inside ? -1 : r.top + scrollY, !!same];
            }"""
        )
        assert is_seen, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if top >= 0:
            tops.append(top)
        elif tops and tops[-1] > 1500:
            break
    # As they are seen, from the top down; those of a row are side by side.
    assert all(after > before - 60 for before, after in pairwise(tops))
