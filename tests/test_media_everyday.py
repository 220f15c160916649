"""What cameras, phones, recorders and editors write: each kind, and what is right for it."""

from __future__ import annotations

import struct
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_clips import film, make, picture, times_of, tone

from dreamvideo.errors import UsageError
from dreamvideo.media import ffmpeg
from dreamvideo.media.audio import choose_tracks
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.languages import same_language, three_letters
from dreamvideo.media.probe import is_film, probe
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import load_deep, store_frame
from dreamvideo.media.timeline import Timeline
from dreamvideo.media.write import StoredFrame, encode

TICK = Fraction(1, 25)


def unchanged(
    source: Path,
    to: Path,
    *,
    start: Fraction = Fraction(0),
    end: Fraction | None = None,
    audio_track: str | None = None,
    no_audio: bool = False,
) -> list[str]:
    """The source rendered as it is; what was said of it."""
    folder = to.parent / f"{to.name}.frames"
    folder.mkdir()
    frames = []
    with open_source(source, ReadOptions(start=start, end=end)) as opened:
        for frame in opened:
            store_frame(folder / f"{frame.index}.png", frame.pixels)
            frames.append(StoredFrame(folder / f"{frame.index}.png", frame.time))
        last = frame.duration
    return [
        *opened.notes,
        *encode(
            frames,
            to,
            duration_of_last=last,
            source=source,
            source_start=start,
            source_end=end,
            rate=opened.info.rate,
            options=EncodeOptions(audio_track=audio_track, no_audio=no_audio),
        ),
    ]


def seconds_of_sound(path: Path, track: int = 0) -> float:
    """How much sound comes out of a film."""
    asked = ["-map", f"0:a:{track}", "-ac", "1", "-ar", "8000", "-f", "s16le", "pipe:1"]
    return len(ffmpeg.run([*ffmpeg.input_file(path), *asked], subject="")[1]) / 16_000


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_a_time_code_track_hides_no_picture(tmp_path: Path, ending: str) -> None:
    clip = make(tmp_path / f"a{ending}", *picture(1), *tone(1), "-timecode", "10:00:00:00")
    with av.open(str(clip)) as container:
        assert any(stream.type == "data" for stream in container.streams)
    info = probe(clip)
    assert (info.width, info.height, len(info.audio)) == (64, 48, 1)
    assert len(times_of(clip)) == 25


