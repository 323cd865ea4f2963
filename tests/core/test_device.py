"""Devices and number formats."""

import pytest
import torch

from worldloom.core.device import (
    available_devices,
    cpu_has_fast_bf16,
    describe_device,
    resolve_device,
    resolve_dtype,
)
from worldloom.core.error import UsageError


def test_auto_takes_the_best_there_is():
    assert resolve_device("auto").type == available_devices()[0]
    assert resolve_device() == resolve_device("auto")
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "", "cpu:0", "cuda:x", "auto:1", "CUDA "])
def test_unknown_names(name):
    with pytest.raises(UsageError, match="choose one of auto, cpu, cuda, mps"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["cuda", "mps", "cuda:97"])
def test_absent_devices(name):
    if name in available_devices():
        assert resolve_device(name).type == name
    else:
        with pytest.raises(UsageError, match="is not on this machine; it has"):
            resolve_device(name)


def test_dtype_follows_the_hardware():
    assert resolve_dtype("cpu") == (torch.bfloat16 if cpu_has_fast_bf16() else torch.float32)
    assert resolve_dtype("mps") == torch.float32


@pytest.mark.parametrize(
    ("name", "tiles", "lanes", "fast"),
    [
        ("AMD EPYC", False, True, True),
        ("AMD EPYC", False, False, False),
        ("Intel(R) Xeon(R)", False, True, False),
        ("Intel(R) Xeon(R)", True, True, True),
    ],
)
def test_which_processors_are_fast_in_bf16(monkeypatch, name, tiles, lanes, fast):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: lanes)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": name})
    assert cpu_has_fast_bf16() is fast


def test_chosen_dtype_computes_rightly():
    """A canary: the format chosen for this CPU multiplies and convolves to its own precision."""
    dtype = resolve_dtype("cpu")
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 96, 96, generator=generator)
    exact = a.double() @ b.double()
    found = (a.to(dtype) @ b.to(dtype)).double()
    assert (found - exact).norm() / exact.norm() < 4 * torch.finfo(dtype).eps
    video, kernel = (
        torch.randn(1, 16, 5, 24, 24, generator=generator),
        torch.randn(8, 16, 3, 3, 3, generator=generator),
    )
    exact = torch.nn.functional.conv3d(video.double(), kernel.double(), padding=1)
    found = torch.nn.functional.conv3d(video.to(dtype), kernel.to(dtype), padding=1).double()
    assert (found - exact).norm() / exact.norm() < 4 * torch.finfo(dtype).eps


def test_description_names_threads_and_format():
    text = describe_device("cpu")
    assert f"{torch.get_num_threads()} threads" in text
    assert str(resolve_dtype("cpu")).removeprefix("torch.") in text
