"""Convert colours as a picture file describes them (ICC profile, code points, gamma) to sRGB."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from dreamvideo.media import light
from dreamvideo.media.heif import Cicp
from dreamvideo.media.light import Chromaticities, Curve, Values
from dreamvideo.media.paths import escape_text

# Levels by which a profile may differ from sRGB and still be treated as sRGB.
_SAME = 2
_CLOSE = 0.003
_SRGB_GAMMA = 1 / 2.2
# The primaries of sRGB as ICC profiles hold them: XYZ, adapted to D50.
_SRGB_D50 = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_CHANNELS = {"RGB": (b"rTRC", b"gTRC", b"bTRC"), "GRAY": (b"kTRC",)}


@dataclass(frozen=True)
class ColorSpace:
    """What a file says about its colours; ``profile`` has the lowest priority, as in the formats.

    ``gamma`` is the exponent of encoding, 1/2.2 for what screens show.
    """

    cicp: Cicp | None = None
    profile: bytes | None = None
    gamma: float | None = None
    primaries: Chromaticities | None = None
    is_adobe: bool = False

    @property
    def is_light(self) -> bool:
        """Whether values are linear light, or HDR."""
        return self.cicp is not None and self.cicp.transfer in (light.LINEAR, light.PQ, light.HLG)


def profile_to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    """Convert an 8-bit picture (RGB, L, CMYK, LAB) by its ICC profile; returns it and a note or "".

    If it is sRGB already, or its profile cannot be read, it is returned as RGB unchanged.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = _name(source)
        change = ImageCms.buildTransform(source, _srgb(), image.mode, "RGB")
        if image.mode in ("RGB", "L") and _changes_nothing(change, image.mode):
            return image.convert("RGB"), ""
        changed = ImageCms.applyTransform(image, change)
        assert changed is not None
        return changed, f"colours converted from {name} to sRGB"
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AssertionError):
        return image.convert("RGB"), "its colour profile cannot be used: taken for sRGB"


def deep_profile_to_srgb(
    pixels: NDArray[np.uint16], profile: bytes
) -> tuple[NDArray[Any], str] | None:
    """Convert 16 bits, H x W x 3 or H x W, by an ICC profile to 16-bit sRGB, with a note or "".

    None if the profile is a table, which is supported with 8 bits only.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = _name(source)
        mode = "L" if pixels.ndim == 2 else "RGB"
        if _changes_nothing(ImageCms.buildTransform(source, _srgb(), mode, "RGB"), mode):
            return pixels, ""
        model = _matrix_model(profile, "GRAY" if mode == "L" else "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, struct.error, KeyError):
        return None
    if model is None:
        return None
    colors = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    return light.process_by_rows(colors, model), f"colours converted from {name} to sRGB"


def space_to_srgb(pixels: NDArray[Any], space: ColorSpace) -> tuple[NDArray[Any], str]:
    """Convert integer H x W x 3 by code points, gamma or primaries to sRGB, with a note or "".

    Light brighter than white is rolled off, and is returned in 16 bits; others keep their depth.
    """
    if space.cicp is not None and space.is_light:
        return _light_to_srgb(pixels, space.cicp)
    found = _curve_and_primaries(space)
    if found is None:
        return pixels, ""
    curve, primaries, name = found
    matrix = light.primaries_matrix(primaries)

    def change(values: Values) -> Values:
        return light.encode_srgb(light.mix_channels(curve(values), matrix))

    changed = light.process_by_rows(pixels, change)
    if pixels.dtype == np.uint8:
        changed = np.asarray(np.rint(changed / np.float32(257)), np.uint8)
    return changed, f"colours converted from {name} to sRGB"


def _light_to_srgb(pixels: NDArray[Any], cicp: Cicp) -> tuple[NDArray[np.uint16], str]:
    curves: dict[int, tuple[str, Curve]] = {
        light.LINEAR: ("linear light", lambda values: values),
        light.PQ: ("HDR (PQ)", light.decode_pq),
        light.HLG: ("HDR (HLG)", light.decode_hlg),
    }
    name, curve = curves[cicp.transfer]
    values = curve(pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max))
    if cicp.primaries in light.PRIMARIES:
        values = light.mix_channels(
            values, light.primaries_matrix(light.PRIMARIES[cicp.primaries][1])
        )
    result = light.develop_light(values, expose=False)
    change = f"tone-mapped from {name} to sRGB"
    words = f"{change}: {result.words}" if result.words else change
    return np.asarray(np.rint(result.values * 65535), np.uint16), words


def _curve_and_primaries(space: ColorSpace) -> tuple[Curve, Chromaticities, str] | None:
    """Return how to decode, the primaries, and their name; None if it is sRGB."""
    if space.cicp is not None:
        name, primaries = light.PRIMARIES.get(space.cicp.primaries, light.PRIMARIES[1])
        known = space.cicp.primaries in light.PRIMARIES and space.cicp.primaries != 1
        # BT.709's curve is a camera's: pictures encoded with it are displayed like sRGB.
        return (light.decode_srgb, primaries, name) if known else None
    if space.is_adobe:
        return light.decode_gamma(light.ADOBE_GAMMA), light.ADOBE_PRIMARIES, "Adobe RGB"
    primaries = space.primaries or light.SRGB_PRIMARIES
    same = np.allclose(primaries, light.SRGB_PRIMARIES, atol=_CLOSE)
    usual = space.gamma is None or abs(space.gamma - _SRGB_GAMMA) < 0.01
    if (same and usual) or not _makes_sense(primaries):
        return None
    if usual:
        return light.decode_srgb, primaries, "the file's own primaries"
    assert space.gamma is not None
    words = f"gamma {space.gamma:.3g}" + ("" if same else " and the file's own primaries")
    return light.decode_gamma(1 / space.gamma), primaries, words


def _makes_sense(primaries: Chromaticities) -> bool:
    try:
        matrix = light.primaries_matrix(primaries)
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return False
    return bool(np.isfinite(matrix).all() and np.abs(matrix).max() < 10)


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _name(profile: ImageCms.ImageCmsProfile) -> str:
    """Return a profile's name, or that of its primaries if it calls itself sRGB but is not."""
    found = escape_text(ImageCms.getProfileDescription(profile).strip())[:60]
    if found and "srgb" not in found.lower():
        return found
    core = profile.profile
    own = [core.red_colorant, core.green_colorant, core.blue_colorant]
    measured = [color[0] for color in own if color is not None]
    for name, primaries in light.NAMED_PRIMARIES.items():
        known = light.colorants(primaries).T
        if len(measured) == 3 and np.allclose(measured, known, atol=_CLOSE):
            return name
    return "its own profile"


