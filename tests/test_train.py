"""``train``: own pictures are learnt, the result is dreamt, stops go on, mistakes are one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dreaming import cat, noise
from numpy.typing import NDArray
from tiny import Cli

from dreamvideo import dream
from dreamvideo.cancel import TOKEN, Interrupted
from dreamvideo.dream import lite0, models
from dreamvideo.dream.classes import find_class_number
from dreamvideo.dream.readers.safetensors import (
    encode_safetensors,
    read_metadata,
    read_safetensors,
)
from dreamvideo.dream.trained import blend_weights, encode_trained
from dreamvideo.dream.training import FEATURES, LEARNT, Pupil
from dreamvideo.errors import UsageError, WeightsError
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.stills import write_still
from dreamvideo.render.progress import Progress, silent
from dreamvideo.render.training import lessons, train
from dreamvideo.render.training.train import Trained, checkpoint_path
from dreamvideo.settings.training import TrainingSettings

Pixels = NDArray[np.uint8]
BUNDLED = models.DEFAULT_MODEL
QUICK = TrainingSettings(epochs=2, blend=1)


def stripes(seed: int) -> Pixels:
    """Slanted stripes, 48 x 48."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:48, :48]
    wave = np.sin((x + y * random.uniform(-0.5, 0.5)) * random.uniform(0.7, 1.1))
    return to_bytes(np.float32(np.repeat(np.sign(wave)[..., None], 3, -1) * 0.8))


