"""Named styles: words to add to every prompt and how to sample, in a file that anyone can write.

A style is `NAME.toml` among the package's `styles/` or in the user's own folder, `~/.config/worldloom/styles`; there a
file with a packaged name takes its place.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from worldloom.core.config import from_dict
from worldloom.core.error import UsageError
from worldloom.text.words import HAN

GIVEN = ("history_guidance", "stillness")  # of a style: what counts where frames are given
PACKAGED = Path(__file__).resolve().parents[1] / "styles"
SUFFIX = ".toml"
MAX_BYTES = 1 << 16
CHINESE = re.compile(f"[{HAN}]")


@dataclass(frozen=True)
class Preset:
    """A style as its file has it; every field may be left out.

    description: for people. prompt, prompt_zh: added to the prompt after a comma, the second to one with Chinese in it
    if it is not empty. negative: what should not be seen. steps, guidance, sampler, shift, temperature,
    epsilon_scale, deflicker, history_guidance, stillness: as in a request.
    """

    description: str = ""
    prompt: str = ""
    prompt_zh: str = ""
    negative: str = ""
    steps: int | None = None
    guidance: float | None = None
    sampler: str | None = None
    shift: float | None = None
    temperature: float | None = None
    epsilon_scale: float | None = None
    deflicker: float | None = None
    history_guidance: float | None = None
    stillness: float | None = None

    def words(self, prompt: str) -> str:
        """Return what the model reads for `prompt`."""
        chinese = bool(CHINESE.search(prompt)) and self.prompt_zh != ""
        comma, added = ("，", self.prompt_zh) if chinese else (", ", self.prompt)
        return comma.join(part for part in (prompt.strip().rstrip(".。"), added) if part) if added else prompt

    def fill(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request's options with the style's where the request leaves them open."""
        names = (
            "negative",
            "steps",
            "guidance",
            "sampler",
            "shift",
            "temperature",
            "epsilon_scale",
            "deflicker",
            *GIVEN,
        )
        own = {name: getattr(self, name) for name in names}
        chosen = {name: value for name, value in options.items() if value not in (None, "")}
        return {
            **options,
            **{name: value for name, value in own.items() if value not in (None, "")},
            **chosen,
        }


PLAIN = Preset()  # changes nothing


def find_preset(name: str | None) -> Preset:
    """Return the style of that name; None is the one that changes nothing.

    Raises UsageError for an unknown name, with the known ones, and for a file that is no sound style.
    """
    if name is None:
        return PLAIN
    known = list_presets()
    if name not in known:
        raise UsageError(
            f"no style {name!r}; known are {', '.join(known)}, and files of your own in {user_folder()}"
        )
    return _read(known[name])


def list_presets() -> dict[str, Path]:
    """Return the file of every style by name, in order; the user's own win over packaged ones."""
    files = [*PACKAGED.glob(f"*{SUFFIX}"), *user_folder().glob(f"*{SUFFIX}")]
    return dict(sorted({path.stem: path for path in files}.items()))


def user_folder() -> Path:
    """Return where the user's own styles lie, by the XDG base directory specification."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "worldloom" / "styles"


def _read(path: Path) -> Preset:
    if (size := path.stat().st_size) > MAX_BYTES:
        raise UsageError(f"{path} has {size} bytes; a style has at most {MAX_BYTES}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    names = [field.name for field in fields(Preset)]
    if unknown := sorted(set(values) - set(names)):
        raise UsageError(f"{path} has unknown keys {', '.join(unknown)}; allowed: {', '.join(names)}")
    default = {field.name: field.default for field in fields(Preset)}
    try:
        return from_dict(Preset, {**default, **values})
    except UsageError as error:
        raise UsageError(f"{path}: {str(error).removeprefix('Preset.')}") from error
