"""The diffusion transformer: noisy latents, a noise level for every token and a prompt in, velocity out.

Architecture and parameter names are Wan's (arXiv 2503.20314), so published checkpoints load as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from worldloom.core.checkpoint import save_tensors
from worldloom.core.config import from_dict, to_dict
from worldloom.core.file import read_json, write_json
from worldloom.core.weights import Weights, find_weights
from worldloom.dit.block import Block
from worldloom.dit.config import TransformerConfig
from worldloom.dit.context import TextContext, collapse_padding
from worldloom.dit.embedding import ConditionEmbedder, Projector
from worldloom.dit.layout import from_diffusers, to_diffusers
from worldloom.dit.lora import Adapted, Lora
from worldloom.nn.fp8 import decibels, use_fp8
from worldloom.nn.linear import Linear
from worldloom.nn.modulation import Levels, norm_modulate
from worldloom.nn.patchify import PatchEmbedding, grid_of, unpatchify
from worldloom.nn.placing import Offload, place
from worldloom.nn.rope import rope_table
from worldloom.nn.widened import call, computes_wide

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
# Size of the initial key of padding against words' keys, which are of order one; see `_look_away_from_padding`.
PADDING_KEY = 0.1
# A model cast to bf16 keeps these in fp32: they are small, and noise levels lie close together.
KEPT_IN_FP32 = ("scale_shift_table", "condition_embedder.time_embedder.")
# Tokens along the axes of the canvas on which the price of fp8 is found.
TRIED = (2, 8, 8)


class Transformer(nn.Module):
    """Predicts the velocity noise - clean of every latent cell, whatever mixture of noise levels they are at.

    `gradient_checkpointing = True` recomputes each block in the backward pass: one third more arithmetic, and
    activations of one block instead of all.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.gradient_checkpointing = False
        width = config.hidden_size
        self.patch_embedding = PatchEmbedding(config.in_channels, width, config.patch_size)
        self.condition_embedder = ConditionEmbedder(
            width, config.freq_size, config.text_size, config.image_size, config.image_tokens
        )
        if config.action_size is not None:
            self.action_embedder = Projector(config.action_size, width, nn.SiLU())
        self.blocks = nn.ModuleList(_build_block(config) for _ in range(config.depth))
        self.proj_out = Linear(width, config.out_channels * math.prod(config.patch_size))
        self.scale_shift_table = nn.Parameter(torch.zeros(1, 2, width))
        self.apply(_initialise_linear)
        self._start_as_identity()
        self._look_away_from_padding()

    def prepare_text(
        self,
        text_embeds: Float[Tensor, "B L S"],
        text_lengths: Int[Tensor, " B"] | None = None,
        image_embeds: Float[Tensor, "B P I"] | None = None,
    ) -> TextContext:
        """Return what the blocks need of a prompt: compute it once and hand it to every step.

        Rows past `text_lengths` count as zero vectors whatever they hold (None: all L rows are words); a length
        of 0 is the empty condition. `image_embeds` are features of a reference picture, for a model with that
        branch. Raises ValueError for more rows than `text_length` and for a picture too many or too few.
        """
        if (image_embeds is None) != (self.config.image_size is None):
            raise ValueError(
                f"image_embeds {'missing' if image_embeds is None else 'given'}, but the model's image_size is "
                f"{self.config.image_size}"
            )
        embeds, bias = collapse_padding(text_embeds, text_lengths, self.config.text_length)
        embedder, dtype = self.condition_embedder, self.patch_embedding.weight.dtype
        words = embedder.text_embedder(embeds.to(dtype))
        text = tuple(block.attn2.project_text(words) for block in self.blocks)
        if image_embeds is None:
            return TextContext(text, bias.to(dtype))
        assert embedder.image_embedder is not None, "checked above by image_size"
        picture = embedder.image_embedder(image_embeds.to(dtype))
        return TextContext(
            text, bias.to(dtype), tuple(block.attn2.project_image(picture) for block in self.blocks)
        )

    def forward(
        self,
        latents: Float[Tensor, "B C f h w"],
        t: Float[Tensor, " 1"] | Float[Tensor, " B"] | Float[Tensor, "B frames rows columns"],
        context: TextContext,
        actions: Float[Tensor, "B frames action_size"] | None = None,
        frame_offset: int = 0,
    ) -> Float[Tensor, "B C_out f h w"]:
        """Return the velocity at noise levels `t` in [0, 1]: one for all, one per sample, or one per token of the grid.

        Per-token `t` may have rows = columns = 1 (one level per frame), which spares a GPU the look for distinct
        levels. `actions` are one vector per latent frame; without them nothing is added. `frame_offset` is the
        position of the first frame within a longer clip. Raises ValueError for shapes that do not fit.
        """
        config = self.config
        self._check(latents, context, actions)
        grid = grid_of(latents, config.patch_size)
        levels = Levels.of(t, grid)
        rope = rope_table(grid, config.head_size, frame_offset, device=latents.device)
        embedding, modulation = self.condition_embedder.embed_levels(levels.values)

        wide = computes_wide(self.patch_embedding.weight)
        dtype = torch.float32 if wide else self.patch_embedding.weight.dtype
        x = call(self.patch_embedding, latents.to(dtype), wide=wide)
        context = context.to(dtype=x.dtype)  # under autocast that of products, not of weights
        if actions is not None:
            x = self._add_actions(x, actions, grid)
        for number, block in enumerate(self.blocks):
            image = None if context.image is None else context.image[number]
            inputs = (x, modulation, levels.index, rope, context.text[number], context.bias, image)
            if self.gradient_checkpointing and torch.is_grad_enabled():
                x = checkpoint(call, block, *inputs, wide=wide, use_reentrant=False)
            else:
                x = call(block, *inputs, wide=wide)
        shift, scale = (self.scale_shift_table + embedding[:, None]).to(x.dtype).unbind(1)
        patches = call(self.proj_out, norm_modulate(x, scale, shift, levels.index, config.eps), wide=wide)
        return unpatchify(patches, grid, config.patch_size).to(latents.dtype)

    def save(self, folder: str | Path, dtype: torch.dtype | None = None) -> None:
        """Write config and weights in the diffusers layout, the weights in `dtype` where one is given."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.detach().to("cpu", dtype) for name, tensor in self.state_dict().items()}
        save_tensors(folder / WEIGHTS_FILE, tensors, {"format": "pt"})
        write_json(folder / CONFIG_FILE, to_diffusers(to_dict(self.config)))

    @classmethod
    def load(
        cls,
        folder: str | Path,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
        offload: Offload = "none",
        loras: Sequence[Lora] = (),
    ) -> Transformer:
        """Read a folder in the diffusers layout; the model is in evaluation mode, in `dtype` or as stored.

        Under `offload` its blocks wait elsewhere and come one by one, see `worldloom.nn.streamed`. What `loras` add is
        part of the weights from then on. Raises UsageError for a config of another kind, Failure for missing, extra or
        misshapen tensors.
        """
        folder = Path(folder)
        config = from_dict(TransformerConfig, from_diffusers(read_json(folder / CONFIG_FILE)))
        with torch.device("meta"):  # no time spent on initial weights
            model = cls(config)
        weights = Weights(find_weights(folder))
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        weights.check(shapes)
        source = Adapted(weights, shapes, loras) if loras else weights
        dtypes = {name: _cast_dtype(name, dtype) or info.dtype for name, info in weights.info.items()}
        place(model, source, dtypes, device, offload, row="blocks")
        return model

    def cast(self, dtype: torch.dtype) -> Transformer:
        """Change the dtype in place, but for the few parameters that stay in fp32, and return the model."""
        for name, parameter in self.named_parameters():
            parameter.data = parameter.data.to(_cast_dtype(name, dtype))
        return self

    def read_anew(self, other: Transformer) -> None:
        """Take from `other`, of the same shape, all that concerns the prompt: for another text encoder's features."""
        self.condition_embedder.text_embedder.load_state_dict(
            other.condition_embedder.text_embedder.state_dict()
        )
        for own, fresh in zip(self.blocks, other.blocks, strict=True):
            own.attn2.load_state_dict(fresh.attn2.state_dict())
            own.norm2.load_state_dict(fresh.norm2.state_dict())

    def compile_blocks(self, **options: Any) -> None:
        """Compile the repeated block in place; keys and results stay. Options are those of `torch.compile`.

        Costs 30-60 s once and gains 2 % in fp32 on a CPU without AMX, where matrix products take nearly all.
        """
        for block in self.blocks:
            block.compile(**options)

    @torch.no_grad()
    def use_fp8(self) -> float:
        """Put the blocks' linear layers into 8-bit floating point, in place, and return what that costs.

        The velocity of a small canvas of noise under random words, before, over its difference after, in dB.
        """
        exact = self._try_out()
        use_fp8(self.blocks)
        return decibels(exact, self._try_out())

    def _try_out(self) -> Tensor:
        """Return the velocity [1, C_out, f, h, w] of a fixed canvas of noise."""
        config, weight = self.config, self.patch_embedding.weight
        generator = torch.Generator().manual_seed(0)

        def noise(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator).to(weight)

        sides = [count * patch for count, patch in zip(TRIED, config.patch_size, strict=True)]
        size = config.image_size
        picture = None if size is None else noise(1, config.image_tokens or 1, size)
        context = self.prepare_text(
            noise(1, min(8, config.text_length), config.text_size), image_embeds=picture
        )
        level = torch.full((1,), 0.5, device=weight.device)
        return self(noise(1, config.in_channels, *sides), level, context).float()

    def _add_actions(self, x: Tensor, actions: Tensor, grid: tuple[int, int, int]) -> Tensor:
        """Add to every token of a latent frame the embedding of what was done in it."""
        if actions.shape[1] != grid[0]:
            raise ValueError(f"actions for {actions.shape[1]} frames do not fit {grid[0]} frames of tokens")
        embedded = self.action_embedder(actions.to(x.dtype))
        return x + embedded.repeat_interleave(grid[1] * grid[2], dim=1)

    def _check(self, latents: Tensor, context: TextContext, actions: Tensor | None) -> None:
        if latents.ndim != 5 or latents.shape[1] != self.config.in_channels:
            raise ValueError(
                f"latents have shape {tuple(latents.shape)}; expected [B, {self.config.in_channels}, f, h, w]"
            )
        if context.batch != latents.shape[0]:
            raise ValueError(f"a context for {context.batch} samples does not fit {latents.shape[0]} samples")
        if actions is not None and self.config.action_size is None:
            raise ValueError("actions given to a model whose action_size is None")

    def _start_as_identity(self) -> None:
        """Blocks change nothing and velocity is zero at first (adaLN-zero, arXiv 2212.09748)."""
        outputs = [self.condition_embedder.time_proj, self.proj_out]
        outputs += [block.attn2.to_out[0] for block in self.blocks]  # has no gate
        if self.config.action_size is not None:
            outputs.append(self.action_embedder.linear_2)
        for linear in outputs:
            nn.init.zeros_(linear.weight)

    def _look_away_from_padding(self) -> None:
        """Turn queries away from the key of padding, which the untrained model would mostly look at.

        Padding embeds as zero, so its key is the normed bias of `to_k`; with 100 rows of it among 10 words, 95 %
        of the attention went there after 100 steps (2026-11-22). Words' keys hardly feel so small a bias.
        """
        for block in self.blocks:
            away = torch.ones(self.config.hidden_size)
            away[1::2] = -1
            block.attn2.to_q.bias.data = away
            block.attn2.to_k.bias.data = -PADDING_KEY * away


def _cast_dtype(name: str, dtype: torch.dtype | None) -> torch.dtype | None:
    """Return what a parameter becomes in a model cast to `dtype`."""
    kept = dtype is not None and any(part in name for part in KEPT_IN_FP32)
    return torch.float32 if kept else dtype


def _build_block(config: TransformerConfig) -> Block:
    return Block(
        config.hidden_size,
        config.num_heads,
        config.ffn_size,
        config.eps,
        config.text_norm,
        has_image=config.image_size is not None,
    )


def _initialise_linear(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
