"""Several networks in one dream, against the sum of normalised gradients written out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dreaming import Image, noise, still
from tiny import Cli, contents, pixels_of

from dreamvideo import dream_video
from dreamvideo.dream import models
from dreamvideo.dream.dreamer import Dreamer, make_octave_schedule
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.mixture import (
    divide_settings,
    find_largest_minimum,
    list_layer_names,
    list_model_files,
    read_mixture,
    replace_files,
)
from dreamvideo.dream.objectives import layer_mean
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import UsageError, WeightsError
from dreamvideo.gallery.variations import choose_layer, list_variations
from dreamvideo.parsing import parse_networks
from dreamvideo.render.frames.planner import keep_dreamers
from dreamvideo.render.job.manifest import list_look_files
from dreamvideo.render.progress import Progress
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import DreamSettings, Look, MachineSettings, make_look

# Keras's own way with NumPy 2, of no interest here.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
STEPS: dict[str, Any] = {
    "octaves": 1,
    "steps": 3,
    "step_size": 0.02,
    "jitter": 0,
    "balance": "none",
}


def save_network(path: Path, seed: int, scaling: float) -> Any:
    """Two smooth convolutions that scale their own input from [0, 255]; returns the Keras model."""
    layers = tensorflow().keras.layers
    tensorflow().keras.utils.set_random_seed(seed)
    model = tensorflow().keras.Sequential(
        [
            layers.Input((None, None, 3)),
            layers.Rescaling(scaling),
            layers.Conv2D(8, 5, 2, "same", activation="softplus", name="first"),
            layers.Conv2D(16, 3, 2, "same", activation="softplus", name=f"deep{seed}"),
        ]
    )
    model.save(path)
    return model


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Files of two networks, whose gradients differ a hundredfold, and the Keras models."""
    folder = tmp_path_factory.mktemp("nets")
    files = {"one": folder / "one.keras", "two": folder / "two.keras"}
    made = {
        "one": save_network(files["one"], 1, 1 / 255),
        "two": save_network(files["two"], 2, 0.1 / 255),
    }
    yield {"files": files, "models": made}
    tensorflow().keras.backend.clear_session()


def named(nets: dict[str, Any], text: str) -> str:
    """The text with the networks' files for ONE and TWO."""
    files = nets["files"]
    return text.replace("ONE", str(files["one"])).replace("TWO", str(files["two"]))


def dreamer_of(nets: dict[str, Any], model: str, layers: str = "deep1,deep2") -> Dreamer:
    given = {"model": named(nets, model), "layers": layers, **STEPS}
    return Dreamer(DreamSettings.model_validate(given))


def climb_mixture(
    nets: dict[str, Any], image: Image, weights: dict[str, float], steps: int
) -> tuple[Image, list[float]]:
    """The formula, eagerly: x <- clip(x + size G / std(G)), G = sum of w[k] g[k] / std(g[k])."""
    tf = tensorflow()
    losses = []
    for _ in range(steps):
        total = np.zeros_like(image)
        loss = size = 0.0
        for name, weight in weights.items():
            x = tf.Variable(image[None])
            with tf.GradientTape() as tape:
                value = tf.reduce_mean(nets["models"][name]((x + 1) * 127.5))
            g = tape.gradient(value, x)[0].numpy()
            total += weight * g / g.std()
            size += weight * g.std() / sum(weights.values()) ** 2
            loss += weight * float(value)
        # As large as the gradients are on average, which the guard of the recipe counts with.
        total *= size
        moved = image + STEPS["step_size"] * total / (total.std() + 1e-8)
        image = np.clip(moved, -1, 1).astype(np.float32)
        losses.append(loss)
    return image, losses


@pytest.fixture(scope="module")
def mixed(nets: dict[str, Any]) -> Dreamer:
    """Both networks: the second from nothing to twice the first's weight."""
    return dreamer_of(nets, "ONE,TWO:0 -> 4s: ONE,TWO:2")


