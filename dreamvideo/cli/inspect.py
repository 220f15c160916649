"""``info`` and ``models``: what a file contains, what can be dreamt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamvideo.cli.app import Debug, Size, app
from dreamvideo.cli.common import print_table
from dreamvideo.cli.options import look_options
from dreamvideo.formatting import format_bytes, format_clock
from dreamvideo.settings import Look

if TYPE_CHECKING:
    from dreamvideo.media.probe import MediaInfo
    from dreamvideo.render.planning.estimate import Estimate

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
@look_options("dream", "coherence", "mask", "colour", "camera")
def info(
    clip: Annotated[
        Path, typer.Argument(help="A video, a GIF, a picture, a folder of pictures or pattern.")
    ],
    *,
    size: Size = None,
    as_json: Json = False,
    recipe: Annotated[
        bool,
        typer.Option(
            "--recipe", help="Print only the look that a dream records, as a preset: > look.toml."
        ),
    ] = False,
    estimate: Annotated[
        bool,
        typer.Option(help="Time a few steps to estimate the render; takes a few seconds."),
    ] = True,
    debug: Debug = False,
    look: Look,
) -> None:
    """Show what a clip or picture contains, and how long its dream would take on this machine."""
    if recipe:
        _print_recipe(clip)
        return
    from dreamvideo.media.probe import probe
    from dreamvideo.media.stills import is_still
    from dreamvideo.parsing import parse_size

    if clip.is_file() and is_still(clip):
        _show_picture(clip, size, look, as_json=as_json, estimate=estimate)
        return
    found = probe(clip)
    wanted = (found.width, found.height)
    if size:
        wanted = parse_size(size, *wanted)
    facts = _list_facts(found)
    if not as_json:
        # Not a table: the last line follows seconds later.
        _print_facts(facts)
    # Without a duration in the container there is nothing to estimate.
    guess = _estimate(found, wanted, look) if estimate and found.duration else None
    if as_json:
        print(json.dumps({**facts, "render": _list_guess_facts(guess, wanted)}, indent=2))
    elif guess is not None:
        print(
            f"{'render':<14} about {format_clock(guess.seconds)} at {wanted[0]} x {wanted[1]} "
            f"({guess.seconds_per_frame:.2g} s a frame, {format_bytes(guess.disk_bytes)} of disk)"
        )


@app.command()
def models(
    name: Annotated[
        str | None,
        typer.Argument(
            help="List the layers of this network or model file; `add` keeps a FILE under a name.",
            show_default="all networks",
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Argument(help="With `add`: the model file to keep.", show_default=False)
    ] = None,
    *,
    keep_as: Annotated[
        str | None,
        typer.Option("--name", help="With `add`: the name.", show_default="that of the file"),
    ] = None,
    files: Annotated[
        bool,
        typer.Option(
            "--files", help="List files of historic networks: where they are, sizes, licences."
        ),
    ] = False,
    on: Annotated[
        Path | None,
        typer.Option("--on", help="A photo: show how strongly each layer responds to it."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="Local weights file for --on.")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            help="List the classes with this in their names, for --class: those of ImageNet, or "
            "of the network.",
        ),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the networks, the layers of one of them, or ImageNet classes by name; keep a file."""
    from dreamvideo.dream import models as registry
    from dreamvideo.errors import UsageError

    if classes is not None:
        _print_rows(_class_rows(classes, name), as_json)
        return

    if files:
        _print_rows(_known_file_rows(), as_json)
        return
    if name == "add":
        if file is None:
            raise UsageError("name the file to keep: dreamvideo models add FILE")
        kept, copy = registry.add_model(file, keep_as)
        print(f"{kept}: kept as {copy}; dream it with --model {kept}")
        return
    if file is not None or keep_as is not None:
        raise UsageError("only `dreamvideo models add FILE --name NAME` takes a file and a name")
    if on is None and weights is not None:
        raise UsageError("--weights is for --on: dreamvideo models NAME --on PHOTO --weights FILE")
    if name is None:
        if on is not None:
            raise UsageError("--on needs a network: dreamvideo models NAME --on PHOTO")
        rows = [_list_model_facts(entry) for entry in registry.REGISTRY.values()]
        _print_rows([*rows, *_kept_rows()], as_json)
    elif on is None:
        _print_rows(_layer_rows(name), as_json)
    else:
        _print_rows(_activity_rows(name, on, weights), as_json)


def _show_picture(
    photo: Path, size: str | None, look: Look, *, as_json: bool, estimate: bool
) -> None:
    """Show what a picture contains, and how long its dream would take on this machine."""
    from dreamvideo.media.stills import open_still
    from dreamvideo.parsing import parse_size
    from dreamvideo.render.planning.estimate import estimate_still

    still = open_still(photo)
    wide, high = still.size
    taken: Mapping[int, Any] = still.exif or {}
    camera = " ".join(str(taken.get(tag, "")).strip("\0 ") for tag in (0x10F, 0x110))
    facts: dict[str, Any] = {
        "file": str(photo),
        "kind": "picture",
        "format": photo.suffix.lower().lstrip("."),
        "width": wide,
        "height": high,
        "depth": 8 * still.pixels.dtype.itemsize,
        "alpha": still.alpha is not None,
        "camera": camera.strip() or None,
        "taken": str(taken.get(0x132, "")).strip("\0 ") or None,
    }
    wanted = parse_size(size, wide, high) if size else (wide, high)
    seconds = estimate_still(wanted, look) if estimate else None
    if as_json:
        render = None
        if seconds is not None:
            render = {"width": wanted[0], "height": wanted[1], "seconds": round(seconds, 3)}
        print(json.dumps({**facts, "render": render}, indent=2))
        return
    _print_facts(facts)
    if seconds is not None:
        print(f"{'render':<14} about {format_clock(seconds)} at {wanted[0]} x {wanted[1]}")


