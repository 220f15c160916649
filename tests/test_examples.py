"""The examples in docstrings: every public function has one, and all print what they say."""

from __future__ import annotations

import doctest
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import dreamvideo

PACKAGE = Path(dreamvideo.__file__).parent
SAMPLES = PACKAGE.parent / "samples"
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text("utf-8")
)
FUNCTIONS = [n for n in dreamvideo.__all__ if inspect.isfunction(getattr(dreamvideo, n))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_has_an_example(name: str) -> None:
    text = getattr(dreamvideo, name).__doc__
    examples = doctest.DocTestParser().get_examples(text)
    assert examples and not any(doctest.SKIP in example.options for example in examples)


@pytest.mark.sample(3)
@pytest.mark.parametrize("module", MODULES)
def test_examples_print_what_they_say(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "samples").symlink_to(SAMPLES)
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(import_module(module))
    assert found.attempted and not found.failed
