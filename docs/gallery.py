"""Makes docs/pictures/gallery.webp: five prompts of every family, seeds 0 to 4, nothing picked.

    python docs/gallery.py

The prompts are those of `worldloom evaluate gallery`, captions of takes that no model was trained on.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from worldloom.core.progress import progress
from worldloom.core.sheet import contact_sheet
from worldloom.evaluate.gallery import prompts_of
from worldloom.generate.pipeline import Pipeline
from worldloom.worlds.families import FAMILIES

PICTURE = Path(__file__).resolve().parent / "pictures" / "gallery.webp"
FRAMES = 4  # of each clip, evenly
ACROSS = 3  # families beside each other


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="tiny")
    options = parser.parse_args()
    pipeline = Pipeline.from_pretrained(options.model)
    longest = pipeline.card.longest
    sheets = []
    with progress(len(FAMILIES), "gallery", False, "families") as bar:
        for family in FAMILIES:
            prompts = prompts_of(family, longest)
            clips = [
                pipeline.generate(prompt, num_frames=longest, seed=seed).frames
                for seed, prompt in enumerate(prompts)
            ]
            labels = [f"{family} {seed}" for seed in range(len(clips))]
            sheets.append(contact_sheet(clips, FRAMES, labels))
            bar.advance()
    blank = np.zeros_like(sheets[0])
    sheets += [blank] * (-len(sheets) % ACROSS)
    rows = [np.concatenate(sheets[start : start + ACROSS], axis=1) for start in range(0, len(sheets), ACROSS)]
    Image.fromarray(np.concatenate(rows)).save(PICTURE, quality=75)


if __name__ == "__main__":
    main()
