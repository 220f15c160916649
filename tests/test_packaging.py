"""The package declares what it imports, and its wheel holds everything that it reads."""

from __future__ import annotations

import ast
import doctest
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from zipfile import ZipFile

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "dreamvideo"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# Packages that are imported by another name.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "axe_playwright_python": "axe-playwright-python",
    "cv2": "opencv-python-headless",
    "imageio_ffmpeg": "imageio-ffmpeg",
}
# Where an extra may be imported, after the extra was found to be installed.
HOMES = {
    "bench": ("bench", "dream/weights/convert_lite0.py"),
    "cluster": ("cluster",),
    "studio": ("loopback", "studio"),
    "test": ("pictures",),
}
# Used as commands or by pytest.
COMMANDS = {"ipykernel", "mypy", "pytest-xdist", "ruff", "setuptools"}


def names(requirements: list[str]) -> set[str]:
    """Names in requirements, without those that only gather other extras."""
    found = [re.split(r"[\[<>=; ]", requirement)[0] for requirement in requirements]
    return {name for name in found if name != "dreamvideo"}


CORE = names(PROJECT["dependencies"])
EXTRAS = {extra: names(listed) for extra, listed in PROJECT["optional-dependencies"].items()}


def examples(tree: ast.Module) -> Iterator[ast.Module]:
    """The ``>>>`` lines of a file's docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for example in doctest.DocTestParser().get_examples(ast.get_docstring(node) or ""):
                yield ast.parse(example.source)


def imported(path: Path) -> set[str]:
    """Distributions that a file or its examples import, but for Python's own."""
    tree = ast.parse(path.read_text("utf-8"))
    found = set()
    for part in (tree, *examples(tree)):
        for node in ast.walk(part):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module))
    tops = {name.split(".")[0] for name in found} - {"dreamvideo", *sys.stdlib_module_names}
    return {DISTRIBUTIONS.get(name, name) for name in tops}


@cache
def users(folder: Path) -> dict[str, set[str]]:
    """Distribution -> the files that import it."""
    found = defaultdict(set)
    for path in sorted(folder.rglob("*.py")):
        for name in imported(path):
            found[name].add(path.relative_to(folder).as_posix())
    return found


def home(path: str) -> set[str]:
    """The extras that a file may import."""
    return {
        extra
        for extra, places in HOMES.items()
        if any(path == place or path.startswith(f"{place}/") for place in places)
    }


def test_what_is_imported_is_declared() -> None:
    stray = [
        f"{path} imports {name}"
        for name, paths in users(PACKAGE).items()
        for path in paths
        if name not in CORE.union(*(EXTRAS[extra] for extra in home(path)))
    ]
    assert stray == []


def test_what_is_declared_is_imported() -> None:
    used = users(PACKAGE)
    assert {name for name in CORE if not used[name]} == set()
    for extra in ("bench", "cluster", "studio"):
        assert EXTRAS[extra] == {n for n in EXTRAS[extra] if extra in map_homes(used[n])}, extra
    assert EXTRAS["test"] - COMMANDS == {n for n in EXTRAS["test"] if users(ROOT / "tests")[n]}


def map_homes(paths: set[str]) -> set[str]:
    """The extras whose homes are among these files."""
    return {extra for path in paths for extra in home(path)}


@pytest.mark.parametrize("group", ["core", *EXTRAS])
def test_every_requirement_has_a_lower_bound(group: str) -> None:
    optional = PROJECT["optional-dependencies"]
    listed = PROJECT["dependencies"] if group == "core" else optional[group]
    bare = [line for line in listed if ">=" not in line]
    assert [line for line in bare if not line.startswith("dreamvideo[")] == []


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    copy = tmp_path / "source"
    shutil.copytree(PACKAGE, copy / "dreamvideo", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy / name)
    build = "import sys; from setuptools import build_meta as b; print(b.build_wheel(sys.argv[1]))"
    command = [sys.executable, "-c", build, str(tmp_path)]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in ZipFile(wheel).namelist() if name.startswith("dreamvideo/")}
    files = [path for path in (copy / "dreamvideo").rglob("*") if path.is_file()]
    assert held == {path.relative_to(copy).as_posix() for path in files}