def test_the_step_is_along_the_sum_of_normalised_gradients(
    nets: dict[str, Any], mixed: Dreamer
) -> None:
    image = noise(48, 64)
    for seconds, second in ((4, 2.0), (1, 0.5)):
        expected, losses = climb_mixture(nets, image, {"one": 1.0, "two": second}, 3)
        dream = mixed.at(moment=TimePoint(seconds, 10)).dream(image)
        assert np.abs(dream.image - expected).max() < 1e-4
        # What is printed is the weighted sum of the networks' objectives.
        np.testing.assert_allclose(dream.losses, losses, rtol=1e-4)
    only, _ = climb_mixture(nets, image, {"one": 1.0}, 3)
    assert np.abs(only - expected).mean() > 1e-3
    assert mixed.traces == 1


def test_a_network_of_weight_0_changes_no_bit(nets: dict[str, Any], mixed: Dreamer) -> None:
    image = noise(48, 64)
    alone = dreamer_of(nets, "ONE", "deep1").dream(image)
    beside = mixed.at(moment=TimePoint(0, 10)).dream(image)
    np.testing.assert_array_equal(beside.image, alone.image)
    assert beside.losses == alone.losses


def test_order_and_common_factors_matter_by_rounding_only(
    nets: dict[str, Any], mixed: Dreamer
) -> None:
    image = noise(48, 64)
    expected = mixed.at(moment=TimePoint(4, 10)).dream(image).image
    turned = dreamer_of(nets, "TWO:0.5,ONE:0.25").dream(image).image
    np.testing.assert_allclose(turned, expected, atol=1e-5)


def test_tiles_are_normalised_over_the_whole_picture(nets: dict[str, Any]) -> None:
    image = noise(704, 40)
    image[:300] *= 0.2
    opened = [models.load(str(nets["files"][name])) for name in ("one", "two")]
    goals = [
        (network.forward, layer_mean(layer))
        for network, layer in zip(opened, ("deep1", "deep2"), strict=True)
    ]
    extras = {"networks": np.asarray([1, 2], np.float32)}
    counts: list[int] = []

    def climb(memory: str) -> Image:
        machine = MachineSettings(max_memory=memory)
        ascent = GradientAscent(*goals[0], others=goals[1:], machine=machine)
        return ascent.climb(
            image, 0.02, still(1), extras=extras, on_tile=lambda _, total: counts.append(total)
        )[0]

    whole = climb("64GB")
    assert not counts
    np.testing.assert_allclose(climb("1MB"), whole, atol=1e-5)
    assert counts


def settings_of(nets: dict[str, Any], model: str, **settings: Any) -> list[tuple[str | None, ...]]:
    """(layers, classes) of each network."""
    given = DreamSettings.model_validate({"model": named(nets, model), **settings})
    networks = [models.load(name) for name in read_mixture(given.model).names]
    return [(each.layers, each.classes) for each in divide_settings(given, networks)]


def test_layers_belong_to_the_network_that_has_them_or_that_they_name(nets: dict[str, Any]) -> None:
    both = "ONE,TWO"
    assert settings_of(nets, both, layers="deep1#3:rms:0.5,deep2") == [
        ("deep1#3:rms:0.5", None),
        ("deep2:1.0", None),
    ]
    assert settings_of(nets, both, layers="one/first:2,two.keras/first") == [
        ("first:2.0", None),
        ("first:1.0", None),
    ]
    # A network without layers dreams its own; at a time without layers of its own, nothing.
    assert settings_of(nets, both, layers="two/first") == [(None, None), ("first:1.0", None)]
    assert settings_of(nets, both, layers="deep1 -> 1s: deep2,deep1:2 ease -> 50%: deep2") == [
        ("deep1:1.0 -> 1s: deep1:2.0 ease -> 50%: deep1:0.0", None),
        ("deep2:0.0 -> 1s: deep2:1.0 ease -> 50%: deep2:1.0", None),
    ]
    assert settings_of(nets, "ONE", layers="one/first") == [("first:1.0", None)]


