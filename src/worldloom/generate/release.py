"""A released checkpoint, wherever its parts lie: a diffusers folder, an original release, or files from both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from worldloom.core.error import UsageError
from worldloom.core.weights import INDEX_SUFFIX, PICKLES, SUFFIX, listed, pickle_warning, shard_names
from worldloom.generate.assembly import INDEX_FILE, REFINER, Assembly
from worldloom.generate.card import Card
from worldloom.generate.folder import CARD_FILE, load_card
from worldloom.generate.part import IMAGE_ENCODER, TEXT_ENCODER, TRANSFORMER, VAE, Part, find_part
from worldloom.generate.published import assembly_of, identify
from worldloom.text.tokenizer import FILE as TOKENIZER_FILE
from worldloom.text.tokenizer import Tokenizer

# By what the folder or file of an expert is called, the one for high noise first.
EXPERTS = {TRANSFORMER: ("high_noise", "high-noise"), REFINER: ("low_noise", "low-noise", REFINER)}
OTHER_TOKENIZER = "xlm-roberta"  # of the half of CLIP that reads words, which nothing here needs


@dataclass(frozen=True)
class Release:
    """The parts by the name of their folder in the diffusers layout, the tokenizer's folder, and what they make."""

    parts: dict[str, Part]
    tokenizer: Path
    card: Card
    assembly: Assembly


def find_release(sources: Sequence[Path]) -> Release:
    """Return the checkpoint whose parts lie in the given folders and files, which may hold one part each.

    Raises UsageError that names a part that is missing, there twice or a pickle, and what the other errors of
    `find_part` name.
    """
    for source in sources:
        if not source.exists():
            raise UsageError(f"{source} does not exist")
    found = [(path, find_part(path)) for source in sources for path in _weight_paths(source)]
    parts = _by_name(found)
    tokenizers = [path.parent for source in sources for path in _tokenizer_paths(source)]
    needed = [TRANSFORMER, VAE, TEXT_ENCODER]
    if TRANSFORMER in parts and parts[TRANSFORMER].config.image_size is not None:
        needed.append(IMAGE_ENCODER)
    missing = [name for name in needed if name not in parts] + ["tokenizer"] * (not tokenizers)
    if missing:
        _complain(sources, missing)
    if len(tokenizers) > 1:
        raise UsageError(
            f"there are several tokenizers, {listed([str(path) for path in tokenizers])}; keep one"
        )
    card, assembly = _describe(sources, parts)
    _check_fit(parts, Tokenizer.load(tokenizers[0]), assembly)
    kept = {name: part for name, part in parts.items() if name in assembly.parts}
    return Release(kept, tokenizers[0], card, assembly)


def _weight_paths(source: Path) -> list[Path]:
    """Return every set of weights below a folder, shards by their index; or the one file given."""
    if source.is_file():
        return [source]
    indexes = sorted(source.rglob(f"*{INDEX_SUFFIX}"))
    shards = {index.with_name(name) for index in indexes for name in shard_names(index)}
    return [*indexes, *(path for path in sorted(source.rglob(f"*{SUFFIX}")) if path not in shards)]


def _tokenizer_paths(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if source.name == TOKENIZER_FILE else []
    return [path for path in sorted(source.rglob(TOKENIZER_FILE)) if OTHER_TOKENIZER not in str(path.parent)]


def _by_name(found: Sequence[tuple[Path, Part]]) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    places: dict[str, Path] = {}
    transformers = sum(part.kind == TRANSFORMER for _, part in found)
    for path, part in found:
        name = part.kind if part.kind != TRANSFORMER or transformers == 1 else _expert(path)
        if name in parts:
            raise UsageError(f"the {name} is there twice, in {places[name]} and in {path}; give one of them")
        parts[name], places[name] = part, path
    return parts


def _expert(path: Path) -> str:
    """Return which of two transformers a file holds, by its name or its folder's."""
    for name, marks in reversed(EXPERTS.items()):
        if any(mark in part.lower() for part in (path.name, path.parent.name) for mark in marks):
            return name
    if path.parent.name == TRANSFORMER:
        return TRANSFORMER
    raise UsageError(
        f"there are several transformers, and neither file nor folder of {path} says which it is: an expert has "
        "high_noise or low_noise in its name"
    )


def _complain(sources: Sequence[Path], missing: Sequence[str]) -> NoReturn:
    where = ", ".join(map(str, sources))
    text = f"{where} {'lacks' if len(sources) == 1 else 'lack'} {', '.join(missing)}"
    folders = [source for source in sources if source.is_dir()]
    pickles = sorted(
        str(path.relative_to(folder))
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix.lower() in PICKLES
    )
    if pickles:
        raise UsageError(f"{text}, but there is the {pickle_warning(pickles)}")
    raise UsageError(f"{text}; name a folder or file with the missing part as a further source")


def _describe(sources: Sequence[Path], parts: dict[str, Part]) -> tuple[Card, Assembly]:
    """Return card and assembly: a source's own word where it has one, else what is published of such a transformer."""
    indexes = [source for source in sources if source.is_dir() and (source / INDEX_FILE).is_file()]
    assembly = Assembly.read(indexes[0]) if indexes else None
    config, experts = parts[TRANSFORMER].config, 2 if REFINER in parts else 1
    published, exact = identify(config, experts, assembly is not None and assembly.per_token)
    if assembly is None:
        assembly = assembly_of(published, config, experts)
        if experts == 2 and assembly.boundary is None:
            raise UsageError("two transformers of a kind that was never published as a pair of experts")
    own = [source for source in sources if (source / CARD_FILE).is_file()]
    return load_card(own[0]) if own else published.card(exact), assembly


def _check_fit(parts: dict[str, Part], tokenizer: Tokenizer, assembly: Assembly) -> None:
    """Raise UsageError for parts that are each sound and do not belong together."""
    transformer, vae = parts[TRANSFORMER].config, parts[VAE].config
    stacked = 2 * vae.z_dim + vae.scale_factor_temporal
    allowed = (vae.z_dim, stacked)
    if transformer.out_channels != vae.z_dim or transformer.in_channels not in allowed:
        raise UsageError(
            f"the transformer takes {transformer.in_channels} channels and gives {transformer.out_channels}; with "
            f"this autoencoder of {vae.z_dim} it must take {vae.z_dim} or {stacked} and give {vae.z_dim}"
        )
    text = parts[TEXT_ENCODER].config
    if transformer.text_size != text.d_model:
        raise UsageError(
            f"the transformer reads text of width {transformer.text_size}, the text encoder writes {text.d_model}"
        )
    if tokenizer.vocab_size > text.vocab_size:
        raise UsageError(
            f"the tokenizer has {tokenizer.vocab_size} pieces, the text encoder knows {text.vocab_size}"
        )
    if REFINER in assembly.parts and parts[REFINER].config != transformer:
        raise UsageError("the two transformers differ in their shapes, so they are not experts of one model")
    if (
        transformer.image_size is not None
        and parts[IMAGE_ENCODER].config.hidden_size != transformer.image_size
    ):
        raise UsageError(
            f"the transformer looks at pictures of width {transformer.image_size}, the picture encoder writes "
            f"{parts[IMAGE_ENCODER].config.hidden_size}"
        )