def test_what_is_made_of_a_time_code_can_be_read_back(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mkv", *picture(1), "-metadata", "timecode=10:00:00:00")
    unchanged(clip, tmp_path / "b.mp4")
    assert len(times_of(tmp_path / "b.mp4")) == 25
    unchanged(clip, tmp_path / "c.mp4", start=Fraction(1, 2))
    with av.open(str(tmp_path / "c.mp4")) as container:
        # The time code of the first frame is not that of a later one.
        assert not any("timecode" in stream.metadata for stream in container.streams)


@pytest.mark.parametrize("language", ["en-US", "eng,fra", "zh-Hant-TW"])
def test_no_language_loses_a_track(tmp_path: Path, language: str) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:00,100 --> 00:00:00,600\nwords\n")
    srt = ["-i", str(tmp_path / "a.srt")]
    maps = ["-map", "0", "-map", "1", "-map", "2", "-map", "3", "-map", "3"]
    named = [f"-metadata:s:{n}" for n in range(5)]
    tags = [w for n, name in enumerate(named) for w in (name, f"language={language}") if n % 2 == 0]
    clip = make(
        tmp_path / "a.mkv", *picture(1), *tone(1), *tone(1, 880), *srt, *maps, "-c:a", "aac", *tags
    )
    info = probe(clip)
    assert (info.language, len(info.audio), info.subtitles) == (language, 2, 2)
    unchanged(clip, tmp_path / "b.mkv")
    unchanged(clip, tmp_path / "b.mp4")
    kept, short = probe(tmp_path / "b.mkv"), probe(tmp_path / "b.mp4")
    assert [len(kept.audio), kept.subtitles, len(short.audio), short.subtitles] == [2, 2, 2, 2]
    assert kept.audio[1].language == language
    assert short.audio[1].language == {"zh": "zho"}.get(language[:2], "eng")


def test_languages_are_known_by_all_their_names() -> None:
    assert [three_letters(code) for code in ("en-US", "ger", "pt_BR", "eng,fra", "x-klingon")] == [
        *("eng", "deu", "por", "eng"),
        None,
    ]
    assert (
        same_language("en-US", "en") and same_language("ger", "de") and same_language("eng", "en")
    )
    assert not same_language("en-US", "en-GB") and not same_language("deu", "eng")


def test_a_sound_track_is_chosen_by_number_or_language(tmp_path: Path) -> None:
    tags = ["-metadata:s:a:0", "language=en-US", "-metadata:s:a:1", "language=deu"]
    maps = ["-map", "0", "-map", "1", "-map", "2"]
    clip = make(tmp_path / "a.mkv", *picture(1), *tone(1), *tone(1), *maps, "-c:a", "aac", *tags)
    info = probe(clip)
    for track, language in {"1": "en-US", "2": "deu", "de": "deu", "eng": "en-US"}.items():
        assert [t.language for t in choose_tracks(info, track)] == [language]
    for wrong in ("0", "3", "fr"):
        with pytest.raises(UsageError, match=r"1 \(en-US\), 2 \(deu\)"):
            choose_tracks(info, wrong)
    unchanged(clip, tmp_path / "b.mp4", audio_track="ger")
    assert [t.language for t in probe(tmp_path / "b.mp4").audio] == ["deu"]
    unchanged(clip, tmp_path / "c.mp4", no_audio=True)
    assert probe(tmp_path / "c.mp4").audio == ()


def programmes(path: Path, *arguments: str, programs: list[str]) -> Path:
    """A transport stream of several programmes."""
    chosen = [word for program in programs for word in ("-program", program)]
    return make(path, *arguments, *chosen, "-c:v", "mpeg2video", "-c:a", "aac")


def test_streams_shared_by_programmes_are_there_once(tmp_path: Path) -> None:
    both = ["title=a:program_num=1:st=0:st=1", "title=b:program_num=2:st=0:st=1"]
    clip = programmes(tmp_path / "a.ts", *picture(1), *tone(1), programs=both)
    info = probe(clip)
    assert len(info.audio) == 1 and len(times_of(clip)) == 25
    unchanged(clip, tmp_path / "b.mp4")
    assert len(probe(tmp_path / "b.mp4").audio) == 1


def test_a_programme_without_packets_is_passed_over(tmp_path: Path) -> None:
    both = ["title=a:program_num=1:st=0:st=1", "title=b:program_num=2:st=2:st=3"]
    four = [*picture(0.4), *tone(0.4), *picture(0.4), *tone(0.4)]
    maps = ["-map", "0", "-map", "1", "-map", "2", "-map", "3"]
    clip = programmes(tmp_path / "a.ts", *four, *maps, programs=both)
    data = clip.read_bytes()
    kept = [data[at : at + 188] for at in range(0, len(data), 188)]
    # The first programme's picture and sound are announced, and never come.
    kept = [p for p in kept if int.from_bytes(p[1:3], "big") & 0x1FFF not in (0x100, 0x101)]
    clip.write_bytes(b"".join(kept))
    info = probe(clip)
    assert (info.stream_index, len(info.audio)) == (2, 1)
    assert len(times_of(clip)) == 10


def test_a_thumbnail_before_the_film_is_no_film(tmp_path: Path) -> None:
    make(tmp_path / "t.jpg", *picture(0.04, size="32x24"), "-frames:v", "1", "-update", "1")
    make(tmp_path / "f.mkv", *picture(1), *tone(1))
    both = ["-i", str(tmp_path / "t.jpg"), "-i", str(tmp_path / "f.mkv"), "-map", "0", "-map", "1"]
    clip = make(tmp_path / "a.mkv", *both, "-c", "copy", "-disposition:v:0", "default")
    info = probe(clip)
    assert (info.width, info.height, info.codec) == (64, 48, "h264")
    assert len(times_of(clip)) == 25
    covered = make(tmp_path / "c.mp4", *both, "-c", "copy", "-disposition:v:0", "attached_pic")
    assert (probe(covered).width, len(times_of(covered))) == (64, 25)


def test_an_animated_avif_is_its_film_and_a_still_one_is_none(tmp_path: Path) -> None:
    coder = ["-c:v", "libsvtav1", "-preset", "12"]
    clip = make(tmp_path / "a.avif", *picture(0.2, size="96x64"), *coder)
    assert len(times_of(clip)) == 5
    still = ["-frames:v", "1", "-still-picture", "1"]
    photo = make(tmp_path / "s.avif", *picture(0.04), "-c:v", "libaom-av1", *still)
    assert not is_film(photo)


def browser_recording(path: Path, made: Path) -> Path:
    """The same packets without any word of a rate or of durations, as browsers record them."""
    with av.open(str(made)) as source, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream, packet.duration = stream, 0
                copy.mux(packet)
    return path


def test_a_rate_is_measured_where_a_container_claims_its_clock(tmp_path: Path) -> None:
    vfr = ["-c:v", "libvpx", "-fps_mode", "vfr", "-enc_time_base", "1:1000"]
    made = make(tmp_path / "m.webm", *picture(1, "30"), *vfr)
    info = probe(browser_recording(tmp_path / "a.webm", made))
    assert (info.rate, info.frames, info.variable_rate) == (Fraction(30), 30, False)
    times = times_of(tmp_path / "a.webm")
    assert times == [Fraction(n, 30) for n in range(30)]


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("a.avi", "300003/10000"),
        ("a.avi", "1000000/33333"),
        ("a.mkv", "24000/1001"),
        ("a.flv", "30000/1001"),
        ("a.ts", "24000/1001"),
    ],
)
def test_twelve_frames_are_twelve_frames(tmp_path: Path, name: str, rate: str) -> None:
    clip = make(tmp_path / name, *picture(1, rate))
    info = probe(clip)
    for count in (1, 7, 12):
        with open_source(clip, ReadOptions(end=count / info.rate)) as source:
            assert sum(1 for _ in source) == count
        with open_source(clip, ReadOptions(start=count / info.rate)) as source:
            assert next(iter(source)).time == count / info.rate


