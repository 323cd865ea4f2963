"""The checkpoints of a run: folders that appear whole, with a SHA-256 manifest, the newest few kept.

`checkpoints/step-00001200/` holds `model.safetensors`, `ema.safetensors`, `optimizer.safetensors`, `state.json`
and `ema/` (averaged weights in the layout that the pipeline loads). `latest` names the newest one; `ema` is a
link to its averaged weights.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from worldloom.core.checkpoint import load_tensors, save_tensors, verify_manifest, write_manifest
from worldloom.core.error import Failure
from worldloom.core.file import machine_trouble, read_json, sync, write_json

TENSOR_FILES = ("model", "ema", "optimizer")


class Checkpoints:
    """Writes and finds the checkpoints below `run`."""

    def __init__(self, run: Path, keep: int) -> None:
        self.run = run
        self.folder = run / "checkpoints"
        self.keep = keep

    def save(
        self,
        step: int,
        tensors: dict[str, dict[str, Tensor]],
        state: dict[str, Any],
        write_weights: Callable[[Path], None],
    ) -> Path:
        """Write a checkpoint for `step`; it counts from the moment its folder has its final name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        final = self.folder / f"step-{step:08d}"
        if final.exists():
            return final
        temporary = self.folder / f".step-{step:08d}.part"
        with machine_trouble(final):
            self._clear_parts()
            temporary.mkdir()
            for name in TENSOR_FILES:
                save_tensors(temporary / f"{name}.safetensors", tensors[name], {})
            write_json(temporary / "state.json", state)
            (temporary / "ema").mkdir()
            write_weights(temporary / "ema")
            write_manifest(temporary)
            _sync_tree(temporary)
            temporary.rename(final)
            sync(self.folder)
        self._point_to(final)
        self._drop_old()
        return final

    def newest(self) -> Path | None:
        """The whole checkpoint with the highest step, None where there is none."""
        found = sorted(self.folder.glob("step-*")) if self.folder.is_dir() else []
        return found[-1] if found else None

    def load(self, path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        """(tensors by file, state) of a checkpoint whose every byte agrees with its manifest.

        Raises:
            Failure: a file differs from the manifest, is missing, or was added.
        """
        try:
            verify_manifest(path)
        except Failure as error:
            raise Failure(
                f"checkpoint {path} is damaged ({error}); delete it to go on from the one before"
            ) from error
        tensors = {name: load_tensors(path / f"{name}.safetensors", None) for name in TENSOR_FILES}
        return tensors, read_json(path / "state.json")

    def _point_to(self, final: Path) -> None:
        pointer = self.run / ".latest.part"
        pointer.write_text(final.name + "\n")
        os.replace(pointer, self.run / "latest")
        link = self.run / ".ema.part"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("checkpoints") / final.name / "ema")
        os.replace(link, self.run / "ema")

    def _drop_old(self) -> None:
        for old in sorted(self.folder.glob("step-*"))[: -self.keep]:
            # Renamed first: a kill in the middle of the removal must not leave half a checkpoint behind.
            doomed = old.with_name(f".{old.name}.part")
            old.rename(doomed)
            shutil.rmtree(doomed)

    def _clear_parts(self) -> None:
        for part in self.folder.glob(".step-*.part"):
            shutil.rmtree(part)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)
