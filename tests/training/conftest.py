from pathlib import Path

import pytest

from tests.moving_shapes import write_dataset


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve clips and pictures of each shape."""
    shapes = [(9, 32, 48), (5, 32, 32), (1, 32, 32)]
    return write_dataset(tmp_path_factory.mktemp("data") / "shapes", shapes, per_shape=12)