def _print_facts(facts: Mapping[str, Any]) -> None:
    for key, value in facts.items():
        if value not in (None, [], 0):
            print(f"{key:<14} {_format(value)}")


def _kept_rows() -> list[dict[str, Any]]:
    """Return what was added, without reading it: that could take long."""
    from dreamvideo.dream.kept_models import list_kept

    return [
        {"model": name, "network": path.suffix, "layers": "its own", "weights": str(path)}
        for name, path in list_kept().items()
    ]


def _known_file_rows() -> list[dict[str, Any]]:
    from dreamvideo.dream.kept_models import KNOWN_FILES, models_folder

    return [
        {
            "name": each.name,
            "network": each.network,
            "file": each.file,
            "size": f"{each.megabytes} MB",
            "licence": each.licence,
            "checksum": each.checksum or "not published",
            "get it": each.source,
            "keep it": f"dreamvideo models add {each.file} --name {each.name}",
            "kept in": str(models_folder()),
        }
        for each in KNOWN_FILES
    ]


def _print_recipe(dreamt: Path) -> None:
    from dreamvideo.render.recipe import load_recorded_look
    from dreamvideo.settings import look_to_toml

    print(look_to_toml(load_recorded_look(dreamt)), end="")


def _class_rows(text: str, name: str | None) -> list[dict[str, Any]]:
    from dreamvideo.dream.classes import CLASSES, find_classes
    from dreamvideo.dream.models import list_classes
    from dreamvideo.errors import UsageError

    count, own = (CLASSES, ()) if name is None else list_classes(name)
    rows = find_classes(text, count, own)
    if not rows:
        whose = "ImageNet" if count == CLASSES and not own else name
        raise UsageError(f"--classes {text!r}: no {whose} class has that in its name")
    return [{"number": number, "class": names} for number, names in rows]


def _list_model_facts(entry: Any) -> dict[str, Any]:
    return {
        "model": entry.name,
        "network": entry.title,
        "layers": ",".join(entry.default_layers),
        "weights": entry.weights,
    }


def _layer_rows(model: str) -> list[dict[str, Any]]:
    from dreamvideo.dream.mixture import list_entries, list_labels, read_mixture
    from dreamvideo.dream.models import list_layers
    from dreamvideo.parsing import parse_layers, parse_term

    rows = []
    names = read_mixture(model).names
    for name, label, entry in zip(names, list_labels(model), list_entries(model), strict=True):
        weighted = parse_layers(",".join(entry.default_layers))
        defaults = {parse_term(term).layer for term, _ in weighted}
        rows += [
            {
                "layer": layer.name if len(names) == 1 else f"{label}/{layer.name}",
                "channels": layer.channels,
                "stride": layer.stride,
                "default": layer.name in defaults,
            }
            for layer in list_layers(name)
        ]
    return rows


def _activity_rows(name: str, photo: Path, weights: Path | None) -> list[dict[str, Any]]:
    from dreamvideo.dream import models as registry
    from dreamvideo.dream.inspect import measure_activity
    from dreamvideo.dream.mixture import read_mixture
    from dreamvideo.errors import UsageError
    from dreamvideo.media.pixels import to_float
    from dreamvideo.media.stills import read_still

    names = read_mixture(name).names
    if len(names) > 1:
        raise UsageError(f"--on is for one network, and {name!r} names {len(names)}")
    pixels = to_float(read_still(photo))
    return [
        {
            "layer": row.layer.name,
            "shape": " x ".join(map(str, row.shape)),
            "mean": round(row.mean, 4),
            "strongest": " ".join(map(str, row.strongest)),
        }
        for row in measure_activity(registry.load(names[0], weights), pixels)
    ]


def _print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    print_table([[_format(value) for value in row.values()] for row in rows], list(rows[0]))


def _format(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _list_facts(found: MediaInfo) -> dict[str, Any]:
    return {
        "file": str(found.path),
        "kind": found.kind,
        "container": found.container,
        "codec": found.codec,
        "width": found.width,
        "height": found.height,
        "rate": str(found.rate),
        "duration": round(float(found.duration), 3),
        "frames": found.frames,
        "rotation": found.rotation,
        "pixel format": found.pixel_format,
        "alpha": found.has_alpha,
        "sound": [
            f"{track.codec} {track.rate} Hz {track.channels}"
            + (f" ({track.language})" if track.language else "")
            for track in found.audio
        ],
        "subtitles": found.subtitles,
        "chapters": found.chapters,
    }


def _estimate(found: MediaInfo, size: tuple[int, int], look: Look) -> Estimate:
    from dreamvideo.render.planning.estimate import estimate_clip

    return estimate_clip(found, size, look)


def _list_guess_facts(guess: Estimate | None, size: tuple[int, int]) -> dict[str, Any] | None:
    if guess is None:
        return None
    return {
        "width": size[0],
        "height": size[1],
        "frames": guess.frames,
        "seconds per frame": round(guess.seconds_per_frame, 3),
        "seconds": round(guess.seconds, 3),
        "disk bytes": guess.disk_bytes,
    }
