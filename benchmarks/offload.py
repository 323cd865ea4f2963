"""Peak memory of painting a clip with a 1.3B-shaped transformer, all loaded and streamed from disk, and whether the frames are the same.

    python -m benchmarks.offload [--steps 1] [--folder DIR] [--json]

The checkpoint has random weights, in bf16 as published ones have, and computes in fp32 unless the CPU is fast in bf16: 30
blocks of Wan 2.1's 1.3B, with a small autoencoder and text encoder. Each run is `Pipeline.generate` in a process of
its own, whose peak resident size the system reports (`ru_maxrss`), Python and PyTorch included.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from tests import tiny
from worldloom.dit.model import Transformer
from worldloom.dit.presets import wan21_1_3b
from worldloom.generate.engine import Engine
from worldloom.generate.folder import save_checkpoint
from worldloom.generate.pipeline import Pipeline

PROMPT = "a red ball bounces on a wooden floor"
MODES = ("none", "disk")
MOST = 0.35  # of the fully loaded run's peak


def build(folder: Path) -> None:
    """Write the checkpoint."""
    vae, text = tiny.autoencoder(), tiny.text_encoder()
    config = replace(wan21_1_3b(), text_size=text.embed_size, in_channels=4, out_channels=4)
    with torch.device("meta"):
        transformer = Transformer(config)
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: torch.empty(tensor.shape, dtype=torch.bfloat16).normal_(std=0.02, generator=generator)
        for name, tensor in transformer.state_dict().items()
    }
    transformer.load_state_dict(weights, assign=True)
    engine = Engine(transformer, vae, text, tiny.tokenizer(), tiny.CARD, torch.device("cpu"))
    save_checkpoint(engine, folder, "# random\n\nRandom weights, for a benchmark.\n")


def paint(folder: Path, offload: str, steps: int) -> dict[str, Any]:
    """Load, paint, and report: for a process of its own."""
    began, processor = time.perf_counter(), time.process_time()
    pipeline = Pipeline.from_pretrained(folder, device="cpu", offload=offload)
    loaded = time.perf_counter()
    clip = pipeline.generate(PROMPT, num_frames=9, seed=7, steps=steps)
    return {
        "offload": offload,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "load_s": round(loaded - began, 1),
        "paint_s": round(time.perf_counter() - loaded, 1),
        "processor_s": round(time.process_time() - processor, 1),
        "frames": hashlib.sha256(clip.frames.tobytes()).hexdigest()[:16],
    }


def measure(folder: Path, offload: str, steps: int) -> dict[str, Any]:
    """Run `paint` in a fresh process."""
    words = ["--folder", str(folder), "--steps", str(steps), "--only", offload]
    command = [sys.executable, "-m", "benchmarks.offload", *words]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> int:
    """Measure both ways and print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the checkpoint is or is to be; default: temporary")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=MODES, help="one run in this process, as JSON")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(paint(options.folder, options.only, options.steps)))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "model"
        if not folder.exists():
            # a process that is started later begins with the peak of the one that starts it, so this one stays small
            builder = get_context("spawn").Process(target=build, args=(folder,))
            builder.start()
            builder.join()
        runs = {mode: measure(folder, mode, options.steps) for mode in MODES}
    share = runs["disk"]["peak_mb"] / runs["none"]["peak_mb"]
    same = runs["disk"]["frames"] == runs["none"]["frames"]
    if options.json:
        print(json.dumps({"runs": list(runs.values()), "share": round(share, 3), "same_frames": same}))
    else:
        print(f"{'offload':10}{'peak MB':>9}{'load s':>8}{'paint s':>9}{'processor s':>13}  frames")
        for mode, run in runs.items():
            times = f"{run['load_s']:8.1f}{run['paint_s']:9.1f}{run['processor_s']:13.1f}"
            print(f"{mode:10}{run['peak_mb']:9}{times}  {run['frames']}")
        print(f"disk / none: {share:.1%} of the peak (at most {MOST:.0%}), same frames: {same}")
    return 0 if same and share < MOST else 1


if __name__ == "__main__":
    sys.exit(main())