def test_classes_belong_to_every_classifier_or_to_the_one_they_name(nets: dict[str, Any]) -> None:
    assert settings_of(nets, "lite0,ONE", classes="goldfish,tabby cat:0.5") == [
        (None, "goldfish:1.0,tabby cat:0.5"),
        (None, None),
    ]
    assert settings_of(nets, "lite0,ONE", classes="efficientnet-lite0/goldfish") == [
        (None, "goldfish:1.0"),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (
            "ONE,TWO",
            {"layers": "first"},
            "first: several networks have it: write one/first or two/",
        ),
        ("ONE,TWO", {"layers": "dep2"}, "none of .* has a layer 'dep2': did you mean deep2"),
        ("ONE,TWO", {"layers": "two/deep1"}, "two.keras has no layer 'deep1': did you mean deep2"),
        ("ONE,lite0", {"layers": "b77"}, "none of .*one.keras, lite0 has a layer 'b77'"),
        ("ONE,TWO", {"classes": "goldfish"}, "none of .* has a classifier, which --class needs"),
        ("ONE,TWO", {"weights": "w.h5"}, "--weights is one network's, and of these take one: none"),
        ("lite0,random-vgg", {"input_range": "torch"}, "--input-range is for files"),
        ("lite0,efficientnet-lite0:0.5", {}, "names efficientnet-lite0 twice"),
        ("lite0,lite9", {}, "unknown model 'lite9': known are efficientnet-lite0"),
        ("lite0,vgg", {}, "unknown model 'vgg': did you mean vgg1"),
        ("lite0,", {}, "the name of a network is missing in 'lite0,'"),
        ("lite0:-1", {}, "one network has nothing to be weighed against"),
        ("lite0,random-vgg:2e6", {}, "the weight of network 'random-vgg' is not a number within"),
        (",".join(f"random-vgg-{n}" for n in range(9)), {}, "names 9 networks: at most 8"),
        ("lite0 -> random-vgg", {}, "--model .* has no time: write keys"),
    ],
)
def test_mistakes_are_one_line(
    model: str, settings: dict[str, Any], message: str, nets: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=message):
        Dreamer(DreamSettings.model_validate({"model": named(nets, model), **settings}))


def test_an_objective_of_ones_own_is_for_one_network() -> None:
    with pytest.raises(UsageError, match="an objective of your own is for one network"):
        Dreamer(DreamSettings(model="lite0,random-vgg"), objective=layer_mean("b3"))


def test_short_names_mean_the_only_one_that_they_can() -> None:
    assert models.find_entry("lite2").name == "efficientnet-lite2"
    assert models.find_entry("mobilenet").name == "mobilenet-v2"
    for unclear in ("vgg", "inception", "efficientnet", "v2", "lite"):
        with pytest.raises(UsageError, match=f"unknown model '{unclear}'"):
            models.find_entry(unclear)
    # A preset's layers are of the network that a short name means.
    assert make_look(["towers"], {"dream": {"model": "lite0"}}).dream.layers is not None
    assert make_look(["towers"], {"dream": {"model": "lite0,random-vgg"}}).dream.layers is None


def test_a_file_that_exists_is_one_network_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lite0,b -> 1s: c:0.5").touch()
    assert read_mixture("lite0,b -> 1s: c:0.5").names == ("lite0,b -> 1s: c:0.5",)
    assert parse_networks(r"C:\nets\a.h5, lite2:0.5") == ((r"C:\nets\a.h5", 1.0), ("lite2", 0.5))
    with pytest.raises(WeightsError, match=r"no model file 'a\.keras'"):
        Dreamer(DreamSettings(model="lite0,a.keras"))


