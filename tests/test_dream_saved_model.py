"""SavedModel folders, held to what Keras and TensorFlow compute themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dreaming import noise, still
from network_files import check_damage, export_keras_model

from dreamvideo.cluster.staged_files import StagingPlan
from dreamvideo.dream import models
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.kept_models import list_kept
from dreamvideo.dream.model_files import open_model_file
from dreamvideo.dream.objectives import weighted_layers
from dreamvideo.dream.readers.graph import compute
from dreamvideo.dream.readers.saved_model import read_saved_model
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import UsageError, WeightsError
from dreamvideo.render.job.manifest import compute_fingerprint


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder that Keras exported, and the model."""
    folder = tmp_path_factory.mktemp("saved") / "own"
    return folder, export_keras_model(folder)


def result_of(folder: Path, image: Any) -> Any:
    """What a folder serves, of the last of its operations."""
    graph = read_saved_model(folder)
    last = list(graph.operations)[-1]
    return np.asarray(compute(graph, tensorflow().constant(image), [last])[last])


def test_an_exported_model_is_what_keras_makes_of_it(exported: tuple[Path, Any]) -> None:
    folder, model = exported
    image = ((noise(40, 52) + 1) * 127.5)[None]
    np.testing.assert_allclose(result_of(folder, image), model(image), atol=1e-5)


def test_an_exported_model_climbs(exported: tuple[Path, Any]) -> None:
    folder, _ = exported
    network: Any = open_model_file(folder)
    assert network.title == "own (SavedModel)"
    assert network.notes == ()
    # Its own first layer scales bytes.
    assert network.forward(tensorflow().zeros((1, 32, 32, 3)), [network.layers[0].name])
    assert network._kind == "bytes"
    ascent = GradientAscent(
        network.forward, weighted_layers([(name, 1) for name in network.default_layers])
    )
    _, losses = ascent.climb(noise(32, 40), 0.02, still(3))
    assert losses[2] > losses[0]


def test_the_other_way_in_which_keras_saves(exported: tuple[Path, Any], tmp_path: Path) -> None:
    _, model = exported
    # This checkpoint has only the second of the two variables that Keras makes of each.
    tensorflow().saved_model.save(model, tmp_path / "own")
    image = ((noise(24, 32) + 1) * 127.5)[None]
    np.testing.assert_allclose(result_of(tmp_path / "own", image), model(image), atol=1e-5)


def save_module(folder: Path) -> Any:
    """A module whose function calls another one twice."""
    tf: Any = tensorflow()
    base: Any = tf.Module

    class Module(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            random = np.random.default_rng(0)
            self.first = tf.Variable(random.normal(0, 0.3, (3, 3, 3, 8)).astype(np.float32))
            self.second = tf.Variable(random.normal(0, 0.3, (3, 3, 8, 8)).astype(np.float32))
            self.inner = tf.function(self.convolve)

        def convolve(self, x: Any) -> Any:
            return tf.nn.relu(tf.nn.conv2d(x, self.second, 2, "SAME"))

        def serve(self, x: Any) -> Any:
            x = tf.nn.relu(tf.nn.conv2d(x, self.first, 2, "SAME"))
            return self.inner(self.inner(x))

    module = Module()
    spec = tf.TensorSpec((None, None, None, 3), tf.float32)
    served = tf.function(module.serve, input_signature=[spec])
    tf.saved_model.save(module, folder, signatures=served)
    return served


def test_functions_are_written_out_wherever_they_are_called(tmp_path: Path) -> None:
    served = save_module(tmp_path / "own")
    image = noise(32, 40)[None]
    np.testing.assert_allclose(result_of(tmp_path / "own", image), served(image), atol=1e-5)
    strides = [layer.stride for layer in open_model_file(tmp_path / "own").layers]
    assert strides == [2, 2, 4, 4, 8, 8]


def test_a_model_of_the_first_tensorflow(tmp_path: Path) -> None:
    tf = tensorflow()
    v1 = tf.compat.v1
    image = noise(32, 40)[None]
    with v1.Graph().as_default():
        x = v1.placeholder(tf.float32, (None, None, None, 3), name="picture")
        first = v1.get_variable("first/w", (3, 3, 3, 8), use_resource=False)
        second = v1.get_variable("second/w", (3, 3, 8, 8), use_resource=True)
        y = tf.nn.relu(tf.nn.conv2d(x, first, 2, "SAME"), name="first/relu")
        y = tf.nn.relu(tf.nn.conv2d(y, second, 2, "SAME"), name="second/relu")
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            expected = session.run(y, {x: image})
            v1.saved_model.simple_save(session, str(tmp_path / "own"), {"x": x}, {"y": y})
    network = open_model_file(tmp_path / "own")
    found = network.forward(tf.constant(image), ["second/relu"])
    # Nothing says what it takes.
    assert "0..1 is assumed" in network.notes[0]
    np.testing.assert_allclose(
        network.with_range("signed").forward(tf.constant(image), ["second/relu"])["second/relu"],
        expected,
        atol=1e-5,
    )
    assert not np.allclose(found["second/relu"], expected, atol=1e-3)


def test_code_is_not_run(tmp_path: Path) -> None:
    tf = tensorflow()

    def touch(x: Any) -> Any:
        (tmp_path / "ran").touch()
        return x

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32)])  # type: ignore[untyped-decorator]
    def serve(x: Any) -> Any:
        x = tf.ensure_shape(tf.py_function(touch, [x], tf.float32), (None, None, None, 3))
        return tf.nn.conv2d(x, tf.ones((3, 3, 3, 8)), 2, "SAME")

    tf.saved_model.save(tf.Module(), tmp_path / "own", signatures=serve)
    with pytest.raises(WeightsError, match=r"own.*EagerPyFunc") as error:
        open_model_file(tmp_path / "own")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


