from collections.abc import Iterator

import pytest

from worldloom.core.device import has_amx
from worldloom.nn import native


@pytest.fixture(params=["tiles", "lanes"])
def products(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kernels that multiply matrices on AMX's tiles, where they are, and in lanes, which every machine with kernels has."""
    if request.param == "tiles" and not has_amx():
        pytest.skip("no AMX")
    monkeypatch.setattr(native, "has_amx", lambda: request.param == "tiles")
    native._state.cache_clear()
    yield
    native._state.cache_clear()