def test_the_last_frame_of_a_varying_rate_keeps_its_duration(tmp_path: Path) -> None:
    times = [n * TICK for n in range(20)] + [Fraction(4, 5) + n * 3 * TICK for n in range(10)]
    for name in ("a.mp4", "a.mkv"):
        encode(
            film(tmp_path / f"{name}.f", times),
            tmp_path / name,
            duration_of_last=Fraction(3, 2),
            source=None,
            rate=None,
        )
        with open_source(tmp_path / name) as source:
            frames = list(source)
        assert source.missing == 0 and not [note for note in source.notes if "damaged" in note]
        assert len(frames) == 30
        assert abs(frames[-1].duration - Fraction(3, 2)) <= Fraction(1, 1000)
        unchanged(tmp_path / name, tmp_path / f"again-{name}")
        end = times[-1] + Fraction(3, 2)
        assert abs(probe(tmp_path / f"again-{name}").duration - end) <= Fraction(1, 500)


def parts(folder: Path, ending: str, offsets: list[float]) -> list[bytes]:
    """Recordings of a second, with sound, whose clocks begin at these times."""
    codecs = ["-c:v", "mpeg2video", "-c:a", "mp2"]
    return [
        make(
            folder / f"{n}{ending}",
            *picture(1),
            *tone(1),
            *codecs,
            "-output_ts_offset",
            str(offset),
        ).read_bytes()
        for n, offset in enumerate(offsets)
    ]


@pytest.mark.sample(2)
@pytest.mark.parametrize("ending", [".ts", ".mpg", ".vob"])
@pytest.mark.parametrize("offsets", [[0, 0], [0, 3600], [3600, 0, 7200], [95443, 95444.2]])
def test_recordings_one_behind_the_other_are_whole(
    tmp_path: Path, ending: str, offsets: list[float]
) -> None:
    clip = tmp_path / f"joined{ending}"
    clip.write_bytes(b"".join(parts(tmp_path, ending, offsets)))
    count = len(offsets)
    info = probe(clip)
    assert info.frames == 25 * count and abs(float(info.duration) - count) < 0.3
    with open_source(clip) as source:
        frames = list(source)
    assert len(frames) == 25 * count and source.missing == 0
    assert abs(float(frames[-1].time + frames[-1].duration) - count) < 0.3
    assert all(f.duration > 0 for f in frames)
    unchanged(clip, tmp_path / "out.mp4")
    assert len(times_of(tmp_path / "out.mp4")) == 25 * count
    assert abs(seconds_of_sound(tmp_path / "out.mp4") - count) < 0.3


