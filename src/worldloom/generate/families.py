"""Other model families, one row each: what their published checkpoints paint, and through which diffusers pipeline.

Rows are facts of the published models (their cards and diffusers' own defaults), so that a request is checked before
gigabytes are loaded. A folder is told by the `_class_name` of its `model_index.json`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from worldloom.core.error import UsageError
from worldloom.core.file import read_json
from worldloom.generate.size import Size

INDEX_FILE = "model_index.json"
OUR_OWN = "Wan"  # how the class names begin of pipelines that our own models run


@dataclass(frozen=True)
class Family:
    """What one family of checkpoints can do, and the words that its diffusers pipeline has for it.

    Args:
        from_words, from_picture: the pipeline that paints from words alone, and from words and a first frame.
        size: painted unless told; sides are multiples of `multiple`.
        num_frames: painted unless told; counts are `stride` * n + 1, and `longest` is the most in one run.
        fps: frames per second of the training footage.
        guidance: None for a folder that brings a guider, which knows.
        rate: the argument that tells the model the frame rate, where it can be told.
        picture: the argument that takes the first frame.
        takes_size: whether the size is an argument.
        extra: further arguments of every call; `unguided` those of a call at guidance 1.
        needs: packages that its licence or its code asks for besides diffusers.
        wide_on_cpu: whether a CPU lacks an operation of its in bf16, so that it computes in fp32 there.
        mark: a field of `transformer/config.json` and its value, by which a version is told from its siblings.
    """

    name: str
    size: Size
    multiple: int
    num_frames: int
    stride: int
    longest: int
    fps: int
    steps: int
    guidance: float | None
    from_words: str | None = None
    from_picture: str | None = None
    rate: str | None = None
    picture: str = "image"
    takes_size: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    unguided: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    wide_on_cpu: bool = False
    mark: tuple[str, Any] | None = None

    @property
    def abilities(self) -> str:
        """What it can do, for the sentence that says what it cannot."""
        ways = {"words": self.from_words, "words and a first picture": self.from_picture}
        return f"it generates from {' or from '.join(way for way, name in ways.items() if name)}"

    def pipeline_for(self, has_picture: bool) -> str:
        """Return the name of the diffusers pipeline for a request; UsageError if there is none for it."""
        if (name := self.from_picture if has_picture else self.from_words) is not None:
            return name
        raise UsageError(
            f"{self.name} takes no first picture: {self.abilities}"
            if has_picture
            else f"{self.name} needs a first picture (--image): {self.abilities}"
        )

    def check_size(self, size: Size) -> Size:
        """Return `size` if both sides are multiples of what the family asks for; UsageError names the nearest."""
        fitting = Size(*(max(1, round(side / self.multiple)) * self.multiple for side in size))
        if size != fitting:
            raise UsageError(
                f"{self.name} cannot paint size {size}: width and height must be multiples of {self.multiple}; "
                f"nearest: {fitting}"
            )
        return size

    def whole_count(self, needed: int) -> int:
        """Return the smallest frame count the family paints that holds `needed` frames; UsageError if none does."""
        count = -(-(needed - 1) // self.stride) * self.stride + 1
        if count > self.longest:
            raise UsageError(
                f"{self.name} paints at most {self.longest} frames in one run "
                f"({self.longest / self.fps:.1f} s at {self.fps} frames per second), not {needed}"
            )
        return count


# decode_timestep, decode_noise_scale: of the autoencoders from 0.9.1 on, which denoise as they decode.
LTX = Family(
    "LTX-Video",
    size=Size(704, 480),
    multiple=32,
    num_frames=161,
    stride=8,
    longest=257,
    fps=25,
    steps=50,
    guidance=3.0,
    from_words="LTXPipeline",
    from_picture="LTXImageToVideoPipeline",
    rate="frame_rate",
    extra={"decode_timestep": 0.05, "decode_noise_scale": 0.025},
)
# At guidance 1, as distilled checkpoints want it, its further kinds of guidance rest too.
LTX_2 = Family(
    "LTX-2",
    size=Size(768, 512),
    multiple=32,
    num_frames=121,
    stride=8,
    longest=481,
    fps=24,
    steps=40,
    guidance=4.0,
    from_words="LTX2Pipeline",
    from_picture="LTX2ImageToVideoPipeline",
    rate="frame_rate",
    unguided={
        "stg_scale": 0.0,
        "modality_scale": 1.0,
        "guidance_rescale": 0.0,
        "audio_guidance_scale": 1.0,
        "audio_stg_scale": 0.0,
        "audio_modality_scale": 1.0,
        "audio_guidance_rescale": 0.0,
    },
)
HUNYUAN_1_5 = Family(
    "HunyuanVideo 1.5",
    size=Size(848, 480),
    multiple=16,
    num_frames=121,
    stride=4,
    longest=241,
    fps=24,
    steps=50,
    guidance=None,
    from_words="HunyuanVideo15Pipeline",
)
COGVIDEOX = Family(
    "CogVideoX",
    size=Size(720, 480),
    multiple=16,
    num_frames=49,
    stride=4,
    longest=49,
    fps=8,
    steps=50,
    guidance=6.0,
    from_words="CogVideoXPipeline",
)
COGVIDEOX_1_5 = replace(
    COGVIDEOX,
    name="CogVideoX 1.5",
    size=Size(1360, 768),
    num_frames=81,
    longest=161,
    fps=16,
    mark=("patch_size_t", 2),
)
MOCHI = Family(
    "Mochi 1",
    size=Size(848, 480),
    multiple=16,
    num_frames=85,
    stride=6,
    longest=163,
    fps=30,
    steps=64,
    guidance=4.5,
    from_words="MochiPipeline",
)
# NVIDIA's licence ends where its guardrail is taken out, so that there is no way around the package here.
COSMOS_1 = Family(
    "Cosmos Predict1",
    size=Size(1280, 704),
    multiple=16,
    num_frames=121,
    stride=8,
    longest=121,
    fps=30,
    steps=36,
    guidance=7.0,
    from_words="CosmosTextToWorldPipeline",
    rate="fps",
    needs=("cosmos_guardrail", "torchvision"),
    wide_on_cpu=True,  # its autoencoder pools over frames
)
COSMOS_2 = replace(
    COSMOS_1,
    name="Cosmos Predict2",
    wide_on_cpu=False,
    num_frames=93,
    stride=4,
    longest=93,
    fps=16,
    steps=35,
    from_words=None,
    from_picture="Cosmos2VideoToWorldPipeline",
)
# It takes a first picture as a clip of one frame too, the way that it takes clips.
COSMOS_2_5 = replace(
    COSMOS_2,
    name="Cosmos Predict2.5",
    steps=36,
    from_words="Cosmos2_5_PredictBasePipeline",
    from_picture="Cosmos2_5_PredictBasePipeline",
    rate=None,
    picture="video",
    extra={"num_latent_conditional_frames": 1},
)

# A row with a mark stands before its siblings without.
FAMILIES = (
    LTX,
    replace(LTX, from_words="LTXConditionPipeline", from_picture="LTXConditionPipeline"),
    LTX_2,
    replace(HUNYUAN_1_5, size=Size(1280, 720), mark=("target_size", 960)),
    HUNYUAN_1_5,
    replace(
        HUNYUAN_1_5,
        size=Size(1280, 720),
        mark=("target_size", 960),
        from_words=None,
        from_picture="HunyuanVideo15ImageToVideoPipeline",
        takes_size=False,
    ),
    replace(
        HUNYUAN_1_5,
        from_words=None,
        from_picture="HunyuanVideo15ImageToVideoPipeline",
        takes_size=False,
    ),
    COGVIDEOX_1_5,
    COGVIDEOX,
    replace(COGVIDEOX_1_5, from_words=None, from_picture="CogVideoXImageToVideoPipeline"),
    replace(COGVIDEOX, from_words=None, from_picture="CogVideoXImageToVideoPipeline"),
    MOCHI,
    COSMOS_1,
    replace(COSMOS_1, from_words=None, from_picture="CosmosVideoToWorldPipeline"),
    COSMOS_2,
    COSMOS_2_5,
)


def family_of(name: str | os.PathLike[str]) -> Family | None:
    """Return the family of the checkpoint in a folder, or None for one of our own or what is no diffusers folder.

    Raises UsageError, naming those that run, for a pipeline that is none of them.
    """
    folder = Path(name)
    if not (folder / INDEX_FILE).is_file():
        return None
    index = read_json(folder / INDEX_FILE)
    class_name = index.get("_class_name") if isinstance(index, dict) else None
    if not isinstance(class_name, str) or class_name.startswith(OUR_OWN):
        return None
    rows = [row for row in FAMILIES if class_name in (row.from_words, row.from_picture)]
    if not rows:
        known = ", ".join(dict.fromkeys(row.name for row in FAMILIES))
        raise UsageError(f"{folder} holds a {class_name}, which does not run here; these do: Wan, {known}")
    config_file = folder / "transformer" / "config.json"
    config = read_json(config_file) if config_file.is_file() else {}
    return next(row for row in rows if row.mark is None or config.get(row.mark[0]) == row.mark[1])
