"""TensorFlow comes late, silently, and with the user's settings."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from dreaming import has_bfloat16

from dreamvideo.dream import runtime

CHATTERING = ("TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS")


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in CHATTERING}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=kept | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


@pytest.mark.integration
def test_tensorflow_starts_silently_and_with_our_settings() -> None:
    code = (
        "import gc, os\n"
        "from dreamvideo.dream import runtime\n"
        "runtime.use_threads(1)\n"
        "tf = runtime.tensorflow()\n"
        "tf.nn.conv2d(tf.zeros((1, 8, 8, 3)), tf.zeros((3, 3, 3, 4)), 1, 'SAME')\n"
        "assert runtime.tensorflow() is tf\n"
        "assert os.environ['TF_ENABLE_ONEDNN_OPTS'] == '1'\n"
        "assert tf.config.threading.get_intra_op_parallelism_threads() == 1\n"
        "assert gc.isenabled() and not gc.get_freeze_count(), 'the process is not ours'\n"
        "try:\n"
        "    runtime.use_threads(2)\n"
        "except RuntimeError as error:\n"
        "    print(error)\n"
    )
    ended = run(code)
    assert ended.stderr == ""
    assert "already" in ended.stdout and len(ended.stdout.splitlines()) == 1


@pytest.mark.integration
@pytest.mark.parametrize("owned", [True, False])
def test_keras_is_imported_with_tensorflow_in_a_host_program_only(owned: bool) -> None:
    code = (
        "import os, sys\n"
        "from dreamvideo.dream import runtime\n"
        f"{'runtime.own_process()' if owned else 'pass'}\n"
        "tf = runtime.tensorflow()\n"
        "print('keras.src' in sys.modules, 'TF_USE_LEGACY_KERAS' in os.environ)\n"
        "print(tf.keras.Sequential([tf.keras.layers.Dense(2)])(tf.zeros((1, 4))).shape)\n"
        "print(tf.keras.__version__.split('.')[0])\n"
    )
    assert run(code).stdout.splitlines() == [f"{not owned} False", "(1, 2)", "3"]


@pytest.mark.integration
def test_the_parts_of_tensorflow_that_no_dream_needs_are_loaded_when_they_are_used() -> None:
    code = (
        "import os, sys\n"
        "from dreamvideo.dream import nn, runtime\n"
        "runtime.own_process()\n"
        "tf = runtime.tensorflow()\n"
        "nn.conv2d(tf.zeros((1, 8, 8, 3)), tf.zeros((3, 3, 3, 4)), 1, 'SAME')\n"
        "big = {f'tensorflow.{n}' for n in ('python.keras', 'lite.python', '_api.v2.compat.v1')}\n"
        "print(big & {*sys.modules})\n"
        "os.dup2(1, 2)\n"
        "for name in dir(tf):\n"
        "    part = vars(tf).get(name)\n"
        "    if type(part).__name__ == '_LazyModule':\n"
        "        assert len(dir(part)) > 9 and getattr(tf, name) is part, name\n"
        "assert big < {*sys.modules}\n"
        "assert tf.distribute.has_strategy() is False\n"
        "assert tf.lite.Interpreter is tf.compat.v2.lite.Interpreter\n"
        "print(tf.nn.relu(-1.0).numpy())\n"
    )
    lines = run(code).stdout.splitlines()
    assert (lines[0], lines[-1]) == ("set()", "0.0")


def test_a_users_own_choice_of_kernels_stands() -> None:
    code = (
        "import os, sys\n"
        "from dreamvideo.dream import runtime\n"
        "sys.modules['tensorflow'] = None\n"
        "try:\n"
        "    runtime.tensorflow()\n"
        "except ImportError:\n"
        "    print(os.environ['TF_ENABLE_ONEDNN_OPTS'])\n"
    )
    assert run(code, TF_ENABLE_ONEDNN_OPTS="0").stdout.split() == ["0"]
    assert run(code).stdout.split() == ["1"]


def test_a_failing_start_shows_what_was_held_back() -> None:
    code = (
        "import os\n"
        "from dreamvideo.dream import runtime\n"
        "try:\n"
        "    with runtime._quiet_stderr():\n"
        "        os.write(2, b'the reason')\n"
        "        raise ImportError\n"
        "except ImportError:\n"
        "    pass\n"
    )
    assert run(code).stderr == "the reason"


def test_what_is_held_back_is_shown_but_for_the_chatter() -> None:
    code = (
        "import os\n"
        "from dreamvideo.dream import runtime\n"
        "with runtime._quiet_stderr():\n"
        "    os.write(2, b'I0000 00:00:1 port.cc:153] oneDNN\\nsomething else\\n')\n"
    )
    assert run(code).stderr == "something else\n"


def test_what_xla_compiles_is_kept_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    runtime._keep_compiled(environment)
    folder = tmp_path / "dreamvideo" / "xla"
    assert folder.is_dir()
    assert environment["TF_XLA_FLAGS"] == f"--tf_xla_persistent_cache_directory={folder}"
    own = {"XDG_CACHE_HOME": str(tmp_path), "TF_XLA_FLAGS": "--mine"}
    runtime._keep_compiled(own)
    assert own["TF_XLA_FLAGS"] == "--mine"


THREADS = """
import sys
import numpy as np
from dreamvideo.dream import models, runtime
runtime.use_threads(int(sys.argv[1]))
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.objectives import weighted_layers
from dreamvideo.settings.machine import make_machine
network = models.load("efficientnet-lite0")
layers = ("block8_expand", "block11_expand")
for precision in ("float32", "bfloat16"):
    objective = weighted_layers((name, 1.0) for name in layers)
    ascent = GradientAscent(network.forward, objective, machine=make_machine(precision=precision))
    picture = np.random.default_rng(0).uniform(-0.8, 0.8, (180, 320, 3)).astype(np.float32)
    for even in (False, True):
        picture, _ = ascent.climb(picture, 0.03, np.asarray([[5, -9], [1, 2]], np.int32), even=even)
    sys.stdout.buffer.write(picture.tobytes())
"""


@pytest.mark.integration
def test_pictures_are_the_same_on_any_number_of_threads() -> None:
    pictures = {
        subprocess.run(
            [sys.executable, "-c", THREADS, str(threads)],
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        for threads in (1, 4)
    }
    half = 180 * 320 * 3 * 4
    assert {len(picture) for picture in pictures} == {2 * half}
    assert len({picture[:half] for picture in pictures}) == 1
    if has_bfloat16():
        assert len(pictures) == 1
    # The precision is another, and a gradient of that one is indeed another.
    assert all(picture[:half] != picture[half:] for picture in pictures)


def test_no_module_of_the_dream_imports_tensorflow_by_itself() -> None:
    found = pkgutil.walk_packages(import_module("dreamvideo.dream").__path__, "dreamvideo.dream.")
    names = [module.name for module in found]
    assert "dreamvideo.dream.gradient_ascent" in names
    imports = "\n".join(f"import {name}" for name in names)
    report = "print({'tensorflow', 'keras', 'torch'} & set(sys.modules))"
    assert run(f"import sys\n{imports}\n{report}").stdout.strip() == "set()"
