"""Importing the package is quick, silent and without effect."""

import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src"

# What a library has no business changing. The warning filters and the loggers of third parties are their own.
STATE = """
import locale, logging, os, random, signal, sys, threading

def state():
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": list(sys.path),
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "hooks": [sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook],
        "limit": sys.getrecursionlimit(),
        "locale": locale.setlocale(locale.LC_ALL),
        "loggers": [list(logging.root.handlers), logging.root.level],
        "random": random.getstate(),
        "streams": [sys.stdout, sys.stderr, sys.stdin],
    }

def check(before):
    changed = [name for name, value in state().items() if value != before[name]]
    assert not changed, changed
"""


def run(program):
    return subprocess.run([sys.executable, "-c", STATE + program], capture_output=True, text=True)


def test_import_is_silent_quick_and_light():
    program = """
import time
before, started = state(), time.perf_counter()
import worldloom
seconds = time.perf_counter() - started
check(before)
assert "torch" not in sys.modules and "numpy" not in sys.modules
assert "Pipeline" in dir(worldloom)
assert "torch" not in sys.modules
sys.exit(0 if seconds < 1 else f"took {seconds:.2f} s")
"""
    done = run(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_names_arrive_on_first_use():
    done = run(
        "import worldloom\nassert worldloom.UsageError.__module__ == 'worldloom.core.error'\nworldloom.Pipelin"
    )
    assert "AttributeError: module 'worldloom' has no attribute 'Pipelin'" in done.stderr


def test_importing_any_module_changes_nothing():
    """The third parties are imported first: what they change is theirs, what we change is ours."""
    names = [
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((SOURCE / "worldloom").rglob("*.py"))
    ]
    program = f"""
import importlib
for party in ("torch", "numpy", "av", "PIL.Image", "safetensors.torch", "tokenizers", "rich.progress", "transformers"):
    importlib.import_module(party)
import torch, numpy
def numeric():
    return (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(), torch.initial_seed(),
            torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark, repr(numpy.geterr()),
            torch.get_float32_matmul_precision())
before, numbers = state(), numeric()
for name in {names!r}:
    importlib.import_module(name)
    check(before)
    assert numeric() == numbers, name
"""
    done = run(program)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == ""
