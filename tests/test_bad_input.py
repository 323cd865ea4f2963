"""Wrong use and trouble of every kind: one sentence, the right exit code, no traceback, no file left behind."""

import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests import tiny
from tests.core.footage import write, write_sound
from tests.generate.conftest import moving_clip
from worldloom import cli
from worldloom.commands import paint_arguments
from worldloom.core.device import available_devices
from worldloom.core.file import sha256_of
from worldloom.generate.clip import Clip
from worldloom.generate.folder import CARD_FILE, HASHES

PROMPT = "a red ball bounces"
GENERATE = ["generate", PROMPT, "-o", "out.mp4"]
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
PAINTING = tuple(paint_arguments.PAINTING)
FAILED, WRONG = 1, 2
ABSENT_DEVICE = next((name for name in ("mps", "cuda") if name not in available_devices()), "cuda:99")


def generate(*more: str) -> list[str]:
    return [*GENERATE, *more]


# What is said, which exit code it earns, and a part of the sentence.
WORDS: dict[str, tuple[list[str], int, str]] = {
    "no verb": ([], WRONG, "no verb"),
    "unknown verb": (["paint"], WRONG, "invalid choice: 'paint'"),
    "unknown option": (generate("--sparkle"), WRONG, "--sparkle"),
    "abbreviated option": (generate("--sec", "1"), WRONG, "--sec"),
    "no output": (["generate", PROMPT], WRONG, "-o/--output"),
    "fp8 on a CPU": (generate("--device", "cpu", "--fp8"), WRONG, "fp8 needs an NVIDIA GPU of compute"),
    "stillness out of range": (generate("--stillness", "3"), WRONG, "stillness is 3; it must be from 0 to 2"),
    "empty prompt": (["generate", "", "-o", "out.mp4"], WRONG, "prompt is empty"),
    "blank prompt": (["image", " \n ", "-o", "out.png"], WRONG, "prompt is empty"),
    "endless prompt": (["generate", "ball " * 7000, "-o", "out.mp4"], WRONG, "at most 32000"),
    "no such adapter": (generate("--lora", "none.safetensors"), WRONG, "none.safetensors does not exist"),
    "adapter too strong": (generate("--lora", "a.safetensors:99"), WRONG, "strength of a.safetensors is 99"),
    "pickled adapter": (generate("--lora", "a.pt:0.5"), WRONG, "a.pt is a pickle"),
    "0 seconds": (generate("--seconds", "0"), WRONG, "more than 0"),
    "negative seconds": (generate("--seconds", "-1"), WRONG, "more than 0"),
    "nan seconds": (generate("--seconds", "nan"), WRONG, "seconds is nan"),
    "seconds in words": (generate("--seconds", "two"), WRONG, "'two'"),
    "a day": (generate("--seconds", "86400"), WRONG, "at most 600"),
    "less than a frame": (generate("--seconds", "0.001"), WRONG, "less than one frame"),
    "0 frames": (generate("--frames", "0"), WRONG, "frames is 0"),
    "seconds and frames": (generate("--seconds", "1", "--frames", "9"), WRONG, "not both"),
    "size 7x7": (generate("--size", "7x7"), WRONG, "smaller than any trained size of its shape, 32x32"),
    "size 7x7 not enlarged": (
        generate("--size", "7x7", "--upsampler", "none"),
        WRONG,
        "nearest trained: 32x32",
    ),
    "unknown upsampler": (generate("--upsampler", "magic"), WRONG, "none, lanczos, tiny"),
    "size 7x7 forced": (generate("--size", "7x7", "--force-size"), WRONG, "multiple of 16"),
    "size in words": (generate("--size", "huge"), WRONG, "'huge'"),
    "size past all": (generate("--size", "100000x100000"), WRONG, "from 1 to 4096"),
    "0 frames per second": (generate("--fps", "0"), WRONG, "fps is 0"),
    "0 steps": (generate("--steps", "0"), WRONG, "from 1 to 1000"),
    "guidance nan": (generate("--guidance", "nan"), WRONG, "guidance is nan"),
    "seed -2": (generate("--seed", "-2"), WRONG, "seed -2"),
    "seed in words": (generate("--seed", "lucky"), WRONG, "'lucky'"),
    "unknown sampler": (generate("--sampler", "magic"), WRONG, "euler, heun, unipc"),
    "0 variations": (generate("-n", "0"), WRONG, "from 1 to 1000"),
    "unknown device": (generate("--device", "abacus"), WRONG, "auto, cpu, cuda, mps"),
    "absent device": (generate("--device", ABSENT_DEVICE), WRONG, "not on this machine"),
    "unknown model": (generate("--model", "gigantic"), WRONG, "no model 'gigantic'"),
    "folder that is no model": (generate("--model", "folder"), WRONG, "lacks worldloom.json"),
    "output exists": (["generate", PROMPT, "-o", "clip.mp4"], WRONG, "--force"),
    "output is a folder": (["generate", PROMPT, "-o", "folder.mp4"], WRONG, "it is a folder"),
    "output in no folder": (["generate", PROMPT, "-o", "nowhere/out.mp4"], WRONG, "does not exist"),
    "output of another kind": (["generate", PROMPT, "-o", "out.txt"], WRONG, "must end in .mp4"),
    "picture as a clip": (["image", PROMPT, "-o", "out.mp4"], WRONG, "must end in .png"),
    # /sys takes no files from anyone, root included.
    "unwritable folder": (["generate", PROMPT, "-o", "/sys/out.mp4"], FAILED, "cannot write"),
    "missing image": (generate("--image", "none.png"), WRONG, "none.png"),
    "folder as image": (generate("--image", "folder"), WRONG, "folder"),
    "empty image": (generate("--image", "empty.png"), WRONG, "empty"),
    "text named .png": (generate("--image", "text.png"), WRONG, "text.png"),
    "cut-off image": (generate("--image", "cut.png"), WRONG, "cut.png"),
    "huge image header": (generate("--image", "huge.png"), WRONG, "too many pixels"),
    "video as image": (generate("--last-image", "clip.mp4"), WRONG, "video of 9 frames"),
    "missing clip": (["extend", "none.mp4", "--seconds", "1", "-o", "out.mp4"], WRONG, "none.mp4"),
    "text named .mp4": (["loop", "text.mp4", "-o", "out.mp4"], WRONG, "text.mp4"),
    "playlist named .mp4": (["loop", "playlist.mp4", "-o", "out.mp4"], WRONG, "playlist.mp4"),
    "cut-off mp4": (["loop", "cut.mp4", "-o", "out.mp4"], WRONG, "cut.mp4"),
    "sound alone": (["loop", "sound.mp4", "-o", "out.mp4"], WRONG, "sound.mp4"),
    "web address": (["loop", "http://localhost/clip.mp4", "-o", "out.mp4"], WRONG, "clip.mp4"),
    "no duration": (["extend", "clip.mp4", "-o", "out.mp4"], WRONG, "duration"),
    "clips of two sizes": (["connect", "clip.mp4", "wide.mp4", "-o", "out.mp4"], WRONG, "48x32"),
    "strength 2": (["edit", "clip.mp4", PROMPT, "--strength", "2", "-o", "out.mp4"], WRONG, "strength is 2"),
    "mask of another size": (
        ["edit", "clip.mp4", PROMPT, "--mask", "wide.mp4", "-o", "out.mp4"],
        WRONG,
        "48x32",
    ),
    "black mask": (
        ["edit", "clip.mp4", PROMPT, "--mask", "black.png", "-o", "out.mp4"],
        WRONG,
        "frees no pixel",
    ),
    "mask of another length": (
        ["edit", "clip.mp4", PROMPT, "--mask", "short.mp4", "-o", "out.mp4"],
        WRONG,
        "the mask has 4 frames",
    ),
    "sound as a mask": (
        ["edit", "clip.mp4", PROMPT, "--mask", "sound.mp4", "-o", "out.mp4"],
        WRONG,
        "sound.mp4",
    ),
    "clip without frames": (
        ["extend", "still.mp4", "--seconds", "1", "-o", "out.mp4"],
        WRONG,
        "no video frames",
    ),
    "unknown style": (generate("--style", "nigth"), WRONG, "known are draft"),
    "unknown chroma": (generate("--chroma", "411"), WRONG, "'411'"),
    "stretch of no length": (["recut", "clip.mp4", "--keep", "0.2-0.2", "-o", "out.mp4"], WRONG, "no frame"),
    "stretch past the clip": (
        ["recut", "clip.mp4", "--keep", "0.2-9", "-o", "out.mp4"],
        WRONG,
        "0 to 0.5625 s",
    ),
    "stretches that overlap": (
        ["recut", "clip.mp4", "--keep", "0-0.3,0.2-0.4", "-o", "out.mp4"],
        WRONG,
        "in order",
    ),
    "stretches in words": (["recut", "clip.mp4", "--keep", "middle", "-o", "out.mp4"], WRONG, "0.5-1.5"),
    "nothing to recut": (
        ["recut", "clip.mp4", "--keep", "0-0.5625", "-o", "out.mp4"],
        WRONG,
        "nothing is left",
    ),
    "no stretch": (["recut", "clip.mp4", "-o", "out.mp4"], WRONG, "--keep"),
    "remix of a stranger's clip": (["remix", "strange.mp4", "-o", "out.mp4"], WRONG, "no settings of ours"),
    "remix of odd settings": (["remix", "odd.mp4", "-o", "out.mp4"], WRONG, "steps 'many'"),
    "missing board": (["storyboard", "none.yaml", "-o", "out.mp4"], WRONG, "none.yaml"),
    "sound as a board": (["storyboard", "sound.mp4", "-o", "out.mp4"], WRONG, "not a YAML text"),
    "board of unknown keys": (
        ["storyboard", "keys.yaml", "-o", "out.mp4"],
        WRONG,
        "keys.yaml, line 4: unknown key",
    ),
    "cards that overlap": (["storyboard", "overlap.yaml", "-o", "out.mp4"], WRONG, "overlap.yaml, line 5"),
    "card of no length": (
        ["storyboard", "instant.yaml", "-o", "out.mp4"],
        WRONG,
        "line 3: the words last no time",
    ),
    "card with sound alone": (["storyboard", "loud.yaml", "-o", "out.mp4"], WRONG, "loud.yaml, line 3"),
    "unknown recipe": (["train", "dit_colossal"], WRONG, "neither a course (debug, tiny) nor a recipe"),
    "unknown recipe field": (["train", "vae_debug", "--trainer.sparkle=1"], WRONG, "sparkle"),
    "recipe value of another kind": (["train", "vae_debug", "--trainer.seed=many"], WRONG, "many"),
    "recipe change without value": (["train", "vae_debug", "--trainer.seed"], WRONG, "--name.of.field=value"),
    "unknown family": (["worlds", "render", "volcano", "-o", "out.mp4"], WRONG, "bounce"),
    "world without time": (
        ["worlds", "render", "bounce", "--seconds", "0", "-o", "out.mp4"],
        WRONG,
        "seconds",
    ),
    "0 takes": (["worlds", "dataset", "--takes", "0", "-o", "takes"], WRONG, "at least 1 take"),
    "unknown suite": (["evaluate", "beauty"], WRONG, "prompts"),
    "unknown model shown": (["models", "show", "gigantic"], WRONG, "no model 'gigantic'"),
}


