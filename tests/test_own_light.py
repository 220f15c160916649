"""HDR and linear light are kept: what is dreamt on a screen's copy is added in the source's own."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from media_clips import make
from tiny import QUICK, Cli

from dreamvideo.errors import UsageError
from dreamvideo.media import ffmpeg
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.light import decode_hlg, decode_pq, encode_hlg, encode_pq
from dreamvideo.media.mastering import read_mastering
from dreamvideo.media.own_light import (
    LINEAR_LIGHT,
    add_detail,
    decode_linear,
    encode_linear,
    screen_codes,
    to_scene_light,
)
from dreamvideo.media.pixel_formats import Color
from dreamvideo.media.png import chunk
from dreamvideo.media.probe import probe
from dreamvideo.media.read import Frame, ReadOptions, open_source
from dreamvideo.media.still_ffmpeg import values_of
from dreamvideo.media.stills import png_bytes, read_deep, store_frame, write_still
from dreamvideo.media.write import StoredFrame, choose_storage, encode

PQ = Color("tv", "bt2020nc", "bt2020", "smpte2084")
HLG = Color("tv", "bt2020nc", "bt2020", "arib-std-b67")
TAGS = "setparams=color_primaries=bt2020:color_trc={}:colorspace=bt2020nc:range=tv"
EXACT = ["-c:v", "libx265", "-x265-params", "log-level=error:lossless=1"]
# A display of P3 at 1000 nits, and light of 800 nits at most, as a PNG states them.
MASTERING = chunk(
    b"mDCV",
    b"".join(value.to_bytes(2, "big") for value in (34000, 16000, 13250, 34500, 7500, 3000))
    + b"".join(value.to_bytes(2, "big") for value in (15635, 16450))
    + (10_000_000).to_bytes(4, "big")
    + (50).to_bytes(4, "big"),
) + chunk(b"cLLI", (8_000_000).to_bytes(4, "big") + (2_000_000).to_bytes(4, "big"))


def hdr_codes(number: int = 0, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """Soft colours up to the brightest, H x W x 3 of 16 bits."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    waves = [x, 0.5 + 0.4 * np.sin(3 * x + 2 * y + number), 0.8 * y]
    return np.asarray(np.rint(65535 * (0.05 + 0.75 * np.stack(waves, -1))), np.uint16)


def hdr_film(path: Path, color: Color, count: int = 3) -> Path:
    """A film in that light, mastered on a display that it names."""
    folder = path.with_suffix("")
    folder.mkdir()
    for number in range(count):
        data = png_bytes(hdr_codes(number), None)
        (folder / f"{number}.png").write_bytes(data[:33] + MASTERING + data[33:])
    tags = TAGS.format(color.transfer)
    chain = f"scale=out_color_matrix=bt2020:out_range=tv,format=yuv444p10le,{tags}"
    shots = ["-framerate", "25", "-i", str(folder / "%d.png")]
    return make(path, *shots, "-vf", chain, *EXACT)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hdr")
    return {
        color.transfer: hdr_film(folder / f"{color.transfer}.mkv", color) for color in (PQ, HLG)
    }


def rgb_of(planes: np.ndarray) -> np.ndarray:
    """Full-range codes of 16 bits of three planes of 10-bit YUV, by ITU-R BT.2020."""
    luma, blue, red = (planes.astype(float) - [[[64]], [[512]], [[512]]]) / [
        [[876]],
        [[896]],
        [[896]],
    ]
    channels = [luma + 1.4746 * red, 0 * luma, luma + 1.8814 * blue]
    channels[1] = (luma - 0.2627 * channels[0] - 0.0593 * channels[2]) / 0.6780
    return np.asarray(np.clip(np.stack(channels, -1), 0, 1) * 65535)


def read_own(path: Path) -> list[Frame]:
    light = probe(path).own_light
    assert light is not None
    with open_source(path, ReadOptions(own_light=light, keep_alpha=True)) as source:
        return list(source)


def test_codes_of_linear_light_are_exact_to_the_last_bit_of_half_floats() -> None:
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16)
    both = np.concatenate([-halves[:0:-1], halves]).astype(np.float32)
    codes = encode_linear(both)
    assert (np.diff(codes.astype(int)) >= 0).all()
    back = np.abs(decode_linear(codes)).astype(np.float16).view(np.int16).astype(int)
    assert np.abs(back - np.abs(both).astype(np.float16).view(np.int16)).max() <= 1
    assert (np.sign(decode_linear(codes)) == np.sign(both)).all()
    broken = encode_linear(np.array([np.nan, np.inf, -np.inf], np.float32))
    assert decode_linear(broken) == pytest.approx([0, 65504, -65504], rel=1e-3)


