"""What a look says of where, when and in which colours reaches the pixels of a film."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic import glide, scene
from tiny import frames_of

from dreamvideo.errors import UsageError
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.stills import write_still
from dreamvideo.paint.oklab import to_oklab
from dreamvideo.render.frames.pipeline import dream_clip
from dreamvideo.render.frames.planner import FilmSpan, freeze_look, make_planner
from dreamvideo.render.image import dream_still
from dreamvideo.render.job.manifest import list_look_files
from dreamvideo.settings import Look, make_look, make_machine

HEIGHT, WIDTH = 48, 64
QUICK = {"layers": "block3_expand", "steps": 4, "step_size": 0.06, "octaves": 1}
SPAN = FilmSpan((WIDTH, HEIGHT), Fraction(25), Fraction(0), 0.2)
Picture = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def film(count: int = 5) -> list[Picture]:
    return [to_float(to_bytes(f)) for f in scene(HEIGHT, WIDTH, glide(count, 1.5 + 0.5j)).frames]


def look_of(**groups: Mapping[str, Any]) -> Look:
    given = {name: dict(values) for name, values in groups.items()}
    given["dream"] = {**QUICK, **given.get("dream", {})}
    return make_look((), given)


def dreamt(look: Look, sources: list[Picture], sound: Any = None) -> list[Bytes]:
    planner = make_planner(look, SPAN, sound=sound)
    frames = dream_clip(frames_of(sources), planner.dreamers[0], look.coherence, direct=planner)
    return [frame.pixels for frame in frames]


def changes(look: Look, sources: list[Picture], sound: Any = None) -> list[float]:
    """The mean change of each frame, levels."""
    made = dreamt(look, sources, sound)
    return [
        float(np.abs(after.astype(float) - to_bytes(before)).mean())
        for after, before in zip(made, sources, strict=True)
    ]


def test_outside_the_mask_the_film_is_the_source_to_the_byte() -> None:
    sources = film()
    made = dreamt(look_of(mask={"mask": "left 0.5", "feather": 0.1}), sources)
    for after, before in zip(made, sources, strict=True):
        assert np.array_equal(after[:, WIDTH // 2 :], to_bytes(before)[:, WIDTH // 2 :])
        assert np.abs(after[:, :16].astype(float) - to_bytes(before)[:, :16]).mean() > 3


def test_a_white_mask_changes_nothing_and_a_black_one_leaves_the_film(tmp_path: Path) -> None:
    sources = film(3)
    plain = dreamt(look_of(), sources)
    for name, level in (("white", 255), ("black", 0)):
        path = tmp_path / f"{name}.png"
        write_still(path, np.full((HEIGHT, WIDTH, 3), level, np.uint8))
        made = dreamt(look_of(mask={"mask": str(path)}), sources)
        expected = plain if level else [to_bytes(source) for source in sources]
        assert all(np.array_equal(a, b) for a, b in zip(made, expected, strict=True))


def test_regions_dream_their_own_and_the_rest_stays() -> None:
    sources = film(3)
    regions = [
        {"mask": "left 0.5", "feather": 0, "layers": "block1"},
        {"mask": "right 0.25", "feather": 0, "layers": "block5"},
    ]
    look = make_look((), {"dream": QUICK, "regions": regions, "mask": {"rest": "source"}})  # type: ignore[dict-item]
    made = dreamt(look, sources)
    alone = [dreamt(look_of(dream={"layers": layers}), sources) for layers in ("block1", "block5")]
    for index, (after, before) in enumerate(zip(made, sources, strict=True)):
        middle = slice(WIDTH // 2, WIDTH * 3 // 4)
        assert np.array_equal(after[:, middle], to_bytes(before)[:, middle])
        added = after.astype(float) - to_bytes(before)
        for columns, own, other in ((slice(0, 24), 0, 1), (slice(52, 64), 1, 0)):
            likeness = [
                np.corrcoef(
                    added[:, columns].ravel(),
                    (film_.astype(float) - to_bytes(before))[:, columns].ravel(),
                )[0, 1]
                for film_ in (alone[own][index], alone[other][index])
            ]
            assert likeness[0] > likeness[1] + 0.1


def test_strength_follows_its_schedule() -> None:
    look = look_of(dream={"strength": "0:0, 0.08:0 hold, 0.12s:1"})
    found = changes(look, film())
    assert found[:3] == [0, 0, 0]
    assert found[3] > 2 and found[4] > 2


def test_a_loud_passage_dreams_stronger() -> None:
    class Drum:
        def at(self, seconds: float) -> Mapping[str, float]:
            return {"loud": float(seconds >= 0.1)}

    look = look_of(dream={"strength": "audio:loud * 0.8 + 0.1"}, coherence={"coherence": 0})
    found = changes(look, film(), Drum())
    assert min(found[3:]) > 2 * max(found[:3]) > 0


def test_sound_where_there_is_none_is_said() -> None:
    with pytest.raises(UsageError, match="sound"):
        make_planner(look_of(dream={"strength": "audio:low"}), SPAN)


def test_kept_colours_stay_and_light_is_dreamt() -> None:
    sources = film(3)
    look = look_of(colour={"keep_colour": 1.0})
    plain = dreamt(look_of(), sources)
    for after, before, wild in zip(dreamt(look, sources), sources, plain, strict=True):
        kept, source, free = (to_oklab(x) for x in (to_float(after), before, to_float(wild)))
        off = float(np.abs(kept[..., 1:] - source[..., 1:]).mean())
        assert off < 0.25 * float(np.abs(free[..., 1:] - source[..., 1:]).mean())
        assert np.abs(kept[..., 0] - source[..., 0]).mean() > 0.01


def test_a_still_is_dreamt_as_a_film_s_first_frame() -> None:
    source = film(1)[0]
    look = look_of(mask={"mask": "circle 0.5x0.5 0.4"}, colour={"saturation": 0.0})
    told: list[tuple[int, int]] = []
    planner = make_planner(freeze_look(look), SPAN)
    made = dream_still(planner, source, lambda step: told.append((step.done, step.total)))
    assert np.array_equal(to_bytes(made.image), dreamt(look, [source])[0])
    assert told == [(n, 4) for n in range(1, 5)]
    assert len(made.losses) == 4


def test_what_needs_a_film_is_refused_for_a_still() -> None:
    with pytest.raises(UsageError, match="needs a film"):
        freeze_look(look_of(mask={"motion": "moving"}))


def test_only_what_moves_is_dreamt() -> None:
    still, moving = scene(HEIGHT, WIDTH, glide(5, 0)).frames, film()
    sources = [
        np.concatenate([a[:, :44], b[:, 44:]], 1) for a, b in zip(still, moving, strict=True)
    ]
    sources = [to_float(to_bytes(source)) for source in sources]
    made = dreamt(look_of(mask={"motion": "moving"}), sources)
    change = [np.abs(a.astype(float) - to_bytes(b)) for a, b in zip(made, sources, strict=True)]
    assert change[0].max() == 0, "nothing is known to move in a first frame"
    assert change[-1][:, 48:].mean() > 4 * change[-1][:, :32].mean()


def test_every_file_that_a_look_names_is_an_input(tmp_path: Path) -> None:
    for name in ("mask.png", "guide.png", "palette.png"):
        write_still(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    look = look_of(
        dream={"guide": str(tmp_path / "guide.png")},
        mask={"mask": str(tmp_path / "mask.png")},
        colour={"match_colour": str(tmp_path / "palette.png")},
    )
    assert {p.name for p in list_look_files(look).values()} == {
        "mask.png",
        "guide.png",
        "palette.png",
    }
    assert list_look_files(look_of(mask={"mask": "left 0.5"})) == {}


def test_the_tiles_of_a_large_picture_are_told() -> None:
    little = make_machine(max_memory="880MB")
    told: list[tuple[int, int]] = []
    source = to_float(to_bytes(scene(64, 1100, glide(1)).frames[0]))
    look = look_of(dream={"steps": 1})
    planner = make_planner(freeze_look(look), FilmSpan((1100, 64)), machine=little).with_progress(
        lambda *at: told.append(at)
    )
    dream_still(planner, source)
    assert told and told == [(n, len(told)) for n in range(1, len(told) + 1)] and len(told) > 1
