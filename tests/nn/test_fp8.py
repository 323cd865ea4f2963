"""Linear layers in e4m3 against the exact ones; PyTorch's CPU multiplies fp8 too, though slowly."""

import numpy as np
import pytest
import torch
from torch import nn

from tests import tiny
from worldloom.core.error import UsageError
from worldloom.dit.config import TransformerConfig
from worldloom.dit.model import Transformer
from worldloom.generate.folder import load_checkpoint
from worldloom.generate.stream import Stream
from worldloom.nn.fp8 import LARGEST, Fp8Linear, check_fp8, decibels, quantise, use_fp8


def test_every_row_uses_the_whole_range() -> None:
    torch.manual_seed(0)
    rows = torch.randn(5, 32) * torch.tensor([1e-6, 1.0, 300.0, 0.0, 1e4])[:, None]
    narrow, scale = quantise(rows)
    assert narrow.dtype == torch.float8_e4m3fn and scale.shape == (5, 1)
    assert torch.equal(narrow.float().abs().amax(1)[[0, 1, 2, 4]], torch.full((4,), LARGEST))
    assert (
        torch.allclose(narrow.float() * scale, rows, rtol=2**-4, atol=0)
        or ((narrow.float() * scale - rows).abs() <= rows.abs().amax(1, keepdim=True) * 2**-4).all()
    )
    assert (narrow.float()[3] == 0).all()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_product_is_28_decibels_above_its_error(dtype: torch.dtype, bias: bool) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(256, 128, bias=bias).to(dtype)
    x = torch.randn(2, 9, 256).to(dtype)
    x[0, 0] *= 1000  # one loud token does not drown the others
    exact, approximate = linear(x), Fp8Linear(linear)(x)
    assert approximate.dtype == dtype and approximate.shape == (2, 9, 128)
    assert 26 < decibels(exact[1], approximate[1]) < 36
    assert decibels(exact[0, 1:], approximate[0, 1:]) > 26


def test_only_fitting_sizes_change() -> None:
    net = nn.Sequential(nn.Linear(32, 16), nn.Sequential(nn.Linear(32, 24)), nn.LayerNorm(16))
    assert use_fp8(net) == 1
    assert isinstance(net[0], Fp8Linear) and type(net[1][0]) is nn.Linear


@pytest.mark.parametrize("image", [None, 32])
def test_a_transformer_goes_on_in_fp8_and_says_how_well(image: int | None) -> None:
    torch.manual_seed(0)
    config = TransformerConfig(96, 2, 2, 192, 32, 16, 16, (1, 2, 2), 64, image_size=image)
    model = Transformer(config).requires_grad_(False)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    before = model._try_out()
    found = model.use_fp8()
    assert 15 < found < 45 and found == pytest.approx(decibels(before, model._try_out()))
    assert sum(isinstance(module, Fp8Linear) for module in model.modules()) == 2 * (
        10 if image is None else 12
    )
    assert all(type(m) is not Fp8Linear for m in model.condition_embedder.modules())


def test_a_checkpoint_in_fp8_paints_and_records_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tiny.shared_checkpoint(tmp_path_factory)
    plain, narrow = (load_checkpoint(folder, torch.device("cpu"), fp8=fp8) for fp8 in (False, True))
    assert plain.fp8_decibels is None and "fp8_decibels" not in plain.settings()
    request = {"num_frames": 9, "size": (32, 32), "seed": 3, "steps": 2}
    exact, near = (Stream(engine).generate("a red ball", **request).clip() for engine in (plain, narrow))
    assert near.settings["fp8_decibels"] == round(narrow.fp8_decibels or 0.0, 1) > 10
    assert not np.array_equal(exact.frames, near.frames)
    assert np.abs(exact.frames.astype(float) - near.frames).mean() < 10


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_without_such_a_gpu_it_is_refused(device: str) -> None:
    with pytest.raises(UsageError, match=f"fp8 needs an NVIDIA GPU of compute capability 8.9.*not {device}"):
        check_fp8(torch.device(device), "none")


def test_it_does_not_go_with_offloading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    check_fp8(torch.device("cuda"), "none")
    with pytest.raises(UsageError, match="give it without --offload disk"):
        check_fp8(torch.device("cuda"), "disk")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    with pytest.raises(UsageError, match=r"compute capability 8\.9"):
        check_fp8(torch.device("cuda"), "none")
