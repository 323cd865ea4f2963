"""What a run will need of the device's memory, found by running the same code on tensors without memory.

Models of the same shape on the meta device go through one block of the transformer and two steps of the decoder's
stream while every tensor's birth and death is counted, so the estimate follows the code. On a CPU a convolution also
holds its input and output in a layout of its own while it works, which is added. `tests/generate/test_memory.py`
holds the estimate against measured peaks: within 40 %.
"""

from __future__ import annotations

import re
import warnings
import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from worldloom.core.error import UsageError
from worldloom.core.memory import available_memory
from worldloom.core.weights import Weights, find_weights
from worldloom.dit.config import TransformerConfig
from worldloom.dit.context import TextContext
from worldloom.dit.model import Transformer
from worldloom.nn.causal_conv import StreamState
from worldloom.nn.patchify import grid_of
from worldloom.vae.autoencoder import Autoencoder, AutoencoderConfig
from worldloom.vae.tile import decoder_halo

BLOCK_NAME = re.compile(r"(?:encoder\.block|blocks)\.(\d+)\.")
ROWS = ("blocks", "model.encoder.block")
TILE = 256  # pixels; what is proposed where tiles would help
WORDS = 64  # rows of a prompt: few against the tokens of a clip, whatever their number
CONVOLUTIONS = (torch.ops.aten.convolution.default,)


@dataclass(frozen=True)
class Run:
    """What decides how much memory painting one canvas takes.

    latents: shape [1, C, f, h, w] of the canvas. branches: 2 under guidance. tile: side in pixels, or None.
    """

    transformer: TransformerConfig
    vae: AutoencoderConfig
    latents: tuple[int, ...]
    branches: int
    dtype: torch.dtype
    tile: int | None = None

    def painting(self) -> int:
        """Return the bytes that the transformer works in, its weights not among them."""
        config = replace(self.transformer, depth=1)
        with torch.device("meta"):
            model = Transformer(config).cast(self.dtype).requires_grad_(False)
            latents = torch.empty(self.branches, config.in_channels, *self.latents[2:])
            pair = (
                torch.empty(self.branches, config.num_heads, WORDS, config.head_size, dtype=self.dtype),
            ) * 2
            context = TextContext((pair,), torch.empty(self.branches, 1, 1, WORDS, dtype=self.dtype))
            t = torch.empty(self.branches)
        tokens = torch.Size(grid_of(latents, config.patch_size)).numel()
        positions = tokens * config.head_size * 4
        words = 2 * self.transformer.depth * pair[0].numel() * self.dtype.itemsize
        return peak_bytes(lambda: model(latents, t, context)) + positions + words

    def decoding(self) -> int:
        """Return the bytes that the decoder works in: whole frames as a stream, or tiles and the finished frames."""
        with torch.device("meta"):
            vae = Autoencoder(self.vae).to(self.dtype).requires_grad_(False)
        frames, height, width = self.latents[2:]
        if self.tile is None:
            return _decoder_peak(vae, min(frames, 3), height, width, self.dtype)
        halo, side = decoder_halo(vae.decoder), self.tile // vae.spatial_stride
        outer = min(height, side + 2 * halo), min(width, side + 2 * halo)
        finished = 3 * ((frames - 1) * vae.temporal_stride + 1) * height * width * vae.spatial_stride**2
        wide = vae.decoder.conv_in.out_channels * frames * height * width * self.dtype.itemsize
        return _decoder_peak(vae, min(frames, 3), *outer, self.dtype) + finished + 2 * wide


def check_run(run: Run, weights: int, streamed: int, device: torch.device, force: bool) -> None:
    """Refuse a run that does not fit into what is left on `device`, and say what would; `force` only warns.

    weights: bytes of the loaded models; streamed: how many of them `--offload disk` would leave in their files.
    Raises UsageError with the estimate.
    """
    left = available_memory(device)
    if left is None or _surely_fits(run, left):
        return
    painting, decoding = run.painting(), run.decoding()
    if max(painting, decoding) <= left:
        return
    tiled = run.decoding() if run.tile else replace(run, tile=_tile_for(run)).decoding()
    sentence = (
        f"this run needs about {_gb(max(painting, decoding))} beside the weights' {_gb(weights)} "
        f"(painting {_gb(painting)}, decoding {_gb(decoding)}) and {_gb(left)} are left on {device}; "
        + _advice(painting, tiled, left, streamed, _tile_for(run) if decoding > left else None)
    )
    _refuse(sentence, force)


