"""The public face: a checkpoint that makes clips."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec

import torch

from worldloom.core.device import resolve_device
from worldloom.core.error import UsageError
from worldloom.dit.lora import Lora
from worldloom.generate.adapter import Adapter
from worldloom.generate.card import Card
from worldloom.generate.clip import Clip, Footage
from worldloom.generate.families import family_of
from worldloom.generate.folder import find_folder, load_checkpoint
from worldloom.generate.stream import Stream
from worldloom.nn.fp8 import check_fp8
from worldloom.nn.placing import check_offload

P = ParamSpec("P")


def _painted(verb: Callable[Concatenate[Stream, P], Footage]) -> Callable[Concatenate[Pipeline, P], Clip]:
    """Return a method like `verb` that paints the footage into a clip in memory."""

    @wraps(verb)
    def method(self: Pipeline, *args: P.args, **kwargs: P.kwargs) -> Clip:
        footage: Footage = getattr(self.stream, verb.__name__)(*args, **kwargs)
        return footage.clip()

    return method


@dataclass(frozen=True)
class Pipeline:
    """A loaded checkpoint. Each verb returns a `Clip`; the same verbs on `stream` return `Footage`, painted when it
    is read or saved, in memory that does not grow with its length."""

    stream: Stream | Adapter

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        device: str = "auto",
        dtype: torch.dtype | None = None,
        offload: str = "none",
        tile: int | None = None,
        force_memory: bool = False,
        lora: Sequence[Lora | str] = (),
        fast: bool = False,
        fp8: bool = False,
    ) -> Pipeline:
        """Load a model of the package by name (`tiny`) or a checkpoint folder, every file checked by its SHA-256.

        A folder of another family is loaded by diffusers when it first paints; it can `generate` alone.

        Args:
            device: auto, cpu, cuda or mps.
            dtype: None takes the number format that is fast on the device.
            offload: `cpu` keeps the big networks' blocks in the CPU's memory and `disk` in their files, from where
                they come one by one while the one before computes; `none` keeps all on the device.
            tile: side in pixels of the tiles in which the autoencoder works: less memory, the same frames up to
                rounding. None works on whole frames.
            force_memory: try what is not expected to fit into the device's memory, which is refused otherwise.
            lora: low-rank adapters to add to the transformer, each a `Lora` or "[high=|low=]FILE[:STRENGTH]"; of a model
                with two experts, high and low name the one to adapt.
            fast: add the model's own adapter for few steps without guidance, and sample as it asks.
            fp8: the transformer's linear layers in 8-bit floating point, for GPUs from Ada and Hopper on.

        Raises UsageError for an unknown name, device or offload, Failure for a damaged checkpoint, naming what is
        wrong.
        """
        place = resolve_device(device)
        how = check_offload(offload, place)
        if fp8:
            check_fp8(place, how)
        loras = [item if isinstance(item, Lora) else Lora.parse(item) for item in lora]
        if (family := family_of(name)) is not None:
            if loras or fast or fp8:
                raise UsageError(
                    f"{name} is a {family.name} checkpoint; adapters and fp8 are for Wan's layout alone"
                )
            return cls(Adapter(family, Path(name), place, dtype, how))
        folder = find_folder(name)
        return cls(Stream(load_checkpoint(folder, place, dtype, how, tile, force_memory, loras, fast, fp8)))

    @property
    def card(self) -> Card:
        """What the checkpoint says about itself."""
        return self.stream.card

    generate = _painted(Stream.generate)
    image = _painted(Stream.image)
    extend = _painted(Stream.extend)
    loop = _painted(Stream.loop)
    connect = _painted(Stream.connect)
    edit = _painted(Stream.edit)
    remix = _painted(Stream.remix)
    recut = _painted(Stream.recut)
    storyboard = _painted(Stream.storyboard)

    def unknown_words(self, prompt: str) -> list[str]:
        """Return the prompt's words that the model has never seen in training."""
        return self.stream.unknown_words(prompt)
