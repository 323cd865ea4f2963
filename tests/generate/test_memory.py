"""The estimate of memory against measured peaks, what is refused with which advice, and limits of control groups."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import worldloom
from tests import tiny
from worldloom.core import memory as core_memory
from worldloom.core.error import UsageError
from worldloom.dit.config import TransformerConfig
from worldloom.dit.model import Transformer
from worldloom.generate import memory
from worldloom.generate.memory import Run, held_bytes
from worldloom.vae import presets

TOLERANCE = 0.4
CONFIG = TransformerConfig(hidden_size=384, num_heads=6, depth=2, ffn_size=1536, text_size=64)
VAE = presets.tiny()
RUN = Run(CONFIG, VAE, (1, VAE.z_dim, 4, 40, 48), 2, torch.float32)
MEASURED = {"painting": RUN, "decoding": replace(RUN, latents=(1, VAE.z_dim, 2, 24, 24))}
MEASURE = """
import json, sys
from pathlib import Path
import torch
from worldloom.dit.config import TransformerConfig
from worldloom.dit.model import Transformer
from worldloom.vae import presets
from worldloom.vae.autoencoder import Autoencoder

kind, shape = sys.argv[1], json.loads(sys.argv[2])

def resident(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024

with torch.no_grad():
    if kind == "painting":
        model = Transformer(TransformerConfig(hidden_size=384, num_heads=6, depth=2, ffn_size=1536, text_size=64))
        context = model.prepare_text(torch.randn(2, 63, 64))
        latents = torch.randn(2, 16, *shape[2:])
        def work(): model(latents, torch.full((2,), 0.5), context)
        def warm(): model(latents[:, :, :1, :4, :4], torch.full((2,), 0.5), context)
    else:
        model = Autoencoder(presets.tiny())
        latents = torch.randn(shape)
        def push(z):
            stream = model.decoder_stream()
            for frame in z.split(1, dim=2):
                stream.push(frame)
        def work(): push(latents)
        def warm(): push(latents[..., :2, :2])
    warm()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = resident("VmRSS")
    work()
print(resident("VmHWM") - before)
"""


def measure(kind: str) -> int:
    """Return by how many bytes a fresh process grows at most while it works."""
    # One arena, and nothing kept for later: what is freed goes back, as the estimate has it.
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_TRIM_THRESHOLD_": "0",
    }
    shape = list(MEASURED[kind].latents)
    if kind == "painting":
        shape[1] = CONFIG.in_channels
    command = [sys.executable, "-c", MEASURE, kind, json.dumps(shape)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.parametrize("kind", ["painting", "decoding"])
def test_the_estimate_is_near_the_measured_peak(kind: str) -> None:
    estimate = getattr(MEASURED[kind], kind)()
    measured = measure(kind)
    assert measured > 40e6, "large against what a process wastes"
    assert abs(estimate - measured) <= TOLERANCE * measured, (estimate / 1e6, measured / 1e6)


def test_tiles_and_smaller_runs_need_less() -> None:
    large = replace(RUN, latents=(1, VAE.z_dim, 4, 160, 160))
    assert replace(large, tile=128).decoding() < 0.5 * large.decoding()
    assert replace(RUN, branches=1).painting() < 0.6 * RUN.painting()
    assert replace(RUN, dtype=torch.bfloat16).painting() < 0.8 * RUN.painting()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.shared_checkpoint(tmp_path_factory)


def limit(monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda device: left)


def test_weights_that_do_not_fit_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 1000)
    with pytest.raises(UsageError, match=r"the weights need .* MB and 0 MB are left on cpu; a smaller model"):
        worldloom.Pipeline.from_pretrained(folder, device="cpu")
    with pytest.warns(RuntimeWarning, match="the weights need"):
        worldloom.Pipeline.from_pretrained(folder, device="cpu", force_memory=True)


def test_offload_is_named_where_it_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Transformer(replace(CONFIG, depth=6)).save(tmp_path / "transformer")
    whole = held_bytes(tmp_path / "transformer", torch.float32, "none")
    streamed = held_bytes(tmp_path / "transformer", torch.float32, "disk")
    assert streamed < 0.6 * whole
    limit(monkeypatch, (whole + streamed) // 2)
    with pytest.raises(UsageError, match=r"; --offload disk needs \d+ MB"):
        memory.check_loading(
            tmp_path, ["transformer"], torch.float32, "none", torch.device("cpu"), force=False
        )


@pytest.mark.parametrize(
    ("left", "streamed", "says"),
    [
        (lambda painting, decoding: decoding - 1, 0, r"--tile 256 makes it fit"),
        (lambda painting, decoding: painting - 1, 10**12, r"--tile 256 --offload disk makes it fit"),
        (lambda painting, decoding: painting // 9, 0, "a smaller --size or fewer --frames would fit"),
    ],
)
def test_the_advice_makes_it_fit(left, streamed, says: str, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    run = replace(RUN, latents=(1, VAE.z_dim, 2, 120, 120))
    limit(monkeypatch, left(run.painting(), run.decoding()))
    with pytest.raises(UsageError, match=rf"this run needs about .* are left on cpu; {says}"):
        memory.check_run(run, 10**6, streamed, torch.device("cpu"), force=False)


def test_a_canvas_too_large_stops_a_verb(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = worldloom.Pipeline.from_pretrained(folder, device="cpu", dtype=torch.float32)
    limit(monkeypatch, 100_000)
    with pytest.raises(UsageError, match="this run needs about"):
        pipeline.generate("a red ball", num_frames=17, seed=1)


GROUPS = {
    "version 2": ("0::/box/job\n", {"box": 5_000_000, "box/job": None}, core_memory.VERSION_2, ""),
    "version 1": (
        "4:memory:/box/job\n",
        {"box": 5_000_000, "box/job": 9_000_000},
        core_memory.VERSION_1,
        "memory",
    ),
    "mounted at the root": ("0::/elsewhere/job\n", {"": 5_000_000}, core_memory.VERSION_2, ""),
}


@pytest.mark.parametrize("name", GROUPS)
def test_a_container_limit_counts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tightest of all groups above a process holds; file pages that can be dropped are not in use."""
    own, limits, (limit_file, usage, statistics, reclaimable), mount = GROUPS[name]
    for group, most in limits.items():
        place = tmp_path / mount / group
        place.mkdir(parents=True, exist_ok=True)
        (place / limit_file).write_text("max\n" if most is None else f"{most}\n")
        (place / usage).write_text("2000000\n")
        (place / statistics).write_text(f"anon 1\n{reclaimable} 500000\n")
    (tmp_path / "cgroup").write_text(own)
    monkeypatch.setattr(core_memory, "OWN_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(core_memory, "CGROUPS", tmp_path)
    assert core_memory.available_memory(torch.device("cpu")) == 3_500_000
