"""The house keeps its own rules: who imports whom, what a start costs, documents, sizes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest

import dreamvideo

ROOT = Path(dreamvideo.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
HEAVY = {"tensorflow", "keras", "cv2", "numpy", "imageio", "imageio_ffmpeg", "PIL", "av"}
LEAVES = {
    *(
        "arguments",
        "cancel",
        "control_groups",
        "errors",
        "formatting",
        "imaging",
        "memory",
        "parsing",
    ),
    *("processors", "schedules", "settings", "timers", "version"),
}
# The other program that a benchmark measures against is its own reference in TensorFlow.
TENSORFLOW = {"dream", "bench/reference.py"}
USE_PYAV = {"media/demux.py", "media/magicyuv.py"}
RUN_PROGRAMS = {"media/ffmpeg.py", "bench/worker.py", "render/parallel/pool.py"}
# A room may import from these rooms and from itself.
MAY_IMPORT: dict[str, set[str]] = {
    "arguments": {"errors"},
    "cancel": set(),
    "errors": set(),
    "imaging": {"errors"},
    "control_groups": set(),
    "formatting": set(),
    "memory": {"control_groups"},
    "processors": {"control_groups"},
    "timers": set(),
    "version": set(),
    "guide": {"errors"},
    "schedules": {"errors"},
    "parsing": {"errors"},
    "settings": {"arguments", "errors", "parsing", "schedules"},
    "media": LEAVES,
    "motion": LEAVES,
    "dream": LEAVES,
    "paint": {*LEAVES, "media", "motion"},
    "render": {*LEAVES, "media", "motion", "dream", "paint"},
    "cluster": {*LEAVES, "media", "render"},
    "metrics": {*LEAVES, "media", "motion", "dream", "paint", "render"},
    "gallery": {*LEAVES, "media", "dream", "render"},
    "bench": {*LEAVES, "media", "motion", "dream", "paint", "render", "metrics"},
    "desktop": set(),
    "loopback": {*LEAVES, "media"},
    "studio": {*LEAVES, "desktop", "loopback", "media", "dream", "render"},
    "report": {
        *LEAVES,
        "media",
        "motion",
        "dream",
        "paint",
        "render",
        "metrics",
        "bench",
    },
    "cli": {
        *LEAVES,
        "cluster",
        "guide",
        "media",
        "dream",
        "paint",
        "render",
        "metrics",
        "gallery",
        "bench",
        "report",
        "studio",
    },
    "pictures": {
        *LEAVES,
        "media",
        "dream",
        "render",
        "metrics",
        "gallery",
        "studio",
        "cli",
        "__init__",
    },
    "__main__": {"cli"},
    "hosts": LEAVES,
    "notebook": {*LEAVES, "render"},
    "__init__": {*LEAVES, "dream", "notebook", "render"},
}


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Dotted names of everything that a file imports anywhere, also inside functions."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide their room"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


ROOMS = {name: list(files) for name, files in groupby(FILES, room)}


@pytest.mark.parametrize("files", ROOMS.values(), ids=ROOMS)
def test_imports_go_one_way(files: list[Path]) -> None:
    for path in files:
        own = [name.split(".")[1] for name in imports(path) if name.startswith("dreamvideo.")]
        assert set(own) <= MAY_IMPORT[room(path)] | {room(path)}, path


def test_the_import_check_sees_into_functions() -> None:
    assert "tensorflow" in set(imports(ROOT / "dream" / "runtime.py"))


@pytest.mark.parametrize("files", ROOMS.values(), ids=ROOMS)
def test_each_library_has_its_room(files: list[Path]) -> None:
    for path in files:
        used = {name.split(".")[0] for name in imports(path)}
        assert "click" not in used, path
        if not {room(path), name_of(path)} & TENSORFLOW:
            assert not used & {"tensorflow", "keras"}, path
        if name_of(path) not in USE_PYAV:
            assert "av" not in used, path
        if name_of(path) not in RUN_PROGRAMS:
            runs = ("os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn", "os.fork")
            assert not used & {"subprocess", "pty"}, path
            assert not [name for name in calls(path) if name.startswith(runs)], path


@pytest.mark.parametrize("files", ROOMS.values(), ids=ROOMS)
def test_signals_and_sudden_ends_have_one_place(files: list[Path]) -> None:
    for path in files:
        if name_of(path) != "cancel.py":
            assert "signal" not in {name.split(".")[0] for name in imports(path)}, path
            assert not {"os._exit", "os.abort", "os.kill"} & set(calls(path)), path
        assert list(calls(path)).count("os._exit") <= 1, path


# What executes data, or gives a file name to a shell.
EXECUTES = {"eval", "exec", "compile", "__import__", "breakpoint", "input"}
UNPICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}
UNSAFE_ARGUMENTS = {"shell": False, "allow_pickle": False, "safe_mode": True}


def unsafe(tree: ast.Module) -> Iterator[str]:
    """Everything in a file that could run what a file, a name or a setting says."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in EXECUTES:
            yield node.func.id
        for keyword in node.keywords:
            if keyword.arg in UNSAFE_ARGUMENTS:
                safe = UNSAFE_ARGUMENTS[keyword.arg]
                if not isinstance(keyword.value, ast.Constant) or keyword.value.value is not safe:
                    yield f"{keyword.arg}={ast.unparse(keyword.value)}"


