"""Who may import whom: lower rooms know nothing of higher ones, rooms on one tier are strangers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "worldloom"

TIERS = {
    "core": 0,
    "nn": 1,
    "flow": 1,
    "vae": 2,
    "text": 2,
    "dit": 2,
    "worlds": 2,
    "data": 2,
    "provenance": 2,
    "generate": 3,
    "curate": 3,
    "training": 4,
    "evaluate": 4,
    "film": 4,
    "agents": 4,
    "server": 5,
    "recipes": 5,
    "commands": 6,
    "cli": 7,
    "__init__": 7,
}

# A third party has its room or its module, so that replacing it is work in one place.
ROOMS_OF = {
    "av": {"core", "film"},
    "mujoco": {"worlds", "agents"},
    "transformers": {"text", "generate/adapter.py"},  # there only to quiet it
    "tokenizers": {"text"},
    "sentencepiece": {"text"},
    "diffusers": {"generate/adapter.py"},
    "fastapi": {"server"},
    "starlette": {"server"},
    "uvicorn": {"server"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(path):
    """Yield (imported module, line, whether inside a function) for every import statement of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in inside
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import; write it out"
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names]
                if node.module == "worldloom"
                else [node.module]
            )
            for name in names:
                yield name, node.lineno, id(node) in inside


def test_every_room_has_a_tier():
    assert {room_of(path) for path in MODULES} <= set(TIERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    room, module = room_of(path), path.relative_to(PACKAGE).as_posix()
    for name, line, in_function in imports_of(path):
        top, *rest = name.split(".")
        where = f"{path.relative_to(PACKAGE)}:{line}: {name}"
        if top != "worldloom":
            assert {room, module} & ROOMS_OF.get(top, {room}), (
                f"{where} belongs to {sorted(ROOMS_OF[top])} only"
            )
            continue
        target = rest[0] if rest else "__init__"
        if target not in TIERS:  # `from worldloom import Pipeline`
            target = "__init__"
        assert target == room or TIERS[target] < TIERS[room], f"{where} is not below {room}"
        assert not in_function or room == "cli", f"{where} is imported inside a function"


def test_the_rules_bite(tmp_path):
    """The reader above finds what it is meant to find."""
    path = tmp_path / "wrong.py"
    path.write_text(
        "from worldloom import cli\ndef f():\n    import worldloom.dit.model\n    from av import open\n"
    )
    assert list(imports_of(path)) == [
        ("worldloom.cli", 1, False),
        ("worldloom.dit.model", 3, True),
        ("av", 4, True),
    ]
    path.write_text("from . import x\n")
    with pytest.raises(AssertionError, match="relative import"):
        list(imports_of(path))


def test_worlds_stay_light():
    """Hundreds of render workers each import this room: torch would cost each of them 200 MB and seconds."""
    names = [
        ".".join(("worldloom", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        for path in MODULES
        if room_of(path) == "worlds"
    ]
    assert "worldloom.worlds.render" in names
    program = f"import importlib, sys\nfor n in {names!r}: importlib.import_module(n)\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "False\n"
