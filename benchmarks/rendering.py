"""How quickly worlds are rendered: frames a second and core, by family, with and without masks and depth.

    python -m benchmarks.rendering [--takes 3]

Each take is 33 frames at 256x256 with shadows, scene building, physics, poses, contacts and captions included. Time is
the processor's own (`time.process_time`), so that other work on the machine does not count; the process is pinned.
"""

import argparse
import os
import statistics
import time

from worldloom.worlds.families import FAMILIES
from worldloom.worlds.render import render_take

FRAMES = 33


def rate(family: str, seed: int, truth: bool) -> float:
    """Frames per second of one core for one take; `truth` adds masks and depth."""
    start = time.process_time()
    render_take(family, seed, num_frames=FRAMES, masks=truth, depth=truth)
    return FRAMES / (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--takes", type=int, default=3, help="takes of each family; the median counts")
    takes = parser.parse_args().takes
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    render_take("bounce", 0, num_frames=2)  # textures and the OpenGL context are made once a process
    print(f"{'family':12}{'frames/s':>10}{'with masks and depth':>22}")
    plain, full = {}, {}
    for name in FAMILIES:
        plain[name] = statistics.median(rate(name, seed, False) for seed in range(takes))
        full[name] = statistics.median(rate(name, seed, True) for seed in range(takes))
        print(f"{name:12}{plain[name]:10.0f}{full[name]:22.0f}", flush=True)
    # What a data set of equal shares takes: the harmonic mean.
    print(
        f"{'all':12}{statistics.harmonic_mean(plain.values()):10.0f}{statistics.harmonic_mean(full.values()):22.0f}"
    )


if __name__ == "__main__":
    main()
