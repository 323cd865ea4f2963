"""Checkpoints change their clothes: a release becomes a checkpoint folder, a checkpoint folder becomes plain again.

Tensors go from file to file one by one, into a hidden folder that takes its name only when it is whole.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from worldloom.core.checkpoint import METADATA_KEY
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import machine_trouble, read_json
from worldloom.core.weights import TensorInfo, find_weights, write_tensors
from worldloom.dit.original import original_name as transformer_name
from worldloom.generate.assembly import IMAGE_ENCODER, INDEX_FILE, REFINER, Assembly
from worldloom.generate.folder import CARD_FILE, FAST_FILE, README_FILE, seal_folder
from worldloom.generate.part import CONFIG_FILE, TEXT_ENCODER, TRANSFORMER, VAE, Part, find_part
from worldloom.generate.release import Release
from worldloom.text.original import text_original_name
from worldloom.text.tokenizer import CONFIG_FILE as TOKENIZER_CONFIG
from worldloom.text.tokenizer import FILE, VOCABULARY_FILE
from worldloom.vae.original import original_name as autoencoder_name

TOKENIZER_FILES = (FILE, TOKENIZER_CONFIG, VOCABULARY_FILE, "special_tokens_map.json", "spiece.model")
TOKENIZER_CLASS = "T5TokenizerFast"  # of a tokenizer whose own configuration names none
# What a checkpoint folder has and plain diffusers does not know.
OWN_FILES = (CARD_FILE, README_FILE, FAST_FILE)
SLACK = 16 << 20  # bytes for everything but weights
OnBytes = Callable[[int], None]


def size_of(release: Release, dtype: torch.dtype | None) -> int:
    """Return how many bytes the weights of a release take when written in `dtype` (None: as stored)."""
    return sum(info.bytes for part in release.parts.values() for info in part.info(dtype).values())


def adopt(
    release: Release,
    target: Path,
    dtype: torch.dtype | None = None,
    force: bool = False,
    on_bytes: OnBytes | None = None,
) -> Path:
    """Write a release as a checkpoint folder; `on_bytes` is told of the weights as they are written.

    `dtype` is that of transformers and encoders of words and pictures; the autoencoder, and the few tensors that
    carry noise levels, stay as they are. Raises UsageError for a target that is there (without `force`) or is no
    checkpoint (with it), Failure for too little room on the disk.
    """
    with whole_folder(target, size_of(release, dtype), force) as folder:
        for name, part in release.parts.items():
            part.write(folder / name, dtype, on_bytes)
        (folder / "tokenizer").mkdir()
        for name in TOKENIZER_FILES:
            if (release.tokenizer / name).is_file():
                shutil.copyfile(release.tokenizer / name, folder / "tokenizer" / name)
        own = release.tokenizer / TOKENIZER_CONFIG
        tokenizer_class = (
            read_json(own).get("tokenizer_class", TOKENIZER_CLASS) if own.is_file() else TOKENIZER_CLASS
        )
        seal_folder(folder, release.card, release.assembly, _readme(release), tokenizer_class)
    return target


def undress(source: Path, target: Path, force: bool = False, on_bytes: OnBytes | None = None) -> Path:
    """Copy a checkpoint folder as plain diffusers folder, without what only this project adds to it."""
    files = [path for path in sorted(source.rglob("*")) if path.is_file()]
    plain = [path for path in files if path.relative_to(source).as_posix() not in OWN_FILES]
    with whole_folder(target, sum(path.stat().st_size for path in plain), force) as folder:
        for path in plain:
            copy = folder / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            if on_bytes is not None:
                on_bytes(path.stat().st_size)
    return target


def undress_to_original(
    source: Path, target: Path, force: bool = False, on_bytes: OnBytes | None = None
) -> Path:
    """Write the models of a checkpoint folder under the names of Wan's original release, as safetensors.

    The picture encoder, half of a larger model there, and the tokenizer are copied as they are.
    """
    folders = {name: source / name for name in Assembly.read(source).parts}
    parts = {name: find_part(find_weights(folders[name])) for name in folders if name in ORIGINAL_FILES}
    total = sum(info.bytes for part in parts.values() for info in part.info(None).values())
    with whole_folder(target, total, force) as folder:
        for name, part in parts.items():
            file = folder / (ORIGINAL_EXPERTS if REFINER in parts else ORIGINAL_FILES)[name]
            file.parent.mkdir(parents=True, exist_ok=True)
            _write_original(part, file, on_bytes)
        for name in ("tokenizer", IMAGE_ENCODER):
            if name in folders:
                shutil.copytree(folders[name], folder / name)
    return target


ORIGINAL_FILES = {
    TRANSFORMER: "diffusion_pytorch_model.safetensors",
    REFINER: "",
    VAE: "vae.safetensors",
    TEXT_ENCODER: "text_encoder.safetensors",
}
ORIGINAL_EXPERTS = ORIGINAL_FILES | {
    TRANSFORMER: "high_noise_model/diffusion_pytorch_model.safetensors",
    REFINER: "low_noise_model/diffusion_pytorch_model.safetensors",
}


def original_name(part: Part, name: str) -> str:
    """Return what the original release calls a tensor of a part."""
    if part.kind == TRANSFORMER:
        return transformer_name(name)
    return autoencoder_name(name, part.config) if part.kind == VAE else text_original_name(name)


def _write_original(part: Part, path: Path, on_bytes: OnBytes | None) -> None:
    info = part.info(None)
    names = {original_name(part, name): name for name in info}
    renamed: dict[str, TensorInfo] = {theirs: info[ours] for theirs, ours in names.items()}
    header = {"format": "pt", METADATA_KEY: "{}"}
    write_tensors(path, renamed, lambda name: part.read(names[name]), header, on_bytes=on_bytes)
    if part.kind == TRANSFORMER:  # the one fact that shapes do not tell
        (path.parent / CONFIG_FILE).write_text(
            f'{{"num_heads": {part.config.num_heads}}}\n', encoding="utf-8"
        )


@contextmanager
def whole_folder(target: Path, size: int, force: bool) -> Iterator[Path]:
    """Yield an empty folder beside `target` that takes its name when the block ends well, and else disappears.

    Raises UsageError as `adopt` does, Failure where the disk has not `size` bytes to spare.
    """
    target = target.absolute()
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {target}: the folder {target.parent} does not exist")
    empty = target.is_dir() and not any(target.iterdir())
    if target.exists() and not empty:
        if not force:
            raise UsageError(f"{target} exists already; give another name or --force to replace it")
        if not (target / INDEX_FILE).is_file():
            raise UsageError(f"{target} is no checkpoint, so it is not replaced; give another name")
    if (free := shutil.disk_usage(target.parent).free) < size + SLACK:
        raise Failure(
            f"cannot write {target}: it needs {(size + SLACK) / 1e9:.1f} GB, and the disk has {free / 1e9:.1f} GB free"
        )
    hidden = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    replaced = hidden.with_suffix(".old")
    try:
        with machine_trouble(target):
            hidden.mkdir()
            yield hidden
            if target.exists():
                target.rename(replaced)
            hidden.rename(target)
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        if replaced.exists() and not target.exists():
            replaced.rename(target)
        shutil.rmtree(hidden, ignore_errors=True)


def _readme(release: Release) -> str:
    card = release.card
    sizes = ", ".join(f"{width}x{height}" for width, height in card.sizes)
    rows = [
        f"| {name} | {part.layout} | {sum(info.bytes for info in part.weights.info.values()) / 1e9:.2f} GB |"
        for name, part in release.parts.items()
    ]
    return "\n".join(
        [
            f"# {card.name}\n",
            f"{card.description} Imported by worldloom; `{CARD_FILE}` has the SHA-256 of every file.\n",
            f"- Licence: {card.licence}",
            f"- Sizes: {sizes} at {card.fps} frames/s, {'/'.join(map(str, card.num_frames))} frames\n",
            "| part | came in the | size there |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
