"""The nodes: pictures come and leave as ComfyUI's IMAGE, B x H x W x 3 floats from 0 to 1.

Tensors are only handed over: what comes becomes an array by its own methods, and what leaves is
made by the tensor that came. So no tensor library is imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import closing
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import dreamvideo
from dreamvideo.hosts.comfyui.widgets import Input, make_inputs, read_changes
from dreamvideo.settings import Look, MachineSettings, merge_toml, preset_paths

Inputs = dict[str, dict[str, Any]]
Tensor = Any

LOOK = "DREAMVIDEO_LOOK"
CATEGORY = "dreamvideo"
NO_PRESET = "default"

DREAM = (
    *("strength", "creatures", "creature_size", "detail", "colour", "steps", "step_size"),
    *("octaves", "octave_scale", "layers", "classes", "smooth", "tv", "fidelity", "headroom"),
    *("dream_size", "seed"),
)
COLOUR = ("keep_colour", "saturation", "contrast", "brightness")
COHERENCE = ("coherence", "cadence", "refresh", "flow", "flow_width", "leak", "cut_threshold")
ZOOM = ("seconds", "rate", "rotate", "pan", "centre", "border", "growth", "anchor")

_LOOK: Input = (LOOK, {"tooltip": "From a Preset node; without one, the default look."})
_MASK: Input = ("MASK", {"tooltip": "Where to dream: white is dreamt, black is left alone."})
_FPS: Input = (
    "FLOAT",
    {"default": 25.0, "min": 0.01, "max": 1000.0, "step": 0.5, "tooltip": "Frames per second."},
)
_IMAGE: Input = ("IMAGE", {})


class _Node:
    """What all nodes tell ComfyUI."""

    CATEGORY = CATEGORY
    FUNCTION = "run"
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ("IMAGE",)
    SETTINGS: ClassVar[dict[str, Input]] = {}

    @classmethod
    def _inputs(cls, required: dict[str, Input], optional: dict[str, Input]) -> Inputs:
        return {"required": {**required, **cls.SETTINGS, **_DEVICE}, "optional": optional}

    def _changes(self, values: dict[str, Any]) -> dict[str, Any]:
        return read_changes({**self.SETTINGS, **_DEVICE}, values)


_DEVICE: dict[str, Input] = {
    "device": (
        ["auto", "cpu", "gpu"],
        {"default": "auto", "tooltip": MachineSettings.model_fields["device"].description},
    )
}


class Preset(_Node):
    """A named look, or two, with TOML laid over them."""

    RETURN_TYPES = (LOOK,)
    RETURN_NAMES = ("look",)
    DESCRIPTION = "A look for the other nodes: a preset, a second one over it, settings as TOML."

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:  # noqa: N802  (ComfyUI's name)
        """Return the inputs, in ComfyUI's form."""
        names = [NO_PRESET, *preset_paths()]
        over = "Laid over the first: what both set is the second's."
        toml = "Settings as in a preset's file, laid over both: [dream] and below it steps = 20."
        return {
            "required": {
                "preset": (names, {"default": NO_PRESET, "tooltip": "A named look."}),
                "second": (names, {"default": NO_PRESET, "tooltip": over}),
                "toml": ("STRING", {"default": "", "multiline": True, "tooltip": toml}),
            }
        }

    def run(self, preset: str, second: str = NO_PRESET, toml: str = "") -> tuple[Look]:
        """Return the look. Raises UsageError if the TOML is not one."""
        names = [name for name in (preset, second) if name != NO_PRESET]
        look = dreamvideo.make_look(names)
        return (merge_toml(look, toml, "toml") if toml.strip() else look,)


class DreamImage(_Node):
    """Each picture of a batch dreamt by itself."""

    DESCRIPTION = (
        "Dreams each picture of a batch by itself. A widget at its default leaves what the look "
        "says."
    )
    SETTINGS = make_inputs((*DREAM, *COLOUR), "dream", "colour")

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:  # noqa: N802  (ComfyUI's name)
        """Return the inputs, in ComfyUI's form."""
        return cls._inputs({"image": _IMAGE}, {"look": _LOOK, "mask": _MASK})

    def run(
        self, image: Tensor, look: Look | None = None, mask: Tensor = None, **values: Any
    ) -> tuple[Tensor]:
        """Return the dreams of a batch of pictures."""
        changes, masks = self._changes(values), _to_masks(mask, len(image))
        listen = _Progress(len(image))

        def dream_each() -> Iterable[NDArray[Any]]:
            for number, picture in enumerate(image):
                where = None if masks is None else masks[number]
                yield dreamvideo.dream(_to_array(picture), look=look, mask=where, **changes)
                listen(number + 1)

        return (_to_batch(dream_each(), image, len(image)),)


