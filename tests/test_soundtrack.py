"""Sound from a file: in the film to the sample, looped, faded, clicked; what looks hear of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_clips import make, picture, tone
from music import RATE, clicks, drums, save
from numpy.typing import NDArray
from tiny import Cli
from zooms import Sleeper, plan, soft

from dreamvideo.cluster.staged_files import plan_staging
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.media import ffmpeg
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.probe import probe
from dreamvideo.media.soundtrack import Soundtrack, open_sound_file, render_soundtrack
from dreamvideo.media.stills import store_frame
from dreamvideo.media.write import StoredFrame, encode
from dreamvideo.render.job.manifest import find_differences, make_manifest
from dreamvideo.render.music import check_sound_files, listen, make_soundtrack
from dreamvideo.schedules import ScheduleError, TimePoint, parse_schedule
from dreamvideo.settings import ZoomSettings, make_look, make_output

Samples = NDArray[np.float32]


def song(track: Soundtrack, seconds: float, lead: float = 0.0) -> Samples:
    """All samples of a soundtrack, n x 2."""
    length, silence = Fraction(seconds).limit_denominator(1000), Fraction(lead)
    return np.concatenate([*render_soundtrack(track, length, silence)])


def sine(path: Path, seconds: float, hertz: float = 441) -> Path:
    times = np.arange(round(seconds * RATE)) / RATE
    return save(path, (0.5 * np.sin(2 * np.pi * hertz * times)).astype(np.float32))


def written(to: Path, count: int, rate: Fraction, options: EncodeOptions) -> list[str]:
    """A film of plain frames without a source."""
    frames = []
    for n in range(count):
        store_frame(to.parent / f"{n}.png", np.full((48, 64, 3), 8 * n, np.uint8))
        frames.append(StoredFrame(to.parent / f"{n}.png", n / rate))
    return encode(frames, to, duration_of_last=1 / rate, rate=rate, source=None, options=options)


def heard(path: Path) -> Samples:
    asked = ["-map", "0:a:0", "-ac", "1", "-ar", "48000", "-f", "f32le", "pipe:1"]
    return np.frombuffer(ffmpeg.run([*ffmpeg.input_file(path), *asked], subject="")[1], "<f4")


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.56])
def test_it_is_as_long_as_the_film_and_ends_in_silence(tmp_path: Path, seconds: float) -> None:
    made = song(Soundtrack(sine(tmp_path / "a.wav", 1)), seconds, lead=0.25)
    assert made.shape == (round((seconds + 0.25) * 48_000), 2)
    assert not made[:12_000].any()
    assert np.abs(made[-48:]).max() < 0.02
    assert not made[-1].any()
    # Before the fade, which takes a quarter of a short film, it is as loud as it was.
    before = made[12_000 : 12_000 + round(seconds * 36_000)]
    assert np.abs(before).max() == pytest.approx(0.5, abs=0.02)


def test_a_loop_has_no_gap(tmp_path: Path) -> None:
    # A whole number of waves: any gap or overlap would break the wave.
    path = sine(tmp_path / "a.wav", 0.5, 440)
    made = song(Soundtrack(path, fade=0.0), 1.75)
    times = np.arange(len(made)) / 48_000
    wave = 0.5 * np.sin(2 * np.pi * 440 * times)
    # Its resampling leaves a little at the edges of the file.
    assert np.abs(made[:, 0] - wave).max() < 0.06
    later = song(Soundtrack(path, start=0.25, fade=0.0), 1.0)
    np.testing.assert_array_equal(later, made[12_000 : 12_000 + 48_000])


@pytest.mark.parametrize(("ending", "codec"), [("mp4", "aac"), ("webm", "opus"), ("mov", "aac")])
def test_the_film_has_it_to_a_frame(tmp_path: Path, ending: str, codec: str) -> None:
    rate = Fraction(30_000, 1001)
    track = Soundtrack(save(tmp_path / "a.wav", drums(120, 0.1, 0.5)))
    film = tmp_path / f"film.{ending}"
    assert written(film, 30, rate, EncodeOptions(soundtrack=track)) == []
    info = probe(film)
    assert [each.codec for each in info.audio] == [codec]
    assert (info.rate, info.frames) == (rate, 30) or ending == "webm"
    sound = heard(film)
    assert len(sound) / 48_000 == pytest.approx(float(30 / rate), abs=float(1 / rate))
    assert np.abs(sound).max() > 0.2
    assert np.abs(sound[-480:]).max() < 0.02
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix not in (".png", ".wav")) == [
        film.name
    ]


def test_it_takes_the_place_of_the_clip_s_own_sound(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4", *picture(1), *tone(1, 3000))
    track = Soundtrack(sine(tmp_path / "a.wav", 1, 300), fade=0.0)
    film = tmp_path / "film.mp4"
    store_frame(tmp_path / "0.png", np.zeros((48, 64, 3), np.uint8))
    frames = [StoredFrame(tmp_path / "0.png", Fraction(n, 25)) for n in range(25)]
    encode(
        frames,
        film,
        duration_of_last=Fraction(1, 25),
        rate=Fraction(25),
        source=clip,
        options=EncodeOptions(soundtrack=track),
    )
    assert len(probe(film).audio) == 1
    sound = heard(film)[4800:38_400]
    strongest = np.abs(np.fft.rfft(sound)).argmax() * 48_000 / len(sound)
    assert strongest == pytest.approx(300, abs=3)


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_an_animation_has_none_and_says_so(tmp_path: Path, ending: str) -> None:
    track = Soundtrack(sine(tmp_path / "a.wav", 1))
    notes = written(tmp_path / f"a.{ending}", 3, Fraction(10), EncodeOptions(soundtrack=track))
    assert len([note for note in notes if "the sound is left out" in note]) == 1


def test_clicks_mark_the_beats(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", clicks(120, 0.25, 6))
    made = song(Soundtrack(path, start=0.25, fade=0.0, click=True), 3)[:, 0]
    plain = song(Soundtrack(path, start=0.25, fade=0.0), 3)[:, 0]
    added = np.abs(made - plain * np.float32(0.6)) > 0.02
    begins = [n / 48_000 for n in np.flatnonzero(added) if not added[max(0, n - 4800) : n].any()]
    assert begins[:6] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5], abs=0.02)
    # Without music they keep to the tempo that is set.
    alone = song(Soundtrack(click=True, bpm=60, fade=0.0), 2)[:, 0]
    assert np.abs(alone[:960]).max() > 0.2 and np.abs(alone[48_000:48_960]).max() > 0.2
    assert not alone[2000:47_000].any()


def test_a_loop_of_a_film_does_not_fade_unless_it_is_asked_to() -> None:
    wanted = make_output(sound="song.wav")
    assert make_soundtrack(wanted) == Soundtrack(Path("song.wav"))
    assert make_soundtrack(wanted, loops=True) == Soundtrack(Path("song.wav"), fade=0.0)
    faded = make_soundtrack(make_output(sound="song.wav", sound_fade=1), loops=True)
    assert faded == Soundtrack(Path("song.wav"), fade=1.0)
    assert make_soundtrack(make_output(sound="song.wav", no_audio=True)) is None
    assert make_soundtrack(make_output()) is None


def test_a_look_follows_the_file_and_its_stems(tmp_path: Path) -> None:
    wanted = make_output(
        sound=save(tmp_path / "song.wav", drums(120, 0.25, 8)),
        stem=(f"bass={sine(tmp_path / 'bass.wav', 1, 80)}",),
        sound_start=0.25,
    )
    levels = "audio:loud + audio:bass.low + 0 * (audio:low~0.1 + audio:bass.low~0.1)"
    look = make_look([], {"dream": {"strength": f"{levels} + beat + bar + bpm"}})
    check_sound_files(look, wanted, None)
    track = listen(look, wanted)
    assert track is not None and track.period == 8
    at = track.at(1.0)
    assert at["bpm"] == pytest.approx(120, rel=0.01)
    # The film begins on the first beat of a bar.
    assert at["beat"] == pytest.approx(2, abs=0.05) and at["bar"] == pytest.approx(0.5, abs=0.02)
    assert track.at(8 + 1.0)["beat"] == pytest.approx(2 + 16, abs=0.05)
    assert track.at(8 + 1.0)["loud"] == pytest.approx(at["loud"], abs=1e-5)
    assert at["loud"] > 0.3
    # The stem ends after a second, a quarter of which is before the film.
    assert track.at(0.5)["bass.low"] > 0.9 and track.at(1.5)["bass.low"] == 0


def test_without_a_file_stems_and_beats_keep_to_the_clip_s_time(tmp_path: Path) -> None:
    beaten = save(tmp_path / "a.wav", drums(120, 0.5, 6))
    inputs = ["-f", "lavfi", "-i", "testsrc=r=25:s=64x48:d=6", "-i", str(beaten)]
    clip = probe(make(tmp_path / "a.mkv", *inputs, "-c:a", "pcm_s16le"))
    look = make_look([], {"dream": {"strength": "beat + audio:d.onset"}})
    wanted = make_output(stem=(f"d={save(tmp_path / 'd.wav', clicks(60, 2.5, 6))}",))
    track = listen(look, wanted, clip, Fraction(2), Fraction(4))
    assert track is not None
    assert track.at(2.5)["beat"] == pytest.approx(4, abs=0.05)
    assert track.at(2.52)["d.onset"] > 0.7
    assert track.at(2.4)["d.onset"] < 0.3


def test_a_zoom_follows_it(tmp_path: Path) -> None:
    look = make_look([], {"dream": {"step_size": "0.01 + 0.01 * (beat % 1)"}})
    track = listen(look, make_output(bpm=120))
    dreamer = Sleeper()
    made = plan(soft(), dreamer, ZoomSettings(seconds=1), Fraction(8), look=look, sound=track)
    sizes = [look.at(made.moment(n)).dream.step_size for n in range(5)]
    assert sizes == pytest.approx([0.01, 0.0125, 0.015, 0.0175, 0.01])


def test_clocks_are_terms_of_formulas() -> None:
    schedule = parse_schedule("0:1 - beat % 1, 2s:bar * bpm")
    assert schedule.sounds == {"beat", "bar", "bpm"}
    # Without any music they run at 120 from the film's start.
    assert parse_schedule("beat + 10 * bar + bpm").at(TimePoint(1.0)) == (127,)
    assert parse_schedule("audio:drums.low~0.3").sounds == {"drums.low~0.3"}
    for text in ("audio:drums", "audio:low.high", "audio:drums.beat", "beats", "audio:a.b.low"):
        with pytest.raises(ScheduleError):
            parse_schedule(text)


def refused(path: Path, why: str, **given: object) -> None:
    look = make_look([], {"dream": {"strength": given.pop("strength", 1)}})
    with pytest.raises(DreamVideoError, match=why) as found:
        check_sound_files(look, make_output(sound=path, **given), None)
    assert "\n" not in str(found.value)


def test_what_cannot_be_heard_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    mute = make(tmp_path / "mute.mp4", *picture(0.2))
    good = sine(tmp_path / "good.wav", 1)
    refused(tmp_path / "none.wav", r"none.wav: there is no such sound file")
    refused(tmp_path, "not a sound file")
    refused(tmp_path / "text.wav", "text.wav: not a sound file that can be read")
    refused(mute, "mute.mp4: has no sound")
    refused(save(tmp_path / "empty.wav", np.zeros(0, np.float32)), "empty.wav: .*(empty|no sound)")
    refused(good, r"--sound-start 3: .*good.wav lasts only 1", sound_start=3)
    refused(good, "good.wav: no beat can be found in it; set its tempo with --bpm", click=True)
    refused(
        good, "audio:drums.low: name the file with --stem drums=FILE", strength="audio:drums.low"
    )
    refused(good, "none.wav: there is no such", stem=(f"a={tmp_path / 'none.wav'}",))
    with pytest.raises(UsageError, match="set the tempo with --bpm"):
        check_sound_files(make_look([], {"dream": {"strength": "beat"}}), make_output(), None)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"stem": ("drums",)}, "NAME=FILE"),
        ({"stem": ("low=a.wav",)}, "another name"),
        ({"bpm": 5}, "--bpm"),
        ({"sound_start": -1}, "--sound-start"),
    ],
)
def test_wrong_settings_are_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        make_output(**given)


def test_a_job_knows_the_music_that_its_frames_follow(tmp_path: Path) -> None:
    path = sine(tmp_path / "a.wav", 0.2)
    follows = make_look([], {"dream": {"strength": "audio:s.low + beat"}})

    def asked(look: object = follows, **more: object) -> object:
        wanted = make_output(sound=path, stem=(f"s={path}",), **more)
        request = {"clip": str(path)}
        return make_manifest("video", look, wanted, request, {})  # type: ignore[arg-type]

    before, plain = asked(), asked(make_look())
    assert find_differences(before, asked(bpm=100)) == ["--bpm was not set and is 100.0"]  # type: ignore[arg-type]
    staged = plan_staging(before, shared=False)  # type: ignore[arg-type]
    assert [name.name for name in staged.sources] == ["a.wav"]
    assert Path(staged.manifest.wanted["sound"]) in staged.sources
    sine(path, 0.3)
    assert find_differences(before, asked()) == [  # type: ignore[arg-type]
        "the sound has changed since",
        "the stem s has changed since",
    ]
    # Where only the encoder reads it, another one may be put under finished frames.
    assert find_differences(plain, asked(make_look())) == []  # type: ignore[arg-type]


def test_a_sound_file_is_measured_by_its_samples(tmp_path: Path) -> None:
    assert open_sound_file(sine(tmp_path / "a.wav", 0.5)).length == Fraction(1, 2)


def test_commands_take_it(cli: Cli, tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4", *picture(0.4), *tone(0.4))
    path = save(tmp_path / "song.wav", drums(120, 0.1, 6))
    small = ["--size", "64", "--steps", 1, "--octaves", 1]
    film = tmp_path / "film.mp4"
    follow = ["--strength", "0.2 + audio:low * (1 - beat % 1)"]
    ended = cli("video", clip, "-o", film, "--sound", path, *follow, *small)
    assert ended.code == 0, ended.err
    assert "song.wav: 120.0 beats a minute" in ended.err
    assert len(heard(film)) / 48_000 == pytest.approx(0.4, abs=0.04)
    assert np.abs(heard(film)).max() > 0.05
    zoom = tmp_path / "zoom.mp4"
    lines = ["zoom", "--from-noise", "-o", zoom, "--sound", path, "--click", *follow]
    ended = cli(*lines, "--size", "64x48", "--seconds", 0.4, "--fps", 10, *small[2:])
    assert ended.code == 0, ended.err
    assert len(heard(zoom)) / 48_000 == pytest.approx(0.4, abs=0.1)
    ended = cli("zoom", "--from-noise", "-o", tmp_path / "b.mp4", "--sound", tmp_path / "none.wav")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
