"""Every kind of picture file comes out as the picture that was put into it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from heif_files import write_heif
from media_clips import make
from numpy.typing import NDArray
from PIL import Image, ImageCms
from still_files import (
    Values,
    cmyk_profile,
    eight,
    matrix_profile,
    os2_bitmap,
    psd,
    smooth,
    tiff,
    v4_bitmap,
)

from dreamvideo.errors import MediaError
from dreamvideo.media import light, png
from dreamvideo.media.stills import Still, open_still, read_still, still_size

DEEP = smooth()
RGB = eight(DEEP)
GREY, DEEP_GREY = RGB[..., 2], DEEP[..., 2]
HIGH, WIDE = RGB.shape[:2]
CLEAR = np.full((HIGH, WIDE), 255, np.uint8)
CLEAR[:, WIDE // 2 :] = 128
CLEAR[HIGH // 2 :, WIDE // 2 :] = 0
DEEP_CLEAR = CLEAR.astype(np.uint16) * 257
PREMULTIPLIED = np.asarray(np.rint(DEEP * (CLEAR / 255)[..., None]), np.uint16)
# Primaries of ProPhoto RGB and Display P3 as their ICC profiles have them.
PROPHOTO = [[0.7976749, 0.2880402, 0], [0.1351917, 0.7118741, 0], [0.0313534, 0.0000857, 0.82521]]
P3 = [
    [0.515102, 0.241182, -0.001049],
    [0.291964, 0.692236, 0.041885],
    [0.157153, 0.066582, 0.784378],
]


def grey(values: Values) -> Values:
    return np.repeat(values[..., None], 3, axis=2)


def saved(pixels: Values, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def through_ffmpeg(path: Path, values: Values, form: str, *options: str) -> Path:
    """A picture that ffmpeg writes from raw values of a pixel format."""
    raw = path.with_name("values.raw")
    raw.write_bytes(values.tobytes())
    size = f"{values.shape[-1]}x{values.shape[-2]}" if form.startswith("gbr") else f"{WIDE}x{HIGH}"
    source = ["-f", "rawvideo", "-pix_fmt", form, "-s", size, "-i", str(raw)]
    return make(path, *source, *options)


def encoded_by_opencv(values: Values) -> bytes:
    order = [2, 1, 0, 3][: values.shape[2]]
    return cv2.imencode(".png", np.ascontiguousarray(values[..., order]))[1].tobytes()


def off(still: Still, expected: Values) -> float:
    """Mean absolute difference, in levels of 8 bits."""
    ours = still.pixels / (np.iinfo(still.pixels.dtype).max / 255)
    theirs = expected / (np.iinfo(expected.dtype).max / 255)
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).mean())


PALETTE = RGB // 64 * 85
BITS = np.where(GREY > 99, 255, 0).astype(np.uint8)
# name: (file, pixels, alpha, levels of 8 bits that it may be off). Exact unless a codec loses.
FILES: dict[str, tuple[Callable[[], bytes], Values, Values | None, float]] = {
    "plain.tif": (lambda: tiff(RGB), RGB, None, 0),
    "planar.tif": (lambda: tiff(RGB, planar=True), RGB, None, 0),
    "bits.tif": (lambda: saved(BITS > 0, "TIFF"), grey(BITS), None, 0),
    "fax.tif": (lambda: saved(BITS > 0, "TIFF", compression="group4"), grey(BITS), None, 0),
    "white-is-0.tif": (lambda: tiff(255 - GREY, photometric=0), grey(GREY), None, 0),
    "deep.tif": (lambda: tiff(DEEP), DEEP, None, 0),
    "deep-other-order.tif": (lambda: tiff(DEEP, big_endian=True), DEEP, None, 0),
    "deep-planar.tif": (lambda: tiff(DEEP, planar=True), DEEP, None, 0),
    "deep-tiles.tif": (lambda: tiff(DEEP, tile=32), DEEP, None, 0),
    "deep-grey.tif": (lambda: tiff(DEEP_GREY), grey(DEEP_GREY), None, 0),
    "deep-white-is-0.tif": (
        lambda: tiff(65535 - DEEP_GREY, photometric=0),
        grey(DEEP_GREY),
        None,
        0,
    ),
    "twelve.tif": (lambda: tiff(DEEP_GREY >> 4, bits=12), grey(DEEP_GREY), None, 0.1),
    "wide.tif": (lambda: tiff(DEEP.astype(np.uint32) * 65537), DEEP, None, 0),
    "signed.tif": (lambda: tiff((DEEP_GREY // 2).astype(np.int16)), grey(DEEP_GREY), None, 0.01),
    "alpha.tif": (lambda: tiff(np.dstack([RGB, CLEAR]), extra=2), RGB, CLEAR, 0),
    "deep-alpha.tif": (lambda: tiff(np.dstack([DEEP, DEEP_CLEAR]), extra=2), DEEP, DEEP_CLEAR, 0),
    "grey-alpha.tif": (
        lambda: tiff(np.dstack([DEEP_GREY, DEEP_CLEAR]), extra=2),
        grey(DEEP_GREY),
        DEEP_CLEAR,
        0,
    ),
    "multiplied.tif": (
        lambda: tiff(np.dstack([eight(PREMULTIPLIED), CLEAR]), extra=1),
        RGB,
        CLEAR,
        0.5,
    ),
    "deep-multiplied.tif": (
        lambda: tiff(np.dstack([PREMULTIPLIED, DEEP_CLEAR]), extra=1),
        DEEP,
        DEEP_CLEAR,
        0.01,
    ),
    "selection.tif": (lambda: tiff(np.dstack([RGB, CLEAR]), extra=0), RGB, None, 0),
    "palette.tif": (
        lambda: _palette("TIFF"),
        PALETTE,
        None,
        0,
    ),
    "plain.bmp": (lambda: saved(RGB, "BMP"), RGB, None, 0),
    "palette.bmp": (lambda: _palette("BMP"), PALETTE, None, 0),
    "os2.bmp": (lambda: os2_bitmap(RGB), RGB, None, 0),
    "filled-with-0.bmp": (lambda: v4_bitmap(RGB, 0), RGB, None, 0),
    "filled-with-255.bmp": (lambda: v4_bitmap(RGB, 255), RGB, np.full_like(CLEAR, 255), 0),
    "small.pgm": (
        lambda: b"P5\n# of 15\n%d %d\n15\n" % (WIDE, HIGH) + (GREY // 17).tobytes(),
        grey(GREY // 17 * 17),
        None,
        0,
    ),
    "deep.pgm": (
        lambda: b"P5\n%d %d\n65535\n" % (WIDE, HIGH) + DEEP_GREY.astype(">u2").tobytes(),
        grey(DEEP_GREY),
        None,
        0,
    ),
    "ten.pgm": (
        lambda: b"P5\n%d %d\n1023\n" % (WIDE, HIGH) + (DEEP_GREY >> 6).astype(">u2").tobytes(),
        grey(DEEP_GREY),
        None,
        0.2,
    ),
    "deep.ppm": (
        lambda: b"P6\n%d %d\n65535\n" % (WIDE, HIGH) + DEEP.astype(">u2").tobytes(),
        DEEP,
        None,
        0,
    ),
    "deep.png": (lambda: encoded_by_opencv(DEEP), DEEP, None, 0),
    "deep-alpha.png": (
        lambda: encoded_by_opencv(np.dstack([DEEP, DEEP_CLEAR])),
        DEEP,
        DEEP_CLEAR,
        0,
    ),
    "grey-alpha.png": (lambda: saved(np.dstack([GREY, CLEAR]), "PNG"), grey(GREY), CLEAR, 0),
    "palette.png": (lambda: _palette("PNG"), PALETTE, None, 0),
    "palette.gif": (lambda: _palette("GIF"), PALETTE, None, 0),
    "lossless.jp2": (lambda: saved(RGB, "JPEG2000", irreversible=False), RGB, None, 0),
    "plain.psd": (lambda: psd(RGB), RGB, None, 0),
    "deep.psd": (lambda: psd(DEEP), DEEP, None, 0),
    "grey.psd": (lambda: psd(RGB[..., 2:], mode=1), grey(GREY), None, 0),
    "plain.tga": (lambda: saved(RGB, "TGA"), RGB, None, 0),
    "alpha.webp": (
        lambda: saved(np.dstack([RGB, CLEAR]), "WEBP", lossless=True, exact=True),
        RGB,
        CLEAR,
        0,
    ),
    "alpha.avif": (lambda: saved(np.dstack([RGB, CLEAR]), "AVIF", quality=100), RGB, CLEAR, 2),
}


def _palette(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PALETTE).quantize(64).save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_a_picture_is_what_was_put_in(tmp_path: Path, name: str) -> None:
    content, pixels, alpha, most = FILES[name]
    (tmp_path / name).write_bytes(content())
    still = open_still(tmp_path / name)
    assert still.pixels.dtype == pixels.dtype
    assert still.size == (WIDE, HIGH) == still_size(tmp_path / name)
    seen = np.ones((HIGH, WIDE), bool) if alpha is None else alpha > 0
    hidden = np.where(seen[..., None], pixels, still.pixels)
    assert off(still, hidden) <= most
    if alpha is None:
        assert still.alpha is None
    else:
        assert still.alpha is not None and still.alpha.dtype == alpha.dtype
        assert np.array_equal(still.alpha, alpha)
    assert still.notes == ()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "name", ["a.tif", "packed.tif", "deep.tif", "tiles.tif", "a.jpg", "a.webp"]
)
def test_a_picture_is_turned_once(tmp_path: Path, name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    files = {
        "a.tif": lambda: tiff(RGB, orientation=orientation),
        "packed.tif": lambda: saved(RGB, "TIFF", exif=exif, compression="tiff_lzw"),
        "deep.tif": lambda: tiff(DEEP, orientation=orientation),
        "tiles.tif": lambda: tiff(DEEP, tile=16, orientation=orientation),
        "a.jpg": lambda: saved(RGB, "JPEG", exif=exif, quality=100, subsampling=0),
        "a.webp": lambda: saved(RGB, "WEBP", exif=exif, lossless=True),
    }
    (tmp_path / name).write_bytes(files[name]())
    turned = RGB if orientation < 5 else RGB.swapaxes(0, 1)
    turned = turned[:, ::-1] if orientation in (2, 3, 6, 7) else turned
    turned = turned[::-1] if orientation in (3, 4, 7, 8) else turned
    still = open_still(tmp_path / name)
    assert off(still, turned) <= 1
    assert still.size == turned.shape[1::-1] == still_size(tmp_path / name)


@pytest.mark.parametrize(("bits", "most"), [(8, 2), (10, 1), (12, 1)])
def test_an_avif_of_more_bits_is_as_bright(tmp_path: Path, bits: int, most: float) -> None:
    form = "yuv444p" if bits == 8 else f"yuv444p{bits}le"
    path = through_ffmpeg(
        tmp_path / "a.avif",
        RGB,
        "rgb24",
        *("-vf", "scale=out_color_matrix=bt709:out_range=pc", "-pix_fmt", form, "-crf", "5"),
        *(
            "-c:v",
            "libaom-av1",
            "-still-picture",
            "1",
            "-color_range",
            "pc",
            "-colorspace",
            "bt709",
        ),
        *("-color_primaries", "bt709", "-color_trc", "iec61966-2-1"),
    )
    still = open_still(path)
    assert off(still, RGB) <= most
    assert still.pixels.dtype == (np.uint8 if bits == 8 else np.uint16)


@pytest.mark.parametrize("form", ["rgb24", "rgba", "rgb48le"])
def test_jpeg_xl_is_read_at_its_depth(tmp_path: Path, form: str) -> None:
    values = {"rgb24": RGB, "rgba": np.dstack([RGB, CLEAR]), "rgb48le": DEEP}[form]
    path = through_ffmpeg(tmp_path / "a.jxl", values, form, "-distance", "0")
    still = open_still(path)
    assert np.array_equal(still.pixels, values[..., :3])
    assert (still.alpha is not None) == (form == "rgba")
    assert still.size == (WIDE, HIGH) == still_size(path)


@pytest.mark.parametrize("tile", [None, 64])
@pytest.mark.parametrize("turns", [0, 1, 3])
def test_heic_gives_the_whole_picture_and_never_the_thumbnail(
    tmp_path: Path, tile: int | None, turns: int
) -> None:
    pixels = eight(smooth(150, 100))
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Camera", 6
    path = write_heif(
        tmp_path / "a.heic",
        pixels,
        tile=tile,
        turns=turns,
        thumbnail=255 - pixels[::2, ::2],
        exif=exif.tobytes(),
    )
    still = open_still(path)
    assert off(still, np.rot90(pixels, turns)) < 1
    assert still.size == still.pixels.shape[1::-1] == still_size(path)
    assert still.exif is not None and (still.exif[0x010F], still.exif[0x0112]) == ("Camera", 1)


def test_heic_keeps_its_transparency_and_its_bits(tmp_path: Path) -> None:
    clear = np.zeros((64, 96), np.uint8)
    clear[:32] = 255
    still = open_still(write_heif(tmp_path / "a.heic", RGB, alpha=clear))
    assert still.alpha is not None and np.abs(still.alpha.astype(int) - clear).max() <= 1
    deep = open_still(write_heif(tmp_path / "b.heic", RGB, depth=10))
    assert deep.pixels.dtype == np.uint16 and off(deep, RGB) < 1


def lit(values: Values) -> NDArray[np.float32]:
    """What a screen shows of light, by the formula of sRGB."""
    bright = 1.055 * np.maximum(values, 1e-9) ** (1 / 2.4) - 0.055
    return np.asarray(np.where(values <= 0.0031308, values * 12.92, bright), np.float32)


LIGHT = (DEEP / 65535).astype(np.float32)


def planes(values: Values) -> Values:
    return np.stack([values[..., 1], values[..., 2], values[..., 0]])


FLOATS: dict[str, Callable[[Path, Values], Path]] = {
    "single.tif": lambda p, v: _written(p, tiff(v)),
    "half.tif": lambda p, v: _written(p, tiff(v.astype(np.float16))),
    "double.tif": lambda p, v: _written(p, tiff(v.astype(np.float64))),
    "planar.tif": lambda p, v: _written(p, tiff(v, planar=True)),
    "tiles.tif": lambda p, v: _written(p, tiff(v, tile=16)),
    "a.exr": lambda p, v: through_ffmpeg(p, planes(v), "gbrpf32le"),
    "half.exr": lambda p, v: through_ffmpeg(p, planes(v), "gbrpf32le", "-format", "half"),
    "a.hdr": lambda p, v: through_ffmpeg(p, planes(v), "gbrpf32le"),
    "a.pfm": lambda p, v: _written(
        p, b"PF\n%d %d\n-1.0\n" % (WIDE, HIGH) + v[::-1].astype("<f4").tobytes()
    ),
}


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", FLOATS)
def test_floats_are_light(tmp_path: Path, name: str) -> None:
    still = open_still(FLOATS[name](tmp_path / name, LIGHT))
    assert still.pixels.dtype == np.uint16
    assert np.abs(still.pixels / 65535 - lit(LIGHT)).mean() < 1 / 255
    assert [note for note in still.notes if "read as light" in note] == list(still.notes)
    assert still_size(tmp_path / name) == (WIDE, HIGH)


@pytest.mark.parametrize("name", ["single.tif", "a.exr", "a.hdr"])
def test_light_above_white_keeps_its_gradations(tmp_path: Path, name: str) -> None:
    bright, half = LIGHT / 2, HIGH // 2
    bright[:half] *= 16
    still = open_still(FLOATS[name](tmp_path / name, bright))
    (note,) = still.notes
    assert "up to 8 times white" in note
    ours, below = still.pixels / 65535, bright.max(axis=2) <= 0.5
    assert np.abs(ours - lit(bright))[below].max() < 0.02, "what a screen can show stays"
    row = ours[half - 1, :, 0]
    assert (np.diff(row) >= 0).all() and len(np.unique(row)) > 90, "the rest is not clipped"


def test_light_that_is_no_number_or_out_of_scale(tmp_path: Path) -> None:
    odd = LIGHT.copy()
    odd[0, 0], odd[0, 1], odd[0, 2] = np.nan, -5, np.inf
    still = open_still(_written(tmp_path / "odd.tif", tiff(odd)))
    assert still.pixels[0, :3].max() == 0 and still.pixels.max() == 65535
    dark = open_still(_written(tmp_path / "dark.tif", tiff(LIGHT * np.float32(1e-4))))
    assert "exposed by +" in dark.notes[0] and dark.pixels.mean() > 10000


def profiles() -> dict[str, bytes]:
    return {
        "Display P3": matrix_profile(2.2, P3, b"Display P3"),
        "ProPhoto RGB": matrix_profile(1.8, PROPHOTO, b"ProPhoto RGB"),
    }


def by_lcms(pixels: Values, profile: bytes) -> NDArray[np.uint8]:
    """What Little CMS makes of 8 bits."""
    image = ImageCms.profileToProfile(
        Image.fromarray(pixels), io.BytesIO(profile), ImageCms.createProfile("sRGB")
    )
    return np.asarray(image)


@pytest.mark.parametrize("name", ["Display P3", "ProPhoto RGB"])
@pytest.mark.parametrize(
    "kind", ["a.png", "a.jpg", "a.webp", "a.tif", "deep.tif", "a.psd", "a.heic"]
)
def test_a_colour_profile_is_converted_and_said(tmp_path: Path, name: str, kind: str) -> None:
    profile, deep = profiles()[name], RGB.astype(np.uint16) * 257
    options = {"icc_profile": profile}
    files: dict[str, Callable[[], bytes]] = {
        "a.png": lambda: saved(RGB, "PNG", **options),
        "a.jpg": lambda: saved(RGB, "JPEG", quality=100, subsampling=0, **options),
        "a.webp": lambda: saved(RGB, "WEBP", lossless=True, **options),
        "a.tif": lambda: saved(RGB, "TIFF", **options),
        "deep.tif": lambda: tiff(deep, profile=profile),
        "a.psd": lambda: psd(RGB, profile=profile),
    }
    if kind == "a.heic":
        write_heif(tmp_path / kind, RGB, profile=profile)
    else:
        (tmp_path / kind).write_bytes(files[kind]())
    still = open_still(tmp_path / kind)
    assert off(still, by_lcms(RGB, profile)) < 1
    assert off(still, RGB) > 3, "it does change the picture"
    assert still.notes == (f"colours converted from {name} to sRGB",)
    assert (still.pixels.dtype == np.uint16) == (kind == "deep.tif")


def test_inks_are_converted_by_their_profile(tmp_path: Path) -> None:
    inks = np.zeros((40, 40, 4), np.uint8)
    inks[:20, :20, 0], inks[20:, :20, 1], inks[20:, 20:, 3] = 255, 255, 255
    for name, form in (("a.jpg", "JPEG"), ("a.tif", "TIFF")):
        image = Image.fromarray(inks, "CMYK")
        image.save(tmp_path / name, form, icc_profile=cmyk_profile())
        still = open_still(tmp_path / name)
        corners = still.pixels[[10, 10, 30, 30], [10, 30, 10, 30]].astype(int)
        expected = [[0, 120, 255], [255, 255, 255], [255, 0, 255], [0, 0, 0]]
        assert np.abs(corners - expected).max() <= 6
        assert still.notes == ("colours converted from Inks of a test to sRGB",)
        image.save(tmp_path / name, form)
        bare = open_still(tmp_path / name)
        assert np.abs(bare.pixels[10, 10].astype(int) - [0, 255, 255]).max() <= 3
        assert "CMYK without a profile" in bare.notes[0]


def test_srgb_itself_is_left_alone(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for pixels in (RGB, GREY):
        (tmp_path / "a.png").write_bytes(saved(pixels, "PNG", icc_profile=srgb))
        assert off(open_still(tmp_path / "a.png"), RGB if pixels is RGB else grey(GREY)) == 0
    (tmp_path / "a.png").write_bytes(saved(RGB, "PNG", icc_profile=srgb))
    assert open_still(tmp_path / "a.png").notes == ()


def test_a_camera_may_say_adobe_rgb_without_a_profile(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA001: 0xFFFF, 0xA005: {1: "R03"}})
    (tmp_path / "a.jpg").write_bytes(saved(RGB, "JPEG", exif=exif, quality=100, subsampling=0))
    still = open_still(tmp_path / "a.jpg")
    assert still.notes == ("colours converted from Adobe RGB to sRGB",)
    # Adobe RGB's green lies outside of sRGB: a muted one becomes stronger, greys stay.
    assert still.exif is None or still.exif.get_ifd(0x8769)[0xA001] == 1


def chunked(kind: bytes, content: bytes) -> bytes:
    return png.with_chunks(saved(RGB, "PNG"), png.chunk(kind, content))


def test_a_png_may_describe_its_colours_in_chunks(tmp_path: Path) -> None:
    path, profile = tmp_path / "a.png", profiles()["Display P3"]
    primaries = light.PRIMARIES[12][1]
    numbers = [round(value * 100_000) for point in primaries for value in point]
    written = by_lcms(RGB, matrix_profile(2.2, P3, b"P3"))
    for data, words in (
        (chunked(b"cHRM", struct.pack(">8I", *numbers)), "the file's own primaries"),
        (chunked(b"cICP", bytes([12, 13, 0, 1])), "Display P3"),
        (chunked(b"iCCP", b"x\0\0" + zlib.compress(profile)), "Display P3"),
    ):
        path.write_bytes(data)
        still = open_still(path)
        assert off(still, written) < 2 and words in still.notes[0]
    path.write_bytes(chunked(b"gAMA", struct.pack(">I", 100_000)))
    linear = open_still(path)
    assert np.abs(linear.pixels / 255 - lit(RGB / 255)).max() < 1.5 / 255
    assert linear.notes == ("colours converted from gamma 1 to sRGB",)
    for kind, content in ((b"gAMA", struct.pack(">I", 45455)), (b"cICP", bytes([1, 13, 0, 1]))):
        path.write_bytes(chunked(kind, content))
        assert (off(open_still(path), RGB), open_still(path).notes) == (0, ())


def test_hdr_is_tone_mapped_with_its_white_near_white(tmp_path: Path) -> None:
    # 58 % of PQ is 203 nits, diffuse white; 75 % of HLG as well.
    for transfer, white, name in ((16, 0.58, "PQ"), (18, 0.75, "HLG")):
        pixels = np.zeros((16, 16, 3), np.uint8)
        pixels[:8] = round(white * 255)
        pixels[12:] = round(white * 255 * 0.5)
        data = saved(pixels, "PNG")
        chunk = png.chunk(b"cICP", bytes([9, transfer, 0, 1]))
        (tmp_path / "a.png").write_bytes(png.with_chunks(data, chunk))
        still = open_still(tmp_path / "a.png")
        assert f"tone-mapped from HDR ({name})" in still.notes[0]
        top, middle = still.pixels[4, 4, 0] / 65535, still.pixels[14, 4, 0] / 65535
        assert 0.95 < top <= 1 and 0.15 < middle < 0.8


@pytest.mark.parametrize("name", ["a.jpg", "a.gif", "a.png", "a.ppm"])
def test_a_picture_that_breaks_off_is_read_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (200, 160, 3)).astype(np.uint8)
    form = {"a.jpg": "JPEG", "a.gif": "GIF", "a.png": "PNG", "a.ppm": "PPM"}[name]
    options = {"interlace": 0} if form == "GIF" else {}
    whole = saved(noise, form, **options)
    (tmp_path / name).write_bytes(whole)
    first = open_still(tmp_path / name).pixels
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    still = open_still(tmp_path / name)
    assert np.array_equal(still.pixels[:70], first[:70])
    (note,) = still.notes
    assert f"{name} is damaged" in note and "%" in note
    (tmp_path / name).write_bytes(whole[:40])
    with pytest.raises(MediaError, match=name):
        open_still(tmp_path / name)


@pytest.mark.parametrize(
    ("chunk", "words"),
    [
        (struct.pack(">I", 9) + b"tEXtkey\0xxxxxBAD!", "block of text"),
        (png.chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(80_000_000), 1)), "block of text"),
        (png.chunk(b"zTXt", b"k\0\0no zlib"), ""),
        (png.chunk(b"iTXt", b"\xff\xfe"), ""),
        (png.chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"), "EXIF"),
        (png.chunk(b"iCCP", b"x\0\0no zlib"), "profile"),
        (png.chunk(b"iCCP", b"x\0\0" + zlib.compress(b"no profile" * 40)), "profile"),
    ],
)
def test_a_bad_block_does_not_refuse_a_sound_picture(
    tmp_path: Path, chunk: bytes, words: str
) -> None:
    (tmp_path / "a.png").write_bytes(png.with_chunks(saved(RGB, "PNG"), chunk))
    still = open_still(tmp_path / "a.png")
    assert np.array_equal(still.pixels, RGB)
    assert len(still.notes) == bool(words) and words in "".join(still.notes)


@pytest.mark.parametrize("block", [b"Exif\0\0no block", b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x01"])
def test_a_bad_exif_block_does_not_refuse_a_photograph(tmp_path: Path, block: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(saved(RGB, "JPEG", quality=100, exif=block))
    still = open_still(tmp_path / "a.jpg")
    assert off(still, RGB) < 2 and "EXIF" in still.notes[0]


@pytest.mark.sample(1)
@pytest.mark.parametrize("progressive", [False, True])
def test_a_huge_photograph_is_read_at_the_size_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progressive: bool
) -> None:
    huge = Image.fromarray(RGB).resize((9000, 6000))
    huge.save(tmp_path / "a.jpg", quality=60, progressive=progressive)
    huge.save(tmp_path / "a.png", compress_level=1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for name, least in (("a.jpg", (200, 100)), ("a.png", (200, 100))):
        still = open_still(tmp_path / name, least=least, most_bytes=400_000_000)
        assert still.size == (9000, 6000) and still.pixels.shape[0] < 800
        small = cv2.resize(still.pixels, (WIDE, HIGH), interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - RGB).mean() < 3
    with pytest.raises(MediaError) as caught:
        open_still(tmp_path / "a.jpg", most_bytes=400_000_000)
    assert "9000 x 6000" in str(caught.value) and "--size" in str(caught.value)
    assert Image.MAX_IMAGE_PIXELS == 1000, "Pillow's own limit is left as it was"


def test_a_picture_takes_at_most_half_of_the_memory_that_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(saved(RGB, "PNG"))
    needed = 3 * HIGH * WIDE * 10
    monkeypatch.setattr("dreamvideo.media.stills.available_memory", lambda: needed)
    with pytest.raises(MediaError, match=f"{WIDE} x {HIGH} pixels need"):
        open_still(tmp_path / "a.png")
    monkeypatch.setattr("dreamvideo.media.stills.available_memory", lambda: 4 * needed)
    assert off(open_still(tmp_path / "a.png"), RGB) == 0


def test_no_library_speaks_for_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = saved(RGB, "TIFF", compression="tiff_lzw")
    deep, fine = tiff(DEEP, tile=16), encoded_by_opencv(DEEP)
    jpeg = saved(RGB, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x01")
    wrong = bytearray(fine)
    wrong[len(fine) // 2 : len(fine) // 2 + 9] = bytes(9)
    made = [whole, deep, fine, bytes(wrong), jpeg, saved(RGB, "WEBP")]
    for number, data in enumerate(made):
        for cut in (30, 200, len(data) // 2, len(data) - 20, len(data)):
            path = tmp_path / f"{number}-{cut}.tif"
            path.write_bytes(data[:cut])
            try:
                open_still(path)
            except MediaError as error:
                assert path.name in str(error) and "\n" not in str(error)
    assert capfd.readouterr() == ("", "")


def test_a_cameras_raw_file_is_not_taken_for_its_preview(tmp_path: Path) -> None:
    preview = RGB[::4, ::4]
    (tmp_path / "a.dng").write_bytes(tiff(preview, more={254: 1, 50706: 1}))
    with pytest.raises(MediaError, match="develop it"):
        read_still(tmp_path / "a.dng")