class DreamFrames(_Node):
    """The pictures of a batch dreamt as the frames of one film."""

    DESCRIPTION = (
        "Dreams a batch as the frames of a film: the dream follows the motion. A widget at its "
        "default leaves what the look says."
    )
    SETTINGS = make_inputs((*DREAM, *COHERENCE, *COLOUR), "dream", "coherence", "colour")

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:  # noqa: N802  (ComfyUI's name)
        """Return the inputs, in ComfyUI's form."""
        return cls._inputs({"images": _IMAGE, "fps": _FPS}, {"look": _LOOK, "masks": _MASK})

    def run(
        self,
        images: Tensor,
        fps: float = 25.0,
        look: Look | None = None,
        masks: Tensor = None,
        **values: Any,
    ) -> tuple[Tensor]:
        """Return the dreamt frames."""
        listen = _Progress(len(images))
        film = dreamvideo.dream_frames(
            (_to_array(picture) for picture in images),
            look=look,
            fps=fps,
            count=len(images),
            masks=_to_masks(masks, len(images)),
            on_frame=lambda progress: listen(progress.done),
            **self._changes(values),
        )
        with closing(film):
            return (_to_batch(film, images, len(images)),)


class Zoom(_Node):
    """An endless zoom into the dream of a picture."""

    DESCRIPTION = (
        "Zooms into the dream of the first picture of a batch. A widget at its default leaves what "
        "the look says."
    )
    SETTINGS = make_inputs((*ZOOM, *DREAM), "zoom", "dream")

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:  # noqa: N802  (ComfyUI's name)
        """Return the inputs, in ComfyUI's form."""
        loop: Input = (
            "BOOLEAN",
            {"default": False, "tooltip": "Make the end lead into the beginning without a seam."},
        )
        sizes = "640x360, 640, x360 or 50%; empty: the picture's shape, at most 640."
        size: Input = ("STRING", {"default": "", "tooltip": sizes})
        arrives: Input = ("IMAGE", {"tooltip": "A picture that the zoom ends on."})
        return cls._inputs(
            {"image": _IMAGE, "fps": _FPS, "size": size, "loop": loop},
            {"look": _LOOK, "to": arrives},
        )

    def run(
        self,
        image: Tensor,
        fps: float = 25.0,
        size: str = "",
        loop: bool = False,
        look: Look | None = None,
        to: Tensor = None,
        **values: Any,
    ) -> tuple[Tensor]:
        """Return the frames of the zoom."""
        listen = _Progress(None)
        film = dreamvideo.zoom_frames(
            _to_array(image[0]),
            look=look,
            fps=fps,
            size=size.strip() or None,
            loop=loop,
            to=None if to is None else _to_array(to[0]),
            on_frame=lambda progress: listen(progress.done, progress.total),
            **self._changes(values),
        )
        with closing(film):
            return (_to_batch(film, image),)


NODE_CLASS_MAPPINGS = {
    "DreamvideoPreset": Preset,
    "DreamvideoDreamImage": DreamImage,
    "DreamvideoDreamFrames": DreamFrames,
    "DreamvideoZoom": Zoom,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "DreamvideoPreset": "Preset (dreamvideo)",
    "DreamvideoDreamImage": "Dream Image (dreamvideo)",
    "DreamvideoDreamFrames": "Dream Frames (dreamvideo)",
    "DreamvideoZoom": "Zoom (dreamvideo)",
}


class _Progress:
    """ComfyUI's own progress bar, and its request to stop, where ComfyUI is running."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._bar: Any = None

    def __call__(self, done: int, total: int | None = None) -> None:
        utils: Any = sys.modules.get("comfy.utils")
        management: Any = sys.modules.get("comfy.model_management")
        if management is not None:
            management.throw_exception_if_processing_interrupted()
        total = self._total if total is None else total
        if utils is not None and total is not None:
            self._bar = self._bar or utils.ProgressBar(total)
            self._bar.update_absolute(done, total)


def _to_array(picture: Tensor) -> NDArray[np.float32]:
    """Return one picture of a batch as floats from 0 to 1, H x W x C, wherever it lies."""
    array = np.asarray(picture.cpu().numpy(), np.float32)
    return np.clip(np.nan_to_num(array), 0, 1)


def _to_masks(masks: Tensor, count: int) -> list[NDArray[np.float32]] | None:
    """Return one mask for each picture of a batch; a single one is for all."""
    if masks is None:
        return None
    found = [_to_array(mask) for mask in (masks if len(masks.shape) > 2 else masks[None])]
    if len(found) not in (1, count):
        raise dreamvideo.DreamVideoError(
            f"{len(found)} masks for {count} pictures: connect one for all, or one for each"
        )
    return found if len(found) == count else found * count


def _to_batch(pictures: Iterable[NDArray[Any]], like: Tensor, count: int | None = None) -> Tensor:
    """Return pictures as a batch of a tensor's own kind, on its device.

    Args:
        pictures: H x W x C each, as many as ``count`` if that is known: then each is let go as soon
            as it is in the batch.
        like: The tensor.
        count: Number of pictures.
    """
    if count is None:
        held = list(pictures)
        pictures, count = held, len(held)
    batch: Tensor = None
    for number, picture in enumerate(pictures):
        if batch is None:
            batch = like.new_empty((count, *picture.shape))
        batch[number] = like.new_tensor(picture)
    return batch
