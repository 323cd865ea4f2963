from pathlib import Path

import pytest

from tests.moving_shapes import write_dataset

SHAPES = [(9, 32, 48), (5, 32, 32), (1, 32, 32)]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten samples of each shape in four shards."""
    return write_dataset(tmp_path_factory.mktemp("data") / "shapes", SHAPES, per_shape=10)