BOARDS = {
    "keys": "  - at: 0\n    words: a ball\n",
    "overlap": "  - at: 0\n    clip: clip.mp4\n  - at: 0.5\n    text: a ball\n",
    "instant": "  - at: 0\n    text: a ball\n  - at: 0\n    text: a box\n",
    "loud": "  - at: 0\n    clip: sound.mp4\n",
}


def flip_bit(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-100] ^= 4
    (folder / WEIGHTS).write_bytes(data)


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)
    rehash(folder)


def cut_off(folder: Path) -> None:
    os.truncate(folder / WEIGHTS, 1000)
    rehash(folder)


def add_card_field(folder: Path) -> None:
    card = json.loads((folder / CARD_FILE).read_text())
    (folder / CARD_FILE).write_text(json.dumps({**card, "colour": "red"}))


def rehash(folder: Path) -> None:
    """Make the recorded hash right again, so that what is wrong inside the file is what is seen."""
    card = json.loads((folder / CARD_FILE).read_text())
    card[HASHES][WEIGHTS] = sha256_of(folder / WEIGHTS)
    (folder / CARD_FILE).write_text(json.dumps(card))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "flipped bit": (flip_bit, f"{WEIGHTS} is changed"),
    "missing file": (lambda folder: (folder / WEIGHTS).unlink(), f"{WEIGHTS} is missing"),
    "pickle": (lambda folder: (folder / "vae/model.ckpt").write_bytes(b"\x80\x04."), "model.ckpt: a pickle"),
    "missing tensor": (
        lambda folder: change_tensors(folder, lambda t: t.pop("proj_out.bias")),
        "proj_out.bias",
    ),
    "extra tensor": (lambda folder: change_tensors(folder, lambda t: t.update(x=torch.ones(1))), "x"),
    "extra file": (lambda folder: (folder / "vae/more.txt").write_text("x"), "vae/more.txt is not expected"),
    "misshapen tensor": (
        lambda folder: change_tensors(folder, lambda t: t.update({"proj_out.bias": torch.ones(3)})),
        "proj_out.bias has the shape (3,)",
    ),
    "cut-off weights": (cut_off, "damaged or cut off"),
    "card without hashes": (lambda folder: (folder / CARD_FILE).write_text("[]"), "worldloom.json"),
    "unknown card field": (add_card_field, "colour"),
    "card that is no JSON": (lambda folder: (folder / CARD_FILE).write_text("{,"), "not valid JSON"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.shared_checkpoint(tmp_path_factory)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that are not what they should be, and a few that are."""
    folder = tmp_path_factory.mktemp("material")
    clip = moving_clip(9)
    clip.save(folder / "clip.mp4")
    moving_clip(9, width=48).save(folder / "wide.mp4")
    moving_clip(1).save(folder / "picture.png")
    Clip(np.zeros((1, 32, 32, 3), np.uint8), Fraction(16)).save(folder / "black.png")
    for name in ("clip.mp4", "picture.png"):
        data = (folder / name).read_bytes()
        (folder / f"cut{Path(name).suffix}").write_bytes(data[: len(data) * 2 // 3])
    for name in ("text.png", "text.mp4"):
        (folder / name).write_text("This is not what its name says.\n" * 20)
    (folder / "playlist.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n")
    (folder / "empty.png").touch()
    (folder / "huge.png").write_bytes(png_header(100_000, 100_000))
    write_sound(folder / "sound.mp4")
    moving_clip(4).save(folder / "short.mp4")
    write(folder / "strange.mp4", clip.frames)
    replace(clip, settings={"generator": "worldloom", "prompt": PROMPT, "steps": "many"}).save(
        folder / "odd.mp4"
    )
    with av.open(str(folder / "still.mp4"), "w", options={"movflags": "empty_moov"}) as container:
        stream = container.add_stream("libx264", rate=16)
        stream.width = stream.height = 32
        container.start_encoding()  # a stream of pictures, and not one in it
    for name, cards in BOARDS.items():
        (folder / f"{name}.yaml").write_text(f"seconds: 2\ncards:\n{cards}")
    for name in ("folder", "folder.mp4"):
        (folder / name).mkdir()
    return folder


@pytest.fixture
def work(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    shutil.copytree(material, folder)
    monkeypatch.chdir(folder)
    return folder


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def contents(folder: Path) -> dict[str, str | None]:
    return {str(path): sha256_of(path) if path.is_file() else None for path in folder.rglob("*")}


def assert_one_sentence(errors: str, says: str) -> None:
    assert errors.startswith("worldloom: ") and errors.count("\n") == 1 and errors.endswith("\n"), errors
    assert says in errors and "Traceback" not in errors and "unexpected" not in errors, errors


@pytest.mark.parametrize("case", WORDS)
def test_wrong_words(case: str, work: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, code, says = WORDS[case]
    if words and words[0] in PAINTING and "--model" not in words:
        words = [*words, "--model", str(model)]
    before = contents(work)
    assert cli.main(words) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert_one_sentence(printed.err, says)
    assert contents(work) == before


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_models(case: str, work: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage, says = DAMAGE[case]
    copy = shutil.copytree(model, work / "model")
    damage(copy)
    before = contents(work)
    assert cli.main(generate("--model", str(copy))) == FAILED
    assert_one_sentence(capsys.readouterr().err, says)
    assert contents(work) == before


def test_json_carries_the_error_too(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["generate", PROMPT, "-o", "clip.mp4", "--json"]) == WRONG
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["exit_code"] == WRONG and "--force" in error["message"]


def test_a_process_ends_like_main(work: Path) -> None:
    before = contents(work)
    command = [sys.executable, "-m", "worldloom.cli", "generate", "", "-o", "out.png"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == WRONG and done.stdout == ""
    assert_one_sentence(done.stderr, "must end in .mp4")
    assert contents(work) == before


# Files of the process may not grow past 1 kB: a write fails in the middle, as on a full disk.
FULL_DISK = """
import resource, sys
from worldloom import cli
from worldloom.commands import paint_arguments
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
codes = [cli.main([verb, "a ball", "-o", name, "--seed", "1", "--model", sys.argv[1]])
         for verb, name in (("generate", "out.mp4"), ("image", "out.png"))]
sys.exit(0 if codes == [1, 1] else str(codes))
"""


def test_a_full_disk(work: Path, model: Path) -> None:
    before = contents(work)
    command = [sys.executable, "-B", "-c", FULL_DISK, str(model)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    film, picture = done.stderr.splitlines(keepends=True)
    assert_one_sentence(film, "cannot write out.partial/part-00000.npz")
    assert_one_sentence(picture, "cannot write out.png")
    assert contents(work) == before
