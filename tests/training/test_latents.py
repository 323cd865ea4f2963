import copy
import json
import shutil

import numpy as np
import pytest
import torch

from worldloom.core.device import resolve_dtype
from worldloom.core.error import Failure
from worldloom.data.dataset import ClipDataset
from worldloom.data.manifest import Manifest
from worldloom.training.latents import LatentCache, encoder_hash, latents_hash
from worldloom.training.objective import autocast
from worldloom.training.parallel import Parallel
from worldloom.training.pixel import to_video
from worldloom.vae.autoencoder import Autoencoder

ALONE = Parallel(0, 1, torch.device("cpu"))
# Latents are computed in the fast number format of the machine.
TOLERANCE = 2e-3 if resolve_dtype("cpu") == torch.float32 else 4e-2


@pytest.fixture(scope="module")
def vae(vae_run):
    return Autoencoder.load(vae_run / "ema" / "vae")


def filled(root, manifest, vae, passes=1):
    cache = LatentCache(root, manifest, vae, passes)
    cache.fill(vae, ALONE, quiet=True)
    return cache


def everything(cache):
    return [cache.raw(i).copy() for i in range(len(cache.samples))]


def test_rows_are_the_posterior_means(folder, vae, tmp_path):
    manifest = Manifest.load([folder])
    cache = filled(tmp_path, manifest, vae)
    dataset = ClipDataset(manifest)
    for index in (0, 1, 2, 17, 35):
        with torch.no_grad():
            mean, _ = vae.posterior(to_video(dataset.frames(index)[None]))
        np.testing.assert_allclose(cache.raw(index), mean[0].numpy(), atol=TOLERANCE)


def test_in_two_passes_the_decoder_takes_part(folder, vae, tmp_path):
    manifest = Manifest.load([folder])
    once, twice = filled(tmp_path, manifest, vae), filled(tmp_path, manifest, vae, passes=2)
    video = to_video(ClipDataset(manifest).frames(17)[None])
    with torch.no_grad(), autocast(ALONE.device, "auto", resolve_dtype("cpu")):
        drawn = vae.reconstruct(vae.posterior(video)[0]).clamp(-1, 1)
        mean, _ = vae.posterior(2 * video - drawn)
    off, moved = (np.abs(cache.raw(17) - mean[0].float().numpy()).mean() for cache in (twice, once))
    assert off < 0.1 * moved and moved > 1e-3
    assert latents_hash(vae, 1) == encoder_hash(vae)
    other = copy.deepcopy(vae)
    with torch.no_grad():
        other.decoder.conv_out.bias.add_(0.1)
    assert latents_hash(other, 1) == latents_hash(vae, 1) and latents_hash(other, 2) != latents_hash(vae, 2)


def test_a_kill_in_between_changes_nothing(folder, vae, tmp_path):
    manifest = Manifest.load([folder])
    whole = everything(filled(tmp_path / "whole", manifest, vae))
    filled(tmp_path / "broken", manifest, vae)
    unit = next((tmp_path / "broken").glob("*/*"))
    (unit / "5x32x32.json").unlink()  # killed before its progress was noted, its rows half written
    (unit / "5x32x32.f16").write_bytes((unit / "5x32x32.f16").read_bytes()[:301])
    again = LatentCache(tmp_path / "broken", manifest, vae)
    assert again.missing == 12
    again.fill(vae, ALONE, quiet=True)
    assert all(np.array_equal(a, b) for a, b in zip(whole, everything(again), strict=True))


def test_ranks_share_the_shapes(folder, vae, tmp_path):
    manifest = Manifest.load([folder])
    whole = everything(filled(tmp_path / "whole", manifest, vae))
    shared = LatentCache(tmp_path / "shared", manifest, vae)
    shared.fill(vae, Parallel(0, 2, ALONE.device), quiet=True)
    assert 0 < LatentCache(tmp_path / "shared", manifest, vae).missing < len(whole)
    other = LatentCache(tmp_path / "shared", manifest, vae)
    other.fill(vae, Parallel(1, 2, ALONE.device), quiet=True)
    again = LatentCache(tmp_path / "shared", manifest, vae)
    assert again.missing == 0
    assert all(np.array_equal(a, b) for a, b in zip(whole, everything(again), strict=True))


def test_a_longer_index_is_encoded_at_its_end(folder, vae, tmp_path):
    manifest = Manifest.load([folder])
    filled(tmp_path, Manifest(manifest.samples[:15]), vae)
    longer = LatentCache(tmp_path, manifest, vae)
    assert longer.missing == 21
    longer.fill(vae, ALONE, quiet=True)
    whole = everything(filled(tmp_path / "whole", manifest, vae))
    assert all(np.array_equal(a, b) for a, b in zip(whole, everything(longer), strict=True))
    shorter = LatentCache(tmp_path, Manifest(manifest.samples[:9]), vae)
    assert np.array_equal(shorter.raw(4), whole[4])


def test_another_order_is_refused(folder, vae, tmp_path):
    manifest = Manifest.load([folder])
    filled(tmp_path, manifest, vae)
    with pytest.raises(Failure, match="other samples than the index lists"):
        LatentCache(tmp_path, Manifest(manifest.samples[::-1]), vae)


def test_hash_is_of_the_encoder_only(vae, vae_run):
    other = Autoencoder.load(vae_run / "ema" / "vae")
    assert encoder_hash(other) == encoder_hash(vae)
    other.set_statistics(torch.ones(4), torch.full((4,), 2.0))
    other.decoder.conv_out.weight.mul_(2)
    assert encoder_hash(other) == encoder_hash(vae)
    other.encoder.conv_in.weight.mul_(2)
    assert encoder_hash(other) != encoder_hash(vae)


def test_statistics_make_latents_standard(folder, vae, tmp_path):
    clips = Manifest(tuple(s for s in Manifest.load([folder]).samples if s.num_frames == 9))
    cache = filled(tmp_path, clips, vae)
    mean, std = cache.statistics(range(len(clips.samples)))
    values = np.stack(everything(cache)).astype(np.float64)
    np.testing.assert_allclose(mean, values.mean(axis=(0, 2, 3, 4)), atol=1e-4)
    np.testing.assert_allclose(std, values.std(axis=(0, 2, 3, 4)), rtol=1e-3)


def test_latents_that_overflow_are_refused(folder, tmp_path, vae_run):
    wild = Autoencoder.load(vae_run / "ema" / "vae")
    wild.quant_conv.bias.fill_(1e6)
    with pytest.raises(Failure, match="fp16 cannot hold"):
        filled(tmp_path, Manifest.load([folder]), wild)
    shutil.rmtree(tmp_path)


def test_new_captions_keep_the_latents(folder, vae, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "shapes")
    filled(tmp_path / "cache", Manifest.load([copy]), vae)
    settings = json.loads((copy / "dataset.json").read_text())
    (copy / "dataset.json").write_text(json.dumps(settings | {"wordings": 7}))
    assert LatentCache(tmp_path / "cache", Manifest.load([copy]), vae).missing == 0
    (copy / "dataset.json").write_text(json.dumps(settings | {"seed": 7}))
    assert LatentCache(tmp_path / "cache", Manifest.load([copy]), vae).missing == 36
