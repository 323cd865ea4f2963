"""What can be said after each verb that paints; light to import, as every command line needs it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Parser = argparse.ArgumentParser


@dataclass(frozen=True)
class PaintingVerb:
    """How `--help` presents a verb, and what adds its arguments to a parser."""

    summary: str
    examples: str
    add: Callable[[Parser], None]


def _generate(parser: Parser) -> None:
    _prompt(parser)
    _video(parser)
    parser.add_argument("--image", type=Path, metavar="FILE", help="the first frame")
    parser.add_argument("--last-image", type=Path, metavar="FILE", help="the last frame")
    _duration(parser, "default: what the model was trained on")
    _size(parser)
    parser.add_argument("--fps", type=float, metavar="N", help="frames per second of the file, 1 to 120")
    _style(parser)


def _image(parser: Parser) -> None:
    _prompt(parser)
    _output(parser, "OUT.png")
    _size(parser)
    _style(parser)


def _extend(parser: Parser) -> None:
    parser.add_argument("clip", type=Path, metavar="CLIP")
    _video(parser)
    _duration(parser, "required, this or --frames")
    parser.add_argument("--backward", action="store_true", help="before the clip instead of after it")
    _recorded_prompt(parser, "the clip")
    _style(parser)


def _loop(parser: Parser) -> None:
    parser.add_argument("clip", type=Path, metavar="CLIP")
    _video(parser)
    _duration(parser, "default: 1 second")
    _recorded_prompt(parser, "the clip")
    _style(parser)


def _connect(parser: Parser) -> None:
    parser.add_argument("first", type=Path, metavar="A")
    parser.add_argument("second", type=Path, metavar="B")
    _video(parser)
    _duration(parser, "default: 1 second")
    _recorded_prompt(parser, "the first clip")
    _style(parser)


def _edit(parser: Parser) -> None:
    parser.add_argument("clip", type=Path, metavar="CLIP")
    parser.add_argument("prompt", metavar="PROMPT")
    _video(parser)
    _change(parser)
    _style(parser)


def _remix(parser: Parser) -> None:
    parser.add_argument("clip", type=Path, metavar="CLIP", help="one that worldloom made")
    parser.add_argument("prompt", metavar="PROMPT", nargs="?", help="default: the recorded one, another seed")
    _video(parser)
    _change(parser)
    _style(parser)


def _recut(parser: Parser) -> None:
    parser.add_argument("clip", type=Path, metavar="CLIP")
    _video(parser)
    parser.add_argument(
        "--keep",
        required=True,
        metavar="S-S[,S-S...]",
        help="stretches that stay as they are, at their own times, in seconds",
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="duration of the result; default: the clip's"
    )
    parser.add_argument("--frames", type=int, metavar="N", help="the same as a count of frames")
    _recorded_prompt(parser, "the clip")
    _style(parser)


def _storyboard(parser: Parser) -> None:
    parser.add_argument("board", type=Path, metavar="BOARD.yaml", help="as docs/storyboard.md describes")
    _video(parser)
    _style(parser)


def _prompt(parser: Parser) -> None:
    parser.add_argument("prompt", metavar="PROMPT", help="what should be seen, in English or Chinese")


def _recorded_prompt(parser: Parser, of: str) -> None:
    parser.add_argument("--prompt", metavar="TEXT", help=f"default: the one recorded in {of}")


def _output(parser: Parser, metavar: str) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar=metavar, help="the file to write")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.add_argument(
        "-n", dest="variations", type=int, default=1, metavar="N", help="N variations: OUT-1, OUT-2, ..."
    )


def _video(parser: Parser) -> None:
    _output(parser, "OUT.mp4")
    parser.add_argument(
        "--resume", action="store_true", help="go on with an interrupted run, from OUT.partial beside OUT.mp4"
    )
    parser.add_argument(
        "--chroma",
        choices=("auto", "420", "444"),
        default="auto",
        help="420 plays everywhere; 444 keeps every pixel's colour and plays in Chrome, VLC and mpv; "
        "auto (default): 444 only where frames you gave would fall below 40 dB",
    )


def _duration(parser: Parser, default: str) -> None:
    parser.add_argument("--seconds", type=float, metavar="S", help=f"duration of the new footage; {default}")
    parser.add_argument("--frames", type=int, metavar="N", help="the same as a count of frames")


def _size(parser: Parser) -> None:
    parser.add_argument("--size", metavar="WxH", help="also 1280*720, 480p, 720p, 1080p")
    parser.add_argument("--force-size", action="store_true", help="paint a size the model was not trained on")
    parser.add_argument(
        "--upsampler",
        metavar="none|lanczos|tiny",
        help="how other sizes are made from trained ones; default: tiny",
    )


def _change(parser: Parser) -> None:
    parser.add_argument(
        "--strength",
        type=float,
        metavar="0..1",
        help="share of the steps walked anew; default: 0.85, or 1 inside a mask",
    )
    parser.add_argument("--mask", type=Path, metavar="FILE", help="picture or clip, white where to change")


def _levels(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    return float(low), float(high)


def _style(parser: Parser) -> None:
    style = parser.add_argument_group("how to paint")
    style.add_argument("--model", default="tiny", metavar="NAME_OR_FOLDER", help="default: tiny")
    style.add_argument(
        "--lora",
        action="append",
        default=[],
        metavar="[high=|low=]FILE[:STRENGTH]",
        help="add a low-rank adapter to the transformer (of two experts: to both, or the one named); may be repeated",
    )
    style.add_argument(
        "--fast",
        action="store_true",
        help="few steps without guidance, by the adapter that comes with the model",
    )
    style.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="default: auto")
    style.add_argument(
        "--offload",
        default="none",
        metavar="none|cpu|disk",
        help="where the big networks' blocks wait for their turn; default: none, all on the device",
    )
    style.add_argument(
        "--fp8",
        action="store_true",
        help="8-bit linear layers, for GPUs from Ada and Hopper on; the report says how far off they are",
    )
    style.add_argument(
        "--tile",
        type=int,
        metavar="PIXELS",
        help="decode in tiles of this side: less memory, the same frames",
    )
    style.add_argument(
        "--force-memory", action="store_true", help="try a run that is not expected to fit into memory"
    )
    style.add_argument("--seed", type=int, metavar="N", help="same seed, same frames; -1 (default) draws one")
    style.add_argument("--steps", type=int, metavar="N", help="sampler steps, 1 to 1000")
    style.add_argument(
        "--guidance", type=float, metavar="G", help="how closely to follow the prompt, 1 to 50"
    )
    style.add_argument("--negative", default="", metavar="TEXT", help="what should not be seen")
    style.add_argument("--sampler", metavar="euler|heun|unipc")
    style.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="deviation of the noise a clip begins with, 0 to 2; less than 1 is cleaner, calmer and paler",
    )
    style.add_argument(
        "--epsilon-scale",
        type=float,
        metavar="S",
        help="how many times the noise that the model finds is taken away at low levels where no frames are given, "
        "0.5 to 1.5; more is calmer",
    )
    style.add_argument(
        "--deflicker",
        type=float,
        metavar="LEVELS",
        help="hold still what wanders by less than so many levels of 255 in new footage, 0 to 64; 0: nothing",
    )
    style.add_argument(
        "--history-guidance",
        type=float,
        metavar="G",
        help="how closely to follow given frames, 1 to 50, in place of --guidance where there are any; 0 keeps it",
    )
    style.add_argument(
        "--stillness",
        type=float,
        metavar="D",
        help="how far from given frames, 0 to 2, what is painted at the same place counts as the same; 0: never",
    )
    style.add_argument(
        "--reuse",
        type=float,
        metavar="SHARE",
        help="tell steps from the last ones while they change less than this; 0.1 halves the time of 30 steps, "
        "and the report says how far off it may be",
    )
    style.add_argument(
        "--guidance-range",
        type=_levels,
        metavar="LOW-HIGH",
        help="noise levels that are guided, within 0-1; outside a step costs half",
    )
    style.add_argument(
        "--style",
        metavar="NAME",
        help="a preset such as night, studio or draft, or NAME.toml of your own (docs/styles.md)",
    )
    style.add_argument(
        "--no-expand",
        action="store_true",
        help="use the prompt as written, which is what is done today with or without this",
    )


PAINTING = {
    "generate": PaintingVerb(
        "text to video",
        """"a red ball bounces on a wooden floor" -o ball.mp4
        "一个红球在木地板上弹跳" --seconds 2 --seed 7 -o ball.mp4
        "the ball rolls away" --image first.png --size 160x96 -o roll.mp4
        "a red ball bounces" --style night -n 4 -o ball.mp4""",
        _generate,
    ),
    "image": PaintingVerb("text to image: one frame", '"a blue box on sand" -o box.png', _image),
    "extend": PaintingVerb(
        "new footage after or before a clip, which stays as it is",
        """ball.mp4 --seconds 2 -o longer.mp4
        ball.mp4 --seconds 1 --backward --prompt "a red ball falls" -o earlier.mp4""",
        _extend,
    ),
    "loop": PaintingVerb(
        "a closing stretch, so that the clip's last frame runs into its first",
        "ball.mp4 --seconds 1 -o endless.mp4",
        _loop,
    ),
    "connect": PaintingVerb(
        "new footage between two clips", "one.mp4 two.mp4 --seconds 1 -o both.mp4", _connect
    ),
    "edit": PaintingVerb(
        "same motion, new look; with a mask, only inside it",
        """ball.mp4 "a green ball bounces on snow" --strength 0.6 -o snow.mp4
        ball.mp4 "a blue cube" --mask region.png -o cube.mp4""",
        _edit,
    ),
    "remix": PaintingVerb(
        "a clip of ours painted anew by the settings recorded in it",
        """ball.mp4 "a green ball bounces on a wooden floor" -o green.mp4
        ball.mp4 --strength 0.4 -n 3 -o variation.mp4""",
        _remix,
    ),
    "recut": PaintingVerb(
        "keep the best stretches of a clip, at their own times, and paint the rest anew",
        """ball.mp4 --keep 0.5-1.5 --seconds 3 -o recut.mp4
        ball.mp4 --keep 0-0.5,1.5-2 --prompt "a red ball bounces twice" -o recut.mp4""",
        _recut,
    ),
    "storyboard": PaintingVerb(
        "text, picture and clip cards at given times",
        """board.yaml -o story.mp4
        board.yaml --style golden-hour --seed 7 -o story.mp4""",
        _storyboard,
    ),
}