def test_files_of_all_networks_are_known_and_can_be_moved(
    nets: dict[str, Any],
) -> None:
    files = nets["files"]
    model = named(nets, "ONE -> 2s: lite0:0.5,TWO ease")
    assert list_model_files(model) == {str(path): path for path in files.values()}
    listed = list_look_files(make_look((), {"dream": {"model": model}}))
    assert listed == {f"the network {path}": path for path in files.values()}
    moved = replace_files(model, lambda path: f"there/{path.name}")
    assert moved == "there/one.keras:1.0 -> 2s: lite0:0.5,there/two.keras:1.0 ease"
    alone = replace_files(named(nets, "ONE"), lambda path: f"a,b/{path.name}")
    assert alone == "a,b/one.keras"
    with pytest.raises(UsageError, match="cannot stand in a list: keep it under a name"):
        replace_files(model, lambda path: f"a,b/{path.name}")


def test_the_largest_smallest_side_counts() -> None:
    model = "lite0,xception:0.5"
    assert find_largest_minimum(model).smallest == 71
    sizes = make_octave_schedule(DreamSettings(model=model, octaves=9), 200, 300).sizes
    assert min(sizes[0]) >= 71
    with pytest.raises(UsageError, match=r"64 x 70 is too small for xception: .* 71 pixels"):
        make_octave_schedule(DreamSettings(model=model), 70, 64)


def test_galleries_show_the_layers_of_every_network(nets: dict[str, Any]) -> None:
    model = named(nets, "ONE,TWO:0.5")
    assert "one/deep1" in list_layer_names(model)
    labels = [way.label for way in list_variations("layers", model)]
    assert "two/deep2" in labels
    look = make_look((), {"dream": {"model": model}})
    assert choose_layer(look, None).startswith("one/")


class Enough(BaseException):
    """What ends a render here."""


def film_look(model: str) -> Look:
    dream = {"model": model, "steps": 1, "octaves": 1, "seed": 3}
    return make_look((), {"dream": dream, "coherence": {"coherence": 0}})


def test_weights_change_over_a_film_that_resumes_to_the_same_frames(
    nets: dict[str, Any], shelf: Path, tmp_path: Path
) -> None:
    look = film_look(named(nets, "ONE -> 0.2s: TWO:0.5"))
    whole = tmp_path / "whole"
    with keep_dreamers():
        dream_video(shelf / "clip.mp4", whole, look)

        def stop(progress: Progress) -> None:
            if progress.stage == "dreaming" and progress.done == 3:
                raise Enough

        again = tmp_path / "again"
        with pytest.raises(Enough):
            dream_video(shelf / "clip.mp4", again, look, on_progress=stop)
        heard: list[Progress] = []
        dream_video(shelf / "clip.mp4", again, look, on_progress=heard.append)
    assert f"resuming {again}: 3 of 8 frames are done" in [each.note for each in heard]
    assert contents(again) == contents(whole)
    found = pixels_of(whole)
    ends = []
    for name in ("ONE", "TWO"):
        alone = tmp_path / name
        dream_video(shelf / "clip.mp4", alone, film_look(named(nets, name)))
        ends.append(pixels_of(alone))
    np.testing.assert_array_equal(found[0], ends[0][0])
    for number in (5, 6, 7):
        np.testing.assert_array_equal(found[number], ends[1][number])
    for each in ends:
        assert (found[2] != each[2]).any()


@pytest.mark.integration
def test_the_command_line_notes_and_records_every_network(
    nets: dict[str, Any], cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    model = named(nets, "ONE,TWO:0.5")
    out = tmp_path / "both.png"
    options = ("--steps", "1", "--octaves", "1")
    ended = cli("image", shelf / "photo.png", "--model", model, *options, "-o", out)
    assert ended.code == 0, ended.err
    for path in nets["files"].values():
        assert any(f"{path}: dreams " in note for note in ended.notes)
    assert cli("info", out, "--recipe").out.count(f'model = "{model}"') == 1
    listed = cli("models", model)
    assert "two/deep2" in listed.out
