from collections import Counter

import numpy as np
import pytest

from tests.moving_shapes import write_dataset
from worldloom.core.error import Failure
from worldloom.data.dataset import ClipDataset
from worldloom.data.manifest import Manifest
from worldloom.training.captions import CaptionCache, tokenizer_for


@pytest.fixture(scope="module")
def manifest(folder):
    return Manifest.load([folder])


@pytest.fixture(scope="module")
def tokenizer(manifest):
    return tokenizer_for(manifest, 2048)


@pytest.fixture
def cache(manifest, tokenizer, tmp_path):
    return CaptionCache(tmp_path, manifest, tokenizer, "hash", quiet=True)


def test_every_wording_is_kept_with_its_sample(cache, manifest, tokenizer):
    dataset = ClipDataset(manifest)
    for index in (0, 7, 35):
        texts = {t for by_length in dataset.captions(index).values() for ts in by_length.values() for t in ts}
        generator = np.random.default_rng(0)
        drawn = {tuple(cache.draw(index, generator)) for _ in range(200)}
        assert drawn == {tuple(ids) for ids in tokenizer.encode(sorted(texts))}


def test_languages_and_lengths_are_drawn_alike(cache, tokenizer):
    generator = np.random.default_rng(1)
    texts = [tokenizer.decode(cache.draw(3, generator).tolist()) for _ in range(600)]
    chinese = [any("\u4e00" <= c <= "\u9fff" for c in t) for t in texts]
    assert sum(chinese) == pytest.approx(300, abs=50)
    lengths = Counter(t.count("over the floor") + t.count("在地板上") for t in texts)
    assert all(lengths[n] == pytest.approx(200, abs=50) for n in (0, 1, 2))


def test_the_file_is_read_again(cache, manifest, tokenizer, tmp_path):
    path = next(tmp_path.glob("captions-*.npz"))
    written = path.stat().st_mtime_ns
    again = CaptionCache(tmp_path, manifest, tokenizer, "hash", quiet=True)
    assert path.stat().st_mtime_ns == written
    assert np.array_equal(again.tokens, cache.tokens)
    CaptionCache(tmp_path, manifest, tokenizer, "another tokenizer", quiet=True)
    assert len(list(tmp_path.glob("captions-*.npz"))) == 2


def test_samples_without_captions_are_a_failure(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.moving_shapes.captions", lambda color: {})
    folder = write_dataset(tmp_path / "bare", [(1, 32, 32)], per_shape=2)
    with pytest.raises(Failure, match="no captions of some language"):
        CaptionCache(tmp_path / "cache", Manifest.load([folder]), tokenizer, "hash", quiet=True)
