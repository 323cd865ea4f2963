from pathlib import Path

import pytest

from tests.moving_shapes import write_dataset
from worldloom.recipes.command import train


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve clips and pictures of each shape."""
    shapes = [(9, 32, 48), (5, 32, 32), (1, 32, 32)]
    return write_dataset(tmp_path_factory.mktemp("data") / "shapes", shapes, per_shape=12)


@pytest.fixture(scope="session")
def vae_run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of vae_debug."""
    run = tmp_path_factory.mktemp("runs") / "vae_debug"
    train("vae_debug", {"data.folders": str(folder)}, run, quiet=True)
    return run


@pytest.fixture(scope="session")
def dit_changes(folder: Path, vae_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What makes dit_debug run on the test data, sharing one cache."""
    cache = tmp_path_factory.mktemp("cache")
    return {
        "data.folders": str(folder),
        "data.vae": str(vae_run / "ema"),
        "data.cache": str(cache),
        "schedule.steps": "8",
    }


@pytest.fixture(scope="session")
def dit_run(dit_changes: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of dit_debug."""
    run = tmp_path_factory.mktemp("runs") / "dit_debug"
    train("dit_debug", dit_changes, run, quiet=True)
    return run