def _changes_nothing(change: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether a transformation leaves a few hundred sample colours unchanged."""
    steps = np.linspace(0, 255, 7).round().astype(np.uint8)
    if mode == "L":
        tried = np.arange(256, dtype=np.uint8)[None]
        expected = np.repeat(tried[..., None], 3, axis=2)
    else:
        tried = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        expected = tried
    got = ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(tried)), change)
    assert got is not None
    return bool(np.abs(np.asarray(got).astype(int) - expected).max() <= _SAME)


def _matrix_model(profile: bytes, kind: str) -> Callable[[Values], Values] | None:
    """Return the profile's conversion to sRGB if it is curves and a matrix; None for a table."""
    tags = _tags(profile)
    if b"A2B0" in tags or any(name not in tags for name in _CHANNELS[kind]):
        return None
    curves = [_curve(tags[name]) for name in _CHANNELS[kind]]
    if kind == "GRAY":
        return lambda values: light.encode_srgb(curves[0](values))
    colorants = np.array([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
    matrix = np.linalg.inv(_SRGB_D50) @ colorants

    def change(values: Values) -> Values:
        linear = np.stack([curves[n](values[..., n]) for n in range(3)], axis=-1)
        return light.encode_srgb(light.mix_channels(linear, matrix))

    return change


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = min(int.from_bytes(profile[128:132], "big"), 200)
    places = (struct.unpack_from(">4sII", profile, 132 + 12 * n) for n in range(count))
    return {name: profile[at : at + size] for name, at, size in places}


def _xyz(tag: bytes) -> list[float]:
    return [value / 65536 for value in struct.unpack(">3i", tag[8:20])]


def _curve(tag: bytes) -> Curve:
    """Return a tone curve of an ICC profile (ICC.1:2022, 10.6 and 10.18), to linear light."""
    if tag[:4] == b"para":
        return _parametric(tag)
    if tag[:4] != b"curv":
        raise ValueError("no tone curve")
    count = int.from_bytes(tag[8:12], "big")
    if count == 0:
        return lambda values: values
    if count == 1:
        return light.decode_gamma(int.from_bytes(tag[12:14], "big") / 256)
    table = np.frombuffer(tag, ">u2", count, 12).astype(np.float32) / 65535
    places = np.linspace(0, 1, count, dtype=np.float32)
    return lambda values: np.asarray(np.interp(values, places, table), np.float32)


def _parametric(tag: bytes) -> Curve:
    kind = int.from_bytes(tag[8:10], "big")
    count = (1, 3, 4, 5, 7)[kind]
    g, *rest = (value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12))
    if kind == 0:
        return light.decode_gamma(g)
    # (a, b, c, d, e, f): from d on it is (a x + b) ** g + e, below it c x + f.
    a, b, c, d, e, f = rest[0], rest[1], 0.0, 0.0, 0.0, 0.0
    if kind in (1, 2):
        d = -b / a
        e = f = rest[2] if kind == 2 else 0.0
    else:
        c, d = rest[2:4]
        e, f = rest[4:6] if kind == 4 else (0.0, 0.0)

    def curve(values: Values) -> Values:
        above = np.power(np.maximum(a * values + b, 0), g, dtype=np.float32) + e
        return np.asarray(np.where(values >= d, above, c * values + f), np.float32)

    return curve
