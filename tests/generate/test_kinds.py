"""Every kind of published checkpoint paints by the one mechanism: saved, loaded, from words and from pictures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan, WanImageToVideoPipeline, WanPipeline
from PIL import Image
from safetensors.torch import save_file

from tests.generate import kinds
from tests.generate.conftest import moving_clip
from tests.generate.test_parity import LEAST_PSNR, NEGATIVE, SEED, psnr, run_diffusers, run_ours
from worldloom.core.config import to_dict
from worldloom.core.error import Failure, UsageError
from worldloom.core.seed import torch_generator
from worldloom.dit.lora import Lora
from worldloom.flow.sampler import euler, heun, unipc
from worldloom.flow.schedule import shifted_sigmas
from worldloom.generate.assembly import INDEX_FILE, Assembly
from worldloom.generate.canvas import blank_canvas
from worldloom.generate.denoise import Denoiser, Expert, hold
from worldloom.generate.engine import Engine
from worldloom.generate.folder import CARD_FILE, find_folder, load_checkpoint, save_checkpoint
from worldloom.generate.pipeline import Pipeline
from worldloom.generate.reference import refer
from worldloom.generate.request import check_style
from worldloom.generate.size import Size
from worldloom.generate.stream import Stream

PROMPT = "a red ball bounces on a wooden floor"
FROM_WORDS = [kind for kind in kinds.KINDS if kind.startswith("words")]
FROM_PICTURES = [kind for kind in kinds.KINDS if kind.startswith("pictures")]


@pytest.fixture(scope="module", params=kinds.KINDS, name="kind")
def _kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", name="folder")
def _folder(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(kinds.engine(kind), tmp_path_factory.mktemp("kind") / "model", "# debug\n")


@pytest.fixture(scope="module", name="pipeline")
def _pipeline(folder: Path) -> Pipeline:
    return Pipeline.from_pretrained(folder, device="cpu", dtype=torch.float32)


def test_saved_and_loaded_paints_the_same(kind: str, folder: Path, pipeline: Pipeline) -> None:
    picture = moving_clip(1).frames[0]
    clip = pipeline.generate(PROMPT, num_frames=9, seed=3, image=picture)
    assert clip.frames.shape == (9, 32, 32, 3) and np.array_equal(clip.frames[0], picture)
    straight = Stream(kinds.engine(kind)).generate(PROMPT, num_frames=9, seed=3, image=picture).clip()
    assert np.array_equal(clip.frames, straight.frames)
    other = pipeline.generate(PROMPT, num_frames=9, seed=3, image=picture[::-1].copy())
    assert not np.array_equal(clip.frames[1:], other.frames[1:])


def test_extend_and_last_image(pipeline: Pipeline) -> None:
    clip = moving_clip(9)
    longer = pipeline.extend(clip, num_frames=8, prompt=PROMPT, seed=1)
    assert len(longer.frames) == 17 and np.array_equal(longer.frames[:9], clip.frames)
    ends = clip.frames[0], clip.frames[-1]
    between = pipeline.generate(PROMPT, num_frames=9, seed=1, image=ends[0], last_image=ends[1])
    assert np.array_equal(between.frames[0], ends[0]) and np.array_equal(between.frames[-1], ends[1])


def test_words_alone(kind: str, pipeline: Pipeline) -> None:
    if kind in FROM_WORDS:
        assert len(pipeline.generate(PROMPT, num_frames=9, seed=1).frames) == 9
        return
    with pytest.raises(UsageError, match="goes on from a picture"):
        pipeline.generate(PROMPT, num_frames=9, seed=1)
    with pytest.raises(UsageError, match="it cannot edit footage"):
        pipeline.edit(moving_clip(9), PROMPT)


def test_diffusers_loads_the_folder(kind: str, folder: Path) -> None:
    theirs = (WanImageToVideoPipeline if kind in FROM_PICTURES else WanPipeline).from_pretrained(folder)
    assembly = Assembly.read(folder)
    assert theirs.config.boundary_ratio == assembly.boundary
    assert theirs.config.expand_timesteps == assembly.per_token
    assert (theirs.transformer_2 is None) == (assembly.boundary is None)
    if kind in FROM_PICTURES:
        assert (theirs.image_encoder is None) != assembly.image_encoder
    if assembly.image_encoder:
        ours, found = kinds.image_encoder().model.state_dict(), theirs.image_encoder.state_dict()
        assert all(torch.equal(found[name], tensor) for name, tensor in ours.items())


@pytest.mark.parametrize("name", ["words", "words, two experts"])
def test_words_give_diffusers_clip(name: str, tmp_path: Path) -> None:
    """From the same noise; six steps, of which the second expert paints the last ones."""
    folder = save_checkpoint(kinds.engine(name), tmp_path / "model", "# debug\n")
    theirs = WanPipeline.from_pretrained(folder)
    theirs.set_progress_bar_config(disable=True)
    ours = Stream(load_checkpoint(folder, torch.device("cpu"), torch.float32))
    clip = run_ours(ours, theirs, size=(32, 32), num_frames=9, steps=6, guidance=3.0)
    expected = run_diffusers(theirs, ours, (32, 32), 9, num_inference_steps=6, guidance_scale=3.0)
    assert psnr(clip, expected) >= LEAST_PSNR


def test_an_adapter_goes_to_the_expert_named(tmp_path: Path) -> None:
    folder = save_checkpoint(kinds.engine("words, two experts"), tmp_path / "model", "# debug\n")
    names = (f"transformer.blocks.0.attn1.to_v.lora_{letter}.weight" for letter in "AB")
    save_file(
        dict(zip(names, (torch.ones(1, 48), torch.ones(48, 1)), strict=True)), tmp_path / "a.safetensors"
    )

    def weights(*loras: str) -> list[torch.Tensor]:
        how = [Lora.parse(f"{lora}{tmp_path / 'a.safetensors'}") for lora in loras]
        engine = load_checkpoint(folder, torch.device("cpu"), torch.float32, loras=how)
        return [model.blocks[0].attn1.to_v.weight for model in (engine.transformer, engine.refiner)]

    high, low = weights()
    for asked, gained in {"high=": (1, 0), "low=": (0, 1), "": (1, 1)}.items():
        found = weights(asked)
        assert torch.equal(found[0], high + gained[0]) and torch.equal(found[1], low + gained[1])


@pytest.mark.parametrize("name", FROM_PICTURES)
def test_pictures_give_diffusers_clip(name: str, tmp_path: Path) -> None:
    """With the known latent frame held on its straight path there as well: left to itself, it comes out changed."""
    engine = kinds.engine(name)
    folder = save_checkpoint(engine, tmp_path / "model", "# debug\n")
    theirs = WanImageToVideoPipeline.from_pretrained(folder)
    theirs.set_progress_bar_config(disable=True)
    picture = moving_clip(1).frames
    clean = engine.encode(picture)
    noise = torch.randn((1, kinds.CHANNELS, 3, 4, 4), generator=torch_generator("noise", SEED, 0))[:, :, :1]

    def keep(pipeline, step: int, timestep, given: dict) -> dict:
        level = pipeline.scheduler.sigmas[step + 1]
        given["latents"][:, :, :1] = (1 - level) * clean + level * noise
        return given

    request = {"num_inference_steps": 5, "guidance_scale": 2.0, "callback_on_step_end": keep}
    request["image"] = Image.fromarray(picture[0])
    if engine.image_encoder is not None:
        # scaled as the release scales, without rounding; diffusers refuses a picture together with its features
        pixels = torch.from_numpy(picture).permute(0, 3, 1, 2) / 127.5 - 1
        request["image_embeds"] = engine.image_encoder(pixels)
        theirs.check_inputs = lambda *args: None
    expected = run_diffusers(theirs, Stream(engine), (32, 32), 9, **request)
    # the models' own frames, without what verbs do where new footage meets given footage
    settings = {"sampler": "unipc", "steps": 5, "guidance": 2.0, "shift": theirs.scheduler.config.flow_shift}
    style = check_style(engine.card, PROMPT, negative=NEGATIVE, seed=SEED, **settings)
    canvas = engine.canvas(Size(32, 32), 9).keep_prefix(clean)
    canvas = replace(canvas, reference=refer(picture, picture[:0], 9, engine.device))
    clip = np.concatenate(list(engine.decode(engine.paint(canvas, engine.read(style), style))))
    assert psnr(clip, expected) >= LEAST_PSNR


def test_held_cells_walk_their_straight_path() -> None:
    """With one level for all, a known cell is its content noised to the level at every step, and itself at the end."""
    canvas, seen = blank_canvas(kinds.CHANNELS, (3, 4, 4)), []
    content = torch.randn(1, kinds.CHANNELS, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    level = torch.ones(3, 4, 4)
    level[0], level[1] = 0.0, 0.5
    canvas = canvas.begin_from(content, level)
    noise = torch.randn(content.shape, generator=torch.Generator().manual_seed(2))

    def denoiser(noisy: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        seen.append((noisy, float(t)))
        return torch.ones_like(noisy)

    for sampler in (euler, heun, unipc):
        seen.clear()
        begun = canvas.levelled()
        sampler(hold(denoiser, canvas, noise), begun.noisy(noise), begun.sigmas(shifted_sigmas(6, 2.0)))
        for noisy, t in seen:
            path = (1 - t) * content + t * noise
            assert torch.allclose(noisy[:, :, 0], path[:, :, 0], atol=1e-4)
            if t >= 0.5:
                assert torch.allclose(noisy[:, :, 1], path[:, :, 1], atol=1e-4)


def test_experts_change_at_the_boundary() -> None:
    engine = kinds.engine("words, two experts")
    words = torch.randn(1, 3, 32)
    experts = tuple(Expert(m, m.prepare_text(words)) for m in (engine.transformer, engine.refiner))
    latents = torch.randn(1, kinds.CHANNELS, 2, 4, 4)
    for t, first in ((1.0, True), (0.875, True), (0.8749, False), (0.1, False)):
        both = Denoiser(experts, 0.875, 1.0)(latents, torch.tensor(t))
        alone = Denoiser(experts[:1] if first else experts[1:], 0.0, 1.0)(latents, torch.tensor(t))
        assert torch.equal(both, alone)


def peer(engine: Engine) -> WanImageToVideoPipeline:
    """Return diffusers' picture pipeline with the same autoencoder, as far as it lays out a request."""
    vae = AutoencoderKLWan(**to_dict(engine.vae.config)).eval()
    vae.load_state_dict(engine.vae.state_dict())
    return WanImageToVideoPipeline(tokenizer=None, text_encoder=None, vae=vae, scheduler=None)


