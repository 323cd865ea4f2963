"""The models of a checkpoint at work: words to context, pixels to latents, a canvas to footage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from worldloom.core.seed import torch_generator
from worldloom.dit.model import TextContext, Transformer
from worldloom.flow.guidance import guide
from worldloom.flow.sampler import euler, heun, unipc
from worldloom.flow.schedule import shifted_sigmas
from worldloom.flow.timestep import whole_timestep
from worldloom.generate.canvas import Canvas, blank_canvas
from worldloom.generate.card import Card
from worldloom.generate.conform import Frames, to_frames, to_video
from worldloom.generate.request import Style
from worldloom.generate.size import Size
from worldloom.generate.window import Span
from worldloom.text.encoder import TextEncoder
from worldloom.text.tokenizer import Tokenizer
from worldloom.vae.autoencoder import Autoencoder

SAMPLERS = {"euler": euler, "heun": heun, "unipc": unipc}
OnStep = Callable[[int, int], None]  # (steps done, steps in all)


@dataclass
class Engine:
    """The loaded parts of a checkpoint; all on `device`, which computes."""

    transformer: Transformer
    vae: Autoencoder
    text_encoder: TextEncoder
    tokenizer: Tokenizer
    card: Card
    device: torch.device

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
    def read(self, style: Style) -> TextContext:
        """Return the prompt's keys and values in every block, and the negative prompt's in row 1 under guidance."""
        prompts = [style.prompt, style.negative] if style.guidance_scale != 1 else [style.prompt]
        ids, lengths = self.tokenizer.pad(self.tokenizer.encode(prompts))
        ids, lengths = ids.to(self.device), lengths.to(self.device)
        return self.transformer.prepare_text(self.text_encoder(ids, lengths), lengths)

    @torch.inference_mode()
    def encode(self, frames: Frames) -> Tensor:
        """Return normalised latents [1, C, f, h, w] in fp32 of 4n + 1 frames."""
        dtype = next(self.vae.parameters()).dtype
        return self.vae.encode(to_video(frames, self.device, dtype)).float()

    def decode(self, latents: Tensor) -> Iterator[Frames]:
        """Yield the frames of latents [1, C, f, h, w], one latent frame at a time, in constant memory."""
        stream = self.vae.decoder_stream()
        dtype = next(self.vae.parameters()).dtype
        for latent_frame in latents.to(dtype).split(1, dim=2):
            with torch.inference_mode():
                video = stream.push(latent_frame)
            yield to_frames(video)

    @torch.inference_mode()
    def paint(
        self,
        canvas: Canvas,
        context: TextContext,
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
        canvas = canvas.aligned(self.transformer.config.patch_size)
        generator = torch_generator("noise", style.seed, part)
        noise = torch.randn(canvas.latents.shape, generator=generator).to(self.device)
        schedule = shifted_sigmas(style.num_steps, style.shift).to(self.device)
        sampler, denoiser = SAMPLERS[style.sampler], self._denoiser(context, style)
        report = None if on_step is None else lambda step, clean: on_step()
        return sampler(denoiser, canvas.noisy(noise), canvas.sigmas(schedule), on_step=report)

    def _denoiser(self, context: TextContext, style: Style) -> Callable[[Tensor, Tensor], Tensor]:
        """Return (noisy, t) -> velocity; under guidance both branches go through the model as one batch of two."""
        patch = self.transformer.config.patch_size
        branches = 1 if style.guidance_scale == 1 else 2

        def denoise(noisy: Tensor, t: Tensor) -> Tensor:
            levels = _token_levels(t, patch).expand(branches, *(-1,) * (3 if t.numel() > 1 else 0))
            velocity = self.transformer(noisy.expand(branches, -1, -1, -1, -1), levels, context).float()
            if branches == 1:
                return velocity
            conditional, unconditional = velocity.chunk(2)
            return guide(conditional, unconditional, style.guidance_scale)

        return denoise


def _token_levels(t: Tensor, patch: tuple[int, int, int]) -> Tensor:
    """Return noise levels as the transformer takes them: [1] for one level, [1, f/pt, h/ph, w/pw] for a grid.

    They are rounded down to thousandths, as Wan's pipelines count timesteps, so that a folder paints the same clip
    here and there (unrounded, the tiny model's clips are 54 dB apart).
    """
    t = whole_timestep(t)
    if t.numel() == 1:
        return t.reshape(1)
    return t[:, 0, :: patch[0], :: patch[1], :: patch[2]]
