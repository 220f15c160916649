"""Values that a shell completes: presets, networks and their layers, classes, codecs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import typer


def _complete_last(word: str, known: Iterable[str]) -> list[str]:
    """Return the whole words that complete the last value of a list."""
    cut = word.rfind(",") + 1
    before, last = word[:cut], word[cut:].lower()
    return [before + name for name in known if name.lower().startswith(last)]


def complete_presets(incomplete: str) -> list[str]:
    """Return the named looks that begin so."""
    from dreamvideo.settings.presets import preset_paths, user_preset_paths

    known = [*preset_paths(), *user_preset_paths()]
    return [name for name in known if name.startswith(incomplete)]


def complete_models(incomplete: str) -> list[str]:
    """Return the networks that begin so; of a list of them, the last is completed."""
    from dreamvideo.dream.kept_models import list_kept
    from dreamvideo.dream.models import REGISTRY

    return _complete_last(incomplete, [*REGISTRY, *list_kept()])


def complete_layers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return layers of the chosen networks; of a list of them, the last is completed."""
    from dreamvideo.dream.mixture import list_layer_names
    from dreamvideo.errors import DreamVideoError
    from dreamvideo.settings import DreamSettings

    name = ctx.params.get("model") or DreamSettings().model
    try:
        layers = list_layer_names(name)
    except DreamVideoError:
        return []
    return _complete_last(incomplete, layers)


def complete_classes(incomplete: str) -> list[str]:
    """Return ImageNet classes; of a list of them, the last is completed."""
    from dreamvideo.dream.classes import read_class_names

    return _complete_last(incomplete, [names[0] for names in read_class_names()])


def complete_codecs(incomplete: str) -> list[str]:
    """Return the films' codecs that begin so."""
    from dreamvideo.media.codecs import CODECS

    return [name for name in CODECS if name.startswith(incomplete)]


COMPLETIONS: dict[str, Callable[..., list[str]]] = {
    "model": complete_models,
    "layers": complete_layers,
    "classes": complete_classes,
    "codec": complete_codecs,
}
