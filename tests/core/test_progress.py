"""The bar is for people: on a terminal it shows, elsewhere it is silent."""

import os
import pty
import subprocess
import sys

PROGRAM = """
import sys
from worldloom.core.progress import progress
with progress(3, "Rendering", quiet="--quiet" in sys.argv, unit="frames") as bar:
    for step in range(3):
        bar.advance(1, note=f"take {step}")
    bar.jump(3)
print("done")
"""


def run(arguments, stderr):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        check=True,
    )


def on_a_terminal(*arguments):
    master, slave = pty.openpty()
    assert run(arguments, slave).stdout == "done\n"
    os.write(slave, b"END")
    os.close(slave)
    text = b""
    while not text.endswith(b"END"):
        text += os.read(master, 65536)
    os.close(master)
    return text.decode().removesuffix("END")


def test_silent_off_a_terminal():
    done = run([], subprocess.PIPE)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_shows_on_a_terminal():
    text = on_a_terminal()
    assert "Rendering" in text
    assert "3/3" in text
    assert "frames/s" in text
    assert "take 2" in text


def test_quiet_on_a_terminal():
    assert on_a_terminal("--quiet") == ""
