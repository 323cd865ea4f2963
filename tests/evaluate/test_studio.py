import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.clips import rolling
from tests.tiny import shared_checkpoint
from worldloom.core.error import Failure, UsageError
from worldloom.evaluate.studio import Painting, Studio, open_studio
from worldloom.generate.clip import Clip


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(shared_checkpoint(tmp_path_factory))


def kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.npz"))


def test_a_clip_is_painted_once(model: str, tmp_path: Path) -> None:
    studio = Studio(model, Painting(steps=1), tmp_path)
    first = studio.paint("generate", "a red ball", num_frames=9, seed=3)
    (path,) = kept(tmp_path)
    with np.load(path) as file:
        key = json.loads(str(file["key"]))
        assert np.array_equal(file["frames"], first)
    assert key["weights"] == studio.weights and key["sources"] == ["a red ball"]
    assert key["how"] == {"num_frames": 9, "seed": 3} and key["sampling"]["num_steps"] == 1
    np.savez(path, frames=first[:2], key=np.array("{}"))
    again = Studio(model, Painting(steps=1), tmp_path).paint("generate", "a red ball", num_frames=9, seed=3)
    assert np.array_equal(again, first[:2])  # read from the folder, not painted


def test_what_makes_a_clip_is_its_name(model: str, tmp_path: Path) -> None:
    studio, clip = Studio(model, Painting(steps=1), tmp_path), Clip(rolling(9, side=32), Fraction(16))
    calls = [
        lambda s: s.paint("generate", "a red ball", num_frames=1, seed=3),
        lambda s: s.paint("generate", "a red ball", num_frames=1, seed=4),
        lambda s: s.paint("generate", "a blue box", num_frames=1, seed=3),
        lambda s: s.paint("extend", clip, num_frames=4, seed=3),
        lambda s: s.paint("extend", Clip(clip.frames[:-1], clip.fps), num_frames=4, seed=3),
    ]
    for number, call in enumerate(calls, 1):
        call(studio)
        assert len(kept(tmp_path)) == number
    calls[0](Studio(model, Painting(steps=2), tmp_path))
    assert len(kept(tmp_path)) == len(calls) + 1


def test_without_a_folder_nothing_is_kept(model: str) -> None:
    studio = Studio(model, Painting(steps=1, guidance=1.0))
    assert studio.sampling["num_steps"] == 1 and studio.sampling["guidance_scale"] == 1.0
    assert len(studio.paint("generate", "a red ball", num_frames=1, seed=0)) == 1
    assert studio.settings["weights"] == studio.weights[:12]
    assert studio.reconstruct(rolling(5, side=32)).shape == (5, 32, 32, 3)


def test_no_model_is_no_studio() -> None:
    assert open_studio("none") is None


def test_a_damaged_clip_and_an_odd_argument_are_named(model: str, tmp_path: Path) -> None:
    studio = Studio(model, Painting(steps=1), tmp_path)
    studio.paint("generate", "a red ball", num_frames=1, seed=3)
    (path,) = kept(tmp_path)
    path.write_bytes(b"no array")
    with pytest.raises(Failure, match="no kept clip"):
        studio.paint("generate", "a red ball", num_frames=1, seed=3)
    with pytest.raises(UsageError, match="type set"):
        studio.paint("generate", {"a"}, seed=3)
