"""Arrays in and out: the same pixels as files give, in the form that they came in."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from slow_dreamer import without_network
from synthetic import glide, scene
from tiny import pixels_of

import dreamvideo
from dreamvideo import (
    DreamVideoError,
    dream,
    dream_frames,
    dream_image,
    dream_video,
    make_look,
    make_output,
    zoom,
    zoom_frames,
)
from dreamvideo.media.pixels import to_bytes, to_deep
from dreamvideo.media.stills import open_still, store_frame

HEIGHT, WIDTH = 40, 56
Pixels = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Renders of this file dream without a network, in an instant."""
    with without_network():
        yield


@pytest.fixture(scope="module")
def film() -> list[Pixels]:
    """Six frames of a texture that glides, with a cut before the fifth."""
    shots = [scene(HEIGHT, WIDTH, glide(4, 1.5 + 0.5j)), scene(HEIGHT, WIDTH, glide(2, 1), seed=7)]
    return [to_bytes(frame) for shot in shots for frame in shot.frames]


def store(folder: Path, frames: list[NDArray[Any]]) -> Path:
    folder.mkdir()
    for number, frame in enumerate(frames):
        alpha = frame[..., 3] if frame.ndim == 3 and frame.shape[2] == 4 else None
        store_frame(folder / f"{number:04d}.png", frame[..., :3], alpha)
    return folder


LOOKS: dict[str, dict[str, Any]] = {
    "carried": {},
    "cadence": {"cadence": 2},
    "scheduled": {"strength": "0:0.2, end:1.4", "saturation": "1 + 0.5 * sin(9 * t)"},
    "camera": {"zoom": 1.3, "rotate": "20 * p"},
    "masked": {"mask": "circle 0.5x0.5 0.4", "bright": "0.3-1"},
    "first palette": {"match_colour": "first", "dream_size": "50%"},
    "independent": {"coherence": 0.0},
}


def look_of(settings: dict[str, Any]) -> dreamvideo.Look:
    groups = ("dream", "coherence", "mask", "colour", "camera")
    fields = {g: type(getattr(dreamvideo.Look(), g)).model_fields for g in groups}
    homes = {name: group for group in reversed(groups) for name in fields[group]}
    changes: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        changes.setdefault(homes[name], {})[name] = value
    return make_look((), changes)


@pytest.mark.parametrize("settings", LOOKS.values(), ids=LOOKS)
def test_frames_are_those_of_the_same_film_from_a_file(
    film: list[Pixels], tmp_path: Path, settings: dict[str, Any]
) -> None:
    shots = store(tmp_path / "shots", list(film))
    dream_video(shots, tmp_path / "out", look_of(settings), fps="10")
    expected = pixels_of(tmp_path / "out")
    made = list(dream_frames(film, fps=10, **settings))
    assert len(made) == len(expected) == len(film)
    for ours, theirs in zip(made, expected, strict=True):
        assert np.array_equal(ours, theirs)
    assert any((ours != given).any() for ours, given in zip(made, film, strict=True))


def test_deep_and_transparent_frames_are_those_of_a_file_too(tmp_path: Path) -> None:
    frames: list[NDArray[Any]] = []
    for number, picture in enumerate(scene(HEIGHT, WIDTH, glide(3, 1.5)).frames):
        alpha = np.full((HEIGHT, WIDTH, 1), 65535, np.uint16)
        alpha[:, : 10 + number] = 0
        frames.append(np.dstack([to_deep(picture), alpha]))
    shots = store(tmp_path / "shots", frames)
    dream_video(shots, tmp_path / "out", wanted=make_output(depth=16), fps="10")
    made = list(dream_frames(iter(frames), fps="10"))
    for ours, given, path in zip(made, frames, sorted((tmp_path / "out").iterdir()), strict=True):
        still = open_still(path)
        assert ours.dtype == np.uint16 and still.alpha is not None
        assert np.array_equal(ours, np.dstack([still.pixels, still.alpha]))
        assert np.array_equal(ours[..., 3], given[..., 3])


