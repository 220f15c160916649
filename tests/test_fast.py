"""``--fast``: what it implies, what wins over it, which precision it chooses, and what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import QUICK, Cli, pixels_of

from dreamvideo.dream import models
from dreamvideo.errors import UsageError
from dreamvideo.processors import read_processor_flags
from dreamvideo.render import precision
from dreamvideo.render.precision import BFLOAT16_NETWORKS, settle_precision
from dreamvideo.render.recipe import load_recorded_look
from dreamvideo.settings import Look, Stage, look_from_toml, look_to_toml, make_look, make_machine
from dreamvideo.settings.keywords import make_keyword_look

INCEPTION = {"dream": {"model": "inception-v3"}}
GROUPS = ("dream", "coherence")
Chosen = tuple[str | None, str, int, int | None, int]


@pytest.fixture
def flags(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The features of this processor, none at first; and no GPU."""
    found: set[str] = set()
    monkeypatch.setattr(precision, "read_processor_flags", lambda: frozenset(found))
    monkeypatch.setattr(precision, "GPUS", ())
    return found


def saved(cli: Cli, tmp_path: Path, *arguments: object) -> Chosen:
    """Precision, dream size, cadence, carried steps and flow width that ``video`` would use."""
    look = tmp_path / "look.toml"
    # It ends at the input, which does not exist, after the look was saved.
    ended = cli("video", tmp_path / "gone.mp4", "--save-preset", look, "-y", *arguments)
    assert "gone.mp4" in ended.err, ended.err
    return chosen(make_look([str(look)]))


def chosen(look: Look) -> Chosen:
    coherence = look.coherence
    carrying = coherence.cadence, coherence.carried_steps, coherence.flow_width
    return look.precision, look.dream.dream_size, *carrying


FAST = ("auto", "small", 2, 1, 320)
FILM = "fast: cadence 2, dream size small, carried steps 1, flow width 320, precision "


def test_it_implies_five_choices_over_presets_and_under_options(cli: Cli, tmp_path: Path) -> None:
    assert saved(cli, tmp_path) == (None, "auto", 1, None, 576)
    assert saved(cli, tmp_path, "--fast") == FAST
    assert saved(cli, tmp_path, "--fast", "--preset", "plates") == FAST
    assert saved(cli, tmp_path, "--preset", "plates", "--no-fast") == (None, "full", 1, None, 576)
    assert saved(cli, tmp_path, "--fast", "--cadence", 3) == ("auto", "small", 3, 1, 320)
    given = ("--dream-size", "50%", "--carried-steps", 4, "--cadence", 1, "--flow-width", 400)
    assert saved(cli, tmp_path, *given, "--fast") == ("auto", "50%", 1, 4, 400)


