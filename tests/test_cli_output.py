"""How a film is written, from the command line: codecs, depth, alpha, damage, sizes, notes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_clips import Pixels, make, picture
from tiny import QUICK, Cli, contents, pixels_of

from dreamvideo.media.probe import probe
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import read_deep, read_still, store_frame, to_depth
from dreamvideo.render.encode import deepen
from dreamvideo.render.recipe import load_recorded_look

BUNNY = Path(__file__).parents[1] / "samples" / "bunny.mp4"
# 4:2:0 mixes the colours along the edge of what is transparent.
EDGE = 3


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Odd inputs that no test changes."""
    folder = tmp_path_factory.mktemp("stock")
    clip = make(folder / "clip.mp4", *picture(0.4), "-pix_fmt", "yuv420p", "-bf", "0")
    make(folder / "turned.mp4", "-display_rotation", "-90", "-i", str(clip), "-c", "copy")
    fields = ["-vf", "setfield=tff", "-flags", "+ilme+ildct", "-c:v", "mpeg2video"]
    make(folder / "fields.ts", *picture(0.4), *fields, "-pix_fmt", "yuv420p")
    bright = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
    lossless = ["-c:v", "libx265", "-x265-params", "log-level=error:lossless=1"]
    ten = ["-pix_fmt", "yuv420p10le", *lossless]
    make(folder / "bright.mkv", *picture(0.12), "-vf", bright, *ten)
    ramp = "nullsrc=s=96x64:d=0.12:r=25,format=gray10le,geq=lum=400+X/2"
    make(folder / "ramp.mkv", "-f", "lavfi", "-i", ramp, *ten)
    data = make(folder / "long.mkv", *picture(2), "-g", "5").read_bytes()
    (folder / "cut.mkv").write_bytes(data[: len(data) // 2])
    (folder / "ghost").mkdir()
    for number in range(3):
        store_frame(folder / "ghost" / f"{number}.png", *ghost(number))
    shots = ["-framerate", "25", "-i", str(folder / "ghost" / "%d.png")]
    make(folder / "ghost.webm", *shots, "-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p")
    clear = "split[a][b];[a]palettegen[p];[b][p]paletteuse"
    make(folder / "ghost.gif", *shots, "-vf", clear)
    return folder


def ghost(number: int) -> tuple[Pixels, Pixels]:
    """A coloured square that moves over nothing, 64 x 48: colours and alpha."""
    pixels = np.random.default_rng(1).integers(60, 200, (48, 64, 3)).astype(np.uint8)
    alpha = np.zeros((48, 64), np.uint8)
    alpha[12:36, 12 + 8 * number : 36 + 8 * number] = 255
    return cv2.GaussianBlur(pixels, (0, 0), 3), alpha


def alphas_of(film: Path) -> list[Pixels | None]:
    with open_source(film, ReadOptions(keep_alpha=True)) as source:
        return [frame.alpha for frame in source]


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("name", "options", "codec", "depth"),
    [
        ("a.mp4", "", "h264", 8),
        ("a.mp4", "--codec x265 --depth 10 --quality 20", "hevc", 10),
        ("a.mov", "--codec x265", "hevc", 8),
        ("a.mkv", "--codec av1 --depth 10", "av1", 10),
        ("a.webm", "--codec av1", "av1", 8),
        ("a.webm", "--depth 10", "vp9", 10),
        ("a.webp", "--quality 50", "webp", 8),
    ],
)
def test_a_codec_a_quality_and_a_depth_of_choice(
    cli: Cli, shelf: Path, tmp_path: Path, name: str, options: str, codec: str, depth: int
) -> None:
    out = tmp_path / name
    done = cli("video", shelf / "shots", "-o", out, "--end", "3f", *QUICK, *options.split())
    assert done.code == 0, done.err
    info = probe(out)
    assert (info.codec.removesuffix("_anim"), info.depth) == (codec, depth)
    assert len(pixels_of(out)) == 3


def test_quality_makes_a_film_larger_or_smaller(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    sizes = []
    for quality in ("4", "40"):
        out = tmp_path / f"{quality}.mp4"
        assert cli("video", shelf / "shots", "-o", out, "--quality", quality, *QUICK).code == 0
        sizes.append(out.stat().st_size)
    assert sizes[0] > 2 * sizes[1]


def test_a_zoom_and_a_growing_dream_are_written_as_asked_too(
    cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    wish = ["--codec", "x265", "--depth", "10"]
    photo, short = shelf / "photo.png", ["--seconds", "0.2", "--fps", "10"]
    assert cli("zoom", photo, "-o", tmp_path / "z.mkv", *short, *wish, *QUICK).code == 0
    grow = ["--steps", "2", "--every", "1"]
    assert cli("image", photo, "-o", tmp_path / "g.mkv", *QUICK, *grow, *wish).code == 0
    assert [probe(tmp_path / name).depth for name in ("z.mkv", "g.mkv")] == [10, 10]


def test_quality_of_a_picture(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    for quality in ("95", "20"):
        out = tmp_path / f"{quality}.jpg"
        assert (
            cli(
                "image",
                shelf / "photo.png",
                "-o",
                out,
                "--quality",
                quality,
                "--strip-metadata",
                *QUICK,
            ).code
            == 0
        )
    assert (tmp_path / "20.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size / 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("video shots -o a.mp4 --depth 10", ["a.mp4", "--codec x265 or av1"]),
        ("video shots -o a.webm --depth 16", ["a.webm", "16 bits"]),
        ("video shots -o a --depth 10", ["png pictures have 8 or 16 bits"]),
        ("video shots -o a --depth 9", ["--depth", "8, 10, 16"]),
        ("video shots -o a.mov --codec vp9", ["vp9", "use x264, x265"]),
        ("video shots -o a --codec bmp", ["png, tiff, jpg"]),
        ("video shots -o a --quality 3", ["lossless"]),
        ("video shots -o a.gif --quality 3", ["GIF has no quality"]),
        ("video shots -o a.mp4 --quality -1", ["--quality"]),
        ("video shots -o a.mp4 --max-size 1MB", ["only GIF and WebP"]),
        ("video shots -o a.gif --max-size much", ["--max-size", "5MB"]),
        ("video shots -o a.gif --max-size 0", ["--max-size", "5MB"]),
        ("video shots -o a.mp4 --repeat 2", ["only GIF and WebP"]),
        ("video shots -o a.mp4 --background nowhere", ["--background", "#10a0ff"]),
        ("zoom photo.png -o a.mp4 --depth 10", ["--codec x265 or av1"]),
        ("image photo.png -o a.png --quality 3", ["lossless"]),
        ("image photo.png -o a.png --depth 16 --codec png", ["--codec, --depth", "for films"]),
    ],
)
def test_what_a_film_cannot_hold_is_refused_before_any_work(
    cli: Cli,
    shelf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    words: Sequence[str],
) -> None:
    for name in ("shots", "photo.png"):
        (tmp_path / name).symlink_to(shelf / name)
    monkeypatch.chdir(tmp_path)
    done = cli(*line.split(), *QUICK)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert not [word for word in words if word not in done.err], done.err
    assert {path.name for path in tmp_path.iterdir()} == {"shots", "photo.png"}


def gradations(pixels: np.ndarray) -> int:
    """How many levels the green of the picture's middle has."""
    return len(np.unique(pixels[16:-16, 8:-8, 1]))


@pytest.mark.parametrize(("codec", "passes"), [("png", "1"), ("png", "2"), ("tiff", "1")])
def test_a_deep_source_stays_deep_in_pictures(
    cli: Cli, stock: Path, tmp_path: Path, codec: str, passes: str
) -> None:
    for depth in ("8", "16"):
        wish = ["--codec", codec, "--depth", depth, "--passes", passes]
        done = cli("video", stock / "ramp.mkv", "-o", tmp_path / depth, *wish, *QUICK)
        assert done.code == 0, done.err
        told = [note for note in done.notes if "--depth" in note]
        assert bool(told) == (depth == "8"), "what is lost is said"
    for number in range(1, 4):
        shallow, deep = (read_deep(tmp_path / d / f"{number:06d}.{codec}")[0] for d in ("8", "16"))
        assert shallow.dtype == np.uint8 and deep.dtype == np.uint16
        assert np.abs(to_depth(deep, 8).astype(int) - shallow).mean() < 3
        assert gradations(deep) > 2 * gradations(shallow)


def test_a_deep_source_stays_deep_in_a_film(cli: Cli, stock: Path, tmp_path: Path) -> None:
    errors = []
    for depth, stored in (("8", "8"), ("10", "16")):
        film, frames = tmp_path / f"{depth}.mkv", tmp_path / stored
        fine = ["--codec", "x265", "--quality", "0", "--depth", depth]
        for out, wish in ((film, fine), (frames, ["--depth", stored])):
            assert cli("video", stock / "ramp.mkv", "-o", out, *wish, *QUICK).code == 0
        errors.append(np.mean(np.abs(np.subtract(lumas_of(film), lumas_of(frames)))))
    assert errors[1] < errors[0] / 2, "two bits more"


def lumas_of(film: Path) -> np.ndarray:
    """BT.709's grey of all frames, in levels of 255; 4:2:0 blurs the colours alone."""
    with open_source(film, ReadOptions(deep=True)) as source:
        frames = [frame.deep for frame in source if frame.deep is not None]
    return np.asarray(np.stack(frames) / 257 @ np.array([0.2126, 0.7152, 0.0722]))


@given(st.integers(0, 255), st.integers(0, 65535))
def test_what_is_stored_deep_reads_as_what_was_carried(dreamt: int, source: int) -> None:
    deep = np.full((1, 1, 3), source, np.uint16)
    shallow = to_depth(deep, 8)
    stored = deepen(np.full((1, 1, 3), dreamt, np.uint8), shallow, deep)
    assert (to_depth(stored, 8) == dreamt).all()
    assert (deepen(shallow, shallow, deep) == deep).all(), "no dream: the source itself"


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    ("source", "name"),
    [
        *(("ghost", name) for name in ("a.gif", "a.webp", "a.webm", "a", "%03d.tif")),
        *(("ghost.webm", name) for name in ("a.webm", "a.gif")),
        *(("ghost.gif", name) for name in ("a.gif", "a")),
    ],
)
def test_transparency_is_kept_where_there_is_a_place_for_it(
    cli: Cli, stock: Path, tmp_path: Path, source: str, name: str
) -> None:
    out = tmp_path / name
    if "%" in name:
        out = tmp_path / "pictures" / name
    done = cli("video", stock / source, "-o", out, *QUICK)
    assert done.code == 0, done.err
    assert len(list(tmp_path.iterdir())) == 1
    assert not [note for note in done.notes if "laid over" in note]
    for number, alpha in enumerate(alphas_of(out)):
        assert alpha is not None
        expected = ghost(number)[1]
        assert np.mean((alpha > 127) != (expected > 127)) < 0.02


def test_a_second_pass_keeps_transparency_and_depth(cli: Cli, stock: Path, tmp_path: Path) -> None:
    wish = ["--passes", "2", "--depth", "16"]
    assert cli("video", stock / "ghost", "-o", tmp_path / "a", *wish, *QUICK).code == 0
    for number, file in enumerate(sorted((tmp_path / "a").iterdir())):
        pixels, alpha = read_deep(file)
        assert pixels.dtype == np.uint16 and alpha is not None
        assert (to_depth(alpha, 8) == ghost(number)[1]).all()


def test_transparent_pictures_of_every_kind_are_read_in_silence(
    cli: Cli, stock: Path, tmp_path: Path
) -> None:
    (tmp_path / "tif").mkdir()
    assert cli("video", stock / "ghost", "-o", tmp_path / "tif" / "%d.tif", *QUICK).code == 0
    done = cli("video", tmp_path / "tif", "-o", tmp_path / "a.gif", "-q", *QUICK)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert [alpha is not None for alpha in alphas_of(tmp_path / "a.gif")] == [True] * 3


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "x264"), ("a.mkv", "x265"), ("a.mp4", "vp9"), ("%d.jpg", "jpg")]
)
def test_elsewhere_transparency_is_laid_over_a_colour_of_choice(
    cli: Cli, stock: Path, tmp_path: Path, name: str, codec: str
) -> None:
    out = tmp_path / "pictures" / name if "%" in name else tmp_path / name
    wish = ["--codec", codec, "--background", "#20c040"]
    done = cli("video", stock / "ghost", "-o", out, *wish, *QUICK)
    assert done.code == 0, done.err
    assert (
        len([note for note in done.notes if "transparency composited over one colour" in note]) == 1
    )
    for number, pixels in enumerate(pixels_of(out)):
        outside = cv2.erode(255 - ghost(number)[1], np.ones((2 * EDGE + 1,) * 2)) > 0
        assert np.abs(pixels[outside].astype(int) - [0x20, 0xC0, 0x40]).mean() < 3
        inside = ghost(number)[1] > 0
        assert np.abs(pixels[inside].astype(int) - [0x20, 0xC0, 0x40]).mean() > 30


