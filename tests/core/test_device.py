"""Devices and number formats."""

import pytest
import torch

from worldloom.core.device import available_devices, describe_device, has_amx, resolve_device, resolve_dtype
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
    assert resolve_dtype("cpu") == (torch.bfloat16 if has_amx() else torch.float32)
    assert resolve_dtype("mps") == torch.float32


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
