"""All settings: defaults, bounds and descriptions; reading and writing TOML.

A look determines the picture (``[dream]``, ``[coherence]``, ``[zoom]``); presets are TOML files of
a part of it. How the result is written is not part of a look. Settings are frozen and validated
once; the command line's options are derived from their fields.
"""

from dreamvideo.settings.base import Settings
from dreamvideo.settings.camera import CameraSettings, ZoomSettings
from dreamvideo.settings.coherence import CoherenceSettings
from dreamvideo.settings.colour import ColourSettings
from dreamvideo.settings.dream import DreamSettings
from dreamvideo.settings.look import Look, Stage
from dreamvideo.settings.machine import MachineSettings, make_machine
from dreamvideo.settings.masks import Mask, MaskSettings, Region
from dreamvideo.settings.output import OutputSettings, make_output
from dreamvideo.settings.presets import (
    look_from_toml,
    look_from_values,
    look_to_toml,
    look_values,
    make_look,
    merge_toml,
    preset_paths,
    read_preset,
    save_preset,
)

__all__ = [
    "CameraSettings",
    "CoherenceSettings",
    "ColourSettings",
    "DreamSettings",
    "Look",
    "MachineSettings",
    "Mask",
    "MaskSettings",
    "OutputSettings",
    "Region",
    "Settings",
    "Stage",
    "ZoomSettings",
    "look_from_toml",
    "look_from_values",
    "look_to_toml",
    "look_values",
    "make_look",
    "make_machine",
    "make_output",
    "merge_toml",
    "preset_paths",
    "read_preset",
    "save_preset",
]
