"""What a transformer run is assembled from: frozen autoencoder, tokenizer, caches, and the models to train.

The autoencoder (with the statistics of its latents) and the tokenizer are settled once and kept in the run folder,
so a resumed run has the same ones even if the dataset has grown meanwhile.
"""

import shutil
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from worldloom.core.error import UsageError
from worldloom.core.seed import derive_seed, numpy_generator
from worldloom.data.dataset import ClipDataset, CropConfig
from worldloom.data.manifest import Manifest
from worldloom.dit.config import TransformerConfig
from worldloom.dit.model import Transformer
from worldloom.generate.card import Card, Sampling
from worldloom.text.encoder import TextEncoder, TextEncoderConfig
from worldloom.text.tokenizer import Tokenizer
from worldloom.training.captions import CaptionCache, caption_cache, settle_tokenizer
from worldloom.training.growth import deepened
from worldloom.training.latent_basis import value_in_pixels
from worldloom.training.latents import LatentCache, encoder_hash
from worldloom.training.objective import Surroundings
from worldloom.training.pixel import to_video
from worldloom.training.translation import translate
from worldloom.training.transplant import transplanted
from worldloom.vae.autoencoder import Autoencoder
from worldloom.worlds.composition import UNSEEN

# Clips whose latents give the statistics: the error of a mean over them is far below what training notices.
STATISTICS_CLIPS = 512
# Clips on which bases of latents are compared: 24 of 1,280 cells give each of some 2,000 coefficients 15 equations.
BASIS_CLIPS = 24
# What a latent direction is worth is local: windows tell it in a tenth of the time that whole takes need.
PROBED_WINDOW = CropConfig(17, 64, 64)
# Captions from which a translation between text encoders is learnt: twenty words each for 256 coefficients a feature.
COMPARED_CAPTIONS = 768


@dataclass(frozen=True)
class LatentDataConfig:
    """Which samples, encoded by what, how many at once.

    `vae` is a folder with `vae/` weights (a run's `ema`, say); a run that starts from a checkpoint takes the
    checkpoint's own unless `swap_vae`, which puts the transformer on the latents of `vae`. `text` is a folder with a
    text encoder that can read already and its tokenizer (see `reading.py`): it is held still. Where it is empty, the
    encoder is the checkpoint's or a fresh one, and learns along. Where `worth` is not 0,
    latents are first scaled by what they are worth in pixels to that power. Clips are encoded in `passes` (see
    `worldloom.vae.feedback`), as the checkpoint will encode given frames. `cache` holds latents and token ids; `samples`
    limits the manifest to its first ones and `longest` to clips of at most that many frames (0: all). Clips are cut
    to their first `cut` frames (0: not at all): the autoencoder is causal, so 1 makes pictures of them. Beside
    itself, a clip is shown `pictures` times an epoch as its first frame: words are learnt from many scenes.
    With `leave_out`, takes that show a composition of `worlds.composition.UNSEEN` are not trained on, whatever the
    folders hold. `batch_tokens` is the budget of one batch in patches; `vocab_size` is the tokenizer's, which is trained on the
    captions when the run starts from nothing.
    """

    folders: tuple[str, ...]
    vae: str
    cache: str
    batch_tokens: int
    text: str = ""
    swap_vae: bool = False
    worth: float = 0.0
    passes: int = 1
    samples: int = 0
    longest: int = 0
    cut: int = 0
    pictures: int = 0
    heldout_permille: int = 20
    leave_out: bool = True
    evaluated: int = 48
    vocab_size: int = 4096


@dataclass(frozen=True)
class Data:
    """The samples with their latents and captions, and what encodes new ones."""

    manifest: Manifest
    vae: Autoencoder
    tokenizer: Tokenizer
    latents: LatentCache
    captions: CaptionCache


def gather_data(config: LatentDataConfig, start_from: str, surroundings: Surroundings) -> Data:
    """Encode and tokenize what is not cached yet (the leading rank does, the others wait), and open it all."""
    run, parallel = surroundings.run, surroundings.parallel
    manifest = Manifest.load(config.folders)
    if config.samples:
        manifest = Manifest(manifest.samples[: config.samples])
    if config.longest:
        manifest = Manifest(tuple(s for s in manifest.samples if s.num_frames <= config.longest))
    if parallel.leads:
        _settle_vae(config, start_from, manifest, surroundings)
        settle_tokenizer(manifest, config.vocab_size, config.text or start_from, run)
        caption_cache(config.cache, manifest, run, surroundings.quiet)
    parallel.wait()
    vae = Autoencoder.load(run / "vae", parallel.device)
    latents = LatentCache(Path(config.cache), manifest, vae, config.passes)
    latents.fill(vae, parallel, surroundings.quiet)
    parallel.wait()
    if parallel.leads:
        _measure(vae, latents, run)
    parallel.wait()
    vae = Autoencoder.load(run / "vae", parallel.device)
    captions = caption_cache(config.cache, manifest, run, quiet=True)
    return Data(manifest, vae, Tokenizer.load(run / "tokenizer"), latents, captions)