@pytest.mark.parametrize("last", [False, True])
def test_reference_equals_diffusers(last: bool) -> None:
    """The stacked channels, and what CLIP is shown, as diffusers' picture pipeline prepares them."""
    engine = kinds.engine("pictures")
    frames = moving_clip(2).frames
    reference = refer(frames[:1], frames[1:] if last else frames[:0], 9, torch.device("cpu"))
    canvas = blank_canvas(kinds.CHANNELS, (3, 4, 4))
    channels = engine._show(type(canvas)(canvas.latents, canvas.start, reference))
    pictures = [torch.from_numpy(frame).permute(2, 0, 1)[None] / 127.5 - 1 for frame in frames]
    expected = peer(engine).prepare_latents(
        pictures[0],
        1,
        kinds.CHANNELS,
        32,
        32,
        9,
        torch.float32,
        torch.device("cpu"),
        last_image=pictures[1] if last else None,
    )[1]
    assert torch.allclose(channels, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (
            {"_class_name": "LTXPipeline"},
            UsageError,
            "is a LTX-Video checkpoint, which has no worldloom.json",
        ),
        ({"boundary_ratio": 0.9}, Failure, "boundary_ratio 0.9 and no transformer_2"),
        (
            {"boundary_ratio": 3, "transformer_2": ["diffusers", "WanTransformer3DModel"]},
            UsageError,
            "boundary_ratio is 3; it must be between 0 and 1",
        ),
        (
            {"boundary_ratio": 0.9, "transformer_2": ["diffusers", "WanTransformer3DModel"]},
            UsageError,
            "lacks transformer_2",
        ),
    ],
)
def test_a_wrong_index_is_named(change: dict, error: type, says: str, tmp_path: Path) -> None:
    for part in Assembly().parts:
        (tmp_path / part).mkdir()
    (tmp_path / CARD_FILE).touch()
    (tmp_path / INDEX_FILE).write_text(json.dumps(Assembly().index() | change))
    with pytest.raises(error, match=says):
        find_folder(tmp_path)
