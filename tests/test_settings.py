from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dreamvideo.dream import models
from dreamvideo.errors import UsageError
from dreamvideo.parsing import parse_layers, parse_term
from dreamvideo.settings import (
    CameraSettings,
    CoherenceSettings,
    ColourSettings,
    DreamSettings,
    Look,
    MaskSettings,
    OutputSettings,
    Settings,
    ZoomSettings,
    look_to_toml,
    make_look,
    make_output,
    preset_paths,
    read_preset,
)
from dreamvideo.settings.over_time import find_bounds, is_number

GROUPS: tuple[type[Settings], ...] = (
    DreamSettings,
    CoherenceSettings,
    MaskSettings,
    ColourSettings,
    CameraSettings,
    ZoomSettings,
)
FIELDS = [(group, name) for group in GROUPS for name in group.model_fields]
EVERY = [*FIELDS, *((OutputSettings, name) for name in OutputSettings.model_fields)]


def preset(folder: Path, text: str, name: str = "own.toml") -> str:
    path = folder / name
    path.write_text(text, "utf-8")
    return str(path)


def test_options_win_over_presets_and_later_presets_over_earlier(tmp_path: Path) -> None:
    first = preset(tmp_path, "[dream]\nsteps = 3\noctaves = 3\njitter = 3\n", "1.toml")
    second = preset(tmp_path, "[dream]\nsteps = 5\noctaves = 5\n[zoom]\nrate = 2.0\n", "2.toml")
    look = make_look([first, second], {"dream": {"steps": 7}})
    assert (look.dream.steps, look.dream.octaves, look.dream.jitter) == (7, 5, 3)
    assert look.zoom.rate == 2
    assert look.dream.octave_scale == DreamSettings().octave_scale
    assert look.coherence == CoherenceSettings()


def test_nothing_given_is_the_defaults() -> None:
    assert make_look() == make_look((), {}) == Look()


def test_a_change_of_model_drops_what_belonged_to_the_other(tmp_path: Path) -> None:
    other = "[dream]\nmodel = 'inception-v3'\nlayers = 'mixed5'\nweights = 'w.h5'\nsteps = 3\n"
    look = make_look([preset(tmp_path, other)], {"dream": {"model": "vgg16"}})
    assert (look.dream.layers, look.dream.weights, look.dream.steps) == (None, None, 3)


def test_a_change_of_model_keeps_the_layers_that_come_with_it(tmp_path: Path) -> None:
    bundled = preset(tmp_path, "[dream]\nlayers = 'block5'\n")
    given = {"dream": {"model": "inception-v3", "layers": "mixed5"}}
    assert make_look([bundled], given).dream.layers == "mixed5"


