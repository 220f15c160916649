"""Make the pictures of looks, objectives, masks and colours."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from dreamvideo.errors import DreamVideoError
from dreamvideo.gallery.contact_sheet import Pixels
from dreamvideo.gallery.preset_sheet import dream_in_look
from dreamvideo.imaging import shrink_to_width
from dreamvideo.media.pixels import to_float
from dreamvideo.media.read import open_source
from dreamvideo.media.stills import read_still, write_still
from dreamvideo.pictures.clone import Clone
from dreamvideo.settings import make_look, preset_paths

LOOK_FOLDER = "dreamvideo/studio/looks"
TILE_WIDTH = 400
# The studio shows its looks on a face: the sample's, (left, top, right, bottom).
FACE = (60, 30, 390, 250)
STUDIO_WIDTH = 216
TILE_QUALITY = 62
# Widths of pictures in a sheet; the small ones are for sheets with many.
WIDTH, SMALL_WIDTH = 320, 240
# The name of the default look among the presets.
PLAIN = "default"

CLASS = "--steps 28 --step-size 0.03"
OBJECTIVES = (
    "--layers b11:rms",
    "--layers b11:log",
    "--layers b11#42",
    "--layers b11#42@0.5x0.3",
    "--layers b11:strong",
    "--layers b11:weak",
    "--layers b8:rms:2,b11:rms:-1",
    "--layers b4:rms",
    "--class peacock *",
    "--class goldfish *",
    '--class "tabby cat" *',
    "--class volcano *",
    "--guide chelsea.jpg --layers b11",
    "--guide chelsea.jpg --layers b8",
    "--guide bunny.jpg --layers b11",
    "--guide bunny.jpg --layers b8",
)
SHAPING = (
    "",
    "--creature-size 0.15",
    "--creature-size 1",
    "--smooth 4",
    "--colour 0",
    "--colour 2.5",
    "--balance none",
    "--laplacian 4",
)
# Label, sample, options.
WHERE = (
    ("circle", "coffee.jpg", '--mask "circle 0.43x0.5 0.45" --feather 0.12'),
    ("circle, --invert", "coffee.jpg", '--mask "circle 0.43x0.5 0.45" --feather 0.12 --invert'),
    ("gradient", "coffee.jpg", '--mask "gradient left right"'),
    ("--bright 0.55-1", "chelsea.jpg", "--bright 0.55-1"),
    ("--hue 60-160", "bunny.mp4", "--hue 60-160"),
    ("--motion moving", "bunny.mp4", "--motion moving"),
    ("--motion still", "bunny.mp4", "--motion still"),
    ("three regions", "chelsea.jpg", "--preset regions.toml"),
)
COLOURS = (
    ("as dreamt", "chelsea.jpg", ""),
    ("--keep-colour 1", "chelsea.jpg", "--keep-colour 1"),
    ("--match-colour source", "chelsea.jpg", "--match-colour source"),
    ("--max-change 0.04", "chelsea.jpg", "--max-change 0.04"),
    ("--saturation 1.6", "chelsea.jpg", "--saturation 1.6"),
    ("--saturation 0", "chelsea.jpg", "--saturation 0"),
    ("as dreamt", "bunny.mp4", ""),
    ("--match-colour coffee.jpg", "bunny.mp4", "--match-colour coffee.jpg"),
)
# The part of the clip that the sheets show (its last frame), in which the bunny moves.
PART = ("--start", "0.8", "--end", "1.2")


def make_preset_tiles(clone: Clone) -> None:
    """Make ``samples/showcase/coffee-NAME.jpg`` for every look of the bundled network."""
    coffee = read_still(clone.sample("coffee.jpg"))
    for name, made in _dreamt_looks(coffee, TILE_WIDTH):
        clone.save(f"samples/showcase/coffee-{name}.jpg", made, TILE_QUALITY)
    _remove_gone(clone, "samples/showcase", "coffee-")


def make_studio_tiles(clone: Clone) -> None:
    """Make ``dreamvideo/studio/looks/NAME.jpg``, by which looks are chosen in the studio."""
    left, top, right, bottom = FACE
    face = read_still(clone.sample("chelsea.jpg"))[top:bottom, left:right]
    for name, made in _dreamt_looks(face, face.shape[1]):
        clone.save(f"{LOOK_FOLDER}/{name}.jpg", shrink_to_width(made, STUDIO_WIDTH), TILE_QUALITY)
    _remove_gone(clone, LOOK_FOLDER, "")


def make_objectives(clone: Clone) -> None:
    """Make a sheet of what can be dreamt into one photograph."""
    guide = clone.scratch / "bunny.jpg"
    write_still(guide, _last_frame(clone.sample("bunny.mp4"), "0.8"))
    named = {"chelsea.jpg": str(clone.sample("chelsea.jpg")), "bunny.jpg": str(guide)}
    tiles = []
    for label in OBJECTIVES:
        words = shlex.split(label.replace(" *", f" {CLASS}"))
        options = [named.get(word, word) for word in words]
        tiles.append((label, _still(clone, "coffee.jpg", options, SMALL_WIDTH)))
    clone.save_sheet("samples/showcase/objectives.jpg", tiles, 4)


def make_shaping(clone: Clone) -> None:
    """Make a sheet of what shaping the gradient does."""
    tiles = [
        (option or "(default)", _still(clone, photo, shlex.split(option), SMALL_WIDTH))
        for photo in ("chelsea.jpg", "coffee.jpg")
        for option in SHAPING
    ]
    clone.save_sheet("samples/showcase/shaping.jpg", tiles, 4)


def make_where(clone: Clone) -> None:
    """Make a sheet of masks."""
    regions = clone.scratch / "regions.toml"
    regions.write_text(_documented_preset(clone, regions.name), "utf-8")
    _sheet(clone, "where", WHERE, {regions.name: regions})


def make_colours(clone: Clone) -> None:
    """Make a sheet of colour settings."""
    _sheet(clone, "colour", COLOURS, {"coffee.jpg": clone.sample("coffee.jpg")})


def _sheet(
    clone: Clone, name: str, rows: Sequence[tuple[str, str, str]], files: Mapping[str, Path]
) -> None:
    tiles = []
    for label, sample, options in rows:
        words = [str(files.get(word, word)) for word in shlex.split(options)]
        tiles.append((label, _tile(clone, sample, words)))
    clone.save_sheet(f"samples/showcase/{name}.jpg", tiles, 4)


def _dreamt_looks(pixels: Pixels, width: int) -> Iterator[tuple[str, Pixels]]:
    """Yield a picture in the default look and in every preset of the same network, by name."""
    bundled = make_look().dream.model
    presets = [n for n in preset_paths() if make_look([n]).dream.model == bundled]
    image = to_float(shrink_to_width(pixels, width))
    yield PLAIN, dream_in_look(image, make_look())
    for name in presets:
        yield name, dream_in_look(image, make_look([name]))


def _remove_gone(clone: Clone, folder: str, prefix: str) -> None:
    """Remove the pictures of presets that no longer exist."""
    known = {*preset_paths(), PLAIN}
    for path in (clone.output / folder).glob(f"{prefix}*.jpg"):
        if path.stem.removeprefix(prefix) not in known:
            path.unlink()


def _tile(clone: Clone, sample: str, options: Sequence[str]) -> Pixels:
    if sample.endswith(".mp4"):
        film = clone.scratch / "part.mp4"
        clone.dream("video", f"samples/{sample}", *PART, "--size", str(WIDTH), *options, "-o", film)
        return _last_frame(film)
    return _still(clone, sample, options, WIDTH)


def _still(clone: Clone, sample: str, options: Sequence[str], width: int) -> Pixels:
    """Dream a photograph, cropped to the shape of a film, with ``dreamvideo image``."""
    photo, made = clone.scratch / sample, clone.scratch / "still.png"
    write_still(photo, shrink_to_width(_cut(read_still(clone.sample(sample))), width))
    clone.dream("image", photo, *options, "-o", made)
    return read_still(made)


def _cut(pixels: Pixels) -> Pixels:
    tall, wide = pixels.shape[:2]
    height = min(tall, round(wide * 9 / 16))
    top = (tall - height) // 2
    return np.ascontiguousarray(pixels[top : top + height])


def _last_frame(film: Path, end: str | None = None) -> Pixels:
    with open_source(film) as source:
        last = None
        for frame in source:
            if end is not None and last is not None and frame.time > float(end):
                break
            last = frame.pixels
    if last is None:
        raise DreamVideoError(f"{film}: no frame could be decoded")
    return np.asarray(last, np.uint8)


def _documented_preset(clone: Clone, name: str) -> str:
    _, found, rest = clone.pages().partition(f"```toml\n# {name}\n")
    if not found:
        raise DreamVideoError(f"README and guide show no preset {name}")
    return rest.partition("```")[0]
