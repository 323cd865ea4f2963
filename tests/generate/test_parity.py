"""A checkpoint folder in diffusers' own pipelines: the same clip from the same noise, words to pixels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, WanImageToVideoPipeline, WanPipeline
from PIL import Image

from tests import tiny
from worldloom.core.seed import torch_generator
from worldloom.generate.detail import Neighbour, restore
from worldloom.generate.dissolve import Edge, dissolve
from worldloom.generate.folder import find_folder, load_checkpoint
from worldloom.generate.stream import Stream

PROMPT, NEGATIVE, SEED = "a red ball bounces on a wooden floor", "a blue box", 7
LEAST_PSNR = 50.0  # dB; measured: 83 and more


@pytest.fixture(scope="module", params=["tiny", "random"], name="folder")
def _folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in the package, and one of random weights in the same layout."""
    return find_folder("tiny") if request.param == "tiny" else tiny.shared_checkpoint(tmp_path_factory)


@pytest.fixture(scope="module", name="ours")
def _ours(folder: Path) -> Stream:
    return Stream(load_checkpoint(folder, torch.device("cpu"), torch.float32))


@pytest.fixture(scope="module", name="theirs")
def _theirs(folder: Path) -> DiffusionPipeline:
    pipeline = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def run_diffusers(
    theirs: DiffusionPipeline, ours: Stream, size: tuple[int, int], frames: int, **more
) -> np.ndarray:
    """Return uint8 frames painted by diffusers from the noise that our engine draws."""
    engine, (width, height) = ours.engine, size
    stride = engine.vae.spatial_stride
    grid = (frames - 1) // engine.vae.temporal_stride + 1, height // stride, width // stride
    shape = (1, engine.vae.latent_channels, *grid)
    video = theirs(
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        latents=torch.randn(shape, generator=torch_generator("noise", SEED, 0)),
        width=width,
        height=height,
        num_frames=frames,
        max_sequence_length=engine.transformer.config.text_length,
        **more,
    ).frames[0]
    return (video * 255).round().astype(np.uint8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    assert a.shape == b.shape and a.dtype == b.dtype == np.uint8
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def run_ours(ours: Stream, theirs: DiffusionPipeline, seed: int = SEED, **more) -> np.ndarray:
    """Return uint8 frames painted with diffusers' sampler and shift."""
    shift = theirs.scheduler.config.flow_shift
    options = {
        "negative": NEGATIVE,
        "sampler": "unipc",
        "shift": shift,
        "epsilon_scale": 1.0,
        "deflicker": 0.0,
        "force_size": True,
    }
    return ours.generate(PROMPT, seed=seed, **options, **more).clip().frames


def test_words_to_footage(ours: Stream, theirs: DiffusionPipeline) -> None:
    assert isinstance(theirs, WanPipeline) and theirs.config.expand_timesteps
    size, frames = (32, 48), ours.engine.card.shortest
    clip = run_ours(ours, theirs, size=size, num_frames=frames, steps=4, guidance=3.0)
    expected = run_diffusers(theirs, ours, size, frames, num_inference_steps=4, guidance_scale=3.0)
    assert psnr(clip, expected) >= LEAST_PSNR


def test_words_to_a_picture_without_guidance(ours: Stream, theirs: DiffusionPipeline) -> None:
    request = {"size": (64, 32), "num_frames": 1, "steps": 2, "guidance": 1.0}
    clip = run_ours(ours, theirs, **request)
    expected = run_diffusers(theirs, ours, (64, 32), 1, num_inference_steps=2, guidance_scale=1.0)
    assert psnr(clip, expected) >= LEAST_PSNR
    assert psnr(run_ours(ours, theirs, SEED + 1, **request), expected) < 40


def test_picture_to_footage(ours: Stream, theirs: DiffusionPipeline) -> None:
    pipeline = WanImageToVideoPipeline.from_pipe(theirs, expand_timesteps=True)
    assert pipeline.config.expand_timesteps
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels).resize((48, 32), Image.Resampling.BICUBIC)
    size, frames = (48, 32), ours.engine.card.shortest
    given = np.asarray(picture)
    # diffusers encodes once, and shows both branches what is given
    request = {"size": size, "num_frames": frames, "steps": 4, "guidance": 3.0, "image": given}
    request["history_guidance"] = 0.0
    one_pass = replace(ours.engine, card=replace(ours.engine.card, encode_passes=1))
    clip = run_ours(replace(ours, engine=one_pass), theirs, **request)
    expected = run_diffusers(
        pipeline, ours, size, frames, image=picture, num_inference_steps=4, guidance_scale=3.0
    )
    # The first frame is the given one to the bit here, and has been through the autoencoder there.
    assert np.array_equal(clip[0], given)
    # What the autoencoder loses of it is put back into the frames after it here, and so it must be there.
    given_again = restore(iter([expected]), slice(1, len(expected)), Neighbour(given, 0), None)
    met = dissolve(given_again, len(expected) - 1, Edge(given[None]), None)
    assert psnr(clip[1:], np.concatenate(list(met))) >= LEAST_PSNR


def test_the_folder_loads_in_the_picture_pipeline(folder: Path) -> None:
    pipeline = WanImageToVideoPipeline.from_pretrained(folder, dtype=torch.float32)
    assert pipeline.config.expand_timesteps and pipeline.transformer is not None
