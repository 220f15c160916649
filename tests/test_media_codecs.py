"""What editors, players and archives are given: each codec written, read back and compared."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_clips import Pixels, film, make, times_of, tone

from dreamvideo.errors import UsageError
from dreamvideo.media.codecs import CODECS, codecs_for
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.own_light import decode_linear, encode_linear
from dreamvideo.media.probe import Color, probe
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.still_ffmpeg import values_of
from dreamvideo.media.stills import open_still, png_bytes, read_deep, write_still
from dreamvideo.media.tags import read_all_tags
from dreamvideo.media.time_code import read_time_code, shift_time_code
from dreamvideo.media.write import StoredFrame, check_frames, check_output, encode

RATE = Fraction(24_000, 1001)
SIZE = (256, 128)
EDITS = [name for name, codec in CODECS.items() if codec.edits]
# Mean error of a soft picture, in levels of 255.
CLOSE = {"prores-proxy": 2.5, "dnxhr-lb": 2.0, "hap": 2.0, "hap-alpha": 2.0, "hap-q": 1.5}


def soft(number: int, size: tuple[int, int] = SIZE) -> Pixels:
    """A picture of slow gradients, another for each number."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    waves = [np.sin(3 * x + number), np.cos(2 * y - number / 2), np.sin(2 * (x + y))]
    return np.asarray(np.rint(128 + 90 * np.stack(waves, -1)), np.uint8)


def clear(size: tuple[int, int] = SIZE) -> Pixels:
    """Alpha that rises from left to right."""
    return np.repeat(np.linspace(40, 255, size[0]).astype(np.uint8)[None], size[1], axis=0)