def test_a_photo_is_laid_over_the_colour_too(cli: Cli, stock: Path, tmp_path: Path) -> None:
    for command, out in (("image", "a.png"), ("zoom", "a")):
        short = ["--seconds", "0.1", "--fps", "10"] if command == "zoom" else []
        done = cli(
            *(command, stock / "ghost" / "0.png", "-o", tmp_path / out),
            *("--background", "white", *short, *QUICK),
        )
        assert done.code == 0, done.err
    for picture_file in (tmp_path / "a.png", tmp_path / "a" / "000001.png"):
        assert read_still(picture_file)[:8].mean() > 200


def test_a_damaged_film_is_dreamt_as_far_as_it_goes(cli: Cli, stock: Path, tmp_path: Path) -> None:
    ends = {}
    for name, options in (("a", []), ("b", ["--strict"]), ("c", ["--strict", "-q"])):
        out = tmp_path / f"{name}.mp4"
        done = cli("video", stock / "cut.mkv", "-o", out, *options, *QUICK)
        came = len(pixels_of(out))
        assert 10 <= came < 50
        ends[name] = done
        missing = [note for note in done.notes if "frames missing" in note]
        assert len(missing) == (name != "c")
    assert [end.code for end in ends.values()] == [0, 3, 3]
    complaint = ends["b"].err.splitlines()[-1]
    assert complaint.startswith(f"dreamvideo: {stock / 'cut.mkv'}: ")
    lost = int(complaint.split(" frames are missing")[0].split()[-1])
    assert abs(came + lost - 50) <= 2 and complaint.endswith(f"the other {came}")
    assert ends["c"].err == complaint.replace("b.mp4", "c.mp4") + "\n", "quiet, but for that"
    assert ends["c"].out == ""


