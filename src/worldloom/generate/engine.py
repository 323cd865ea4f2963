"""The models of a checkpoint at work: words to context, pixels to latents, a canvas to footage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from worldloom.core.error import UsageError
from worldloom.core.seed import torch_generator
from worldloom.dit.model import Transformer
from worldloom.flow.epsilon import scaled_epsilon
from worldloom.flow.reuse import Reused, StepReuse
from worldloom.flow.sampler import euler, heun, unipc
from worldloom.flow.schedule import shifted_sigmas
from worldloom.generate.canvas import Canvas, blank_canvas
from worldloom.generate.card import Card
from worldloom.generate.conform import Frames, to_frames, to_video
from worldloom.generate.denoise import Denoiser, Expert, History, Words, hold
from worldloom.generate.memory import Run, check_run, streamable_bytes
from worldloom.generate.reference import Reference
from worldloom.generate.request import Style
from worldloom.generate.size import Size
from worldloom.generate.stillness import Stillness
from worldloom.generate.window import Span
from worldloom.text.encoder import TextEncoder
from worldloom.text.image_encoder import ImageEncoder
from worldloom.text.tokenizer import Tokenizer
from worldloom.vae.autoencoder import Autoencoder, in_pieces
from worldloom.vae.feedback import encode_closely
from worldloom.vae.tile import decode_tiled, decoded_pieces, encode_tiled

SAMPLERS = {"euler": euler, "heun": heun, "unipc": unipc}
OnStep = Callable[[int, int], None]  # (steps done, steps in all)


@dataclass
class Engine:
    """The loaded parts of a checkpoint; all on `device`, which computes.

    per_token: whether the transformer knows a noise level for every token, or one for all.
    refiner: a second transformer for noise levels below `boundary`.
    image_encoder: reads known pictures, for a transformer that attends to them.
    loras: what a file records of the adapters that are part of the transformers' weights.
    tile: side in pixels of the tiles in which the autoencoder works, or None for whole frames.
    force_memory: try a run that is not expected to fit.
    fp8_decibels: how far velocities are above the error of 8-bit layers, None where there are none.
    reused: what step reuse saved on each canvas painted with it, in order; whoever reports it may empty it.
    """

    transformer: Transformer
    vae: Autoencoder
    text_encoder: TextEncoder
    tokenizer: Tokenizer
    card: Card
    device: torch.device
    per_token: bool = True
    refiner: Transformer | None = None
    boundary: float = 0.0
    image_encoder: ImageEncoder | None = None
    loras: tuple[dict[str, Any], ...] = ()
    reused: list[Reused] = field(default_factory=list)
    fp8_decibels: float | None = None

    tile: int | None = None
    force_memory: bool = False

    @property
    def stacks_channels(self) -> bool:
        """Whether known frames are shown to the transformer as channels under the noise (Wan's image-to-video)."""
        return self.transformer.config.in_channels != self.vae.latent_channels

    def settings(self) -> dict[str, Any]:
        """Return what a file records of the models that painted it."""
        loras = {"loras": list(self.loras)} if self.loras else {}
        fp8 = {} if self.fp8_decibels is None else {"fp8_decibels": round(self.fp8_decibels, 1)}
        return {"model": self.card.name, **loras, **fp8}

    @property
    def multiple(self) -> tuple[int, int]:
        """What a frame's width and height must be multiples of: a latent cell times a patch."""
        _, rows, columns = self.transformer.config.patch_size
        return self.vae.spatial_stride * columns, self.vae.spatial_stride * rows

    @property
    def span(self) -> Span:
        return Span(self.card.shortest, self.card.longest, 1 in self.card.num_frames)

    def canvas(self, size: Size, num_frames: int) -> Canvas:
        """Return a blank canvas for `num_frames` = 4n + 1 frames of `size`."""
        stride = self.vae.spatial_stride
        grid = ((num_frames - 1) // self.vae.temporal_stride + 1, size.height // stride, size.width // stride)
        return blank_canvas(self.vae.latent_channels, grid, device=self.device)

    @torch.inference_mode()
    def read(self, style: Style) -> Words:
        """Return what the text encoder makes of the prompt, and of the negative prompt under guidance."""
        prompts = [style.words, style.negative] if style.guidance_scale != 1 else [style.words]
        ids, lengths = self.tokenizer.pad(self.tokenizer.encode(prompts))
        ids, lengths = ids.to(self.device), lengths.to(self.device)
        return Words(self.text_encoder(ids, lengths), lengths)

    @torch.inference_mode()
    def encode(self, frames: Frames) -> Tensor:
        """Return normalised latents [1, C, f, h, w] in fp32 of 4n + 1 frames, in as many passes as the card says."""
        dtype = next(self.vae.parameters()).dtype
        video = to_video(frames, self.device, dtype)
        return encode_closely(video, self.card.encode_passes, self._encode, self._decode).float()

    def decode(self, latents: Tensor) -> Iterator[Frames]:
        """Yield the frames of latents [1, C, f, h, w], a few latent frames at a time, in constant memory.

        Tiles are decoded one after the other through the whole canvas, so that all its frames are finished first.
        """
        dtype = next(self.vae.parameters()).dtype
        if self.tile is not None:
            yield self._decode_tiled(latents.to(dtype), self.tile)
            return
        stream = self.vae.decoder_stream()
        for chunk in in_pieces(latents.to(dtype)):
            with torch.inference_mode():
                video = stream.push(chunk)
            yield to_frames(video)

    @torch.inference_mode()
    def paint(
        self,
        canvas: Canvas,
        words: Words,
        style: Style,
        part: int = 0,
        on_step: Callable[[], None] | None = None,
    ) -> Tensor:
        """Return the canvas's latents [1, C, f, h, w] with every unknown cell painted and every known one untouched.

        `part` counts the canvases of one request, so that each has noise of its own. The noise is drawn on the CPU
        in fp32: the same seed gives the same noise on every device and in every number format. The frames are the
        same to the bit on one machine with one thread count; another count sums in another order, which may move a
        pixel's last bit.
        """
        self._check_memory(canvas, style)
        canvas = canvas.aligned(self.transformer.config.patch_size)
        generator = torch_generator("noise", style.seed, part)
        noise = style.temperature * torch.randn(canvas.latents.shape, generator=generator).to(self.device)
        schedule = shifted_sigmas(style.num_steps, style.shift).to(self.device)
        sampler, denoiser = SAMPLERS[style.sampler], self._denoiser(canvas, words, style, noise)
        report = None if on_step is None else lambda step, clean: on_step()
        reuse = StepReuse(denoiser, style.reuse, self.boundary) if style.reuse > 0 else None
        asked: Callable[[Tensor, Tensor], Tensor] = denoiser if reuse is None else reuse
        if style.epsilon_scale != 1 and not bool(canvas.known.any()):
            asked = scaled_epsilon(asked, style.epsilon_scale)
        if style.stillness > 0:
            asked = Stillness(asked, canvas, style.stillness, self.transformer.config.patch_size)
        if self.per_token:
            painted = sampler(asked, canvas.noisy(noise), canvas.sigmas(schedule), on_step=report)
        else:
            begun, held = canvas.levelled(), hold(asked, canvas, noise)
            painted = sampler(held, begun.noisy(noise), begun.sigmas(schedule), on_step=report)
            painted = torch.where(canvas.known, canvas.latents, painted)
        if reuse is not None:
            self.reused.append(reuse.summary())
        return painted

    def _encode(self, video: Tensor) -> Tensor:
        return encode_tiled(self.vae, video, self.tile) if self.tile else self.vae.encode(video)

    def _decode(self, latents: Tensor) -> Tensor:
        return decode_tiled(self.vae, latents, self.tile) if self.tile else self.vae.decode(latents)

    def _decode_tiled(self, latents: Tensor, tile: int) -> Frames:
        frames, height, width = latents.shape[2:]
        t, s = self.vae.temporal_stride, self.vae.spatial_stride
        finished = np.empty(((frames - 1) * t + 1, height * s, width * s, 3), np.uint8)
        for piece in decoded_pieces(self.vae, latents, tile):
            finished[piece.frames, piece.rows, piece.columns] = to_frames(piece.video)
        return finished

    def _check_memory(self, canvas: Canvas, style: Style) -> None:
        """Refuse a canvas that would not fit into the memory that is left."""
        big = [m for m in (self.transformer, self.refiner, self.text_encoder) if m is not None]
        weights = sum(p.nbytes for model in (*big, self.vae) for p in model.parameters())
        run = Run(
            self.transformer.config,
            self.vae.config,
            tuple(canvas.latents.shape),
            1 if style.guidance_scale == 1 else 2,
            next(self.vae.parameters()).dtype,
            self.tile,
        )
        check_run(run, weights, sum(map(streamable_bytes, big)), self.device, self.force_memory)

    def _denoiser(self, canvas: Canvas, words: Words, style: Style, noise: Tensor) -> Denoiser:
        pictures, beside = None, None
        if self.stacks_channels:
            if canvas.reference is None:
                raise UsageError(f"the model {self.card.name} continues pictures; it cannot edit footage")
            beside, pictures = self._show(canvas), self._look(canvas.reference, len(words.lengths))
        models = [model for model in (self.transformer, self.refiner) if model is not None]
        experts = tuple(Expert(model, model.prepare_text(*words, pictures)) for model in models)
        history, scale = None, style.guidance_scale
        some = bool(canvas.known.any()) and not bool(canvas.known.all())
        if style.history_guidance and self.per_token and beside is None and some:
            history, scale = History(canvas.known, noise), style.history_guidance
        return Denoiser(experts, self.boundary, scale, beside, style.guidance_range, history)

    def _show(self, canvas: Canvas) -> Tensor:
        """Return the channels to stack under the noise: which frames are known, and the latents of them alone."""
        assert canvas.reference is not None
        latents = self.vae.encode(canvas.reference.video.to(next(self.vae.parameters()).dtype)).float()
        mask = canvas.reference.mask(self.vae.temporal_stride).to(latents)
        return torch.cat([mask.expand(-1, -1, -1, *latents.shape[3:]), latents], dim=1)

    def _look(self, reference: Reference, batch: int) -> Tensor | None:
        """Return the picture encoder's features of the known pictures for each row of a batch, if the model has one."""
        if self.image_encoder is None:
            return None
        # with positions of their own, two pictures come as one sequence
        count = 1 if self.transformer.config.image_tokens is None else 2
        return self.image_encoder(reference.pictures(count)).repeat(batch, 1, 1)
