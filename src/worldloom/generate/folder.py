"""A checkpoint folder in and out: the diffusers layout, with `worldloom.json` and a model card beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import torch

from worldloom.core.checkpoint import check_hashes, hash_folder
from worldloom.core.config import from_dict, to_dict
from worldloom.core.device import resolve_dtype
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import read_json, write_json
from worldloom.core.weights import PICKLES
from worldloom.dit.lora import Lora
from worldloom.dit.model import Transformer
from worldloom.generate.assembly import (
    IMAGE_ENCODER,
    IMAGE_PROCESSOR,
    INDEX_FILE,
    REFINER,
    VERSION,
    Assembly,
)
from worldloom.generate.card import Card, Sampling
from worldloom.generate.engine import Engine
from worldloom.generate.families import family_of
from worldloom.generate.memory import check_loading
from worldloom.nn.placing import Offload
from worldloom.text.encoder import TextEncoder
from worldloom.text.image_encoder import ImageEncoder, preprocessor_content, read_config
from worldloom.text.tokenizer import Tokenizer
from worldloom.vae.autoencoder import Autoencoder

PACKAGED = Path(__file__).resolve().parents[1] / "weights"
CARD_FILE, README_FILE, FAST_FILE = "worldloom.json", "README.md", "fast.safetensors"
HASHES = "files"  # {name: SHA-256}, the one field of worldloom.json that is not the card's


def packaged_models() -> list[str]:
    """Return the names of the models in the package."""
    return sorted(path.parent.name for path in PACKAGED.glob(f"*/{CARD_FILE}"))


def find_folder(name: str | os.PathLike[str]) -> Path:
    """Return the folder of a packaged model, or the folder given by path.

    Raises UsageError for a name that is neither, or a folder that is no checkpoint.
    """
    packaged = PACKAGED / name
    if isinstance(name, str) and os.sep not in name and (packaged / CARD_FILE).is_file():
        return packaged
    folder = Path(name)
    if not folder.is_dir():
        known = ", ".join(packaged_models()) or "none"
        raise UsageError(f"no model {str(name)!r}: not in the package ({known}) and not a folder")
    if (family := family_of(folder)) is not None:
        raise UsageError(
            f"{folder} is a {family.name} checkpoint, which has no {CARD_FILE}: {family.abilities}"
        )
    lacking = [name for name in (CARD_FILE, INDEX_FILE) if not (folder / name).exists()]
    if lacking == [CARD_FILE]:
        raise UsageError(
            f"{folder} is not a checkpoint folder: it lacks {CARD_FILE}; `worldloom models import {folder} -o NEW` "
            "makes one of it"
        )
    lacking = lacking or [part for part in Assembly.read(folder).parts if not (folder / part).is_dir()]
    if lacking:
        raise UsageError(f"{folder} is not a checkpoint folder: it lacks {', '.join(lacking)}")
    return folder


def load_card(folder: Path) -> Card:
    """Return what a checkpoint folder says about itself; a field too many or too few is a Failure that names it.

    Fields that have a default may be absent: folders older than the field lack it.
    """
    values = _read_card_file(folder)
    del values[HASHES]
    for key in ("sampling", "fast"):
        if isinstance(values.get(key), dict):
            values[key] = _optional(Sampling) | values[key]
    try:
        return from_dict(Card, _optional(Card) | values)
    except UsageError as error:
        raise Failure(f"{folder / CARD_FILE} is not a sound description: {error}") from error


def _optional(cls: type) -> dict[str, Any]:
    """Return the defaults of a dataclass's fields that have one."""
    return {field.name: field.default for field in fields(cls) if field.default is not MISSING}


def verify_folder(folder: Path) -> None:
    """Raise Failure unless a checkpoint folder holds exactly the files it was saved with, bit for bit, and no pickle."""
    pickles = [str(path) for path in sorted(folder.rglob("*")) if path.suffix.lower() in PICKLES]
    if pickles:
        raise Failure(
            f"{', '.join(pickles)}: a pickle can run any code when it is loaded; only safetensors are read"
        )
    check_hashes(folder, _read_card_file(folder)[HASHES], skip=[CARD_FILE])


