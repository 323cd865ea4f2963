"""What is known of the published Wan checkpoints: names, trained sizes and lengths, and how they like to be sampled.

Sources: the releases' own configuration files and READMEs (Wan 2.1 and 2.2), whose weights are under Apache-2.0. A
checkpoint is told by its shapes, and one of other widths counts as a relative of the kind that it has the inputs of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from worldloom.dit import presets
from worldloom.dit.config import TransformerConfig
from worldloom.generate.assembly import Assembly
from worldloom.generate.card import Card, Sampling

LANDSCAPE_480, PORTRAIT_480 = (832, 480), (480, 832)
LANDSCAPE_720, PORTRAIT_720 = (1280, 720), (720, 1280)
SIZES_480 = (LANDSCAPE_480, PORTRAIT_480)
SIZES_BOTH = (*SIZES_480, LANDSCAPE_720, PORTRAIT_720)


@dataclass(frozen=True)
class Published:
    """One published checkpoint; `boundary` is the noise level at which a second expert takes over."""

    name: str
    description: str
    preset: Callable[[], TransformerConfig]
    sampling: Sampling
    sizes: tuple[tuple[int, int], ...] = SIZES_BOTH
    fps: int = 16
    num_frames: tuple[int, ...] = (1, 81)
    per_token: bool = False
    boundary: float | None = None

    def card(self, exact: bool) -> Card:
        """Return the card of this checkpoint, or of one of other widths with the same inputs."""
        return Card(
            name=self.name if exact else f"{self.name}-relative",
            description=self.description if exact else f"Other widths than {self.name}, the same inputs.",
            licence="Apache-2.0" if exact else "as its source says",
            recipe="none: imported",
            data="as its publishers say",
            sizes=self.sizes,
            fps=self.fps,
            num_frames=self.num_frames,
            sampling=self.sampling,
        )


def _unipc(num_steps: int, guidance_scale: float, shift: float) -> Sampling:
    return Sampling("unipc", num_steps, guidance_scale, shift)


# The first of a kind is the one that unknown widths count as a relative of.
PUBLISHED = (
    Published(
        "wan2.1-t2v-1.3b",
        "Wan 2.1, words to video, 1.3 billion parameters.",
        presets.wan21_1_3b,
        _unipc(50, 6.0, 8.0),
        SIZES_480,
    ),
    Published(
        "wan2.1-t2v-14b",
        "Wan 2.1, words to video, 14 billion parameters.",
        presets.wan21_14b,
        _unipc(50, 5.0, 5.0),
    ),
    Published(
        "wan2.1-i2v-14b",
        "Wan 2.1, a picture and words to video, 14 billion parameters.",
        presets.wan21_i2v_14b,
        _unipc(40, 5.0, 5.0),
        num_frames=(81,),
    ),
    Published(
        "wan2.2-ti2v-5b",
        "Wan 2.2, words and pictures to video, 5 billion parameters.",
        presets.wan22_5b,
        _unipc(50, 5.0, 5.0),
        ((1280, 704), (704, 1280)),
        fps=24,
        num_frames=(1, 121),
        per_token=True,
    ),
    Published(
        "wan2.2-t2v-a14b",
        "Wan 2.2, words to video, two experts of 14 billion parameters.",
        presets.wan22_a14b_t2v,
        _unipc(40, 3.5, 12.0),  # the release uses 4 for the first expert and 3 for the second
        boundary=0.875,
    ),
    Published(
        "wan2.2-i2v-a14b",
        "Wan 2.2, a picture and words to video, two experts of 14 billion parameters.",
        presets.wan22_a14b_i2v,
        _unipc(40, 3.5, 5.0),
        num_frames=(81,),
        boundary=0.9,
    ),
)


def identify(config: TransformerConfig, experts: int, per_token: bool) -> tuple[Published, bool]:
    """Return the published checkpoint with this transformer, and whether it is the very one or a relative.

    `per_token` says that a folder's own index asks for a noise level per token, which no shape tells.
    """
    kind = [
        published
        for published in PUBLISHED
        if (published.boundary is not None) == (experts == 2)
        and _inputs(published.preset()) == _inputs(config)
    ]
    exact = [published for published in kind if published.preset() == config]
    if exact:
        return exact[0], True
    by_levels = [published for published in PUBLISHED if published.per_token] if per_token else []
    return (by_levels or kind or [PUBLISHED[0]])[0], False


def _inputs(config: TransformerConfig) -> tuple[bool, bool, int]:
    """Return what a transformer is shown: stacked channels or not, pictures or not, and how fine its latents are."""
    return (
        config.in_channels != config.out_channels,
        config.image_size is not None,
        config.out_channels,
    )


def assembly_of(published: Published, config: TransformerConfig, experts: int) -> Assembly:
    """Return how the parts of a release without a `model_index.json` work together."""
    return Assembly(
        per_token=published.per_token,
        boundary=published.boundary if experts == 2 else None,
        from_pictures=config.in_channels != config.out_channels,
        image_encoder=config.image_size is not None,
    )
