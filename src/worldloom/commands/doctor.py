"""What `worldloom doctor` does: look at everything a verb may need, and say how to get what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from worldloom.core.device import cpu_has_fast_bf16, describe_device, resolve_device
from worldloom.core.error import Failure
from worldloom.core.memory import available_memory
from worldloom.core.video import decode_bytes, encode_bytes
from worldloom.generate.folder import find_folder, packaged_models, verify_folder
from worldloom.nn import native

ENOUGH_DISK = 2 << 30  # a checkpoint, a run's log and some clips
RENDER_SECONDS = 60  # the first software render on a loaded machine has taken 20 s
RENDER = """
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><light pos='0 0 3'/><geom size='1'/></worldbody></mujoco>")
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, 16, 16)
renderer.update_scene(data)
assert renderer.render().any()
renderer.close()
"""


@dataclass(frozen=True)
class Check:
    """One finding: `needed` for generating at all, or only for the verbs in `serves`."""

    name: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    serves: str = "everything"
    install: str | None = None

    @property
    def needed(self) -> bool:
        return self.serves == "everything"


def examine() -> dict[str, Any]:
    """Return all findings, and whether everything that generating needs is there."""
    checks = [check() for check in CHECKS]
    sound = all(check.state == "ok" or not check.needed for check in checks)
    return {"ok": sound, "checks": [asdict(check) for check in checks]}


def describe(result: dict[str, Any]) -> str:
    """Return the findings as lines for people."""
    lines = []
    for check in result["checks"]:
        use = "" if check["state"] == "ok" or check["serves"] == "everything" else f" (for {check['serves']})"
        lines.append(f"{check['state']:8}{check['name']:12}{check['detail']}{use}")
        if check["install"]:
            lines.append(f"{'':20}{check['install']}")
    lines.append("ready to generate" if result["ok"] else "not ready to generate")
    return "\n".join(lines)


def check_python() -> Check:
    version, place = platform.python_version(), f"{platform.system()} {platform.machine()}"
    return Check("python", "ok", f"{version} on {place}")


def check_torch() -> Check:
    return Check("torch", "ok", f"{importlib.metadata.version('torch')}, {describe_device('cpu')}")


def check_native() -> Check:
    """Compile the kernels that bf16 on a CPU has, where they are not yet."""
    if not cpu_has_fast_bf16():
        return Check("native", "ok", "no kernels needed: this processor computes in fp32")
    if (reason := native.why_not()) is not None:
        install = "apt-get install gcc libc6-dev"
        return Check(
            "native", "missing", f"no kernels: {reason}", "training a third faster, painting a fifth", install
        )
    return Check("native", "ok", "kernels in C, compiled for this machine")


def check_device() -> Check:
    device = resolve_device("auto")
    return Check("device", "ok", f"{device}: {describe_device(device)}")


def check_memory() -> Check:
    """What is left on the device that would compute, a container's limit counted."""
    device = resolve_device("auto")
    left = available_memory(device)
    detail = "the system does not say how much is left" if left is None else f"{left / 2**30:.1f} GiB left"
    return Check("memory", "ok", f"{detail} on {device}; `--offload disk` needs least")


def check_video() -> Check:
    """Write and read a clip with the codec libraries that PyAV brings along."""
    frames = np.full((5, 32, 32, 3), 128, np.uint8)
    detail = f"PyAV {importlib.metadata.version('av')}"
    if decode_bytes(encode_bytes(frames, Fraction(16))).shape != frames.shape:
        return Check("video", "broken", f"{detail} loses frames", install="pip install --force-reinstall av")
    return Check("video", "ok", f"{detail}, H.264 written and read back")


def check_worlds() -> Check:
    """Render a picture in a process of its own, as each renderer takes hold of the process that tries it."""
    serves = "worlds, train"
    if importlib.util.find_spec("mujoco") is None:
        install = "pip install 'worldloom[worlds]'"
        return Check("mujoco", "missing", "MuJoCo is not installed", serves, install)
    version = importlib.metadata.version("mujoco")
    working = [name for name in ("egl", "osmesa") if _renders(name)]
    if not working:
        install = "apt-get install libosmesa6 libegl1"
        return Check("mujoco", "broken", f"{version}, but nothing renders offscreen", serves, install)
    return Check("mujoco", "ok", f"{version}, renders offscreen by {' and '.join(working)}", serves)


def check_families() -> Check:
    """Look for diffusers, which is not imported for that: it takes seconds."""
    serves = "LTX-Video, HunyuanVideo and other families"
    if importlib.util.find_spec("diffusers") is None:
        install = "pip install 'worldloom[families]'"
        return Check("diffusers", "missing", "diffusers is not installed", serves, install)
    return Check("diffusers", "ok", importlib.metadata.version("diffusers"), serves)


def check_weights() -> Check:
    if not (names := packaged_models()):
        install = "pip install --force-reinstall worldloom"
        return Check("weights", "missing", "no model is in the package", install=install)
    for name in names:
        try:
            verify_folder(find_folder(name))
        except Failure as error:
            return Check("weights", "broken", str(error), install="pip install --force-reinstall worldloom")
    return Check("weights", "ok", f"{', '.join(names)}: every file has its SHA-256")


def check_disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free
    detail = f"{free / 2**30:.1f} GiB free in {Path.cwd()}"
    if free < ENOUGH_DISK:
        return Check("disk", "missing", f"{detail}; {ENOUGH_DISK >> 30} GiB are wanted", "long clips, train")
    return Check("disk", "ok", detail, "long clips, train")


CHECKS: tuple[Callable[[], Check], ...] = (
    check_python,
    check_torch,
    check_native,
    check_device,
    check_memory,
    check_video,
    check_weights,
    check_disk,
    check_worlds,
    check_families,
)


def _renders(library: str) -> bool:
    environment = {**os.environ, "MUJOCO_GL": library, "PYOPENGL_PLATFORM": library}
    command = [sys.executable, "-c", RENDER]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=RENDER_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