def test_a_whole_film_passes_the_strict(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    assert cli("video", shelf / "clip.mp4", "-o", out, "--strict", *QUICK).code == 0
    part = cli("video", shelf / "clip.gif", "-o", tmp_path / "b.mp4", "--strict", *QUICK)
    assert part.code == 0


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("turned.mp4", "rotated by 90 degrees"),
        ("fields.ts", "deinterlaced"),
        ("bright.mkv", "tone-mapped from HDR (PQ)"),
    ],
)
def test_what_is_done_to_the_picture_is_said_in_a_line(
    cli: Cli, stock: Path, tmp_path: Path, source: str, words: str
) -> None:
    done = cli("video", stock / source, "-o", tmp_path / "a.mp4", "--end", "2f", *QUICK)
    assert done.code == 0, done.err
    assert len([note for note in done.notes if words in note]) == 1
    assert done.out == f"{tmp_path / 'a.mp4'}: 2 frames\n"
    quiet = cli("video", stock / source, "-o", tmp_path / "b.mp4", "--end", "2f", "-q", *QUICK)
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a", "a.webp"])
def test_encoding_tells_how_far_it_is(cli: Cli, shelf: Path, tmp_path: Path, name: str) -> None:
    done = cli("video", shelf / "shots", "-o", tmp_path / name, *QUICK)
    told = [
        line.split(" frames")[0] for line in done.err.splitlines() if line.startswith("encoding")
    ]
    assert told == ["encoding: 1/8", "encoding: 8/8"]