def dots(seed: int) -> Pixels:
    """Coloured dots on grey, 48 x 48."""
    random = np.random.default_rng(seed)
    picture = np.full((48, 48, 3), 128, np.uint8)
    y, x = np.mgrid[:48, :48]
    for _ in range(12):
        down, right = random.integers(48, size=2)
        picture[(y - down) ** 2 + (x - right) ** 2 < 20] = random.integers(256, size=3)
    return picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of six pictures, and what is no picture."""
    made = tmp_path_factory.mktemp("own")
    for name, draw in (("stripes", stripes), ("dots", dots)):
        (made / name).mkdir()
        for seed in range(6):
            write_still(made / name / f"{seed}.png", draw(seed))
    (made / "notes.txt").write_text("not a picture")
    (made / "empty").mkdir()
    return made


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    make_little(monkeypatch)


def make_little(patch: pytest.MonkeyPatch) -> None:
    """Make a course take a second: fewer and smaller crops, fewer steps."""
    patch.setattr(lessons, "SIDE", 48)
    for name, value in {
        "OWN_CROPS": 32,
        "LEAST_CROPS": 16,
        "OTHER_CROPS": 12,
        "ASIDE_CROPS": 8,
        "STEPS": 12,
        "BEGUN": 2,
        "DREAM_STEPS": 1,
    }.items():
        patch.setattr(train, name, value)


@pytest.fixture(scope="module")
def taught(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """What a short course has made of them."""
    output = tmp_path_factory.mktemp("taught") / "shapes.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        make_little(patch)
        return train.train(folder, output, QUICK)


def test_it_learns_to_tell_the_classes_apart(taught: Trained) -> None:
    assert taught.classes == ("dots", "stripes")
    assert taught.pictures == 12
    assert 1 <= taught.best <= taught.epochs == 2
    # One of three would be found by chance.
    assert taught.found > 0.5
    assert [path.name for path in taught.output.parent.iterdir()] == ["shapes.safetensors"]


def test_own_pictures_excite_what_is_dreamt_more_than_before(taught: Trained) -> None:
    own = np.float32(stripes(20)) / 127.5 - 1
    other = cat(48, 48)
    leads = []
    for name in (BUNDLED, str(taught.output)):
        network = models.load(name)
        energies = [
            np.sqrt((np.asarray(found["block11_expand"]) ** 2).mean())
            for found in (network.forward(each[None], ["block11_expand"]) for each in (own, other))
        ]
        leads.append(np.log(energies[0] / energies[1]))
    assert leads[1] > leads[0] + 0.1


def test_the_file_is_a_model_like_the_bundled_one(taught: Trained, cli: Cli) -> None:
    path = str(taught.output)
    entry, bundled = models.find_entry(path), models.find_entry(BUNDLED)
    assert entry.default_layers == bundled.default_layers
    assert models.list_layers(path) == models.list_layers(BUNDLED)
    rows = json.loads(cli("models", path, "--json").out)
    assert [row["layer"] for row in rows if row["default"]] == [
        f"block{n}_expand" for n in (9, 10, 11, 12, 13)
    ]
    before, network = lite0.fold_weights(), models.load(path)
    weights: Any = network.weights  # type: ignore[attr-defined]
    for layer in before:
        same = np.array_equal(weights[layer][0], before[layer][0])
        assert same == (layer not in LEARNT), layer
    refused = cli("image", "x.png", "--model", path, "--input-range", "0..1")
    assert refused.code in (1, 2) and refused.err.count("\n") == 1


def test_weights_are_blended_on_the_line_between_both_networks() -> None:
    bundled = lite0.fold_weights()
    taught = {layer: (kernel + 1, bias - 2) for layer, (kernel, bias) in bundled.items()}
    taught["own"] = (np.ones((1280, 1), np.float32), np.ones(1, np.float32))
    mixed = blend_weights(taught, 0.25)
    for layer, (kernel, bias) in bundled.items():
        np.testing.assert_allclose(mixed[layer][0], kernel + 0.25, atol=1e-5)
        np.testing.assert_allclose(mixed[layer][1], bias - 0.5, atol=1e-5)
    assert mixed["own"] == taught["own"]
    np.testing.assert_allclose(blend_weights(taught, 1)["head"][0], taught["head"][0], atol=1e-6)


def test_it_dreams_something_else(taught: Trained) -> None:
    options: dict[str, Any] = {"layers": "block9_expand", "steps": 2, "octaves": 1}
    picture = to_bytes(noise(48, 64))
    before = dream(picture, **options)
    after = dream(picture, model=str(taught.output), **options)
    assert np.abs(np.float32(after) - before).mean() > 3
    assert np.array_equal(after, dream(picture, model=str(taught.output), **options))


def test_an_own_class_can_be_dreamt_by_its_name(taught: Trained) -> None:
    network = models.load(str(taught.output), classify=True)
    classifier = models.find_classifier(network, "shapes")
    assert find_class_number("Stripes", own=classifier.own) == 1001
    assert find_class_number("tabby", own=classifier.own) == find_class_number("tabby") == 281
    assert classifier.kernel.shape == (1280, 1002)
    found = [
        np.asarray(network.forward(np.float32(each)[None] / 127.5 - 1, ["head"])["head"]).mean(
            (0, 1, 2)
        )
        @ classifier.kernel[:, 1000:]
        for each in (dots(30), stripes(30))
    ]
    # Against each other, whatever both have.
    assert found[0][0] - found[0][1] > found[1][0] - found[1][1]
    made = dream(to_bytes(noise(48, 48)), model=str(taught.output), classes="dots", steps=1)
    assert made.shape == (48, 48, 3)


@pytest.mark.integration
def test_the_pupil_begins_as_the_bundled_network() -> None:
    pupil, image = Pupil(1), cat(64, 64)[None]
    expected = lite0.activations(image, [FEATURES])[FEATURES]
    np.testing.assert_allclose(pupil.see(image), expected, atol=1e-4)
    state = pupil.state()
    labels = np.array([0, 1], np.int32)
    features = np.concatenate([pupil.see(image), pupil.see(noise(64, 64)[None])])
    losses = [pupil.teach(features, labels) for _ in range(5)]
    assert losses[-1] < losses[0]
    pupil.restore(state)
    assert pupil.teach(features, labels) == pytest.approx(losses[0], rel=1e-5)


def stop_in_epoch(number: int) -> Any:
    def listen(progress: Progress) -> None:
        if progress.detail.startswith(f"epoch {number}"):
            TOKEN.cancel(2)

    return listen


@pytest.mark.integration
def test_a_stopped_course_goes_on_to_the_same_network(
    folder: Path, tmp_path: Path, cli: Cli
) -> None:
    settings = TrainingSettings(epochs=3, seed=4, blend=1)
    whole, stopped = tmp_path / "whole.safetensors", tmp_path / "stopped.safetensors"
    train.train(folder, whole, settings)
    with pytest.raises(Interrupted) as raised:
        try:
            train.train(folder, stopped, settings, on_progress=stop_in_epoch(2))
        finally:
            TOKEN.reset()
    assert raised.value.__dict__["left"] == "1 of 3 epochs are kept"
    checkpoint = checkpoint_path(stopped)
    assert sorted(path.name for path in tmp_path.iterdir()) == [checkpoint.name, whole.name]
    said: list[str] = []
    train.train(folder, stopped, settings, on_progress=lambda each: said.append(each.note))
    assert "goes on after epoch 1" in said
    assert not checkpoint.exists()
    expected, found = read_safetensors(whole), read_safetensors(stopped)
    assert list(found) == list(expected)
    for name, array in expected.items():
        # Threads may add in another order; on one thread the files are the same bytes.
        np.testing.assert_allclose(found[name], array, atol=1e-4, err_msg=name)


@pytest.mark.integration
def test_on_one_thread_a_stopped_course_ends_with_the_same_bytes(
    folder: Path, tmp_path: Path
) -> None:
    import subprocess
    import sys

    script = """