def test_a_clock_that_runs_over_is_one_recording(tmp_path: Path) -> None:
    late = ["-output_ts_offset", str(2**33 / 90_000 - 1)]
    clip = make(tmp_path / "a.ts", *picture(3), *tone(3), "-c:v", "mpeg2video", *late)
    assert times_of(clip) == [n * TICK for n in range(75)]


def test_a_timeline_runs_on() -> None:
    line = Timeline(Fraction(5), TICK, leaps=True)
    stamps = [Fraction(n) + extra for n in (5, 1, 4000) for extra in (0, TICK)]
    assert [line.place(stamp) / TICK for stamp in stamps] == [0, 1, 2, 3, 4, 5]
    assert line.is_broken
    calm = Timeline(Fraction(0), TICK, leaps=False)
    assert [calm.place(Fraction(s)) for s in (0, 4000)] == [0, 4000] and not calm.is_broken


@pytest.mark.parametrize("rate", ["30", "24000/1001", "7"])
def test_times_of_an_animated_png_are_exact(tmp_path: Path, rate: str) -> None:
    clip = make(tmp_path / "a.apng", *picture(1, rate), "-plays", "0")
    with open_source(clip) as source:
        frames = list(source)
    assert [f.time for f in frames] == [n / Fraction(rate) for n in range(len(frames))]
    assert {f.duration for f in frames} == {1 / Fraction(rate)}
    assert (source.info.rate, source.info.frames) == (Fraction(rate), len(frames))


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_chapters_and_subtitles_end_with_the_film(tmp_path: Path, ending: str) -> None:
    srt = "1\n00:00:00,200 --> 00:00:02,500\nlong\n\n2\n00:00:01,500 --> 00:00:02,000\ngone\n"
    (tmp_path / "a.srt").write_text(srt)
    marks = "".join(
        f"[CHAPTER]\nTIMEBASE=1/1\nSTART={n}\nEND={n + 1}\ntitle=c=;{n}\n" for n in range(3)
    )
    (tmp_path / "a.txt").write_text(f";FFMETADATA1\n{marks}")
    extra = ["-i", str(tmp_path / "a.srt"), "-i", str(tmp_path / "a.txt"), "-map_metadata", "2"]
    kind = ["-c:s", "mov_text"] if ending == ".mp4" else []
    clip = make(tmp_path / f"a{ending}", *picture(3), *extra, *kind)
    unchanged(clip, tmp_path / f"b{ending}", end=Fraction(5, 4))
    info = probe(tmp_path / f"b{ending}")
    ends = [(float(c.start), float(c.end), c.tags["title"]) for c in info.chapter_list]
    assert ends == [(0, 1, "c=;0"), (1, 1.25, "c=;1")]
    assert abs(float(info.duration) - 1.25) < 0.05
    with av.open(str(tmp_path / f"b{ending}")) as container:
        texts = [p for p in container.demux(subtitles=0) if p.size > 2 and p.duration]
        spans = [
            (float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base))
            for p in texts
            if p.pts is not None
        ]
    assert [pytest.approx(span, abs=0.01) for span in spans] == [(0.2, 1.25)]


def test_sound_that_cannot_be_decoded_takes_no_other_along(tmp_path: Path) -> None:
    maps = ["-map", "0", "-map", "1", "-map", "2"]
    clip = make(tmp_path / "a.mov", *picture(1), *tone(1), *tone(1), *maps, "-c:a", "aac")
    data = bytearray(clip.read_bytes())
    # The second track's kind, as iPhones write it.
    at = data.rindex(b"stsd") + 16
    assert data[at : at + 4] == b"mp4a"
    data[at : at + 4] = b"apac"
    esds = data.index(b"esds", at)
    data[esds : esds + 4] = b"free"
    clip.write_bytes(data)
    assert [t.codec for t in probe(clip).audio] == ["aac", "apple_apac"]
    for ending in (".mp4", ".mkv", ".webm"):
        notes = unchanged(clip, tmp_path / f"out{ending}")
        assert len(probe(tmp_path / f"out{ending}").audio) == 1
        assert any("sound track 2 is left out: its apple_apac" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "coder", "muxer"),
    [("a.m2ts", "pcm_bluray", ["-mpegts_m2ts_mode", "1"]), ("a.vob", "pcm_dvd", ["-f", "dvd"])],
)
def test_uncompressed_sound_of_discs_is_kept(
    tmp_path: Path, name: str, coder: str, muxer: list[str]
) -> None:
    sound = ["-c:a", coder, "-ar", "48000", "-ac", "2"]
    clip = make(tmp_path / name, *picture(1), *tone(1), "-c:v", "mpeg2video", *sound, *muxer)
    assert [t.codec for t in probe(clip).audio] == [coder]
    notes = unchanged(clip, tmp_path / "b.mkv")
    assert [t.codec for t in probe(tmp_path / "b.mkv").audio] == ["pcm_s16le"]
    assert f"sound converted from {coder} to pcm_s16le" in notes
    assert abs(seconds_of_sound(tmp_path / "b.mkv") - 1) < 0.05