@pytest.mark.parametrize(("repeat", "stored"), [(None, 0), ("0", 0), ("3", 3), ("-1", None)])
def test_how_often_a_gif_is_shown(
    cli: Cli, shelf: Path, tmp_path: Path, repeat: str | None, stored: int | None
) -> None:
    out = tmp_path / "a.gif"
    wish = ["--repeat", repeat] if repeat else []
    assert cli("video", shelf / "shots", "-o", out, "--end", "2f", *wish, *QUICK).code == 0
    _, found, after = out.read_bytes().partition(b"NETSCAPE2.0\x03\x01")
    assert (int.from_bytes(after[:2], "little") if found else None) == stored


@pytest.mark.sample(1)
@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_an_animation_fits_and_says_its_size(
    cli: Cli, shelf: Path, tmp_path: Path, ending: str
) -> None:
    whole, small = tmp_path / f"whole.{ending}", tmp_path / f"small.{ending}"
    first = cli("video", shelf / "shots", "-o", whole, *QUICK)
    assert [note for note in first.notes if "kB, 64 x 48, 25 frames a second" in note]
    most = round(whole.stat().st_size * 0.4)
    wish = ["--max-size", f"{most / 1000:.3f}kB"]
    done = cli("video", shelf / "shots", "-o", small, *wish, *QUICK)
    assert done.code == 0, done.err
    assert most / 5 < small.stat().st_size <= most
    (told,) = [note for note in done.notes if " kB, " in note]
    with open_source(small) as source:
        frames = list(source)
    assert f"{source.size[0]} x {source.size[1]}" in told
    assert frames[-1].time + frames[-1].duration == Fraction(8, 25)