def store(path: Path, pixels: np.ndarray, alpha: np.ndarray | None = None) -> StoredFrame:
    path.write_bytes(png_bytes(pixels, alpha))
    return StoredFrame(path, Fraction(int(path.stem)) / RATE)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with sound at 44,100 Hz and a time code."""
    clip = tmp_path_factory.mktemp("codecs") / "source.mov"
    picture = ["-f", "lavfi", "-i", "color=gray:size=256x128:rate=24000/1001:duration=0.2"]
    code = ["-timecode", "10:00:00:12", "-c:a", "aac", "-pix_fmt", "yuv420p"]
    return make(clip, *picture, *tone(0.2), *code)


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[StoredFrame]:
    folder = tmp_path_factory.mktemp("frames")
    return [store(folder / f"{n}.png", soft(n)) for n in range(4)]


def write(
    frames: list[StoredFrame], output: Path, source: Path | None = None, **options: object
) -> list[str]:
    return encode(
        frames,
        output,
        duration_of_last=1 / RATE,
        source=source,
        rate=RATE,
        options=EncodeOptions(overwrite=True, **options),  # type: ignore[arg-type]
    )


@pytest.mark.sample(6)
@pytest.mark.parametrize(
    "name", ["a.mxf dnxhr-hq", "a.mkv ffv1", *(f"a.mov {name}" for name in EDITS)]
)
def test_every_codec_comes_back(
    source: Path, stored: list[StoredFrame], tmp_path: Path, name: str
) -> None:
    place, codec = name.split()
    output = tmp_path / place
    notes = write(stored, output, source, codec=codec, metadata={"synopsis": "a look"})
    info = probe(output)
    assert info.rate == RATE and (info.width, info.height) == SIZE
    assert [time * RATE for time in times_of(output)] == [0, 1, 2, 3]
    assert read_time_code(output) == "10:00:00:12"
    assert (info.color.primaries, info.color.transfer) == ("bt709", "bt709")
    with open_source(output) as frames:
        seen = [frame.pixels for frame in frames]
    error = np.mean([np.abs(a.astype(float) - soft(n)).mean() for n, a in enumerate(seen)])
    assert error <= CLOSE.get(codec, 1.0)
    (sound,) = info.audio
    assert sound.codec == ("aac" if codec == "ffv1" else "pcm_s16le")
    assert sound.rate == (48_000 if place == "a.mxf" else 44_100)
    told = [note for note in notes if "sound converted from aac" in note]
    assert bool(told) == (codec != "ffv1")
    if place == "a.mxf":
        assert any("look is not recorded" in note for note in notes)


def test_the_time_code_of_a_part_starts_there(
    source: Path, stored: list[StoredFrame], tmp_path: Path
) -> None:
    part = [StoredFrame(frame.path, frame.time) for frame in stored[2:]]
    for name in ("a.mov prores", "a.mxf dnxhr-lb", "a.mkv ffv1"):
        place, codec = name.split()
        encode(
            part,
            tmp_path / place,
            duration_of_last=1 / RATE,
            source=source,
            source_start=2 / RATE,
            rate=RATE,
            options=EncodeOptions(codec=codec),
        )
        assert read_time_code(tmp_path / place) == "10:00:00:14"


@pytest.mark.parametrize(
    ("code", "count", "rate", "later"),
    [
        ("10:00:00:00", 25 * 3600 + 26, Fraction(25), "11:00:01:01"),
        ("23:59:59:23", 1, RATE, "00:00:00:00"),
        ("00:00:59;29", 1, Fraction(30_000, 1001), "00:01:00;02"),
        ("00:09:59;29", 1, Fraction(30_000, 1001), "00:10:00;00"),
        ("00:00:00;00", 107_892, Fraction(30_000, 1001), "01:00:00;00"),
        ("23:59:59;29", 1, Fraction(30_000, 1001), "00:00:00;00"),
        ("00:00:59;59", 1, Fraction(60_000, 1001), "00:01:00;04"),
        ("00:01:00;02", 1798, Fraction(30_000, 1001), "00:02:00;02"),
        ("tomorrow", 1, RATE, None),
    ],
)
def test_time_codes_are_counted_as_editors_count(
    code: str, count: int, rate: Fraction, later: str | None
) -> None:
    assert shift_time_code(code, count, rate) == later
    if later is not None:
        assert shift_time_code(later, -count, rate) == code


def test_a_time_code_that_no_film_has_is_none() -> None:
    # Numbers are dropped at 29.97 and 59.94 frames a second only.
    assert shift_time_code("01:00:00;00", 0, Fraction(25)) == "01:00:00:00"
    assert shift_time_code("01:00:00:00", 5, Fraction(2, 5)) is None
    assert shift_time_code("hello", 0, Fraction(25)) is None


def test_uncompressed_sound_is_copied(stored: list[StoredFrame], tmp_path: Path) -> None:
    deep = ["-c:a", "pcm_s24le", "-ar", "48000"]
    clip = make(tmp_path / "in.mov", "-f", "lavfi", "-i", "color=d=0.2", *tone(0.2), *deep)
    for place in ("a.mov", "a.mxf"):
        assert not [
            n for n in write(stored, tmp_path / place, clip, codec="dnxhr-lb") if "sound" in n
        ]
        assert probe(tmp_path / place).audio[0].codec == "pcm_s24le"


@pytest.mark.parametrize("codec", ["prores-4444", "cineform", "hap-alpha", "ffv1"])
def test_alpha_is_kept(tmp_path: Path, codec: str) -> None:
    frames = [store(tmp_path / f"{n}.png", soft(n), clear()) for n in range(2)]
    output = tmp_path / ("a.mkv" if codec == "ffv1" else "a.mov")
    assert write(frames, output, codec=codec) == []
    with open_source(output, ReadOptions(keep_alpha=True)) as opened:
        for number, frame in enumerate(opened):
            assert frame.alpha is not None
            assert np.abs(frame.alpha.astype(float) - clear()).mean() <= 1.5
            assert np.abs(frame.pixels.astype(float) - soft(number)).mean() <= 2.5


@pytest.mark.parametrize("depth", [8, 10, 16])
@pytest.mark.parametrize("alpha", [False, True])
def test_ffv1_is_bit_exact(tmp_path: Path, depth: int, alpha: bool) -> None:
    random = np.random.default_rng(depth)
    # As many bits as are stored, spread over the whole range.
    levels = random.integers(0, 2**depth, (2, 33, 50, 4))
    kind = np.uint8 if depth == 8 else np.uint16
    spread = levels if depth == 8 else np.rint(levels * (65535 / (2**depth - 1)))
    spread[:, 0, 0, 3] = 0
    pictures = spread.astype(kind)
    frames = [
        store(tmp_path / f"{n}.png", p[..., :3], p[..., 3] if alpha else None)
        for n, p in enumerate(pictures)
    ]
    write(frames, tmp_path / "a.mkv", codec="ffv1", depth=depth)
    info = probe(tmp_path / "a.mkv")
    assert (info.depth, info.has_alpha, info.color.matrix) == (depth, alpha, "gbr")
    with open_source(tmp_path / "a.mkv", ReadOptions(deep=depth > 8, keep_alpha=True)) as opened:
        for frame, truth in zip(opened, pictures, strict=True):
            seen = frame.pixels if depth == 8 else frame.deep
            shown = truth[..., 3] > 0 if alpha else np.ones((33, 50), np.bool_)
            assert seen is not None
            assert np.abs(seen.astype(int) - truth[..., :3])[shown].max() <= (depth == 10)


def test_a_folder_of_exr_is_exact_in_half_floats(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    light = np.float16(2.0) ** random.uniform(-12, 12, (16, 24, 3)).astype(np.float16)
    light[0, :3] = [[0, 0, 0], [-0.5, 1, 65504], [1e-3, 1, -2]]
    codes = encode_linear(light.astype(np.float32))
    linear = Color(transfer="linear")
    frames = [store(tmp_path / "0.png", codes)]
    write(frames, tmp_path / "out", codec="exr", own_light=linear)
    (picture,) = (tmp_path / "out").iterdir()
    assert picture.name == "000001.exr"
    seen = values_of(picture, "exr", most_pixels=1_000_000)
    assert (seen == decode_linear(codes).astype(np.float16)).all()
    # What was stored is the source to within the last bit of a half float.
    bits = light.view(np.int16).astype(int) - seen.astype(np.float16).view(np.int16)
    assert np.abs(bits).max() <= 1


def test_pictures_of_a_screen_keep_their_values(tmp_path: Path) -> None:
    ramp = np.arange(24 * 16 * 3, dtype=np.uint16).reshape(16, 24, 3) * 56
    alpha = np.full((16, 24), 50_000, np.uint16)
    frames = [store(tmp_path / "0.png", ramp, alpha)]
    for form in ("png", "tiff"):
        write(frames, tmp_path / form, codec=form, depth=16)
        seen, clear = read_deep(next((tmp_path / form).iterdir()))
        assert clear is not None
        assert (seen == ramp).all() and (clear == alpha).all(), form
    write(frames, tmp_path / "f" / "%04d.exr")
    seen, clear = read_deep(tmp_path / "f" / "0001.exr")
    assert clear is not None and (np.abs(clear.astype(int) - alpha) < 40).all()
    assert np.abs(seen.astype(int) - ramp).max() < 100
    notes = write([store(tmp_path / "0.png", ramp)], tmp_path / "100%d" / "%04d.dpx")
    seen, _ = read_deep(tmp_path / "100%d" / "0001.dpx")
    assert notes == [] and np.abs(seen.astype(int) - ramp).max() <= 65535 / 1023


def test_large_frames_are_searched_less_thoroughly(tmp_path: Path) -> None:
    """x264 writes its settings into the film."""
    for size, setting in (((1280, 720), b"subme=7"), ((1300, 720), b"subme=4")):
        write(film(tmp_path / f"{size[0]}", [Fraction(0)], size), tmp_path / f"{size[0]}.mp4")
        assert setting in (tmp_path / f"{size[0]}.mp4").read_bytes()


def test_frames_are_padded_to_the_blocks_of_a_codec(tmp_path: Path) -> None:
    for codec, size in (("hap", (52, 52)), ("prores", (50, 50)), ("cineform", (64, 50))):
        notes = write(
            film(tmp_path / "f", [Fraction(0)], (50, 49)), tmp_path / "a.mov", codec=codec
        )
        info = probe(tmp_path / "a.mov")
        assert (info.width, info.height) == size
        assert "padded" in notes[0] and "50 x 49" in notes[0]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.mp4", {"codec": "prores"}, "prores goes into .mov"),
        ("a.mov", {"codec": "ffv1"}, "use x264, .*hap-q; ffv1 goes into .mkv"),
        ("a.mxf", {"codec": "x264"}, "use dnxhr-hq, dnxhr-lb"),
        ("a.mkv", {"codec": "ffv1", "quality": 3}, "it is lossless"),
        ("a.mov", {"codec": "hap", "quality": 3}, "no --quality"),
        ("a.mov", {"codec": "cineform", "quality": 13}, "0 is best"),
        ("a.mov", {"codec": "prores", "depth": 8}, "cannot store 8 bits"),
        ("f/%d.dpx", {"depth": 16}, "dpx pictures have 10 bits"),
        ("f/%d.exr", {"quality": 3}, "have no quality"),
        ("a.mp4", {"proxy": 320}, r"a\.proxy\.mp4: exists already"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(
    tmp_path: Path, name: str, options: dict[str, object], words: str
) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "a.proxy.mp4").touch()
    with pytest.raises(UsageError, match=words):
        check_output(tmp_path / name, EncodeOptions(**options))  # type: ignore[arg-type]


def test_frames_that_do_not_fit_are_refused_before_any_work(tmp_path: Path) -> None:
    wish = EncodeOptions(codec="dnxhr-sq")
    with pytest.raises(UsageError, match="from 256 x 120, not 255 x 200"):
        check_frames(tmp_path / "a.mov", wish, (255, 200), Fraction(25))
    for rate in (Fraction(12), None):
        with pytest.raises(UsageError, match=r"23\.976, 24, 25, .* choose one with --fps"):
            check_frames(tmp_path / "a.mxf", wish, (256, 128), rate)
    check_frames(tmp_path / "a.mxf", wish, (256, 128), RATE)
    check_frames(tmp_path / "frames", EncodeOptions(), (8, 8), None)


def test_the_default_comes_first() -> None:
    assert codecs_for(".mov")[0] == "x264" and codecs_for(".mxf")[0] == "dnxhr-hq"
    assert codecs_for(".webm") == ["vp9", "av1"]


@pytest.mark.parametrize("name", ["a.mkv", "frames"])
def test_a_proxy_is_a_small_film_of_the_same_times(
    source: Path, stored: list[StoredFrame], tmp_path: Path, name: str
) -> None:
    codec = "ffv1" if name == "a.mkv" else "png"
    notes = write(stored, tmp_path / name, source, codec=codec, proxy=96)
    proxy = tmp_path / f"{Path(name).stem}.proxy.mp4"
    assert f"proxy: {proxy.name}, 96 x 48" in notes
    info = probe(proxy)
    assert (info.codec, info.width, info.height, info.depth) == ("h264", 96, 48, 8)
    assert len(info.audio) == (name == "a.mkv")
    times = times_of(proxy)
    assert np.allclose([float(t * RATE) for t in times], [0, 1, 2, 3], atol=0.01)
    with open_source(proxy) as frames:
        small = [frame.pixels.mean(axis=(0, 1)) for frame in frames]
    truth = [soft(n).mean(axis=(0, 1)) for n in range(4)]
    assert np.abs(np.array(small) - truth).max() < 4


@pytest.mark.parametrize("alpha", [False, True])
def test_jpeg_xl_keeps_depth_alpha_and_the_record(tmp_path: Path, alpha: bool) -> None:
    path = tmp_path / "a.jxl"
    pixels = soft(1, (48, 32)).astype(np.uint16) * 250
    held = clear((48, 32)).astype(np.uint16) * 257 if alpha else None
    write_still(path, pixels, {"synopsis": "a look"}, 100, alpha=held)
    seen = open_still(path)
    assert seen.pixels.dtype == np.uint16
    assert np.array_equal(seen.pixels, pixels)
    assert (seen.alpha is None) == (held is None)
    assert held is None or np.array_equal(np.asarray(seen.alpha), held)
    assert read_all_tags(path)["synopsis"] == "a look"
    exact = path.stat().st_size
    write_still(path, pixels, quality=60)
    assert path.stat().st_size < exact
    assert np.abs(open_still(path).pixels.astype(int) - pixels).mean() < 1200


def test_a_picture_as_exr_is_the_same_on_a_screen(tmp_path: Path) -> None:
    pixels = soft(2, (48, 32))
    write_still(tmp_path / "a.exr", pixels)
    assert np.abs(open_still(tmp_path / "a.exr").pixels / 257 - pixels).max() < 0.6 + 0.5
    assert read_all_tags(tmp_path / "a.exr") == {}