import sys
from pathlib import Path
import pytest
sys.path.insert(0, sys.argv[1])
import test_train
from dreamvideo.cancel import Interrupted
from dreamvideo.render.training import train
folder, output, stop = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
settings = test_train.TrainingSettings(epochs=3)
with pytest.MonkeyPatch.context() as patch:
    test_train.make_little(patch)
    listen = test_train.stop_in_epoch(stop) if stop else test_train.silent
    try:
        train.train(folder, output, settings, threads=1, on_progress=listen)
    except Interrupted:
        sys.exit(7)
"""

    def run(output: Path, stop: int) -> int:
        here = str(Path(__file__).parent)
        command = [sys.executable, "-c", script, here, str(folder), str(output), str(stop)]
        return subprocess.run(command, check=False, timeout=300).returncode

    whole, stopped = tmp_path / "whole.safetensors", tmp_path / "stopped.safetensors"
    assert run(whole, 0) == 0
    assert run(stopped, 3) == 7
    assert not stopped.exists()
    assert run(stopped, 0) == 0
    assert whole.read_bytes() == stopped.read_bytes()


@pytest.mark.integration
def test_a_course_of_other_pictures_begins_anew(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "own.safetensors"
    checkpoint = checkpoint_path(output)
    np.savez(checkpoint, fingerprint=np.array("of others"))
    made = train.train(folder, output, TrainingSettings(epochs=1))
    assert made.notes == ("the pictures or settings have changed: began anew",)
    checkpoint.write_bytes(b"damaged")
    assert train.train(folder, output, TrainingSettings(epochs=1), overwrite=True).notes == ()
    assert not checkpoint.exists()


def write_many(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        write_still(folder / f"{seed}.png", dots(seed))


def make_bad(kind: str, where: Path) -> None:
    """Make a folder that nothing can be learnt from."""
    if kind == "file":
        where.write_text("a file")
    elif kind != "gone":
        where.mkdir()
    if kind == "no pictures":
        (where / "notes.txt").write_text("none")
    elif kind == "one picture":
        write_many(where, 1)
    elif kind == "unreadable":
        write_many(where, 3)
        (where / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    elif kind == "twice":
        write_many(where / "Dots", 4)
        write_many(where / "dots", 4)
    elif kind == "mixed":
        write_many(where, 4)
        write_many(where / "dots", 4)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("gone", "no such folder"),
        ("file", "is no folder"),
        ("empty", "holds no pictures"),
        ("no pictures", "holds no pictures"),
        ("one picture", "one picture is too few to learn 'bad' from: it takes 4"),
        ("unreadable", "3 pictures are too few"),
        ("twice", "'Dots' and 'dots' are one class"),
        ("mixed", "holds pictures and folders of pictures"),
    ],
)
def test_a_folder_without_lessons_is_one_line(
    cli: Cli, tmp_path: Path, kind: str, words: str
) -> None:
    make_bad(kind, tmp_path / "bad")
    if kind == "twice" and len(list((tmp_path / "bad").iterdir())) == 1:
        pytest.skip("the system does not tell upper from lower case")
    ended = cli("train", tmp_path / "bad", "-q", "-o", tmp_path / "out.safetensors")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert words in ended.err
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--epochs", "0"), "--epochs"),
        (("--minutes", "0"), "--minutes"),
        (("--strength", "nan"), "--strength"),
        (("-o", "own.keras"), "a network's file ends in .safetensors"),
        (("-o", "gone/own.safetensors"), "does not exist"),
        (("--against", "gone"), "gone: no such folder"),
    ],
)
def test_a_wrong_option_is_one_line(
    cli: Cli, folder: Path, options: tuple[str, ...], words: str
) -> None:
    ended = cli("train", folder, *options)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert words in ended.err


def test_an_output_that_exists_is_kept(cli: Cli, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "own.safetensors"
    output.write_text("mine")
    ended = cli("train", folder, "-o", output)
    assert (ended.code, output.read_text()) == (2, "mine")
    assert "exists already; -y overwrites it" in ended.err


def test_pictures_that_cannot_be_read_are_left_out_and_counted(tmp_path: Path) -> None:
    write_many(tmp_path / "own", 5)
    (tmp_path / "own" / "bad.jpg").write_bytes(b"no picture")
    said: list[str] = []
    read = lessons.read_lessons(
        tmp_path / "own", None, 0, lambda progress: said.append(progress.note)
    )
    assert (read.classes, len(read.taught[0]), len(read.aside[0])) == (("own",), 4, 1)
    (line,) = filter(None, said)
    assert line.startswith("left out: ") and "bad.jpg" in line
    assert read.unread == [line.removeprefix("left out: ")]


def test_what_is_not_to_be_dreamt_is_added_to_the_packages_own(tmp_path: Path) -> None:
    write_many(tmp_path / "own", 4)
    write_many(tmp_path / "against" / "deep", 3)
    plain = lessons.read_lessons(tmp_path / "own", None, 0, silent)
    more = lessons.read_lessons(tmp_path / "own", tmp_path / "against", 0, silent)
    assert len(plain.others) >= 20
    assert len(more.others) == len(plain.others) + 3
    assert more.digest != plain.digest


def test_crops_are_squares_in_range(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    wide = np.zeros((20, 300, 3), np.uint8)
    made = lessons.crop_all([dots(0), wide, stripes(0)], 7, random)
    assert made.shape == (7, lessons.SIDE, lessons.SIDE, 3) and made.dtype == np.float32
    assert made.min() >= -1 and made.max() <= 1
    again = lessons.crop_all([dots(0), wide, stripes(0)], 7, np.random.default_rng(0))
    assert np.array_equal(made, again)


def test_arrays_and_texts_come_back_exactly(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = {
        "a/kernel": random.normal(size=(3, 2)).astype(np.float32),
        "b": np.array([1e-30], np.float32),
    }
    path = tmp_path / "x.safetensors"
    path.write_bytes(encode_safetensors(arrays, {"kind": "a", "said": 'é "b"'}))
    found = read_safetensors(path)
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())
    assert read_metadata(path) == {"kind": "a", "said": 'é "b"'}


@pytest.mark.parametrize("damage", ["cut", "shape", "nan", "missing", "classes"])
def test_a_damaged_network_is_one_line(tmp_path: Path, damage: str) -> None:
    weights = {**lite0.fold_weights(), "own": (np.zeros((1280, 1), "f4"), np.zeros(1, "f4"))}
    classes = ["one"]
    if damage == "shape":
        weights["head"] = weights["top"]
    elif damage == "nan":
        weights["own"] = np.full((1280, 1), np.nan, np.float32), np.zeros(1, np.float32)
    elif damage == "missing":
        del weights["block3_project"]
    elif damage == "classes":
        classes = []
    data = encode_trained(weights, classes)
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(data[: len(data) // 2] if damage == "cut" else data)
    with pytest.raises(WeightsError) as raised:
        models.find_entry(str(path))
    assert "damaged.safetensors" in str(raised.value) and "\n" not in str(raised.value)


def test_a_trained_network_takes_no_input_range(taught: Trained) -> None:
    with pytest.raises(UsageError, match="knows its input range"):
        models.load(str(taught.output), input_range="0..1")
