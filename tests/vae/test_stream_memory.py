"""A stream's memory does not grow with the clip: measured as peak resident size of a fresh process."""

import json
import os
import subprocess
import sys

MEASURE = """
import json, resource, sys
import torch
from worldloom.vae import presets
from worldloom.vae.autoencoder import Autoencoder

seconds, size = float(sys.argv[1]), int(sys.argv[2])
torch.manual_seed(0)
model = Autoencoder(presets.tiny()).eval()
encoder, decoder = model.encoder_stream(), model.decoder_stream()
frames, total = 1 + 4 * int(4 * seconds), 0
for start in range(0, frames, 8):
    chunk = torch.rand(1, 3, min(8, frames - start), size, size) * 2 - 1
    latents = encoder.push(chunk)
    if latents.shape[2]:
        total += decoder.push(latents).shape[2]
encoder.close()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"frames_in": frames, "frames_out": total, "peak_mb": peak}))
"""


def measure(seconds: float, size: int) -> dict[str, float]:
    """Encode and decode `seconds` at 16 frames per second in a process of its own."""
    command = [sys.executable, "-c", MEASURE, str(seconds), str(size)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_stream_ten_times_as_long_needs_no_more_memory() -> None:
    short, long = measure(1, 64), measure(10, 64)
    assert short["frames_in"] == short["frames_out"] == 17
    assert long["frames_in"] == long["frames_out"] == 161
    # Kept whole, the long clip's features at 32 channels alone would take 90 MB more.
    assert long["peak_mb"] - short["peak_mb"] < 30