def test_it_ranks_by_where_it_is_written(
    cli: Cli, own_defaults: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_defaults.write_text("dream-size = 'full'\ncadence = 4\n")
    assert saved(cli, tmp_path, "--fast") == FAST
    assert saved(cli, tmp_path) == (None, "full", 4, None, 576)
    own_defaults.write_text("fast = true\ncadence = 4\n")
    assert saved(cli, tmp_path) == ("auto", "small", 4, 1, 320)
    assert saved(cli, tmp_path, "--dream-size", "320") == ("auto", "320", 4, 1, 320)
    assert saved(cli, tmp_path, "--no-fast") == (None, "auto", 4, None, 576)
    # A preset replaces the file's look, not the wish to be fast.
    assert saved(cli, tmp_path, "--preset", "plates") == FAST
    monkeypatch.setenv("DREAMVIDEO_CARRIED_STEPS", "2")
    assert saved(cli, tmp_path) == ("auto", "small", 4, 2, 320)
    monkeypatch.setenv("DREAMVIDEO_FAST", "0")
    assert saved(cli, tmp_path) == (None, "auto", 4, 2, 576)


def test_functions_take_it_as_an_argument() -> None:
    assert chosen(make_look(fast=True)) == FAST
    assert chosen(make_look(["plates"], {"coherence": {"cadence": 5}}, fast=True))[2] == 5
    assert chosen(make_look(["plates"], fast=False)) == (None, "full", 1, None, 576)

    def keywords(look: Look | None = None, **settings: Any) -> Look:
        return make_keyword_look("dream_frames", GROUPS, None, look, settings)[0]

    assert chosen(keywords(fast=True)) == FAST
    given = keywords(make_look(["plates"]), fast=True, cadence=1)
    assert chosen(given) == ("auto", "small", 1, 1, 320)
    assert keywords(fast=False) == keywords(fast=None) == Look()
    with pytest.raises(UsageError, match="fast must be True or False, not 'yes'"):
        keywords(fast="yes")


def test_a_schedule_gives_way_to_it() -> None:
    look = make_look((), {"coherence": {"carried_steps": "0:1, 1s:4"}})
    faster = make_keyword_look("dream_frames", GROUPS, None, look, {"fast": True})[0]
    assert (faster.over_time, faster.coherence.carried_steps) == ({}, 1)


@pytest.mark.parametrize("flag", ["amx_bf16", "avx512_bf16"])
def test_bfloat16_is_chosen_where_processor_and_network_gain(flags: set[str], flag: str) -> None:
    fast = make_look((), INCEPTION, fast=True)
    auto = make_machine()
    assert settle_precision(fast, auto, "film").machine.precision == "float32"
    flags.add(flag)
    look, machine, line = settle_precision(fast, auto, "film")
    assert look.precision == machine.precision == "bfloat16"
    assert line.startswith(f"{FILM}bfloat16")
    # What is settled stays, on any processor.
    flags.clear()
    assert settle_precision(look, auto, "film") == (look, machine, "")


def test_everything_else_is_exact(flags: set[str]) -> None:
    flags.add("amx_bf16")

    def settled(look: Look, **machine: Any) -> tuple[str | None, str, str]:
        found = settle_precision(look, make_machine(**machine), "picture")
        return found.look.precision, found.machine.precision, found.line

    exact = (None, "float32")
    fast = make_look((), INCEPTION, fast=True)
    assert settled(make_look((), INCEPTION)) == (*exact, "")
    *found, line = settled(make_look(fast=True))
    assert (*found,) == exact
    assert line.endswith("float32 (bfloat16 is not known to be faster with efficientnet-lite0)")
    assert line.startswith("fast: dream size small, precision")
    assert settled(fast, device="gpu")[:2] == exact
    assert settled(fast, precision="float32")[:2] == exact
    assert settled(fast, precision="float32")[2].endswith("precision float32 (as given)")
    # One stage with another network is enough.
    mixed = fast.model_copy(update={"journey": (Stage(look="fur"), Stage(look="classic"))})
    assert settled(mixed)[:2] == exact
    assert settle_precision(make_look(fast=True), make_machine(), "zoom").line == (
        "fast: precision float32 (bfloat16 is not known to be faster with efficientnet-lite0)"
    )


def test_the_networks_that_gain_are_some() -> None:
    assert set(models.REGISTRY) > BFLOAT16_NETWORKS


def test_features_of_a_processor(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(
        "processor\t: 0\nflags\t\t: fpu amx_bf16 avx2\n\nprocessor\t: 1\nflags\t: fpu\n"
    )
    assert read_processor_flags(info) == {"fpu", "amx_bf16", "avx2"}
    info.write_text("processor\t: 0\nFeatures\t: fp asimd\n")
    assert read_processor_flags(info) == {"fp", "asimd"}
    info.write_text("nothing")
    assert read_processor_flags(info) == read_processor_flags(tmp_path / "none") == frozenset()


def test_a_precision_is_in_a_look_only_if_it_is_not_the_usual_one() -> None:
    assert "precision" not in look_to_toml(Look())
    look = make_look((), {"precision": "bfloat16"})  # type: ignore[dict-item]
    assert 'precision = "bfloat16"' in look_to_toml(look).splitlines()[1]
    assert look_from_toml(look_to_toml(look), "own") == look
    with pytest.raises(UsageError, match="precision"):
        look_from_toml('precision = "int8"', "own")


def test_a_film_records_the_choice_and_is_made_again_without_it(
    cli: Cli, shelf: Path, tmp_path: Path, flags: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again, exact = (tmp_path / name for name in ("1.mp4", "2.mp4", "3.mp4"))
    recipe = tmp_path / "look.toml"
    clip = shelf / "clip.mp4"
    with monkeypatch.context() as here:
        flags.add("avx512_bf16")
        here.setattr(precision, "BFLOAT16_NETWORKS", {"efficientnet-lite0"})
        ended = cli("video", clip, "-o", first, *QUICK, "--fast")
    lines = [line for line in ended.err.splitlines() if line.startswith("fast: ")]
    assert (ended.code, len(lines)) == (0, 1)
    assert lines[0].startswith(f"{FILM}bfloat16")
    assert chosen(load_recorded_look(first)) == ("bfloat16", "small", 2, 1, 320)
    # A machine that would choose otherwise makes the same frames from the recipe.
    flags.clear()
    recipe.write_text(cli("info", first, "--recipe").out, "utf-8")
    ended = cli("video", clip, "-o", again, "--preset", recipe)
    assert ended.code == 0 and "fast: " not in ended.err
    assert load_recorded_look(again) == load_recorded_look(first)
    np.testing.assert_array_equal(pixels_of(again), pixels_of(first))
    assert cli("video", clip, "-o", exact, "--preset", recipe, "--precision", "float32").code == 0
    assert chosen(load_recorded_look(exact)) == (None, "small", 2, 1, 320)