def test_a_gif_that_cannot_fit_is_one_line_and_its_frames_are_kept(
    cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.gif"
    done = cli("video", shelf / "shots", "-o", out, "--max-size", "2000", "-q", *QUICK)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "does not fit into 2000 bytes" in done.err
    assert {name.split("/")[0] for name in contents(tmp_path)} == {"a.gif.dreamjob"}
    # What was dreamt serves for another size.
    again = cli("video", shelf / "shots", "-o", out, "--max-size", "1MB", *QUICK)
    assert again.code == 0 and "8 of 8 frames are done" in again.err
    assert set(contents(tmp_path)) == {"a.gif"}


@pytest.mark.parametrize("name", ["a.mov", "a.mkv", "a.webm"])
def test_a_film_remembers_how_it_was_dreamt(
    cli: Cli, shelf: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    assert cli("video", shelf / "clip.mp4", "-o", out, "--seed", "41", *QUICK).code == 0
    assert load_recorded_look(out).dream.seed == 41


def _numbered(folder: Path, numbers: Sequence[int], size: tuple[int, int] = (48, 64)) -> Path:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        store_frame(folder / f"{number}.png", np.full((*size, 3), number % 200, np.uint8))
    return folder


@pytest.mark.parametrize("name", ["{}", "{}/%d.png"])
def test_pictures_with_a_gap_or_of_mixed_sizes_are_refused_by_name(
    cli: Cli, tmp_path: Path, name: str
) -> None:
    gap = name.format(_numbered(tmp_path / "gap", (7, 8, 11)))
    mixed = name.format(_numbered(tmp_path / "mixed", (1, 2)))
    _numbered(tmp_path / "mixed", (3,), size=(40, 40))
    before = contents(tmp_path)
    for source, words in ((gap, "number 9 to 10 missing"), (mixed, "3.png: is 40 x 40")):
        for command in ("video", "info"):
            done = cli(command, source, *QUICK)
            assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
            assert words in done.err
    assert contents(tmp_path) == before


def test_numbers_beyond_four_digits_are_in_order(cli: Cli, tmp_path: Path) -> None:
    shots = _numbered(tmp_path / "shots", (9999, 10000, 9998, 10001))
    done = cli("video", shots / "%04d.png", "-o", tmp_path / "out", *QUICK)
    assert done.code == 0, done.err
    greys = [int(np.median(pixels)) for pixels in pixels_of(tmp_path / "out")]
    assert np.abs(np.subtract(greys, [198, 199, 0, 1])).max() < 30


def test_a_real_clip_in_ten_bits_with_its_sound(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "bunny.mp4"
    wish = ["--codec", "x265", "--depth", "10", "--start", "1", "--end", "1.2", "--size", "96"]
    done = cli("video", BUNNY, "-o", out, *wish, *QUICK)
    assert done.code == 0, done.err
    info = probe(out)
    assert (info.codec, info.depth, len(info.audio)) == ("hevc", 10, 1)
    assert len(pixels_of(out)) == round(Fraction(1, 5) * probe(BUNNY).rate)