def test_the_curves_of_hdr_are_inverted() -> None:
    light = np.linspace(0, 1, 101, dtype=np.float32)
    grey = np.repeat(light[:, None, None], 3, axis=2)
    assert np.abs(decode_pq(encode_pq(grey)) - grey).max() < 1e-4
    assert np.abs(decode_hlg(encode_hlg(grey)) - grey).max() < 1e-3
    # By ITU-R BT.2408 diffuse white is at 58 % of PQ and 75 % of HLG.
    assert encode_pq(light)[-1] == pytest.approx(0.58, abs=0.002)
    assert encode_hlg(light)[-1] == pytest.approx(0.75, abs=0.001)


@pytest.mark.parametrize("color", [PQ, HLG, LINEAR_LIGHT], ids=lambda c: c.transfer)
def test_where_nothing_is_dreamt_the_source_stays(color: Color) -> None:
    random = np.random.default_rng(0)
    own = random.integers(0, 65536, (40, 30, 3)).astype(np.uint16)
    proxy = random.integers(0, 256, (40, 30, 3)).astype(np.uint8)
    dreamt = proxy.copy()
    dreamt[20:] = 255 - dreamt[20:]
    made = add_detail(dreamt, proxy, own, color)
    assert (made[:20] == own[:20]).all() and (made[20:] != own[20:]).any(axis=-1).mean() > 0.98


@pytest.mark.parametrize("color", [PQ, HLG, LINEAR_LIGHT], ids=lambda c: c.transfer)
def test_a_dream_of_a_screens_picture_is_that_dream(color: Color) -> None:
    """A source with no more light than a screen's becomes just what was dreamt on it."""
    random = np.random.default_rng(1)
    proxy, dreamt = random.integers(0, 256, (2, 20, 30, 3)).astype(np.uint8)
    codes = np.array([[screen_codes(tuple(p), color) for p in row] for row in (*proxy, *dreamt)])
    own, wanted = np.split(codes, 2)
    made = add_detail(dreamt, proxy, own, color).astype(int)
    shown = proxy.max(axis=2) > 16
    assert np.abs(made - wanted)[shown].max() <= 2


@pytest.mark.parametrize("color", [PQ, HLG], ids=lambda c: c.transfer)
def test_highlights_keep_their_light_and_their_colour(color: Color) -> None:
    # A bright orange lamp, which the tone mapping made nearly white.
    curve = encode_pq if color is PQ else encode_hlg
    own = np.full((4, 4, 3), 0, np.uint16)
    own[...] = np.rint(65535 * curve(np.ones(3, np.float32)) * np.array([1.25, 1.1, 0.9]))
    proxy = np.full((4, 4, 3), [250, 235, 205], np.uint8)
    brighter, darker = proxy.copy(), (proxy * 0.5).astype(np.uint8)
    brighter[...] = 255
    light, lamp, dark = (
        to_scene_light(codes, color)[0, 0]
        for codes in (
            add_detail(brighter, proxy, own, color),
            own,
            add_detail(darker, proxy, own, color),
        )
    )
    assert lamp.max() > 1.5, "brighter than a screen's white"
    assert (light >= lamp).all() and light.max() < 1.3 * lamp.max(), "no clipping, no flash"
    # Half of a screen's code value is about a fifth of its light, here too.
    assert 0.08 < dark.max() / lamp.max() < 0.35
    assert dark[0] / dark[2] > 1.3, "still orange"
    black = add_detail(np.zeros_like(proxy), proxy, own, color)
    assert to_scene_light(black, color).max() < 0.05 * lamp.max()


def test_detail_in_linear_light_is_a_change_of_exposure() -> None:
    own = encode_linear(np.full((2, 2, 3), 20, np.float32))
    proxy, dreamt = np.full((2, 2, 3), 240, np.uint8), np.full((2, 2, 3), 180, np.uint8)
    ratio = ((180 / 255 + 0.055) / (240 / 255 + 0.055)) ** 2.4
    made = decode_linear(add_detail(dreamt, proxy, own, LINEAR_LIGHT))
    assert made == pytest.approx(20 * ratio, rel=0.002)


