"""Which device computes and in which number format, chosen by what the machine can really do."""

from __future__ import annotations

import torch

from worldloom.core.error import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device of that name; `auto` takes cuda, then mps, then cpu.

    Raises UsageError for an unknown name and for a device that this machine lacks.
    """
    kind, _, index = name.partition(":")
    if kind not in DEVICES or (index and (kind != "cuda" or not index.isdecimal())):
        raise UsageError(f"device {name!r} is unknown; choose one of {', '.join(DEVICES)} or cuda:N")
    available = available_devices()
    if kind == "auto":
        return torch.device(available[0])
    if kind not in available:
        raise UsageError(f"device {name!r} is not on this machine; it has {', '.join(available)}")
    if index and int(index) >= torch.cuda.device_count():
        raise UsageError(f"device {name!r} is not on this machine; it has {torch.cuda.device_count()} GPUs")
    return torch.device(name)


def available_devices() -> list[str]:
    """Return the device kinds of this machine, best first."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [kind for kind, there in present.items() if there]


def has_amx() -> bool:
    """Return whether the CPU multiplies bf16 matrices by tiles (Intel AMX) and the system lets us use them."""
    return torch.cpu._is_amx_tile_supported() and torch.backends.mkldnn.is_available()


def cpu_has_fast_bf16() -> bool:
    """Return whether the CPU multiplies bf16 faster than fp32: with AMX, or with AVX512-BF16 if it is AMD's.

    On two cores of AMD's family 26, PyTorch 2.13 multiplies matrices at 0.86 TFLOP/s in bf16 and 0.18 in fp32, and
    convolves at 0.96 and 0.47. Intel's AVX512-BF16 without AMX gains little in products and loses in convolution, and
    on a CPU with neither bf16 ran at two thirds of fp32's rate (0.17 against 0.27 TFLOP/s on two cores, 2026-11).
    """
    lanes = torch.cpu._is_avx512_bf16_supported() and torch.backends.mkldnn.is_available()
    known = getattr(torch.cpu, "get_capabilities", dict)()  # older PyTorch cannot tell whose the CPU is
    return has_amx() or (lanes and str(known.get("cpu_name")).startswith("AMD"))


def resolve_dtype(device: torch.device | str) -> torch.dtype:
    """Return the number format that is fast and sound on `device`.

    bf16 on cuda of compute capability 8 and above, and where `cpu_has_fast_bf16`; fp32 elsewhere. Never fp16: on the
    CPU it is emulated, and its range is too small for training.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float32
    if device.type == "cpu":
        return torch.bfloat16 if cpu_has_fast_bf16() else torch.float32
    return torch.float32


def describe_device(device: torch.device | str = "cpu") -> str:
    """Return one line on what computes: name, number format and, for a CPU, its threads and abilities."""
    device = torch.device(device)
    dtype = str(resolve_dtype(device)).removeprefix("torch.")
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, {dtype}"
    if device.type == "cpu":
        abilities = torch.backends.cpu.get_cpu_capability() + (" with AMX" if has_amx() else "")
        return f"CPU, {torch.get_num_threads()} threads, {abilities}, {dtype}"
    return f"{device.type}, {dtype}"
