"""Checkpoints of other families: the same request, painted by the diffusers pipeline that the folder names.

diffusers is an optional extra, and this is the only module that knows it. Nothing is loaded before something is to be
painted: what a family cannot do is said at once.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Unpack

import numpy as np
import torch
from PIL import Image

from worldloom.core.device import resolve_dtype
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import read_json
from worldloom.core.weights import PICKLES, SUFFIX, Weights, find_weights
from worldloom.generate.card import Card
from worldloom.generate.clip import Footage
from worldloom.generate.conform import Frames, cover, pick, retime
from worldloom.generate.engine import OnStep
from worldloom.generate.families import INDEX_FILE, Family
from worldloom.generate.preset import find_preset
from worldloom.generate.request import (
    check_fps,
    check_guidance,
    check_steps,
    check_words,
    count_frames,
    describe_output,
    pick_seed,
)
from worldloom.generate.size import Size, parse_size
from worldloom.generate.source import Picture, read_picture
from worldloom.generate.stream import Options, Stream

INSTALL = "pip install 'worldloom[families]'"
# Whose classes a folder may name, as another's could be anyone's code; ltx2 is a room of diffusers.
LIBRARIES = ("diffusers", "transformers", "ltx2")
OPTIONS = (
    "seed",
    "steps",
    "guidance",
    "negative",
    "style",
    "on_step",
)  # of `Options`: what every family takes


@dataclass
class Adapter:
    """The verbs of a checkpoint of another family; `generate` and `image` return `Footage`, the rest is refused.

    `dtype` None takes the number format that is fast on `device`; `offload="cpu"` keeps each part in the CPU's memory
    but while it works. Raises Failure for a package that is missing and a folder that cannot be loaded; UsageError for
    a request that the family cannot meet, with what it can.
    """

    family: Family
    folder: Path
    device: torch.device
    dtype: torch.dtype | None = None
    offload: str = "none"
    loaded: Any = field(default=None, init=False)  # the one diffusers pipeline in memory
    upsampler: ClassVar[str] = "none"
    """Sizes are painted as they are."""

    def __post_init__(self) -> None:
        # diffusers 0.42 reads one part's layers for another's namesakes there, and tables as garbage.
        if self.offload == "disk":
            raise UsageError(f"offload disk is for Wan's layout; {self.family.name} can use cpu or none")
        _check_packages(self.folder, self.family)
        _check_folder(self.folder, (*LIBRARIES, *self.family.needs))

    def generate(
        self,
        prompt: str,
        *,
        seconds: float | None = None,
        num_frames: int | None = None,
        size: str | tuple[int, int] | None = None,
        fps: float | None = None,
        image: Picture | None = None,
        last_image: Picture | None = None,
        force_size: bool = False,
        upsampler: str = upsampler,
        **options: Unpack[Options],
    ) -> Footage:
        """Paint what `prompt` says, beginning with `image` where the family can; arguments as in `Stream.generate`.

        Every size of whole patches is painted, as a folder does not say which its model was trained on: `force_size`
        changes nothing.
        """
        family, preset = self.family, find_preset(options.get("style"))
        how = preset.fill(options)
        check_words(prompt, how.get("negative", ""))
        pipeline = family.pipeline_for(image is not None)
        foreign = {name.replace("_", " "): value for name, value in how.items() if name not in OPTIONS}
        foreign |= {"last image": last_image, "upsampler": None if upsampler == self.upsampler else upsampler}
        for name, value in foreign.items():
            if value is not None:
                raise UsageError(f"{family.name} takes no {name} here: {family.abilities}, its own way")
        first = None if image is None else read_picture(image)
        area = family.check_size(self._size(first) if size is None else parse_size(size))
        rate = check_fps(fps, family.fps)
        default = family.num_frames if family.rate else round(family.num_frames * rate / family.fps)
        count = count_frames(rate, seconds=seconds, num_frames=num_frames, default=default)
        native = rate if family.rate else Fraction(family.fps)
        shown = retime(count, rate, native, before=False, after=False)
        style = self._style(prompt, how)
        if how.get("style") is not None:
            style |= {"style": how["style"], "words": preset.words(prompt)}
        settings = {
            "generator": "worldloom",
            "verb": "generate",
            "model": self.folder.resolve().name,
            "family": family.name,
            "through": f"diffusers {importlib.metadata.version('diffusers')}",
            **style,
            **describe_output(area, count, rate),
            **({} if first is None else {"given": ["first frame"]}),
        }
        call = self._call(style, area, family.whole_count(shown[-1] + 1), float(native))
        if first is not None:
            picture = Image.fromarray(cover(first, area)[0])
            call[family.picture] = [picture] if family.picture == "video" else picture
        painted = self._paint(pipeline, call, style, area, options.get("on_step"))
        return Footage(area, rate, count, settings, pick(painted, shown))

    def image(
        self,
        prompt: str,
        *,
        size: str | tuple[int, int] | None = None,
        force_size: bool = False,
        upsampler: str = upsampler,
        **options: Unpack[Options],
    ) -> Footage:
        """Paint one frame of what `prompt` says."""
        return self.generate(
            prompt, num_frames=1, size=size, force_size=force_size, upsampler=upsampler, **options
        )

    def unknown_words(self, prompt: str) -> list[str]:
        """Return no words: what such a model has read is not on record."""
        return []

    @property
    def card(self) -> Card:
        raise UsageError(
            f"{self.folder} is a {self.family.name} checkpoint without our card: {self.family.abilities}"
        )

    def __getattr__(self, verb: str) -> NoReturn:
        if hasattr(Stream, verb):
            raise UsageError(f"{self.family.name} cannot {verb} here: {self.family.abilities}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {verb!r}")

    def _size(self, first: Frames | None) -> Size:
        """Return the family's size, lying or standing as the picture does."""
        size = self.family.size
        if first is not None and (first.shape[1] > first.shape[2]) != (size.height > size.width):
            return Size(size.height, size.width)
        return size

    def _style(self, prompt: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return how to paint, as the file records it, with the family's or the folder's values where None is given."""
        family, negative = self.family, options.get("negative", "")
        seed, steps, guidance = (
            pick_seed(options.get("seed", -1)),
            options.get("steps"),
            options.get("guidance"),
        )
        default = family.guidance
        if default is None:
            guider = read_json(self.folder / "guider" / "guider_config.json")
            default = guider["guidance_scale"] if guider.get("enabled", True) else 1.0
            if default == 1 and (guidance or 1) != 1:
                raise UsageError(
                    f"this {family.name} checkpoint is distilled and takes no guidance but 1, not {guidance:g}"
                )
        guidance = check_guidance(default if guidance is None else guidance)
        if negative and guidance == 1:
            raise UsageError(
                "a negative prompt has no effect at guidance 1; give more guidance or no negative prompt"
            )
        return {
            "prompt": prompt,
            "negative": negative,
            "seed": seed,
            "steps": check_steps(family.steps if steps is None else steps),
            "guidance": guidance,
        }

    def _call(self, style: dict[str, Any], size: Size, num_frames: int, fps: float) -> dict[str, Any]:
        """Return the arguments of the diffusers pipeline, but for the picture and the generator."""
        family = self.family
        call = {
            "prompt": style.get("words", style["prompt"]),
            "num_frames": num_frames,
            "num_inference_steps": style["steps"],
            **family.extra,
        }
        if style["negative"]:  # else the pipeline's own
            call["negative_prompt"] = style["negative"]
        if family.takes_size:
            call |= {"width": size.width, "height": size.height}
        if style["guidance"] == 1:
            call |= family.unguided
        if family.guidance is not None:
            call["guidance_scale"] = style["guidance"]
        if family.rate is not None:
            call[family.rate] = fps
        return call

    def _paint(
        self, name: str, call: dict[str, Any], style: dict[str, Any], size: Size, on_step: OnStep | None
    ) -> Iterator[Frames]:
        """Yield the frames that the diffusers pipeline `name` paints, all at once.

        The seed is given as a script would give it to diffusers, so that both paint the same clip.
        """
        pipeline = self._pipeline(name)
        pipeline.progress_bar = lambda iterable=None, total=0: Steps(total, on_step)
        if not self.family.takes_size:  # it would ask this for the size nearest to the picture's
            pipeline.video_processor.calculate_default_height_width = lambda **_: (size.height, size.width)
        _check_length(self.family, pipeline, call)
        generator = torch.Generator("cpu").manual_seed(style["seed"])
        try:
            with hushed():
                if self.family.guidance is None:
                    pipeline.guider = pipeline.guider.new(guidance_scale=style["guidance"])
                video = pipeline(**call, generator=generator, output_type="np", return_dict=False)[0][0]
        except ValueError as error:
            raise UsageError(f"{self.family.name} refuses this request: {error}") from error
        except RuntimeError as error:
            raise Failure(f"diffusers' {name} failed on {self.device}: {error}") from error
        assert video.shape[1:] == (size.height, size.width, 3), f"asked for {size}, got {video.shape}"
        if not np.isfinite(video).all():
            raise Failure(f"{self.family.name} painted NaN in place of colours; try another device or dtype")
        yield (video * 255).round().clip(0, 255).astype(np.uint8)

    def _pipeline(self, name: str) -> Any:
        """Return the diffusers pipeline `name`, loaded, or made of the parts of another that is."""
        if self.loaded is None or (type(self.loaded).__name__ != name and self.offload != "none"):
            self.loaded = None  # before another takes its place
            self.loaded = self._load(name)
            self._place(self.loaded)
        elif type(self.loaded).__name__ != name:
            self.loaded = _pipeline_class(name)(**self.loaded.components)
        return self.loaded

    def _load(self, name: str) -> Any:
        wide = self.family.wide_on_cpu and self.device.type == "cpu"
        dtype = self.dtype or (torch.float32 if wide else resolve_dtype(self.device))
        with hushed():
            try:
                pipeline = _pipeline_class(name).from_pretrained(
                    self.folder, dtype=dtype, use_safetensors=True, local_files_only=True
                )
            except (OSError, ValueError, RuntimeError, TypeError, KeyError, ImportError) as error:
                raise Failure(f"{self.folder} cannot be loaded as {name}: {error}") from error
        for part, module in pipeline.components.items():
            if isinstance(module, torch.nn.Module) and type(module).__module__.startswith("diffusers."):
                # diffusers warns at most of tensors that the file lacks, and paints with random ones.
                shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
                Weights(find_weights(self.folder / part)).check(shapes)
        return pipeline

    def _place(self, pipeline: Any) -> None:
        if self.offload == "cpu":
            pipeline.enable_model_cpu_offload(device=self.device)
        else:
            pipeline.to(self.device)


class Steps:
    """What a diffusers pipeline takes for its progress bar: tells `on_step` (steps done, steps in all)."""

    def __init__(self, total: int, on_step: OnStep | None) -> None:
        self.total, self.on_step, self.done = total, on_step, 0

    def __enter__(self) -> Steps:
        self.update(0)
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, count: int = 1) -> None:
        self.done += count
        if self.on_step is not None:
            self.on_step(self.done, self.total)


@contextmanager
def hushed() -> Iterator[None]:
    """Keep diffusers and transformers from drawing bars and giving advice that is meant for who writes scripts."""
    import diffusers.utils.logging
    import transformers.utils.logging

    libraries = (diffusers.utils.logging, transformers.utils.logging)
    before = [(library, library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for library, verbosity, drawing in before:
            library.set_verbosity(verbosity)
            if drawing:
                library.enable_progress_bar()


def _pipeline_class(name: str) -> Any:
    import diffusers

    if not hasattr(diffusers, name):
        raise Failure(
            f"diffusers {diffusers.__version__} has no {name}; run: pip install --upgrade diffusers"
        )
    return getattr(diffusers, name)


def _check_length(family: Family, pipeline: Any, call: Mapping[str, Any]) -> None:
    """Raise UsageError for words that diffusers would cut; HunyuanVideo 1.5 alone names no limit to its callers."""
    limit = inspect.signature(pipeline.__call__).parameters.get("max_sequence_length")
    for name in ("prompt", "negative_prompt"):
        if limit is not None and name in call:
            count = len(pipeline.tokenizer(call[name]).input_ids)
            if count > limit.default:
                raise UsageError(
                    f"the {name.replace('_', ' ')} has {count} tokens; {family.name} reads at most {limit.default}"
                )


def _check_packages(folder: Path, family: Family) -> None:
    if find_spec("diffusers") is None:
        raise Failure(f"{folder} is a {family.name} checkpoint, which runs through diffusers; run: {INSTALL}")
    if lacking := [package for package in family.needs if find_spec(package) is None]:
        raise Failure(
            f"{family.name} needs {' and '.join(lacking)} as well; run: pip install {' '.join(lacking)}"
        )


def _check_folder(folder: Path, libraries: tuple[str, ...]) -> None:
    """Raise Failure unless every part that the index names is there, of a known library, and whole safetensors."""
    for part, value in read_json(folder / INDEX_FILE).items():
        if not isinstance(value, list) or len(value) != 2 or value[0] is None:
            continue
        if value[0] not in libraries:
            raise Failure(
                f"{folder / INDEX_FILE} takes its {part} from {value[0]}; allowed: {', '.join(libraries)}"
            )
        if not (folder / part).is_dir():
            raise Failure(f"{folder} is not whole: it lacks {part}")
        if any(path.suffix.lower() in (SUFFIX, *PICKLES) for path in (folder / part).iterdir()):
            Weights(find_weights(folder / part))