@pytest.mark.parametrize("files", ROOMS.values(), ids=ROOMS)
def test_nothing_in_a_file_is_ever_executed(files: list[Path]) -> None:
    for path in files:
        assert not {name.split(".")[0] for name in imports(path)} & UNPICKLES, path
        assert list(unsafe(parse(path))) == [], path


@pytest.mark.parametrize(
    "line",
    [
        "eval(text)",
        "exec(text)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(line, shell=True)",
        "subprocess.run(line, shell=quick)",
        "keras.models.load_model(path, safe_mode=False)",
    ],
)
def test_the_check_sees_what_executes(line: str) -> None:
    assert len(list(unsafe(ast.parse(line)))) == 1


@pytest.mark.parametrize("files", ROOMS.values(), ids=ROOMS)
def test_files_stay_small_and_documented(files: list[Path]) -> None:
    for path in files:
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 600, path
        tree = parse(path)
        assert ast.get_docstring(tree), path
        scopes: list[ast.Module | ast.ClassDef] = [tree]
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        scopes += [node for node in classes if not node.name.startswith("_")]
        for scope in scopes:
            for node in scope.body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    assert node.name.startswith("_") or ast.get_docstring(node), node.name


# Private words of earlier versions; the field has its own for all of them.
OLD_NAMES = re.compile(
    r"\b(foreman|baggage|muster|voyage|embark|[Cc]rew|[Tt]ally|Footage|Foreseen|Shelf)\b"
)


@pytest.mark.parametrize("files", ROOMS.values(), ids=ROOMS)
def test_names_are_the_field_s(files: list[Path]) -> None:
    for path in files:
        assert not OLD_NAMES.search(path.read_text("utf-8")), path


@pytest.mark.parametrize("name", dreamvideo.__all__)
def test_exported_names_resolve_and_are_documented(name: str) -> None:
    assert getattr(dreamvideo, name).__doc__


def test_unknown_names_are_unknown() -> None:
    with pytest.raises(AttributeError, match="dreem_video"):
        getattr(dreamvideo, "dreem_video")  # noqa: B009 (mypy knows that it is not there)


STARTS = [
    "import dreamvideo",
    "from dreamvideo import Look, make_look, DreamVideoError; make_look(['classic'])",
    *(
        f"from dreamvideo.cli.entry import run; run({arguments})"
        for arguments in (["--help"], ["--version"], ["video", "--help"], ["video", "--steps", "0"])
    ),
    *(f"from dreamvideo.cli.entry import run; run({a})" for a in (["guide"], ["guide", "looks"])),
]


@pytest.mark.parametrize("start", STARTS)
def test_a_start_loads_nothing_heavy(start: str) -> None:
    script = f"import sys\n{start}\nprint('loaded', *sys.modules)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert loaded[0] == "loaded" and "dreamvideo" in loaded
    assert not HEAVY & set(loaded)