@pytest.mark.parametrize(("channels", "layout"), [(4, "quad"), (16, "7.1")])
def test_many_channels_go_into_mp4(tmp_path: Path, channels: int, layout: str) -> None:
    spread = "|".join(f"{0.1 * (n + 1) / channels}*sin({300 + 40 * n}*t)" for n in range(channels))
    sound = ["-f", "lavfi", "-i", f"aevalsrc={spread}:d=1:s=48000", "-c:a", "pcm_s16le"]
    clip = make(tmp_path / "a.mov", *picture(1), *sound)
    notes = unchanged(clip, tmp_path / "b.mp4")
    assert any(note.startswith("sound converted from pcm_s16le to aac") for note in notes)
    assert [t.codec for t in probe(tmp_path / "b.mp4").audio] == ["aac"]
    if channels > 8:
        assert probe(tmp_path / "b.mp4").audio[0].channels == layout
        assert any("mixed to" in note for note in notes)


def test_channels_without_names_go_into_mp4(tmp_path: Path) -> None:
    sound = ["-f", "lavfi", "-i", "aevalsrc=0.2*sin(300*t)|0.2*sin(500*t)|0|0:d=1:s=48000"]
    layout = ["-filter:a", "channelmap=map=0|1|2|3:channel_layout=4.0", "-c:a", "pcm_s16le"]
    clip = make(tmp_path / "a.mov", *picture(1), *sound, *layout)
    data = bytearray(clip.read_bytes())
    # A layout whose channels are all described, as unused ones.
    entries = struct.pack(">III", 0, 0, 4) + struct.pack(">II12x", 0, 0) * 4
    box = struct.pack(">I4sI", 12 + len(entries), b"chan", 0) + entries
    at = data.index(b"chan", data.index(b"stsd")) - 4
    grown = len(box) - int.from_bytes(data[at : at + 4], "big")
    data[at : at + int.from_bytes(data[at : at + 4], "big")] = box
    place = data.rindex(b"trak")
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", None):
        # The entry of the sample table follows its head.
        start = data.rindex(name) if name else data.rindex(b"stsd") + 16
        size = int.from_bytes(data[start - 4 : start], "big") + grown
        data[start - 4 : start] = size.to_bytes(4, "big")
    assert place < at
    clip.write_bytes(data)
    assert "4 channels" in probe(clip).audio[0].channels
    notes = unchanged(clip, tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").audio[0].channels == "quad"
    assert any("its 4 unnamed channels taken as quad" in note for note in notes)


@pytest.mark.parametrize("size", ["161x121", "160x121", "161x120"])
@pytest.mark.parametrize("transfer", ["arib-std-b67", "smpte2084"])
def test_hdr_of_an_odd_size_is_converted(tmp_path: Path, size: str, transfer: str) -> None:
    tags = f"color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    flat = ["-f", "lavfi", "-i", f"color=gray:size={size}:rate=10:duration=0.3"]
    chain = f"setparams={tags},format=yuv420p10le,setparams={tags}"
    clip = make(tmp_path / "a.mkv", *flat, "-vf", chain, "-c:v", "ffv1")
    even = make(
        tmp_path / "e.mkv",
        *[w.replace(size, "160x120") for w in flat],
        "-vf",
        chain,
        "-c:v",
        "ffv1",
    )
    with open_source(clip) as source, open_source(even) as other:
        frames, like = list(source), next(iter(other))
    assert len(frames) == 3 and f"{source.size[0]}x{source.size[1]}" == size
    assert abs(frames[1].pixels.mean() - like.pixels.mean()) < 1


def test_fields_after_whole_frames_are_deinterlaced(tmp_path: Path) -> None:
    moving = "geq=lum='16+219*mod(floor((X+3*N)/8),2)':cb=128:cr=128"
    bars = f"nullsrc=size=64x64:rate=25:duration=0.4,{moving}"
    coder = ["-c:v", "mpeg2video", "-q:v", "2", "-g", "5"]
    whole = make(tmp_path / "0.mpg", "-f", "lavfi", "-i", bars, *coder)
    woven = bars.replace("rate=25", "rate=50") + ",tinterlace=interleave_top"
    fields = ["-f", "lavfi", "-i", woven, *coder, "-flags", "+ildct+ilme", "-top", "1"]
    make(tmp_path / "1.mpg", *[w for w in fields if w not in ("-top", "1")])
    clip = tmp_path / "a.mpg"
    clip.write_bytes(whole.read_bytes() + (tmp_path / "1.mpg").read_bytes())
    assert not probe(clip).interlaced
    with open_source(clip) as source:
        rows = [np.abs(np.diff(f.pixels[..., 1].astype(int), axis=0)).mean() for f in source]
    assert len(rows) == 20
    assert any("deinterlaced" in note for note in source.notes)
    # Woven, neighbouring rows differ by half of the range; here no more than at the joint.
    assert np.mean(rows[:10]) < 5 and np.mean(rows[11:-1]) < 30


@pytest.mark.parametrize("ending", ["", ".gif", ".webp"])
def test_anamorphic_films_keep_their_shape_where_pixels_are_square(
    tmp_path: Path, ending: str
) -> None:
    clip = make(tmp_path / "a.mp4", *picture(0.2, size="90x72"), "-vf", "setsar=16/11")
    notes = unchanged(clip, tmp_path / f"out{ending}")
    if ending:
        info = probe(tmp_path / f"out{ending}")
        size = info.width, info.height
    else:
        pixels, _ = load_deep(tmp_path / "out" / "000001.png")
        size = pixels.shape[1], pixels.shape[0]
    assert size == (131, 72)
    assert any("not square: written as 131 x 72" in note for note in notes)


def test_a_colour_tag_that_cannot_be_true_is_passed_over(tmp_path: Path) -> None:
    tags = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    clip = make(tmp_path / "a.mpg", *picture(0.4, size="160x128"), "-c:v", "mpeg2video", *tags)
    data = bytearray(clip.read_bytes())
    at = data.find(b"\0\0\1\xb5")
    while at >= 0:
        # A sequence display extension with a description of colours: its matrix becomes RGB.
        if data[at + 4] >> 4 == 2 and data[at + 4] & 1:
            data[at + 7] = 0
        at = data.find(b"\0\0\1\xb5", at + 4)
    (tmp_path / "gbr.mpg").write_bytes(data)
    assert probe(tmp_path / "gbr.mpg").color.matrix == "gbr"
    with open_source(clip) as before, open_source(tmp_path / "gbr.mpg") as after:
        pairs = list(zip(before, after, strict=True))
    assert len(pairs) == 10
    # At this size, what is untagged is BT.601.
    assert np.mean([np.abs(a.pixels.astype(int) - b.pixels).mean() for a, b in pairs]) < 12


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.avi", "a.gif"])
def test_odd_sizes_lose_no_line(tmp_path: Path, name: str) -> None:
    odd = ["-f", "lavfi", "-i", "testsrc=size=65x49:rate=25:duration=0.2"]
    coder = {".mkv": ["-c:v", "ffv1"], ".webm": ["-c:v", "libvpx"], ".avi": ["-c:v", "ffv1"]}
    clip = make(tmp_path / name, *odd, *coder.get(Path(name).suffix, []))
    with open_source(clip) as source:
        assert {f.pixels.shape for f in source} == {(49, 65, 3)}
    assert any("padded" in note for note in unchanged(clip, tmp_path / "b.mp4"))
    assert (probe(tmp_path / "b.mp4").width, probe(tmp_path / "b.mp4").height) == (66, 50)
    unchanged(clip, tmp_path / "b.webm")
    assert (probe(tmp_path / "b.webm").width, probe(tmp_path / "b.webm").height) == (65, 49)


def test_dolby_vision_without_another_form_is_warned_of(tmp_path: Path) -> None:
    coder = ["-c:v", "libx265", "-x265-params", "log-level=none", "-tag:v", "hvc1"]
    clip = make(tmp_path / "a.mp4", *picture(0.2), *coder)
    for profile, compatible, warned in ((5, 0, True), (8, 1, False), (8, 4, False)):
        record = bytes([1, 0, profile << 1, (6 << 3) | 5, compatible << 4]) + bytes(19)
        data = bytearray(clip.read_bytes())
        box = struct.pack(">I4s", 32, b"dvcC" if profile < 8 else b"dvvC") + record
        _insert_into_sample_entry(data, box)
        changed = tmp_path / f"p{profile}-{compatible}.mp4"
        changed.write_bytes(data)
        with open_source(changed) as source:
            assert sum(1 for _ in source) == 5
        assert any("Dolby Vision profile 5" in note for note in source.notes) == warned


def _insert_into_sample_entry(data: bytearray, box: bytes) -> None:
    """Put a box at the end of the only video sample entry of an MP4 whose index comes last."""
    assert data.index(b"mdat") < data.index(b"moov")
    place = data.index(b"hvc1", data.index(b"stsd")) - 4
    end = place + int.from_bytes(data[place : place + 4], "big")
    data[end:end] = box
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1"):
        start = data.index(b"moov") if name == b"moov" else data.index(name, data.index(b"moov"))
        size = int.from_bytes(data[start - 4 : start], "big") + len(box)
        data[start - 4 : start] = size.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("turn", "rotation", "mirrored"),
    [
        (["-display_hflip"], 0, True),
        (["-display_vflip"], 180, True),
        (["-display_rotation", "90"], 270, False),
        (["-display_rotation", "90", "-display_hflip"], 270, True),
    ],
)
def test_what_is_mirrored_is_told_from_what_is_turned(
    tmp_path: Path, turn: list[str], rotation: int, mirrored: bool
) -> None:
    corner = "color=black:size=64x48:rate=25:duration=0.2,drawbox=0:0:16:16:white:fill"
    plain = make(tmp_path / "p.mp4", "-f", "lavfi", "-i", corner)
    clip = make(tmp_path / "a.mp4", *turn, "-i", str(plain), "-c", "copy")
    info = probe(clip)
    assert (info.rotation, info.mirrored) == (rotation, mirrored)
    with open_source(plain) as source:
        upright = np.rot90(next(iter(source)).pixels, -rotation // 90)
    expected = upright[:, ::-1] if mirrored else upright
    with open_source(clip) as source:
        shown = next(iter(source)).pixels
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 8
    assert any("mirrored" in note for note in source.notes) == mirrored


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.gif", "a.webp"])
@pytest.mark.parametrize("count", [1, 3])
def test_every_film_that_is_written_can_be_read_back(tmp_path: Path, name: str, count: int) -> None:
    # Equal pictures: an encoder may merge them.
    path = tmp_path / "f.png"
    store_frame(path, np.full((32, 48, 3), 90, np.uint8))
    frames = [StoredFrame(path, n * TICK) for n in range(count)]
    encode(frames, tmp_path / name, duration_of_last=TICK, source=None, rate=1 / TICK)
    info = probe(tmp_path / name)
    assert is_film(tmp_path / name) and (info.width, info.height) == (48, 32)
    with open_source(tmp_path / name) as source:
        read = list(source)
    assert len(read) == count or name == "a.webp"
    assert read[-1].time + read[-1].duration == count * TICK


def test_files_that_name_their_streams_are_read_safely(tmp_path: Path) -> None:
    """The banner once was searched for lines that a tag could hold too."""
    fake = "  Stream #0:0: Video: none\n  Duration: 99:00:00.00, start: 5.0"
    clip = make(tmp_path / "a.mkv", *picture(0.4), "-metadata", f"title={fake}")
    info = probe(clip)
    assert (info.codec, info.duration, len(times_of(clip))) == ("h264", Fraction(2, 5), 10)


def test_info_needs_no_more_than_half_a_second(tmp_path: Path) -> None:
    clips = [make(tmp_path / f"{n}.mp4", *picture(2), *tone(2)) for n in range(5)]
    probe(clips[0])

    def spent(clip: Path) -> float:
        began = time.perf_counter()
        probe(clip)
        return time.perf_counter() - began

    assert min(map(spent, clips[1:])) < 0.5
