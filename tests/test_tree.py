"""README.md explains every file, and its tree is the real one. `make tree` writes it anew."""

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "src/worldloom"
START, END = "<!-- tree: made by `make tree` -->\n```text\n", "```\n<!-- end of tree -->"
WIDTH = 118

# What has no docstring of its own.
WORDS = {
    ".ci": "what a fresh clone is checked with",
    ".gitignore": "",
    "LICENSE": "Apache-2.0",
    "Makefile": "make demo, make test",
    "README.md": "this page",
    "README.zh-CN.md": "this page in Chinese",
    "benchmarks": "side-by-side measurements, each one command that prints a table",
    "docs": "model cards, pitfalls, log",
    "pyproject.toml": "dependencies, extras, settings of the tools",
    "src": "",
    "tests": "mirrors src/worldloom one to one",
}


def tracked():
    """Return the paths of the files that git knows and that are there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return sorted(name for name in listed.split("\0") if name and (ROOT / name).exists())


def summary(path):
    """Return the first sentence of a module's or a package's docstring, or of C's first comment, in one line."""
    if path.is_dir():
        path = path / "__init__.py"
    if not path.exists() or path.suffix not in (".py", ".c", ".h"):
        return ""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = ast.get_docstring(ast.parse(text)) or ""
    else:
        text = "\n".join(line.removeprefix("//").strip() for line in text.split("\n"))
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[a-z\d)`])[.;:](?= |$)", paragraph)[0].rstrip(".")


def tree(files):
    """Return the tree of the repository: its top, and every room and file of the package."""
    lines = [entry(0, name, WORDS.get(name, "")) for name in sorted({file.split("/")[0] for file in files})]
    at = next(index for index, line in enumerate(lines) if line.startswith("src"))
    return (
        "\n".join([*lines[:at], entry(0, PACKAGE, ""), *branch(files, PACKAGE, 1), *lines[at + 1 :]]) + "\n"
    )


def branch(files, folder, depth):
    """Return the lines below a folder: files of its own first, then rooms."""
    below = [file.removeprefix(folder + "/") for file in files if file.startswith(folder + "/")]
    own = sorted(name for name in below if "/" not in name and name != "__init__.py")
    lines = [entry(depth, name, summary(ROOT / folder / name)) for name in own]
    for room in sorted({name.split("/")[0] for name in below if "/" in name}):
        lines.append(entry(depth, f"{room}/", summary(ROOT / folder / room)))
        lines += branch(files, f"{folder}/{room}", depth + 1)
    return lines


def entry(depth, name, words):
    line = f"{'  ' * depth}{name}"
    line = f"{line:30} {words}".rstrip() if words else line
    return line if len(line) <= WIDTH else line[: WIDTH - 1].rstrip() + "…"


def in_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count(START) == 1, f"README.md must hold the tree once, between {START!r} and {END!r}"
    return text[text.index(START) + len(START) : text.index(END)]


def test_readme_has_the_real_tree():
    assert in_readme() == tree(tracked()), "run `make tree`"


def test_every_module_is_explained():
    silent = [
        name
        for name in tracked()
        if name.startswith(PACKAGE) and name.endswith(".py") and not summary(ROOT / name)
    ]
    assert not silent, f"these have no docstring: {silent}"


def write():
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    if START not in text:
        text = f"{text.rstrip()}\n\n## The tree\n\n{START}{END}\n"
    before, after = text[: text.index(START) + len(START)], text[text.index(END) :]
    path.write_text(before + tree(tracked()) + after, encoding="utf-8")


if __name__ == "__main__":
    write()
