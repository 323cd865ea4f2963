import numpy as np
import pytest

from tests.moving_shapes import square_clip
from worldloom.core.error import Failure
from worldloom.data.dataset import LANGUAGES, LENGTHS, ClipDataset, CropConfig, Window
from worldloom.data.manifest import Manifest


@pytest.fixture
def dataset(folder):
    dataset = ClipDataset(Manifest.load([folder]), CropConfig(5, 24, 32), seed=3)
    yield dataset
    dataset.close()


def test_frames_are_the_rendered_ones(dataset):
    for index in range(6):
        sample = dataset.samples[index]
        frames = dataset.frames(index)
        assert frames.dtype == np.uint8 and frames.shape == (*sample.shape, 3)
        truth, _ = square_clip(sample.seed, *sample.shape)
        assert np.abs(frames.astype(int) - truth).mean() < (1e-9 if sample.picture else 6)


def test_crop_is_a_window_repeated_by_epoch_and_sample(dataset):
    whole = dataset.frames(0)
    windows = [dataset.cropped(0, epoch) for epoch in range(6)]
    assert all(w.shape == (5, 24, 32, 3) == (*dataset.shape(0), 3) for w in windows)
    assert np.array_equal(windows[2], dataset.cropped(0, 2))
    assert len({w.tobytes() for w in windows}) > 1
    views = np.lib.stride_tricks.sliding_window_view(whole, (5, 24, 32), axis=(0, 1, 2))
    assert all((views.transpose(0, 1, 2, 4, 5, 6, 3) == w).all(axis=(3, 4, 5, 6)).any() for w in windows)


def test_of_several_draws_the_one_with_most_change_is_taken(folder):
    def change(draws: int) -> float:
        dataset = ClipDataset(Manifest.load([folder]), CropConfig(5, 12, 12, draws), seed=3)
        clips = [i for i, sample in enumerate(dataset.samples) if not sample.picture]
        windows = [dataset.cropped(i, epoch).astype(int) for i in clips for epoch in range(8)]
        assert all(w.shape == (5, 12, 12, 3) for w in windows)
        return float(np.mean([np.abs(np.diff(w, axis=0)).mean() for w in windows]))

    assert change(4) > 1.3 * change(1)


def test_what_a_window_is_worth_may_be_told(folder):
    manifest = Manifest.load([folder])

    def worth(index: int, window: Window, frames: np.ndarray) -> float:
        assert frames.shape[:3] == tuple(s.stop - s.start for s in window)
        return -window[1].start

    told, plain = (ClipDataset(manifest, CropConfig(5, 12, 12, 8), 3, judge) for judge in (worth, None))
    clip = next(i for i, sample in enumerate(told.samples) if not sample.picture)
    tops = [[d.windowed(clip, epoch)[0][1].start for epoch in range(16)] for d in (told, plain)]
    assert np.mean(tops[0]) < 0.5 * np.mean(tops[1])
    window, frames = told.windowed(clip, 0)
    assert np.array_equal(told.frames(clip)[window], frames)


def test_pictures_keep_their_one_frame(dataset):
    picture = next(i for i, s in enumerate(dataset.samples) if s.picture)
    assert dataset.cropped(picture, 0).shape == (1, 24, 32, 3)


def test_captions_have_both_languages_and_all_lengths(dataset):
    captions = dataset.captions(1)
    assert all(len(captions[lang][length]) == 2 for lang in LANGUAGES for length in LENGTHS)
    assert dataset.meta(1)["truth"]["objects"][0]["colour"] in captions["en"]["short"][0]


def test_index_that_lies_about_a_size_is_a_failure(folder, tmp_path):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    index = copy / "index.jsonl"
    index.write_text(index.read_text().replace('"num_frames": 9', '"num_frames": 13'))
    with pytest.raises(Failure, match=r"decodes to \(9, 32, 48\), its index says \(13, 32, 48\)"):
        ClipDataset(Manifest.load([copy])).frames(0)
