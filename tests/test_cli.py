"""The command line as a contract: verbs, streams, exit codes, files."""

import json
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import tiny
from tests.core.footage import psnr
from tests.generate.conftest import moving_clip
from worldloom import cli
from worldloom.core.file import sha256_of
from worldloom.core.video import probe, read_video, write_picture
from worldloom.dit.lora import Lora
from worldloom.dit.model import Transformer
from worldloom.generate.clip import Clip
from worldloom.generate.pipeline import Pipeline

PROMPT = "a red ball bounces on a wooden floor"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.shared_checkpoint(tmp_path_factory))


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_generate_writes_a_clip_with_its_settings(
    work: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generate", PROMPT, "-o", "ball.mp4", "--seconds", "1", "--size", "48x32", "--seed", "7"]
    assert cli.main([*words, "--model", model]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("ball.mp4: 16 frames of 48x32 at 16 frames/s, seed 7")
    assert printed.err == ""
    info = probe(work / "ball.mp4")
    assert (info.num_frames, info.width, info.height, info.fps) == (16, 48, 32, 16)
    recorded = info.metadata
    assert recorded["prompt"] == PROMPT and recorded["seed"] == 7 and recorded["model"] == "debug"
    assert recorded["steps"] == 2 and recorded["verb"] == "generate"


def test_the_same_command_gives_the_same_file(work: Path, model: str) -> None:
    for name in ("a.mp4", "b.mp4"):
        assert (
            cli.main(["generate", PROMPT, "-o", name, "--frames", "9", "--seed", "7", "--model", model]) == 0
        )
    assert (work / "a.mp4").read_bytes() == (work / "b.mp4").read_bytes()


def test_json_is_all_there_is_on_stdout(work: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--json", "generate", PROMPT, "-o", "ball.mp4", "--frames", "9", "--model", model]
    assert cli.main(words) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert file["file"] == "ball.mp4" and file["frames"] == 9
    assert 0 <= file["seed"] < 2**31  # drawn, and told


def test_a_drawn_seed_brings_the_same_frames_back(
    work: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        cli.main(
            ["generate", PROMPT, "-o", "a.mp4", "--frames", "9", "--seed", "-1", "--model", model, "--json"]
        )
        == 0
    )
    seed = json.loads(capsys.readouterr().out)["files"][0]["seed"]
    assert (
        cli.main(["generate", PROMPT, "-o", "b.mp4", "--frames", "9", "--seed", str(seed), "--model", model])
        == 0
    )
    assert np.array_equal(read_video("a.mp4").frames, read_video("b.mp4").frames)


def test_variations_differ(work: Path, model: str) -> None:
    words = [
        "generate",
        PROMPT,
        "-o",
        "ball.mp4",
        "--frames",
        "9",
        "--seed",
        "7",
        "-n",
        "2",
        "--model",
        model,
    ]
    assert cli.main(words) == 0
    assert sorted(path.name for path in work.iterdir()) == ["ball-1.mp4", "ball-2.mp4"]
    first, second = probe("ball-1.mp4"), probe("ball-2.mp4")
    assert (first.metadata["seed"], second.metadata["seed"]) == (7, 8)
    assert not np.array_equal(read_video("ball-1.mp4").frames, read_video("ball-2.mp4").frames)


def test_every_painting_verb(work: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    moving_clip(1).save("first.png")
    moving_clip(9).save("clip.mp4")
    mask = np.zeros((1, 32, 32, 3), np.uint8)
    mask[:, 8:24] = 255
    Clip(mask, Fraction(16)).save("mask.png")
    commands = {
        "image": (["image", PROMPT, "-o", "picture.png"], 1),
        "first and last": (
            [
                "generate",
                PROMPT,
                "--image",
                "first.png",
                "--last-image",
                "first.png",
                "--frames",
                "12",
                "-o",
                "i.mp4",
            ],
            12,
        ),
        "extend": (["extend", "clip.mp4", "--seconds", "0.5", "-o", "longer.mp4"], 17),
        "backward": (["extend", "clip.mp4", "--frames", "4", "--backward", "-o", "earlier.mp4"], 13),
        "loop": (["loop", "clip.mp4", "-o", "loop.mp4"], 25),
        "connect": (["connect", "clip.mp4", "clip.mp4", "--frames", "5", "-o", "both.mp4"], 23),
        "edit": (["edit", "clip.mp4", PROMPT, "--strength", "0.5", "-o", "edit.mp4"], 9),
        "masked edit": (["edit", "clip.mp4", PROMPT, "--mask", "mask.png", "-o", "masked.mp4"], 9),
        "remix": (["remix", "edit.mp4", "--style", "night", "-o", "remix.mp4"], 9),
        "recut": (["recut", "clip.mp4", "--keep", "0.25-0.5", "--seconds", "1", "-o", "recut.mp4"], 16),
        "storyboard": (["storyboard", "board.yaml", "-n", "2", "-o", "story.mp4"], 16),
    }
    (work / "board.yaml").write_text(
        "seconds: 1\ncards:\n- {at: 0, text: a ball}\n- {at: 0.5, picture: first.png}\n", encoding="utf-8"
    )
    for name, (words, frames) in commands.items():
        assert cli.main([*words, "--model", model]) == 0, (name, capsys.readouterr().err)
        output = words[words.index("-o") + 1]
        outputs = ["story-1.mp4", "story-2.mp4"] if "-n" in words else [output]
        assert [probe(path).num_frames for path in outputs] == [frames] * len(outputs), name


def test_given_frames_keep_40_db_in_the_file(
    work: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = moving_clip(9)
    write_picture("first.png", clip.frames[0], {})
    words = ["generate", PROMPT, "--image", "first.png", "--frames", "9", "--model", model, "-o"]
    assert cli.main([*words, "full.mp4"]) == cli.main([*words, "half.mp4", "--chroma", "420"]) == 0
    full, half = capsys.readouterr().out.splitlines()
    assert "in 4:4:4 for the frames given" in full and "4:4:4" not in half
    assert psnr(read_video("full.mp4").frames[0], clip.frames[0]) >= 40
    assert probe("full.mp4").metadata["chroma"] == "4:4:4" and probe("half.mp4").metadata["chroma"] == "4:2:0"


def test_unknown_words_are_named(work: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", "a red zebra bounces", "-o", "ball.mp4", "--frames", "9", "--model", model]
    assert cli.main(words) == 0
    assert capsys.readouterr().err.strip() == "warning: the model has never seen the words 'zebra'"
    assert cli.main([*words, "--force", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"\n  worldloom {verb} " in shown.split("examples:")[1]


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n    {verb}" in shown for verb in cli.VERBS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("worldloom ")


def test_a_difference_of_models_is_an_adapter(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = shutil.copytree(model, tmp_path / "tuned")
    network = Transformer.load(tuned / "transformer")
    with torch.no_grad():
        network.blocks[0].attn1.to_v.weight += 1
    network.save(tuned / "transformer")
    words = ["models", "difference", model, str(tuned), "-o", str(tmp_path / "a.safetensors")]
    assert cli.main([*words, "--rank", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tensors"] == 2 and told["bytes"] == (tmp_path / "a.safetensors").stat().st_size
    lora = Lora.parse(f"{tmp_path / 'a.safetensors'}")
    adapted = Transformer.load(Path(model) / "transformer", loras=[lora])
    assert torch.allclose(adapted.blocks[0].attn1.to_v.weight, network.blocks[0].attn1.to_v.weight, atol=0.01)
    assert cli.main(words) == 2
    assert "exists" in capsys.readouterr().err
    assert cli.main([*words[:2], model, model, "-o", str(tmp_path / "b.safetensors")]) == 2
    assert "nothing to write" in capsys.readouterr().err
    assert not (tmp_path / "b.safetensors").exists()


def test_a_mean_of_models_lies_between_them(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = shutil.copytree(model, tmp_path / "tuned")
    network = Transformer.load(tuned / "transformer", dtype=torch.float32)
    with torch.no_grad():
        network.blocks[0].attn1.to_v.weight += 1
    network.save(tuned / "transformer")
    card = json.loads((tuned / "worldloom.json").read_text())
    card["files"] = {name: sha256_of(tuned / name) for name in card["files"]}
    (tuned / "worldloom.json").write_text(json.dumps(card))
    words = ["models", "mean", model, str(tuned), "-o", str(tmp_path / "mean"), "--dtype", "fp32"]
    assert cli.main([*words, "--share", "0.25"]) == 0
    mean = Pipeline.from_pretrained(tmp_path / "mean").stream.engine.transformer.state_dict()
    changed = {
        name
        for name, tensor in Transformer.load(Path(model) / "transformer").state_dict().items()
        if not torch.allclose(tensor.float(), mean[name].float(), atol=0.02)
    }
    assert changed == {"blocks.0.attn1.to_v.weight"}
    expected = network.blocks[0].attn1.to_v.weight - 0.75
    assert torch.allclose(mean["blocks.0.attn1.to_v.weight"].float(), expected, atol=0.02)
    assert cli.main(words) == 2
    assert "exists already" in capsys.readouterr().err
    assert cli.main([*words[:5], str(tmp_path / "other"), "--share", "1"]) == 2
    assert "a share of 1 is no mean" in capsys.readouterr().err
    assert cli.main(["models", "mean", model, "tiny", "-o", str(tmp_path / "other")]) == 2
    assert "differ in their vae" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_models(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "show", model]) == 0
    assert capsys.readouterr().out.startswith("debug: random weights, for tests\n")
    assert cli.main(["models", "show", model, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (
        shown["intact"] is True and shown["sizes"][1] == [48, 32] and shown["parts"]["vae"]["bytes"] > 10_000
    )
    assert cli.main(["models", "list", "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out)["models"], list)


def test_worlds_list_and_render(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["worlds", "list"]) == 0
    assert "bounce" in capsys.readouterr().out
    words = ["worlds", "render", "bounce", "--seed", "7", "--size", "64x64", "--seconds", "0.25"]
    assert cli.main([*words, "-o", "take.mp4", "--truth", "take.json"]) == 0
    assert probe("take.mp4").num_frames == 5
    assert json.loads((work / "take.json").read_text())["captions"]["en"]


def test_doctor_looks_at_everything(capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["doctor", "--json"])
    result = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in result["checks"]}
    assert set(checks) == {
        "python",
        "torch",
        "native",
        "device",
        "video",
        "weights",
        "disk",
        "memory",
        "mujoco",
        "diffusers",
    }
    assert all(checks[name]["state"] == "ok" for name in ("python", "torch", "device", "video"))
    for check in checks.values():
        assert check["state"] == "ok" or check["install"] or check["name"] == "disk"
    assert code == (0 if result["ok"] else 1)


def test_an_interrupt_ends_with_130_and_no_file(
    work: Path, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C in the middle of painting: raised by the first report of progress."""
    from worldloom.commands import paint

    def stop(meter: object, done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(paint.Meter, "__call__", stop)
    assert cli.main(["generate", PROMPT, "-o", "ball.mp4", "--model", model]) == 130
    assert capsys.readouterr().err == "worldloom: interrupted\n"
    assert list(work.iterdir()) == []


def test_an_interrupted_run_goes_on(
    work: Path, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a seed that was drawn: the run that goes on takes it from the one that stopped."""
    from worldloom.commands import paint

    def stop(meter: object, done: int, total: int) -> None:
        if done == 5:  # in the third canvas
            raise KeyboardInterrupt

    words = ["generate", PROMPT, "--frames", "33", "--model", model]
    with monkeypatch.context() as patched:
        patched.setattr(paint.Meter, "__call__", stop)
        assert cli.main([*words, "-o", "ball.mp4"]) == 130
    assert capsys.readouterr().err.startswith(
        "worldloom: interrupted; --resume goes on from ball.partial.mp4, 1."
    )
    assert cli.main([*words, "-o", "ball.mp4"]) == 2
    assert "ball.partial holds an interrupted run; --resume" in capsys.readouterr().err
    assert cli.main([*words, "-o", "ball.mp4", "--resume"]) == 0
    assert [path.name for path in work.iterdir()] == ["ball.mp4"]
    seed = str(probe("ball.mp4").metadata["seed"])
    assert cli.main([*words, "-o", "unbroken.mp4", "--seed", seed]) == 0
    assert (work / "unbroken.mp4").read_bytes() == (work / "ball.mp4").read_bytes()


def test_global_flags_stand_before_or_after_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    parser = cli.build_parser()
    for words in (
        ["--quiet", "models", "list"],
        ["models", "--quiet", "list"],
        ["models", "list", "--quiet"],
    ):
        args = parser.parse_args(words)
        assert args.quiet is True and args.json is False


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "show", "no-such", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err
    assert cli.main(["models", "show", "no-such"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_train_changes_are_read() -> None:
    assert cli.read_changes(["--optimizer.lr=1e-3", "--trainer.seed=4"]) == {
        "optimizer.lr": "1e-3",
        "trainer.seed": "4",
    }


def test_help_is_quick_and_loads_no_torch() -> None:
    code = "import sys; from worldloom import cli; cli.main(['generate', '--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "examples:" in done.stdout


def test_a_closed_pipe_is_no_noise() -> None:
    """`worldloom ... | head -0` must not end in a traceback."""
    command = f"{sys.executable} -m worldloom.cli worlds list | true"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""


def test_a_verb_without_its_package_says_what_to_install() -> None:
    program = "import sys; sys.modules['mujoco'] = None; from worldloom.cli import main; sys.exit(main(['worlds', 'list']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'worldloom[worlds]'" in done.stderr and "Traceback" not in done.stderr