def test_the_same_model_named_again_drops_nothing(tmp_path: Path) -> None:
    bundled = preset(tmp_path, "[dream]\nlayers = 'block5'\n")
    given = {"dream": {"model": DreamSettings().model}}
    assert make_look([bundled], given).dream.layers == "block5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[dream]\nstep = 3\n", "there is no setting 'dream.step': did you mean steps"),
        ("[dreams]\nsteps = 3\n", "there is no setting 'dreams': did you mean dream?"),
        ("[dream]\nsteps = 0\n", "dream.steps: input should be greater than or equal to 1, not 0"),
        ("[dream]\nsteps = 'many'\n", "dream.steps: 'many' is not a value: write a number"),
        ("[dream]\nsteps = '2.5'\n", "dream.steps: input should be a valid integer"),
        ("[dream]\nsteps = '0:1, 2s:0'\n", "dream.steps: values must be from 1 to 100000"),
        ("[dream]\nseed = '0:1, 2s:0'\n", "dream.seed: stays the same for a whole film"),
        ("[dream]\nstrength = '1/t'\n", "dream.strength: '1/t' has no value at 0 s"),
        ("[[regions]]\nfeather = '0:2'\n", "regions.0.feather: values must be from 0 to 1"),
        ("[dream]\nlayers = 'a,,b'\n", "dream.layers: a layer name is missing in 'a,,b'"),
        ("[coherence]\ncoherence = nan\n", "coherence.coherence: "),
        ("dream = 3\n", "dream: input should be a valid dictionary"),
        ("description = 3\n", "description: input should be a valid string, not 3"),
    ],
)
def test_mistakes_in_presets_are_one_line_that_names_them(
    tmp_path: Path, text: str, message: str
) -> None:
    path = preset(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        make_look([path], {"dream": {"steps": 2}})
    assert str(caught.value).startswith(f"preset {path!r}: {message}")
    assert "\n" not in str(caught.value)


def test_mistakes_in_options_name_the_option() -> None:
    with pytest.raises(UsageError, match=r"^--octave-scale: input should be greater than 1, not 1"):
        make_look((), {"dream": {"octave_scale": 1.0}})
    with pytest.raises(UsageError, match=r"^--layers: a layer name is missing in ''$"):
        make_look((), {"dream": {"layers": ""}})
    with pytest.raises(UsageError, match=r"^--rate: '' is not a value: write [^']*$"):
        make_look((), {"zoom": {"rate": ""}})


@pytest.mark.parametrize(
    ("text", "size"),
    [("5MB", 5_000_000), ("800kB", 800_000), ("2MiB", 2 << 20), ("1.5 mb", 1_500_000), ("7", 7)],
)
def test_sizes_of_files(text: str, size: int) -> None:
    assert make_output(max_size=text).most_bytes == size


@pytest.mark.parametrize(
    ("text", "color"),
    [("white", (255, 255, 255)), ("#10a0ff", (16, 160, 255)), ("#F00", (255, 0, 0))],
)
def test_colours_by_name_and_by_number(text: str, color: tuple[int, int, int]) -> None:
    assert make_output(background=text).background_color == color


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_size": "5 apples"}, "--max-size: write a size as 5MB, 800kB or 70000"),
        ({"max_size": "0.1"}, "--max-size: "),
        ({"background": "mauvish"}, "--background: write a colour as white, teal or #10a0ff"),
        ({"depth": 12}, "--depth: choose 8, 10, 16, not 12"),
        ({"quality": 101}, "--quality: input should be less than or equal to 100, not 101"),
        ({"repeat": -2}, "--repeat: "),
        ({"codecs": "x264"}, "there is no setting 'codecs': did you mean codec?"),
    ],
)
def test_mistakes_about_the_output_are_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_output(**given)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_suggests_a_near_one() -> None:
    with pytest.raises(UsageError, match="no preset 'clasic': choose classic, or give"):
        make_look(["clasic"])


@pytest.mark.parametrize("text", ["steps =", "[dream", "\x00"])
def test_broken_toml_is_one_line(tmp_path: Path, text: str) -> None:
    path = preset(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_preset(path)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_preset_that_is_not_text_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"own\.toml cannot be read"):
        read_preset(str(path))


@pytest.mark.parametrize(("group", "name"), EVERY)
def test_settings_are_frozen(group: type[Settings], name: str) -> None:
    settings = group()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings, name, getattr(settings, name))


@pytest.mark.parametrize(("group", "name"), EVERY)
def test_every_setting_says_what_turning_it_does(group: type[Settings], name: str) -> None:
    field = group.model_fields[name]
    assert field.description is not None
    assert field.description.endswith(".")
    extra = field.json_schema_extra
    is_derived = isinstance(extra, dict) and bool(extra.get("none"))
    has_none = field.default in (None, ())
    assert is_derived == has_none, "a setting without a value says whence it comes"


def bounded(group: type[Settings], name: str) -> st.SearchStrategy[Any]:
    """Values of a numeric setting, its bounds included."""
    bounds = find_bounds(group, name)
    if "int" in str(group.model_fields[name].annotation):
        return st.integers(int(bounds.low), int(min(bounds.high - bounds.below, 2.0**62)))
    return st.floats(bounds.low, bounds.high, exclude_min=bounds.above, exclude_max=bounds.below)