def load_checkpoint(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype | None = None,
    offload: Offload = "none",
    tile: int | None = None,
    force_memory: bool = False,
    loras: Sequence[Lora] = (),
    fast: bool = False,
    fp8: bool = False,
) -> Engine:
    """Return the models of a checkpoint folder on `device`, every file first checked against its SHA-256.

    `dtype` None takes the number format that is fast on the device. Under `offload` the transformers' blocks and the
    text encoder's layers wait in the CPU's memory or in their files, and come one by one; with a `tile` the
    autoencoder works in tiles of so many pixels. `loras` are added to the transformers' weights, and with `fast` the
    folder's own adapter for few steps; `fp8` then puts their linear layers into 8-bit floating point. Weights that do not fit are a UsageError unless forced. Raises Failure for a
    file that differs, is missing or too many, for a pickle, and for missing, extra or misshapen tensors, naming each.
    """
    verify_folder(folder)
    card, assembly = load_card(folder), Assembly.read(folder)
    dtype = resolve_dtype(device) if dtype is None else dtype

    stored = [part for part in assembly.parts if part not in ("tokenizer", "scheduler", IMAGE_PROCESSOR)]
    check_loading(folder, stored, dtype, offload, device, force_memory)

    if fast:
        if card.fast is None:
            raise UsageError(f"{card.name} has no adapter for few steps; ask for fewer with steps")
        card, loras = replace(card, sampling=card.fast), (Lora(folder / FAST_FILE), *loras)
    if assembly.boundary is None and (one := [lora for lora in loras if lora.expert != "both"]):
        raise UsageError(
            f"{card.name} has one transformer for all noise levels; give {one[0].path} without {one[0].expert}="
        )
    high, low = ([lora for lora in loras if lora.expert in ("both", expert)] for expert in ("high", "low"))

    def load(kind: Any, part: str, **how: Any) -> Any:
        return kind.load(folder / part, device, dtype, **how).eval().requires_grad_(False)

    transformer = load(Transformer, "transformer", offload=offload, loras=high)
    refiner = None if assembly.boundary is None else load(Transformer, REFINER, offload=offload, loras=low)
    return Engine(
        transformer=transformer,
        vae=load(Autoencoder, "vae"),
        text_encoder=load(TextEncoder, "text_encoder", offload=offload),
        tokenizer=Tokenizer.load(folder / "tokenizer"),
        card=card,
        device=device,
        per_token=assembly.per_token,
        refiner=refiner,
        boundary=assembly.boundary or 0.0,
        loras=tuple(lora.record() for lora in loras),
        image_encoder=load(ImageEncoder, IMAGE_ENCODER) if assembly.image_encoder else None,
        tile=tile,
        force_memory=force_memory,
        fp8_decibels=min(m.use_fp8() for m in (transformer, refiner) if m is not None) if fp8 else None,
    )


def save_checkpoint(
    engine: Engine, folder: str | os.PathLike[str], readme: str, fast: Path | None = None
) -> Path:
    """Write a checkpoint folder that `load_checkpoint` and diffusers read; `readme` is the model card in Markdown.

    Weights are written in the number format that they have; `fast` is an adapter to copy beside them. Raises
    UsageError for a folder that is not empty.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; give a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    engine.transformer.save(folder / "transformer")
    engine.vae.save(folder / "vae")
    engine.text_encoder.save(folder / "text_encoder")
    engine.tokenizer.save(folder / "tokenizer")
    if engine.refiner is not None:
        engine.refiner.save(folder / REFINER)
    if engine.image_encoder is not None:
        engine.image_encoder.save(folder / IMAGE_ENCODER)
    if fast is not None:
        shutil.copyfile(fast, folder / FAST_FILE)
    assembly = Assembly(
        engine.per_token,
        None if engine.refiner is None else engine.boundary,
        engine.stacks_channels,
        engine.image_encoder is not None,
    )
    seal_folder(folder, engine.card, assembly, readme)
    return folder


def seal_folder(
    folder: Path,
    card: Card,
    assembly: Assembly,
    readme: str,
    tokenizer_class: str = "PreTrainedTokenizerFast",
) -> None:
    """Add to the parts in a folder what makes a checkpoint of them, the SHA-256 of every file last."""
    (folder / "scheduler").mkdir()
    write_json(folder / "scheduler" / "scheduler_config.json", _scheduler_config(card))
    if assembly.image_encoder:
        (folder / IMAGE_PROCESSOR).mkdir(exist_ok=True)
        content = preprocessor_content(read_config(folder / IMAGE_ENCODER / "config.json"))
        write_json(folder / IMAGE_PROCESSOR / "preprocessor_config.json", content)
    write_json(folder / INDEX_FILE, assembly.index(tokenizer_class))
    (folder / README_FILE).write_text(readme, encoding="utf-8")
    write_json(folder / CARD_FILE, {**to_dict(card), HASHES: hash_folder(folder)})


def _read_card_file(folder: Path) -> dict[str, Any]:
    values = read_json(folder / CARD_FILE)
    if not isinstance(values, dict) or not isinstance(values.get(HASHES), dict):
        raise Failure(
            f"{folder / CARD_FILE} is damaged: it holds no {HASHES!r} with a SHA-256 for every file"
        )
    return values


def _scheduler_config(card: Card) -> dict[str, Any]:
    """Return the settings with which diffusers' UniPC walks the same schedule."""
    return {
        "_class_name": "UniPCMultistepScheduler",
        "_diffusers_version": VERSION,
        "flow_shift": card.sampling.shift,
        "num_train_timesteps": 1000,
        "prediction_type": "flow_prediction",
        "solver_order": 2,
        "use_flow_sigmas": True,
    }