def check_loading(
    folder: Path, parts: Iterable[str], dtype: torch.dtype, offload: str, device: torch.device, force: bool
) -> None:
    """Refuse to load the models of a folder where their weights alone do not fit; `force` only warns.

    Raises UsageError that says whether `--offload disk` fits.
    """
    left = available_memory(device)
    need = sum(held_bytes(folder / part, dtype, offload) for part in parts)
    if left is None or need <= left:
        return
    streamed = sum(held_bytes(folder / part, dtype, "disk") for part in parts)
    option = "--offload disk" if offload == "none" and streamed <= left else None
    advice = f"{option} needs {_gb(streamed)}" if option else "a smaller model or another machine is needed"
    _refuse(f"the weights need {_gb(need)} and {_gb(left)} are left on {device}; {advice}", force)


def held_bytes(folder: Path, dtype: torch.dtype, offload: str) -> int:
    """Return the bytes that a part of a checkpoint holds on its device: all, or two of its blocks and the rest."""
    blocks: Counter[str] = Counter()
    rest = 0
    for name, info in Weights(find_weights(folder)).info.items():
        size = info.bytes // info.dtype.itemsize * dtype.itemsize
        if match := BLOCK_NAME.match(name):
            blocks[match[1]] += size
        elif offload == "none" or name not in ("shared.weight", "encoder.embed_tokens.weight"):
            rest += size
    if offload == "none":
        return rest + blocks.total()
    return rest + 2 * max(blocks.values(), default=0)


def streamable_bytes(model: nn.Module) -> int:
    """Return the bytes of a loaded model that `--offload disk` would leave in its file: all blocks but two."""
    rows = [row for name, row in model.named_modules() if name in ROWS and isinstance(row, nn.ModuleList)]
    total = sum(tensor.nbytes for row in rows for tensor in row.parameters())
    return sum(total - 2 * total // len(row) for row in rows if len(row) > 2)


class Meter(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive; `peak` is the most there were."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, Tensor):  # what comes from outside, such as a weight, is not work
                self._known.add(leaf.untyped_storage()._cdata)
        out = function(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key, size = storage._cdata, storage.nbytes()
            if key not in self._known:
                self._known.add(key)
                self.alive += size
                weakref.finalize(storage, self._gone, key, size)
        inside = sum(t.nbytes for t in (args[0], *tensors)) if function in CONVOLUTIONS else 0
        self.peak = max(self.peak, self.alive + inside)
        return out

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.alive -= size


class FusedAttention(TorchFunctionMode):
    """Attention as the fused kernels do it: no matrix of scores, which the meta device would build."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is F.scaled_dot_product_attention:
            return torch.empty_like(args[0])
        return function(*args, **(kwargs or {}))


def peak_bytes(work: Callable[[], Any]) -> int:
    """Return the most bytes of tensors alive at once that `work` makes, on the meta device."""
    with torch.no_grad(), torch.device("meta"), FusedAttention(), Meter() as meter:
        work()
    return meter.peak


def _decoder_peak(vae: Autoencoder, frames: int, height: int, width: int, dtype: torch.dtype) -> int:
    latents = torch.empty(1, vae.latent_channels, frames, height, width, dtype=dtype, device="meta")
    state = StreamState()

    def work() -> None:
        for frame in latents.split(1, dim=2):
            vae.pixels_of_chunk(frame, state)

    return peak_bytes(work)


def _surely_fits(run: Run, left: int) -> bool:
    """Return whether a bound far above any estimate fits, which spares small runs a second of counting."""
    cells = run.latents[3] * run.latents[4]
    values = 4 * cells * run.vae.scale_factor_spatial**2 * run.vae.base_dim * 4
    tokens = run.branches * run.latents[2] * cells
    values += tokens * (12 * run.transformer.hidden_size + 4 * run.transformer.ffn_size)
    return 16 * values * 4 < left


def _tile_for(run: Run) -> int:
    stride = run.vae.scale_factor_spatial
    return max(stride, TILE // stride * stride)


def _advice(painting: int, decoding: int, left: int, streamed: int, tile: int | None) -> str:
    options = [f"--tile {tile}"] if tile is not None else []
    if max(painting, decoding) <= left:
        return f"{' '.join(options)} makes it fit"
    if max(painting, decoding) <= left + streamed:
        return f"{' '.join([*options, '--offload disk'])} makes it fit"
    return "a smaller --size or fewer --frames would fit"


def _refuse(sentence: str, force: bool) -> None:
    if not force:
        raise UsageError(f"{sentence} (--force-memory tries all the same)")
    warnings.warn(sentence, RuntimeWarning, stacklevel=3)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