def change(folder: Path, edit: Callable[[Any], None]) -> None:
    """Edit a model's description with Google's own reader of it."""
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    edit(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())


def call_itself(graph: Any) -> None:
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            if node.op.endswith("PartitionedCall"):
                node.attr["f"].func.name = function.signature.name


def call_nobody(graph: Any) -> None:
    for node in graph.graph_def.node:
        if node.op.endswith("PartitionedCall"):
            node.attr["f"].func.name = "nobody"


def take_text(graph: Any) -> None:
    for given in graph.signature_def["serving_default"].inputs.values():
        given.dtype = 7


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (call_itself, "without end"),
        (call_nobody, "unknown function 'nobody'"),
        (take_text, "no pictures"),
        (lambda graph: graph.signature_def.clear(), "serves nothing"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    edit: Callable[[Any], None], message: str, tmp_path: Path
) -> None:
    save_module(tmp_path / "own")
    change(tmp_path / "own", edit)
    with pytest.raises(WeightsError, match=message) as error:
        open_model_file(tmp_path / "own")
    assert "\n" not in str(error.value)


def test_missing_variables_are_one_line(tmp_path: Path) -> None:
    save_module(tmp_path / "own")
    for path in (tmp_path / "own" / "variables").iterdir():
        path.unlink()
    with pytest.raises(WeightsError, match="variables cannot be read"):
        open_model_file(tmp_path / "own")


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"saved_model\.pb.*model\.export"):
        open_model_file(tmp_path)


@pytest.mark.integration
@pytest.mark.parametrize("part", ["saved_model.pb", "variables/variables.index"])
def test_damage_is_one_line_and_takes_no_memory(part: str, tmp_path: Path) -> None:
    save_module(tmp_path / "own")
    check_damage(tmp_path / "own" / part, lambda _: read_saved_model(tmp_path / "own"))


def test_a_folder_is_kept_under_a_name(
    exported: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = exported
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name, kept = models.add_model(folder, "mine")
    assert list_kept() == {"mine": kept} == {name: tmp_path / "dreamvideo" / "models" / "mine"}
    assert models.find_model_file("mine") == kept
    with pytest.raises(UsageError, match="kept already"):
        models.add_model(folder, "mine")
    assert compute_fingerprint(kept) == compute_fingerprint(folder)
    image = noise(24, 24)[None]
    np.testing.assert_array_equal(result_of(kept, image), result_of(folder, image))


def test_a_folder_is_sent_to_other_machines(exported: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = exported
    plan = StagingPlan(None, {Path("digest"): folder})  # type: ignore[arg-type]
    for name, at, data in plan.pieces():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        with (tmp_path / name).open("ab") as file:
            assert file.tell() == at
            file.write(data)
    assert compute_fingerprint(tmp_path / "digest") == compute_fingerprint(folder)
    variables = next((tmp_path / "digest" / "variables").glob("*.data-*"))
    damaged = bytearray(variables.read_bytes())
    damaged[100] ^= 1
    variables.write_bytes(damaged)
    assert compute_fingerprint(tmp_path / "digest") != compute_fingerprint(folder)