def initial_models(
    transformer: TransformerConfig,
    text: TextEncoderConfig,
    data: Data,
    start_from: str,
    reader: str,
    seed: int,
) -> tuple[Transformer, TextEncoder]:
    """Models with fresh weights from the seed, or with those of the checkpoint folder `start_from`.

    A transformer of fewer blocks than `transformer` has grows to as many, and one trained on another autoencoder's
    latents is put on those of the data. A text encoder from the folder
    `reader` is held still. To a transformer that was trained with another one its embeddings are translated, or where
    its tokens are other ones, it starts reading anew.
    """
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(seed, "weights"))
        model = Transformer(transformer)
        encoder = TextEncoder(replace(text, vocab_size=data.tokenizer.vocab_size))
        if start_from:
            folder = Path(start_from)
            fresh, model = model, Transformer.load(folder / "transformer", dtype=torch.float32)
            if transformer.depth > model.config.depth:
                model = deepened(model, transformer.depth)
            encoder = TextEncoder.load(folder / "text_encoder", dtype=torch.float32)
            own = Autoencoder.load(folder / "vae")
            if encoder_hash(own) != encoder_hash(data.vae):
                model = transplanted(model, own, data.vae, list(some_clips(data.manifest)))
        if reader:
            known, encoder = encoder, TextEncoder.load(Path(reader) / "text_encoder", dtype=torch.float32)
            if start_from and not _equal(known, encoder):
                if Tokenizer.load(folder / "tokenizer").same_as(data.tokenizer):
                    translate(model, known, encoder, data.tokenizer.pad(some_captions(data)))
                else:
                    model.read_anew(fresh)
    return model.train().requires_grad_(True), encoder.train().requires_grad_(not reader)


def _equal(one: TextEncoder, other: TextEncoder) -> bool:
    """Whether two encoders give the same embeddings because they have the same weights."""
    theirs = other.state_dict()
    return one.config == other.config and all(
        torch.equal(tensor, theirs[name]) for name, tensor in one.state_dict().items()
    )


def some_captions(data: Data) -> list[list[int]]:
    """Token ids of a few captions, the same ones each time: enough to tell what one encoder calls what in another."""
    generator = numpy_generator("encoders")
    samples = generator.permutation(len(data.manifest.samples))[:COMPARED_CAPTIONS]
    return [data.captions.draw(int(n), generator).tolist() for n in samples]


def some_clips(manifest: Manifest, window: CropConfig | None = None) -> Iterator[Tensor]:
    """Videos [1, 3, F, H, W] of a few takes, the same ones each time: enough to measure a basis of latents on."""
    dataset = ClipDataset(manifest, window)
    for index in numpy_generator("basis").permutation(len(dataset))[:BASIS_CLIPS]:
        yield to_video(dataset.cropped(int(index), 0)[None])
    dataset.close()


def card_for(
    manifest: Manifest,
    shown: Collection[tuple[str, str]],
    longest: int,
    name: str,
    description: str,
    sampling: Sampling,
    encode_passes: int,
) -> Card:
    """What a checkpoint trained on these samples says about itself; the commonest size comes first.

    `shown` are the compositions that it was trained on: of those one can ask for, the others are new to it. Clips
    were cut to `longest` frames (0: not at all).
    """
    sizes = Counter((s.width, s.height) for s in manifest.samples if not s.picture)
    sizes = sizes or Counter((s.width, s.height) for s in manifest.samples)
    rates = {s.fps for s in manifest.samples if not s.picture} or {1.0}
    if len(rates) > 1:
        raise UsageError(f"the dataset mixes frame rates {sorted(rates)}; a model is trained at one")
    return Card(
        name=name,
        description=description,
        licence="Apache-2.0",
        recipe=name,
        data=f"{len(manifest.samples)} takes of simulated worlds rendered by worldloom",
        sizes=tuple(size for size, _ in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))),
        fps=round(rates.pop()),
        num_frames=tuple(sorted({min(s.num_frames, longest or s.num_frames) for s in manifest.samples})),
        sampling=sampling,
        held_out=tuple(
            f"{family} {colour}" for family, colour in UNSEEN.items() if (family, colour) not in shown
        ),
        encode_passes=encode_passes,
    )


def compositions(manifest: Manifest) -> list[tuple[str, str]]:
    """(family, colour of the main object) of every sample, from its truth."""
    dataset = ClipDataset(manifest)
    truths = [dataset.meta(index)["truth"] for index in range(len(dataset))]
    dataset.close()
    return [(truth["family"], truth["objects"][0]["colour"]) for truth in truths]


def _settle_vae(config: LatentDataConfig, start_from: str, manifest: Manifest, around: Surroundings) -> None:
    """Keep the autoencoder in the run, its latents weighed where they are to be."""
    if (around.run / "vae").exists():
        return
    source = Path(config.vae if config.swap_vae or not start_from else start_from) / "vae"
    if not (source / "config.json").is_file():
        raise UsageError(
            f"{source} holds no autoencoder; train one and give its folder with --data.vae=RUN/ema"
        )
    vae = Autoencoder.load(source, around.parallel.device)
    # The autoencoder of a checkpoint was weighed when the checkpoint's training began.
    if config.worth and (config.swap_vae or not start_from):
        value_in_pixels(vae, some_clips(manifest, PROBED_WINDOW), config.worth, around.seed)
    _keep(vae, around.run)


def _measure(vae: Autoencoder, latents: LatentCache, run: Path) -> None:
    """Give the run's autoencoder the statistics of its latents if it has none yet."""
    if (vae.latents_mean != 0).any() or (vae.latents_std != 1).any():
        return
    order = numpy_generator("statistics").permutation(len(latents.samples))
    mean, std = latents.statistics([int(i) for i in order[:STATISTICS_CLIPS]])
    # One deviation for all: what channels are worth beside each other is theirs to say.
    vae.set_statistics(mean, std.square().mean().sqrt().expand_as(std))
    _keep(vae, run)


def _keep(vae: Autoencoder, run: Path) -> None:
    """Write the run's autoencoder; a folder of that name is whole."""
    partial, kept = run / ".vae.part", run / "vae"
    vae.save(partial)
    if kept.exists():
        shutil.rmtree(kept)
    partial.rename(kept)
