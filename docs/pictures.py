"""Makes the README's pictures: paints the prompts and runs the painting commands that it shows, in order.

    python docs/pictures.py

The prompts named under docs/pictures/tiny.webp become its rows, their places their seeds. One row for each command goes
to docs/pictures/verbs.webp, under the command itself. Seed 0 is added where a command names none; commands that take
minutes (a minute of footage, full HD) and examples with dots are left out.
"""

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from worldloom.core.sheet import contact_sheet
from worldloom.core.video import read_video
from worldloom.generate.pipeline import Pipeline

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
LEFT_OUT = ("--seconds 60", "--size 1080p", "…")
VERBS = ("generate", "image", "extend", "loop", "connect", "edit", "remix", "recut", "storyboard")
COLUMNS = 9
COLUMNS_TODAY = 6


def prompts() -> list[str]:
    """The prompts that README.md names under the picture of what the weights paint today."""
    lines = (ROOT / "README.md").read_text().splitlines()
    caption = lines[next(i for i, line in enumerate(lines) if "(docs/pictures/tiny.webp)" in line) + 2]
    return [english or chinese for english, chinese in re.findall(r'"([^"]+)"|“([^”]+)”', caption)]


def today() -> list[np.ndarray]:
    """What the weights make of them, each as long as the model paints, its place the seed."""
    pipeline = Pipeline.from_pretrained("tiny")
    frames = pipeline.card.longest
    return [pipeline.generate(words, num_frames=frames, seed=n).frames for n, words in enumerate(prompts())]


def commands() -> list[list[str]]:
    """The painting commands of README.md, as words."""
    lines = (ROOT / "README.md").read_text().splitlines()
    shown = [shlex.split(line, comments=True) for line in lines if line.startswith("worldloom ")]
    return [
        words
        for words in shown
        if words[1] in VERBS and not any(part in " ".join(words) for part in LEFT_OUT)
    ]


def made_by(words: list[str], folder: Path) -> np.ndarray:
    """Run a command in `folder`; the frames of what it wrote, uint8 [F, H, W, 3]."""
    print(shlex.join(words), flush=True)
    seed = [] if "--seed" in words else ["--seed", "0"]
    command = [sys.executable, "-m", "worldloom.cli", *words[1:], *seed, "--force", "--quiet"]
    subprocess.run(command, cwd=folder, check=True)
    return read_video(folder / words[words.index("-o") + 1]).frames


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "out" / "readme", help="where the commands run")
    options = parser.parse_args()
    Image.fromarray(contact_sheet(today(), COLUMNS_TODAY)).save(PICTURES / "tiny.webp", quality=80)
    options.folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "docs" / "board.yaml", options.folder)
    shown = commands()
    clips = [made_by(words, options.folder) for words in shown]
    labels = [
        " ".join(words[1:]) if " ".join(words).isascii() else f"{words[1]} (Chinese)" for words in shown
    ]
    Image.fromarray(contact_sheet(clips, COLUMNS, labels)).save(PICTURES / "verbs.webp", quality=80)


if __name__ == "__main__":
    main()
