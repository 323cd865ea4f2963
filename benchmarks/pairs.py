"""The same work twice: once with this package, once with diffusers, from the same weights and inputs."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan, WanPipeline, WanTransformer3DModel
from diffusers.utils import logging as diffusers_logging
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from worldloom.core.config import to_dict
from worldloom.core.seed import torch_generator
from worldloom.dit.config import TransformerConfig
from worldloom.dit.flops import flops_per_sample
from worldloom.dit.layout import to_diffusers
from worldloom.dit.model import Transformer
from worldloom.dit.presets import wan21_1_3b
from worldloom.generate.engine import Engine
from worldloom.generate.folder import find_folder, load_checkpoint
from worldloom.generate.stream import Stream
from worldloom.vae import presets as vae_presets
from worldloom.vae.autoencoder import Autoencoder, AutoencoderConfig

PROMPT = "a red ball bounces on a wooden floor, the camera stands still"
WORDS = 24  # of the prompt for random weights, which have no tokenizer
SEED = 7
Run = Callable[[], Tensor]


@dataclass(frozen=True)
class Setting:
    """Where and in which number format both sides compute."""

    device: torch.device
    dtype: torch.dtype
    model: str  # checkpoint folder or packaged name


@dataclass(frozen=True)
class Pair:
    """One row of the table: `build(side, setting)` returns what is timed; `flops` counts it, where that is known."""

    name: str
    shape: str
    build: Callable[[str, Setting], Run]
    flops: int | None = None
    watch_memory: bool = False


def pairs(model: str, quick: bool = False, large: bool = False) -> Iterator[Pair]:
    """Yield the rows that a CPU finishes in minutes; `large` adds those for a GPU."""
    packaged = load_checkpoint(find_folder(model), torch.device("cpu"))
    config, stride = packaged.transformer.config, packaged.vae.spatial_stride
    width, height = packaged.card.sizes[0]
    longest = packaged.card.longest
    grid = ((longest - 1) // packaged.vae.temporal_stride + 1, height // stride, width // stride)
    # WanPipeline hands a checkpoint of this kind one timestep per token; Wan 2.1's models take one per sample.
    yield _step_pair("step, tiny, t per sample", None, config, grid, per_token=False)
    yield _step_pair("step, tiny, t per token", None, config, grid, per_token=True)
    few = replace(wan21_1_3b(), depth=1 if quick else 2)
    yield _step_pair("step, 1.3B-shaped blocks", few, few, (3 if quick else 5, 32, 32), per_token=False)
    if large:
        yield _step_pair("step, 1.3B", wan21_1_3b(), wan21_1_3b(), (21, 60, 104), per_token=False)
    # A ninth of Wan 2.1's arithmetic: seconds a turn instead of minutes.
    small = replace(vae_presets.wan21(), base_dim=32)
    size = (9, 128, 128) if quick else (33, 256, 256)
    yield from _autoencoder_pairs("tiny (Wan 2.2 layout)", None, size)
    yield from _autoencoder_pairs("Wan 2.1 layout, base 32", small, size)
    if large:
        for name, layout in (("Wan 2.1", vae_presets.wan21()), ("Wan 2.2", vae_presets.wan22())):
            for published in ((33, 256, 256), (81, 480, 832)):
                yield from _autoencoder_pairs(f"{name}, full width", layout, published)
    yield Pair("text encoding", f"2 prompts of {config.text_length} rows", _text)
    steps = 4 if quick else packaged.card.sampling.num_steps
    yield Pair(
        "whole clip",
        f"{longest}x{height}x{width}, {steps} steps",
        lambda side, setting: _clip(side, setting, steps),
        watch_memory=not quick,
    )


def _autoencoder_pairs(
    name: str, config: AutoencoderConfig | None, size: tuple[int, int, int]
) -> Iterator[Pair]:
    for verb in ("encode", "decode"):

        def build(side: str, setting: Setting, verb: str = verb) -> Run:
            return _autoencode(side, setting, verb, config, size)

        yield Pair(f"{verb}, {name}", "x".join(map(str, size)), build, watch_memory=True)


def _step_pair(
    name: str,
    random: TransformerConfig | None,
    config: TransformerConfig,
    grid: tuple[int, int, int],
    per_token: bool,
) -> Pair:
    tokens = grid[0] * grid[1] * grid[2] // 4
    return Pair(
        name,
        f"{tokens} tokens x {config.depth} blocks",
        lambda side, setting: _step(side, setting, random, grid, per_token),
        flops_per_sample(config, tokens, WORDS, training=False),
    )


def _step(
    side: str,
    setting: Setting,
    config: TransformerConfig | None,
    grid: tuple[int, int, int],
    per_token: bool,
) -> Run:
    """One denoising step of one sample; `config` None takes the packaged weights. Ours has read its prompt before."""
    ours = _transformer(setting, config)
    config = ours.config
    latents = _noise((1, config.in_channels, *grid), 1, setting)
    words = _noise((1, WORDS, config.text_size), 2, setting)
    t = torch.full((1,), 0.5, device=setting.device)
    if side == "worldloom":
        context = ours.prepare_text(words)
        return lambda: ours(latents, t, context)
    theirs = _diffusers_transformer(ours, setting)
    padded = F.pad(words, (0, 0, 0, config.text_length - WORDS))
    tokens = grid[0] * grid[1] * grid[2] // 4
    timestep = 1000 * (t[:, None].expand(1, tokens) if per_token else t)
    return lambda: theirs(latents, timestep, padded).sample


def _autoencode(
    side: str, setting: Setting, verb: str, config: AutoencoderConfig | None, size: tuple[int, int, int]
) -> Run:
    """Encode or decode one clip to the same normalised latents or pixels."""
    ours = _autoencoder(setting, config)
    frames, height, width = size
    video = _noise((1, 3, *size), 3, setting).clamp_(-1, 1)
    grid = (frames - 1) // 4 + 1, height // ours.spatial_stride, width // ours.spatial_stride
    raw = _noise((1, ours.latent_channels, *grid), 4, setting)
    if side == "worldloom":
        latents = ours.normalise(raw)
        return (lambda: ours.encode(video)) if verb == "encode" else (lambda: ours.decode(latents))
    with _quiet():
        theirs = AutoencoderKLWan(**to_dict(ours.config)).to(setting.device, setting.dtype).eval()
    theirs.load_state_dict(ours.state_dict())
    if verb == "decode":
        return lambda: theirs.decode(raw).sample
    return lambda: ours.normalise(theirs.encode(video).latent_dist.mode())


def _text(side: str, setting: Setting) -> Run:
    """A prompt and an empty negative prompt to embeddings, tokens included."""
    if side == "worldloom":
        engine = _engine(setting)
        length = engine.transformer.config.text_length

        def encode() -> Tensor:
            ids, lengths = engine.tokenizer.pad(engine.tokenizer.encode([PROMPT, ""]))
            embeds = engine.text_encoder(ids.to(setting.device), lengths.to(setting.device))
            return F.pad(embeds, (0, 0, 0, length - embeds.shape[1]))

        return encode
    theirs, length = _diffusers_pipeline(setting), _text_length(setting)
    return lambda: torch.cat(theirs.encode_prompt(PROMPT, "", max_sequence_length=length))


def _clip(side: str, setting: Setting, num_steps: int) -> Run:
    """Words to uint8 frames [F, H, W, 3] with the checkpoint's own size, steps and guidance, UniPC on both sides."""
    engine = _engine(setting)
    sampling, frames = engine.card.sampling, engine.card.longest
    width, height = engine.card.sizes[0]
    if side == "worldloom":
        options = {
            "sampler": "unipc",
            "epsilon_scale": 1.0,
            "deflicker": 0.0,
            "steps": num_steps,
            "seed": SEED,
        }
        stream = Stream(engine)
        return lambda: torch.from_numpy(stream.generate(PROMPT, num_frames=frames, **options).clip().frames)
    theirs, length = _diffusers_pipeline(setting), _text_length(setting)
    grid = (frames - 1) // 4 + 1, height // engine.vae.spatial_stride, width // engine.vae.spatial_stride
    noise = torch.randn((1, engine.vae.latent_channels, *grid), generator=torch_generator("noise", SEED, 0))

    def paint() -> Tensor:
        video = theirs(
            PROMPT,
            negative_prompt="",
            latents=noise.to(setting.device),
            width=width,
            height=height,
            num_frames=frames,
            num_inference_steps=num_steps,
            guidance_scale=sampling.guidance_scale,
            max_sequence_length=length,
        ).frames[0]
        return torch.from_numpy((video * 255).round().astype(np.uint8))

    return paint