def test_masks_of_frames_are_those_of_a_folder(film: list[Pixels], tmp_path: Path) -> None:
    masks = [np.zeros((HEIGHT, WIDTH), np.uint8) for _ in film]
    for number, mask in enumerate(masks):
        mask[:, 4 * number : 4 * number + 24] = 255
    shots = store(tmp_path / "shots", list(film))
    shapes = store(tmp_path / "masks", [np.dstack([mask] * 3) for mask in masks])
    for settings in ({}, {"dream_size": "28x20"}, {"cadence": 3}, {"invert": True, "feather": 0.1}):
        look = look_of({**settings, "mask": str(shapes)})
        dream_video(shots, tmp_path / "out", look, overwrite=True)
        made = list(dream_frames(film, masks=(mask for mask in masks), **settings))
        for ours, theirs in zip(made, pixels_of(tmp_path / "out"), strict=True):
            assert np.array_equal(ours, theirs)
    left = list(dream_frames(film, masks=np.zeros((HEIGHT, WIDTH), bool)))
    assert all(np.array_equal(ours, given) for ours, given in zip(left, film, strict=True))


FORMS: dict[str, Callable[[NDArray[np.float32]], NDArray[Any]]] = {
    "grey": lambda unit: np.rint(unit[..., 0] * 255).astype(np.uint8),
    "grey with an axis": lambda unit: unit[..., :1].astype(np.float32),
    "grey and alpha": lambda unit: np.rint(unit[..., :2] * 65535).astype(np.uint16),
    "8 bits": lambda unit: np.rint(unit[..., :3] * 255).astype(np.uint8),
    "16 bits": lambda unit: np.rint(unit[..., :3] * 65535).astype(np.uint16),
    "big-endian": lambda unit: np.rint(unit[..., :3] * 65535).astype(">u2"),
    "float16": lambda unit: unit[..., :3].astype(np.float16),
    "float32": lambda unit: unit[..., :3].astype(np.float32),
    "float64 with alpha": lambda unit: unit.astype(np.float64),
    "not contiguous": lambda unit: np.rint(unit[::-1, ::-1, :3] * 255).astype(np.uint8),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_picture_leaves_in_the_form_in_which_it_came(
    form: Callable[[NDArray[np.float32]], NDArray[Any]],
) -> None:
    unit = np.random.default_rng(0).uniform(0.1, 0.9, (HEIGHT, WIDTH, 4)).astype(np.float32)
    given = form(unit)
    before = given.copy()
    half = np.zeros((HEIGHT, WIDTH), bool)
    half[:, WIDTH // 2 :] = True
    films = dream_frames([given, given[:, ::-1]], masks=half)
    for made in (dream(given, mask=half), next(films)):
        assert made.shape == given.shape and made.dtype == given.dtype.newbyteorder("=")
        # To the bit where nothing is dreamt, also in floats.
        assert np.array_equal(made[:, : WIDTH // 2], given[:, : WIDTH // 2])
        assert (made[:, WIDTH // 2 :] != given[:, WIDTH // 2 :]).any()
        if made.ndim == 3 and made.shape[2] in (2, 4):
            top = 1 if given.dtype.kind == "f" else np.iinfo(given.dtype).max
            assert np.abs(made[..., -1] - given[..., -1].astype(float)).max() <= top / 60000
        assert made.min() >= 0 and made.max() <= (1 if made.dtype.kind == "f" else 65535)
    assert np.array_equal(given, before)


@pytest.mark.parametrize("size", [None, "28x20", "200%"])
def test_a_picture_is_that_of_the_same_file(tmp_path: Path, size: str | None) -> None:
    picture = scene(HEIGHT, WIDTH, glide(1), seed=3).frames[0]
    alpha = np.full((HEIGHT, WIDTH), 65535, np.uint16)
    alpha[:8], alpha[8:12] = 0, 30000
    store_frame(tmp_path / "a.png", to_deep(picture), alpha)  # type: ignore[arg-type]
    store_frame(tmp_path / "b.png", to_bytes(picture))
    for name in ("a.png", "b.png"):
        output = tmp_path / f"dreamt-{name}"
        dream_image(tmp_path / name, output, make_look(["towers"]), size=size)
        still = open_still(output)
        expected = still.pixels if still.alpha is None else np.dstack([still.pixels, still.alpha])
        assert np.array_equal(dream(tmp_path / name, "towers", size=size), expected)
        assert np.array_equal(dream(str(tmp_path / name), ["towers"], size=size), expected)
    array = np.dstack([to_deep(picture), alpha])
    assert np.array_equal(dream(array), dream(tmp_path / "a.png"))
    with Image.open(tmp_path / "b.png") as opened:
        assert np.array_equal(dream(opened), dream(to_bytes(picture)))
    palette = Image.fromarray(to_bytes(picture)).quantize(16)
    assert np.array_equal(dream(palette), dream(np.asarray(palette.convert("RGB"))))


def test_settings_are_keywords_and_build_on_a_look_or_presets() -> None:
    image = to_bytes(scene(HEIGHT, WIDTH, glide(1)).frames[0])
    look = make_look(["towers"], {"colour": {"saturation": 0.0}})
    grey = dream(image, look=look)
    assert np.array_equal(grey, dream(image, "towers", saturation=0.0))
    assert np.abs(np.ptp(grey.astype(int), axis=2)).max() <= 1
    assert not np.array_equal(grey, dream(image, look=look, saturation=1.0))
    assert np.array_equal(dream(image, strength=0), image)
    assert np.array_equal(dream(image, mask="left 0"), image)


def test_a_model_of_its_own_drops_the_layers_of_a_look() -> None:
    from dreamvideo.settings.keywords import make_keyword_look

    look = make_look((), {"dream": {"layers": "block3"}})
    made, _ = make_keyword_look("dream", ("dream",), None, look, {"model": "vgg16"})
    assert (made.dream.model, made.dream.layers) == ("vgg16", None)
    made, machine = make_keyword_look("dream", ("dream",), None, look, {"threads": 1, "steps": 3})
    assert (made.dream.layers, made.dream.steps, machine.threads) == ("block3", 3, 1)


class Counted:
    """An endless film that knows how many of its frames were taken."""

    def __init__(self, film: list[Pixels]) -> None:
        self.taken, self.film, self.closed = 0, film, False

    def frames(self) -> Iterator[Pixels]:
        try:
            while True:
                self.taken += 1
                yield self.film[self.taken % len(self.film)].copy()
        finally:
            self.closed = True


@pytest.mark.integration
def test_frames_are_taken_as_they_are_needed_and_none_is_kept(film: list[Pixels]) -> None:
    source = Counted(film)
    alive: list[weakref.ref[Any]] = []

    def watched() -> Iterator[Pixels]:
        with closing(source.frames()) as frames:  # type: ignore[type-var]
            for frame in frames:
                alive.append(weakref.ref(frame))
                yield frame

    made = dream_frames(watched(), fps=25)
    assert source.taken == 0
    for number, _ in enumerate(made):
        assert source.taken <= number + 4
        gc.collect()
        assert sum(ref() is not None for ref in alive) <= 5
        if number == 20:
            break
    made.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("dreamvideo-prefetch")]
    gc.collect()
    assert source.closed


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_reader_may_reuse_its_buffer(film: list[Pixels], kind: type) -> None:
    frames: list[NDArray[Any]]
    frames = [(frame / (255 if kind is np.float32 else 1)).astype(kind) for frame in film]
    buffer = np.empty_like(frames[0])

    def refilled() -> Iterator[NDArray[Any]]:
        for frame in frames:
            buffer[...] = frame
            yield buffer

    left = np.zeros((HEIGHT, WIDTH), bool)
    left[:, :20] = True
    made = dream_frames(refilled(), masks=left, cadence=3)
    for ours, theirs in zip(made, dream_frames(frames, masks=left, cadence=3), strict=True):
        assert np.array_equal(ours, theirs)


def test_a_loop_that_is_left_or_fails_ends_the_source(film: list[Pixels]) -> None:
    source = Counted(film)
    for _ in dream_frames(source.frames()):
        break
    gc.collect()
    assert source.closed

    def failing() -> Iterator[Pixels]:
        yield from film[:3]
        raise OSError("the camera was unplugged")

    seen = []
    with pytest.raises(OSError, match="unplugged"):
        for frame in dream_frames(failing()):
            seen.append(frame)
    assert 1 <= len(seen) <= 3
    assert not [t for t in threading.enumerate() if t.name.startswith("dreamvideo-prefetch")]


def test_progress_and_empty_films(film: list[Pixels]) -> None:
    heard: list[dreamvideo.Progress] = []
    list(dream_frames(film, on_frame=heard.append))
    assert [(p.stage, p.done, p.total) for p in heard] == [("dreaming", n, 6) for n in range(1, 7)]
    heard.clear()
    list(dream_frames(iter(film[:2]), on_frame=heard.append))
    assert [(p.done, p.total) for p in heard] == [(1, None), (2, None)]
    assert list(dream_frames([])) == []
    heard.clear()
    dream(film[0], steps=1, octaves=1, on_progress=heard.append)
    list(zoom_frames(film[0], seconds=0.2, fps=10, on_frame=heard.append))
    assert [(p.done, p.total) for p in heard if p.unit == "frame"] == [(1, 2), (2, 2)]


def test_resized_frames_have_the_size_asked_for(film: list[Pixels]) -> None:
    clear = [np.dstack([frame, frame[..., :1]]) for frame in film[:2]]
    assert [f.shape for f in dream_frames(film[:2], size="28x20")] == [(20, 28, 3)] * 2
    assert [f.shape for f in dream_frames(clear, size="200%")] == [(80, 112, 4)] * 2


ZOOMS: dict[str, dict[str, Any]] = {
    "in": {"rate": 1.5},
    "arrives": {"rate": 2.0, "to": "goal.png"},
    "out": {"rate": 0.8, "border": "replicate"},
    "loops": {"rate": 40.0, "loop": True},
    "loops out": {"rate": 0.025, "loop": True},
}


@pytest.mark.parametrize("settings", ZOOMS.values(), ids=ZOOMS)
def test_a_zoom_s_frames_are_those_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    picture = to_bytes(scene(HEIGHT, WIDTH, glide(1), seed=3).frames[0])
    store_frame(Path("start.png"), picture)
    store_frame(Path("goal.png"), picture[::-1])
    given = {n: v for n, v in settings.items() if n in ("to", "loop")}
    own = {n: v for n, v in settings.items() if n not in given} | {"seconds": 1.2}
    look = make_look((), {"zoom": own})
    zoom("start.png", "out", look, fps="10", **given)
    expected = pixels_of(Path("out"))
    made = list(zoom_frames(picture, fps=10, **own, **given))
    assert len(made) == len(expected) == 12
    assert all(np.array_equal(a, b) for a, b in zip(made, expected, strict=True))
    unit = picture.astype(np.float32) / 255
    floats = list(zoom_frames(unit, fps=10, **own, **given))
    assert floats[-1].dtype == np.float32
    assert np.array_equal(np.rint(floats[-1] * 255).astype(np.uint8), expected[-1])


def test_a_zoom_from_noise_and_a_journey() -> None:
    look = make_look((), {"journey": [{"look": "fur"}, {"look": "towers"}]})  # type: ignore[dict-item]
    made = list(zoom_frames(None, look=look, size="64x48", fps=10, seconds=0.3))
    assert [frame.shape for frame in made] == [(48, 64, 3)] * 3


IMAGE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
WRONG: list[tuple[Callable[[], object], str]] = [
    (
        lambda: dream(IMAGE, stepz=3),
        "dream: there is no argument or setting 'stepz': did you mean steps",
    ),
    (lambda: dream(IMAGE, cadence=2), "no argument or setting 'cadence'"),
    (
        lambda: dream(IMAGE, size=100),  # type: ignore[arg-type]
        "dream: size must be text or None, not 100 (int): write '100'",
    ),
    (lambda: dream(IMAGE, "twoers"), "choose towers"),
    (lambda: dream(IMAGE, steps=0), "--steps"),
    (lambda: dream(IMAGE, "towers", look=dreamvideo.Look()), "a preset or a look, not both"),
    (lambda: dream(IMAGE, look="towers"), "look must be a Look or None, not 'towers' (str)"),  # type: ignore[arg-type]
    (lambda: dream(IMAGE, mask=3), "mask must be an array, text or None"),  # type: ignore[arg-type]
    (lambda: dream(IMAGE[0, 0]), "image: an array of 3 uint8: pass H x W"),
    (lambda: dream(IMAGE.astype(int)), "image: an array of 40 x 56 x 3 int64: pass H x W"),
    (lambda: dream(np.zeros((0, 4, 3), np.uint8)), "has no pixels"),
    (lambda: dream(IMAGE + 0.0 + 128), "image: floats are from 0 to 1, but these reach from 128"),
    (lambda: dream(np.full((40, 56), np.nan)), "image: it holds NaN"),
    (lambda: dream(np.zeros((4, 4), np.uint8)), "4 x 4 is too small"),
    (lambda: dream(IMAGE, motion="moving"), "--motion needs a film"),
    (lambda: dream_frames(3), "dream_frames: frames must be an iterable, not 3 (int)"),  # type: ignore[arg-type]
    (lambda: dream_frames("a.mp4"), "frames must be an iterable, not 'a.mp4' (str)"),  # type: ignore[arg-type]
    (lambda: dream_frames([], fps="fast"), "'fast' is not a rate"),
    (lambda: dream_frames([], count=0), "count must be 1 or more"),
    (lambda: dream(IMAGE, mask=IMAGE), "mask: an H x W array, or text as --mask takes it, not 40"),
    (lambda: dream_frames([], passes=2), "dream_video"),
    (lambda: dream_frames([], strength="audio:low"), "sound"),
    (lambda: dream_frames(iter([]), strength="0:0, end:1"), "pass count"),
    (lambda: dream_frames(iter([]), rotate="20 * p"), "pass count"),
    (lambda: dream_frames([], masks=5), "masks"),  # type: ignore[arg-type]
    (lambda: dream_frames([], masks=IMAGE[..., 0], mask="left 0.5"), "masks or mask, not both"),
    (
        lambda: list(dream_frames([IMAGE, IMAGE[1:]])),
        "frame 1 has 56 x 39 pixels, the first one 56 x 40",
    ),
    (lambda: list(dream_frames([IMAGE, None])), "frame 1:"),  # type: ignore[list-item]
    (lambda: list(dream_frames([IMAGE] * 3, masks=[IMAGE[..., 0]])), "masks: there are only 1"),
    (lambda: list(dream_frames([IMAGE], masks=[IMAGE])), "mask 0: an array of 40 x 56 x 3 uint8"),
    (lambda: zoom_frames(IMAGE, loop=True, to=IMAGE), "loop or to"),
    (lambda: zoom_frames(IMAGE, coherence=1), "no argument or setting 'coherence'"),
    (
        lambda: dream_video("a.mp4", size=100),  # type: ignore[arg-type]
        "dream_video: size must be text or None, not 100 (int)",
    ),
    (lambda: dream_image("a.png", look="towers"), "dream_image: look must be a Look, not 'towers'"),  # type: ignore[arg-type]
    (lambda: zoom(7), "zoom: photo must be a path, text or None, not 7 (int)"),  # type: ignore[arg-type]
    (
        lambda: make_look("towers"),
        "make_look: presets must be a list of text, not 'towers' (str): write ['towers']",
    ),
    (lambda: make_look((), [3]), "make_look: overrides must be a dict or None, not [3] (list)"),  # type: ignore[arg-type]
    (lambda: make_look((), {"dream": 4}), "dream"),  # type: ignore[dict-item]
    (lambda: make_output(depth="ten"), "--depth"),
    (lambda: make_output(dept=10), "depth"),
]


@pytest.mark.parametrize(("call", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_what_makes_no_sense_is_one_line_that_names_it(
    call: Callable[[], object], said: str
) -> None:
    with pytest.raises(DreamVideoError) as caught:
        call()
    assert said in str(caught.value) and "\n" not in str(caught.value)