@pytest.mark.parametrize("color", [PQ, HLG], ids=lambda c: c.transfer)
def test_a_film_is_read_in_both_lights(films: dict[str, Path], color: Color) -> None:
    path = films[color.transfer]
    own = read_own(path)
    with open_source(path) as source:
        shown = list(source)
    assert [f.time for f in own] == [f.time for f in shown] == [0, Fraction(1, 25), Fraction(2, 25)]
    command = [ffmpeg.executable(), "-v", "error", "-i", str(path), "-f", "rawvideo", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    truth = [rgb_of(planes) for planes in np.frombuffer(raw, "<u2").reshape(3, 3, 64, 96)]
    for frame, seen, codes in zip(own, shown, truth, strict=True):
        assert frame.deep is not None
        # Eight bits alone are dithered.
        assert np.abs(frame.pixels.astype(int) - seen.pixels).max() <= 2
        assert np.abs(frame.deep - codes).max() <= 2


STORES = [
    ("a.mp4", None, ("hevc", 10)),
    ("a.mov", "prores-hq", ("prores", 10)),
    ("a.mkv", "av1", ("av1", 10)),
    ("a.mkv", "ffv1", ("ffv1", 10)),
    ("a.webm", None, ("vp9", 10)),
]


@pytest.mark.parametrize(("name", "codec", "kind"), STORES, ids=str)
def test_every_store_keeps_light_depth_and_tags(
    films: dict[str, Path], tmp_path: Path, name: str, codec: str | None, kind: tuple[str, int]
) -> None:
    path = films["smpte2084"]
    source = probe(path)
    chosen = choose_storage(tmp_path / name, codec, None, source)
    assert chosen.own_light and chosen.depth == 10
    own = read_own(path)
    frames = []
    for frame in own:
        assert frame.deep is not None
        store_frame(tmp_path / f"{frame.index}.png", frame.deep)
        frames.append(StoredFrame(tmp_path / f"{frame.index}.png", frame.time))
    out = tmp_path / name
    options = EncodeOptions(codec=chosen.codec, depth=chosen.depth, own_light=source.own_light)
    last = own[-1].duration
    encode(frames, out, duration_of_last=last, rate=source.rate, source=path, options=options)
    info = probe(out)
    assert (info.codec, info.depth) == kind
    tags = (info.color.primaries, info.color.transfer)
    assert tags == ("bt2020", "smpte2084")
    assert info.color.matrix == ("gbr" if codec == "ffv1" else "bt2020nc")
    mastering = read_mastering(path, 0)
    assert mastering == MASTERING
    light = chunk(b"cLLI", (8_000_000).to_bytes(4, "big") + (2_000_000).to_bytes(4, "big"))
    assert light in read_mastering(out, 0)
    if codec not in ("av1",):
        assert read_mastering(out, 0) == mastering
    step = 65535 / 1023
    for frame, seen in zip(own, read_own(out), strict=True):
        assert frame.deep is not None and seen.deep is not None
        error = np.abs(seen.deep.astype(int) - frame.deep) / step
        assert error.max() <= 1.01 if codec == "ffv1" else error.mean() <= 6


@pytest.mark.parametrize("color", [PQ, HLG], ids=lambda c: c.transfer)
def test_on_a_screen_the_film_shows_the_dream(
    films: dict[str, Path], tmp_path: Path, color: Color
) -> None:
    """Tone-mapped again, what was added is as strong as dreamt, except in the rolled-off lights."""
    random = np.random.default_rng(0)
    path = films[color.transfer]
    frames, dreamt, shown = [], [], []
    for frame in read_own(path):
        assert frame.deep is not None
        noise = random.normal(0, 1, frame.pixels.shape).astype(np.float32)
        added = cv2.GaussianBlur(noise, (0, 0), 2) * 120
        dream = np.clip(frame.pixels + added, 0, 255).astype(np.uint8)
        place = tmp_path / f"{frame.index}.png"
        store_frame(place, add_detail(dream, frame.pixels, frame.deep, color))
        frames.append(StoredFrame(place, frame.time))
        dreamt.append(dream.astype(float) - frame.pixels)
        shown.append(frame.pixels)
    options = EncodeOptions(codec="ffv1", depth=16, own_light=probe(path).own_light)
    out = tmp_path / "a.mkv"
    encode(frames, out, duration_of_last=Fraction(1, 25), rate=None, source=path, options=options)
    with open_source(out) as source:
        pairs = zip(source, shown, strict=True)
        seen = [frame.pixels.astype(float) - before for frame, before in pairs]
    truth, found, levels = np.array(dreamt), np.array(seen), np.array(shown)
    for least, most, weakest in ((8, 64, 0.85), (64, 128, 0.85), (128, 192, 0.8), (192, 230, 0.5)):
        here = (levels >= least) & (levels < most)
        slope = (truth[here] * found[here]).sum() / (truth[here] ** 2).sum()
        assert weakest < slope < 1.15
        assert np.corrcoef(truth[here], found[here])[0, 1] > 0.9
        assert abs((found - truth)[here].mean()) < 1.5


def test_what_cannot_hold_hdr_gets_a_screens_picture(
    films: dict[str, Path], tmp_path: Path
) -> None:
    source = probe(films["arib-std-b67"])

    def chosen(name: str, codec: str | None = None, depth: int | None = None) -> object:
        found = choose_storage(tmp_path / name, codec, depth, source)
        return found.codec, found.depth, found.own_light

    assert chosen("a.gif") == (None, 8, False)
    assert chosen("a.mp4", "x264") == ("x264", 8, False)
    assert chosen("a.mp4", None, 8) == (None, 8, False)
    assert chosen("a.mp4") == ("x265", 10, True)
    assert chosen("a.mkv", "av1") == ("av1", 10, True)
    assert chosen("a.mxf") == ("dnxhr-hqx", 10, True)
    assert chosen("a.mov", "hap") == ("hap", 8, False)
    assert chosen("frames") == (None, 8, False)
    assert chosen("frames", "exr") == ("exr", 16, True)
    flat = choose_storage(tmp_path / "a.mp4", None, None, source, tone_map=True)
    assert (flat.codec, flat.depth, flat.own_light) == (None, 8, False)
    with pytest.raises(UsageError, match="does not go into"):
        chosen("a.mp4", "prores")


def write_exr(path: Path, light: np.ndarray, alpha: np.ndarray | None = None) -> None:
    write_still(path, encode_linear(light.astype(np.float32)), alpha=alpha, light=LINEAR_LIGHT)


def lit(number: int) -> np.ndarray:
    """A scene with a lamp of 30 times white."""
    x, y = np.meshgrid(np.linspace(0, 1, 64), np.linspace(0, 1, 48))
    scene = np.stack([0.02 + 0.5 * x, 0.3 * y, 0.2 + 0 * x], -1)
    scene[10:20, 8 + 4 * number : 18 + 4 * number] = [30, 20, 5]
    return scene


def test_pictures_of_linear_light_are_read_in_both(tmp_path: Path) -> None:
    alpha = np.full((48, 64), 65535, np.uint16)
    alpha[:, :16] = 0
    for number in range(2):
        write_exr(tmp_path / f"{number}.exr", lit(number), alpha)
    info = probe(tmp_path)
    assert info.own_light == LINEAR_LIGHT
    options = ReadOptions(own_light=info.own_light, keep_alpha=True, background=(255, 255, 255))
    with open_source(tmp_path, options) as source:
        frames = list(source)
    assert any("light, which is kept" in note for note in source.notes)
    for number, frame in enumerate(frames):
        assert frame.deep is not None and frame.alpha is not None
        light = decode_linear(frame.deep)
        assert light[:, 16:] == pytest.approx(lit(number)[:, 16:], rel=2e-3, abs=1e-6)
        assert light[:, :16] == pytest.approx(1, rel=1e-3), "the colour of what is hidden"
        assert frame.pixels.max() == 255


@pytest.mark.parametrize("masked", [True, False])
def test_a_dream_of_linear_light_is_linear_light(cli: Cli, tmp_path: Path, masked: bool) -> None:
    write_exr(tmp_path / "a.exr", lit(0))
    cv = np.zeros((48, 64, 3), np.uint8)
    store_frame(tmp_path / "none.png", cv)
    mask = ["--mask", tmp_path / "none.png"] if masked else []
    done = cli("image", tmp_path / "a.exr", "-o", tmp_path / "b.exr", *mask, *QUICK)
    assert done.code == 0, done.err
    assert any("light, which is kept" in note for note in done.notes)
    assert any("look is not recorded" in note for note in done.notes)
    before, after = (
        values_of(tmp_path / name, "exr", most_pixels=10**6) for name in ("a.exr", "b.exr")
    )
    if masked:
        bits = before.astype(np.float16).view(np.int16).astype(int)
        assert np.abs(bits - after.astype(np.float16).view(np.int16)).max() <= 1
        return
    ratio = after / np.maximum(before, 1e-4)
    assert np.isfinite(after).all() and after.max() > 10, "the lamp stays a lamp"
    assert np.abs(np.log2(np.maximum(ratio, 1e-3))).mean() > 0.05, "something was dreamt"
    flat = cli("image", tmp_path / "a.exr", "-o", tmp_path / "c.exr", "--tone-map", *mask, *QUICK)
    assert flat.code == 0 and values_of(tmp_path / "c.exr", "exr", most_pixels=10**6).max() <= 1


@pytest.mark.parametrize("masked", [True, False])
def test_a_dream_of_hdr_is_hdr(
    cli: Cli, films: dict[str, Path], tmp_path: Path, masked: bool
) -> None:
    path = films["smpte2084"]
    store_frame(tmp_path / "none.png", np.zeros((64, 96, 3), np.uint8))
    mask = ["--mask", tmp_path / "none.png"] if masked else []
    wish = ["--codec", "ffv1", "--end", "2f", *mask, *QUICK]
    done = cli("video", path, "-o", tmp_path / "a.mkv", *wish)
    assert done.code == 0, done.err
    assert any("HDR is kept" in note for note in done.notes)
    pairs = zip(read_own(path)[:2], read_own(tmp_path / "a.mkv"), strict=True)
    for before, after in pairs:
        assert before.deep is not None and after.deep is not None
        moved = np.abs(after.deep.astype(int) - before.deep)
        assert moved.max() <= 65 if masked else moved.mean() > 20
        # As a screen shows it, it is the dream itself.
        assert after.deep.max() > 50_000


@pytest.mark.integration
def test_hdr_is_kept_in_segments_small_dreams_and_second_passes(
    cli: Cli, films: dict[str, Path], tmp_path: Path
) -> None:
    path = films["arib-std-b67"]
    divided = ["--segment-length", "2", "--warm-up", "1", "--workers", "2"]
    for name, wish in (
        ("small", ["--dream-size", "50%"]),
        ("twice", ["--passes", "2"]),
        ("parts", divided),
        ("moved", ["--zoom", "1.2"]),
    ):
        out = tmp_path / f"{name}.mp4"
        done = cli("video", path, "-o", out, "--size", "96", *wish, *QUICK)
        assert done.code == 0, done.err
        info = probe(out)
        assert (info.codec, info.depth, info.color.transfer) == ("hevc", 10, "arib-std-b67")
        frames = read_own(out)
        assert len(frames) == 3
        for before, after in zip(read_own(path), frames, strict=True):
            assert before.deep is not None and after.deep is not None
            means = [
                each.deep.mean(axis=(0, 1)) for each in (before, after) if each.deep is not None
            ]
            assert np.abs(means[0] - means[1]).max() < 6000


@pytest.mark.integration
def test_an_hdr_job_goes_on_as_it_began(cli: Cli, films: dict[str, Path], tmp_path: Path) -> None:
    path, out = films["arib-std-b67"], tmp_path / "a.mkv"
    wish = ["--codec", "ffv1", *QUICK]
    assert cli("video", path, "-o", out, "--keep-job", *wish).code == 0
    whole = [frame.deep for frame in read_own(out)]
    job = tmp_path / "a.mkv.dreamjob"
    # As if it had been stopped after two frames.
    sorted((job / "frames").iterdir())[-1].unlink()
    out.unlink()
    flat = cli("video", path, "-o", out, "--tone-map", "--depth", "10", *wish)
    assert flat.code == 2 and "--tone-map was False" in flat.err
    assert cli("video", path, "-o", out, *wish).code == 0
    again = [frame.deep for frame in read_own(out)]
    for one, other in zip(whole, again, strict=True):
        assert one is not None and other is not None and (one == other).all()


@pytest.mark.integration
def test_a_folder_of_linear_light_stays_one(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(2):
        write_exr(tmp_path / "in" / f"{number}.exr", lit(number))
    out = tmp_path / "out" / "%04d.exr"
    assert cli("video", tmp_path / "in", "-o", out, *QUICK).code == 0
    light = values_of(tmp_path / "out" / "0001.exr", "exr", most_pixels=10**6)
    assert light.max() > 10
    flat = cli("video", tmp_path / "in", "-o", tmp_path / "flat", "--tone-map", *QUICK)
    assert flat.code == 0 and read_deep(tmp_path / "flat" / "000001.png")[0].dtype == np.uint8