def _engine(setting: Setting) -> Engine:
    return load_checkpoint(find_folder(setting.model), setting.device, setting.dtype)


def _text_length(setting: Setting) -> int:
    return Transformer.load(find_folder(setting.model) / "transformer").config.text_length


def _diffusers_pipeline(setting: Setting) -> WanPipeline:
    with _quiet():
        pipeline = WanPipeline.from_pretrained(find_folder(setting.model), dtype=setting.dtype)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(setting.device)


def _transformer(setting: Setting, config: TransformerConfig | None) -> Transformer:
    if config is None:
        return Transformer.load(find_folder(setting.model) / "transformer", setting.device, setting.dtype)
    with torch.device(setting.device):
        model = Transformer(config).eval().requires_grad_(False)
    _randomise(model)
    return model.cast(setting.dtype)


def _diffusers_transformer(ours: Transformer, setting: Setting) -> WanTransformer3DModel:
    """Return diffusers' class with the same weights, those of its parameters in fp32 that `from_pretrained` keeps so."""
    fields = {
        name: value
        for name, value in to_diffusers(to_dict(ours.config)).items()
        if name not in ("_class_name", "text_length", "action_size")
    }
    theirs = WanTransformer3DModel(**fields).to(setting.device).eval().requires_grad_(False)
    for name, parameter in theirs.named_parameters():
        if not any(part in name for part in theirs._keep_in_fp32_modules):
            parameter.data = parameter.data.to(setting.dtype)
    theirs.load_state_dict(ours.state_dict())
    return theirs


def _autoencoder(setting: Setting, config: AutoencoderConfig | None) -> Autoencoder:
    if config is None:
        return Autoencoder.load(find_folder(setting.model) / "vae", setting.device, setting.dtype)
    model = Autoencoder(config).to(setting.device)
    _randomise(model)
    return model.to(setting.dtype).eval().requires_grad_(False)


def _randomise(model: nn.Module) -> None:
    """Give every parameter random values, matrices of gain 1, so that no branch of the network is idle."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        spread = parameter[0].numel() ** -0.5 if parameter.ndim > 1 and parameter.shape[0] > 1 else 0.1
        noise = torch.randn(parameter.shape, generator=generator) * spread
        is_gain = bool((parameter == 1).all())
        parameter.data.copy_(noise + 1 if is_gain else noise)


def _noise(shape: tuple[int, ...], seed: int, setting: Setting) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).to(setting.device, setting.dtype)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the peers' bars and advice off the terminal while they load."""
    for logging in (diffusers_logging, transformers_logging):
        logging.disable_progress_bar()
        logging.set_verbosity_error()
    with contextlib.redirect_stderr(io.StringIO()):
        yield
