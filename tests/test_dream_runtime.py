"""TensorFlow comes late, silently, and with the user's settings."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys

import dreamvideo.dream

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


def test_starting_tensorflow_prints_nothing() -> None:
    ended = run(
        "import os\n"
        "from dreamvideo.dream.runtime import tensorflow\n"
        "tf = tensorflow()\n"
        "tf.nn.conv2d(tf.zeros((1, 8, 8, 3)), tf.zeros((3, 3, 3, 4)), 1, 'SAME')\n"
        "assert tensorflow() is tf\n"
        "assert os.environ['TF_ENABLE_ONEDNN_OPTS'] == '1'\n"
    )
    assert (ended.stdout, ended.stderr) == ("", "")


def test_a_users_own_choice_of_kernels_stands() -> None:
    code = (
        "import os\n"
        "from dreamvideo.dream.runtime import tensorflow\n"
        "tensorflow()\n"
        "print(os.environ['TF_ENABLE_ONEDNN_OPTS'])\n"
    )
    assert run(code, TF_ENABLE_ONEDNN_OPTS="0").stdout.split() == ["0"]


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


def test_no_module_of_the_dream_imports_tensorflow_by_itself() -> None:
    found = pkgutil.walk_packages(dreamvideo.dream.__path__, "dreamvideo.dream.")
    names = [module.name for module in found]
    assert "dreamvideo.dream.ascent" in names
    imports = "\n".join(f"import {name}" for name in names)
    report = "print({'tensorflow', 'keras', 'torch'} & set(sys.modules))"
    assert run(f"import sys\n{imports}\n{report}").stdout.strip() == "set()"