# TOML is UTF-8, which has no surrogates.
WRITABLE = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
layer_names = st.text("abcdefgh_0123456789", min_size=1)
layer_lists = st.lists(st.tuples(layer_names, st.floats(-9, 9)), min_size=1).map(
    lambda pairs: ",".join(f"{name}:{weight!r}" for name, weight in pairs)
)


@st.composite
def looks(draw: st.DrawFn) -> Look:
    values: dict[str, dict[str, Any]] = {}
    for key, field in Look.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, Settings):
            numbers = [name for name, field in group.model_fields.items() if is_number(field)]
            chosen = draw(st.sets(st.sampled_from(numbers))) if numbers else set()
            values[key] = {name: draw(bounded(group, name)) for name in sorted(chosen)}
    values["dream"]["model"] = draw(st.text(min_size=1))
    values["dream"]["layers"] = draw(st.none() | layer_lists)
    weights = draw(st.none() | st.text(WRITABLE, min_size=1))
    values["dream"]["weights"] = weights and Path(weights)
    return Look.model_validate({"description": draw(st.text()), **values})


@given(looks())
def test_a_look_survives_its_own_toml(tmp_path_factory: pytest.TempPathFactory, look: Look) -> None:
    path = preset(tmp_path_factory.getbasetemp(), "")
    Path(path).write_bytes(look_to_toml(look).encode("utf-8"))
    assert make_look([path]) == look


def test_every_setting_is_in_the_toml_unless_it_is_derived() -> None:
    text = look_to_toml(Look())
    for group, name in FIELDS:
        assert (f"\n{name} = " in text) == (group.model_fields[name].default is not None), name


@given(st.lists(st.tuples(layer_names, st.floats(-100, 100)), min_size=1))
def test_layers_and_weights(pairs: list[tuple[str, float]]) -> None:
    text = " , ".join(f"{name} : {weight!r}" for name, weight in pairs)
    assert parse_layers(text) == tuple(pairs)


def test_a_layer_weighs_one_unless_it_says_otherwise() -> None:
    assert parse_layers("mixed3,mixed5:0.5") == (("mixed3", 1.0), ("mixed5", 0.5))
    assert DreamSettings().list_weighted_layers(["a", "b"]) == (("a", 1.0), ("b", 1.0))


@pytest.mark.parametrize(
    "text", ["", ",", "a,", ":2", "a:", "a:b", "a:nan", "a:inf", "a:1e7", "a:1:2"]
)
def test_what_is_no_layer_list(text: str) -> None:
    with pytest.raises(ValueError, match="layer"):
        parse_layers(text)


def test_there_are_presets_of_different_character() -> None:
    assert "classic" in preset_paths()
    dreams = {str(read_preset(name)["dream"]) for name in preset_paths()}
    assert len(dreams) == len(preset_paths()) >= 16
    used = {key for name in preset_paths() for key in read_preset(name)["dream"]}
    assert {"layers", "classes", "creature_size", "colour", "strength"} <= used
    assert any(make_look([name]).over_time for name in preset_paths())
    assert any(make_look([name]).sounds for name in preset_paths())


@cache
def layers_of(model: str) -> frozenset[str]:
    return frozenset(layer.name for layer in models.list_layers(model))


@pytest.mark.sample(10)
@pytest.mark.parametrize("name", preset_paths())
def test_bundled_presets_are_whole(name: str) -> None:
    look = make_look([name])
    assert 10 < len(look.description) < 100
    assert "\n" not in look.description
    default = models.find_entry(look.dream.model).default_layers
    terms = [parse_term(term) for term, _ in look.dream.list_weighted_layers(default)]
    assert {term.layer for term in terms} <= layers_of(look.dream.model)
    assert terms or look.dream.classes
    assert look.model_copy(update={"description": ""}) != Look(), "it changes something"


def test_the_default_model_is_bundled() -> None:
    assert models.find_entry(DreamSettings().model).is_bundled
