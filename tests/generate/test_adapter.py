"""Folders of other families through the whole path: command line to playable file, refusals, damage."""

import json
import shutil
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.pipelines import cosmos

from tests.generate import tiny_families
from tests.generate.conftest import moving_clip
from worldloom import cli
from worldloom.core.device import resolve_dtype
from worldloom.core.error import Failure, UsageError
from worldloom.core.video import probe, read_video
from worldloom.generate import adapter
from worldloom.generate.adapter import Adapter
from worldloom.generate.pipeline import Pipeline

PROMPT = "a red ball"
ALL = list(tiny_families.PARTS)
QUICK = {"size": (64, 64), "num_frames": 5, "steps": 2, "seed": 3}


class Guardrail(ModelMixin, ConfigMixin):
    """Stands for NVIDIA's guardrail, which is gigabytes: remembers what it was shown."""

    seen: list[Any] = []

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def check_text_safety(self, text: str) -> bool:
        self.seen.append(text)
        return "weapon" not in text

    def check_video_safety(self, frames: np.ndarray) -> np.ndarray:
        self.seen.append(frames.shape)
        return frames


@pytest.fixture
def guardrail(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Cosmos needs is installed, as far as anyone can tell."""
    for room in ("cosmos_text2world", "cosmos_video2world", "cosmos2_video2world", "cosmos2_5_predict"):
        module = sys.modules[f"{cosmos.__name__}.pipeline_{room}"]
        monkeypatch.setattr(module, "CosmosSafetyChecker", Guardrail)
    monkeypatch.setattr(Guardrail, "seen", [])
    monkeypatch.setattr(adapter, "find_spec", lambda name: object())
    return Guardrail.seen


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ALL:
        assert hasattr(diffusers, name)  # which imports its module
    return tmp_path_factory.mktemp("families")


@pytest.fixture(scope="module")
def ltx(root: Path) -> Pipeline:
    return Pipeline.from_pretrained(tiny_families.folder(root, "LTXPipeline"), device="cpu")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    moving_clip(1, 96, 64).save("first.png")
    return tmp_path


@pytest.mark.parametrize("pipeline", ALL)
def test_words_and_pictures_to_a_playable_file(
    pipeline: str, root: Path, work: Path, guardrail: list[Any], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_families.folder(root, pipeline)
    capfd.readouterr()
    family = Pipeline.from_pretrained(folder, device="cpu").stream.family
    for name, given in ((family.from_words, []), (family.from_picture, ["--image", "first.png"])):
        words = ["generate", PROMPT, "-o", f"{len(given)}.mp4", "--model", str(folder), "--device", "cpu"]
        words += [*given, "--size", "64x64", "--frames", "6", "--steps", "2", "--seed", "7"]
        if name is None:
            assert cli.main(words) == 2
            assert f"{family.name} " in capfd.readouterr().err
            continue
        assert cli.main(words) == 0
        assert capfd.readouterr().err == ""  # neither diffusers nor transformers adds a word
        frames, recorded = read_video(f"{len(given)}.mp4").frames, probe(f"{len(given)}.mp4").metadata
        assert frames.shape == (6, 64, 64, 3) and frames.std() > 1
        assert recorded["prompt"] == PROMPT and recorded["seed"] == 7 and recorded["steps"] == 2
        assert recorded["family"] == family.name and recorded["through"].startswith("diffusers ")
        assert recorded.get("given") == (["first frame"] if given else None)
        assert probe(f"{len(given)}.mp4").fps == family.fps
    if family.name.startswith("Cosmos"):
        assert PROMPT in guardrail and any(isinstance(shown, tuple) for shown in guardrail)


def test_the_same_seed_paints_what_diffusers_paints(ltx: Pipeline) -> None:
    ours = ltx.generate(PROMPT, negative="a box", guidance=4.0, **{**QUICK, "num_frames": 9}).frames
    theirs = diffusers.LTXPipeline.from_pretrained(ltx.stream.folder, dtype=resolve_dtype("cpu"))(
        PROMPT,
        negative_prompt="a box",
        guidance_scale=4.0,
        width=64,
        height=64,
        num_frames=9,
        frame_rate=25,
        num_inference_steps=2,
        decode_timestep=0.05,
        decode_noise_scale=0.025,
        generator=torch.Generator().manual_seed(3),
        output_type="np",
    ).frames[0]
    assert np.array_equal(ours, (theirs * 255).round().astype(np.uint8))


def test_what_is_asked_for_counts(ltx: Pipeline) -> None:
    frames = ltx.generate(PROMPT, **QUICK).frames
    assert np.array_equal(frames, ltx.generate(PROMPT, **QUICK).frames)
    picture = moving_clip(1, 64, 64).frames[0]
    for change in ({"seed": 4}, {"guidance": 1.0}, {"negative": "a box"}, {"steps": 3}, {"image": picture}):
        assert not np.array_equal(frames, ltx.generate(PROMPT, **{**QUICK, **change}).frames), change


def test_a_guider_takes_the_guidance(root: Path) -> None:
    pipeline = Pipeline.from_pretrained(tiny_families.folder(root, "HunyuanVideo15Pipeline"), device="cpu")
    quick = {**QUICK, "num_frames": 1, "steps": 1}
    own = pipeline.generate(PROMPT, **quick)
    assert own.settings["guidance"] == 6.0  # of the folder's guider
    more = pipeline.generate(PROMPT, guidance=9.0, **quick)
    assert more.settings["guidance"] == 9.0 and not np.array_equal(own.frames, more.frames)
    assert np.array_equal(own.frames, pipeline.generate(PROMPT, **quick).frames)


def test_a_distilled_folder_takes_no_guidance(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "distilled"
    shutil.copytree(tiny_families.folder(root, "HunyuanVideo15Pipeline"), folder)
    config = json.loads((folder / "guider" / "guider_config.json").read_text())
    (folder / "guider" / "guider_config.json").write_text(json.dumps({**config, "enabled": False}))
    pipeline = Pipeline.from_pretrained(folder, device="cpu")
    assert pipeline.stream.generate(PROMPT, **QUICK).settings["guidance"] == 1.0
    with pytest.raises(UsageError, match="distilled and takes no guidance but 1, not 6"):
        pipeline.generate(PROMPT, guidance=6.0, **QUICK)


def test_frame_rates_are_told_or_retimed(ltx: Pipeline, root: Path) -> None:
    told = ltx.stream.generate(PROMPT, fps=50, **QUICK)
    assert told.fps == 50 and told.num_frames == 5
    assert not np.array_equal(told.clip().frames, ltx.generate(PROMPT, **QUICK).frames)
    mochi = Pipeline.from_pretrained(tiny_families.folder(root, "MochiPipeline"), device="cpu")
    whole = mochi.generate(PROMPT, **{**QUICK, "num_frames": 7}).frames
    half = mochi.generate(PROMPT, fps=15, **{**QUICK, "num_frames": 4})
    assert half.fps == Fraction(15) and np.array_equal(half.frames, whole[::2])


def test_defaults_are_the_familys(ltx: Pipeline) -> None:
    footage = ltx.stream.generate(PROMPT)
    assert (str(footage.size), footage.num_frames, footage.fps) == ("704x480", 161, 25)
    assert (footage.settings["steps"], footage.settings["guidance"]) == (50, 3.0)
    standing = ltx.stream.generate(PROMPT, image=np.zeros((90, 60, 3), np.uint8))
    assert str(standing.size) == "480x704"
    assert ltx.stream.generate(PROMPT, seconds=2).num_frames == 50


def test_a_style_adds_its_words_and_settings(ltx: Pipeline) -> None:
    styled = ltx.stream.generate(PROMPT, style="draft").settings
    assert (styled["style"], styled["steps"], styled["prompt"]) == ("draft", 8, PROMPT)
    quick = {**QUICK, "steps": 2}
    plain, noir = ltx.generate(PROMPT, **quick), ltx.generate(PROMPT, style="noir", **quick)
    assert PROMPT in noir.settings["words"] != PROMPT
    assert not np.array_equal(plain.frames, noir.frames)


def test_one_frame_is_a_picture(root: Path, work: Path) -> None:
    folder = str(tiny_families.folder(root, "CogVideoXPipeline"))
    words = ["image", PROMPT, "-o", "ball.png", "--model", folder, "--device", "cpu"]
    assert cli.main([*words, "--size", "64x64", "--steps", "1"]) == 0
    assert read_video("ball.png").frames.shape == (1, 64, 64, 3)


def test_other_verbs_are_refused_by_name(root: Path, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moving_clip(9).save("clip.mp4")
    model = ["--model", str(tiny_families.folder(root, "LTXPipeline")), "-o", "out.mp4"]
    for verb, *words in (
        ("extend", "clip.mp4", "--frames", "4"),
        ("loop", "clip.mp4"),
        ("connect", "clip.mp4", "clip.mp4"),
        ("edit", "clip.mp4", PROMPT),
    ):
        assert cli.main([verb, *words, *model]) == 2
        said = f"worldloom: LTX-Video cannot {verb} here: it generates from words or from words and a first picture"
        assert capsys.readouterr().err.strip() == said
    assert not Path("out.mp4").exists()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"last_image": np.zeros((8, 8, 3), np.uint8)}, "LTX-Video takes no last image here"),
        ({"sampler": "euler"}, "LTX-Video takes no sampler here"),
        ({"shift": 2.0}, "LTX-Video takes no shift here"),
        ({"temperature": 0.9}, "LTX-Video takes no temperature here"),
        ({"reuse": 0.1}, "LTX-Video takes no reuse here"),
        ({"guidance_range": (0.2, 0.8)}, "LTX-Video takes no guidance range here"),
        ({"upsampler": "lanczos"}, "LTX-Video takes no upsampler here"),
        ({"size": "100x64"}, "multiples of 32; nearest: 96x64"),
        ({"num_frames": 258}, "at most 257 frames"),
        ({"seconds": 1, "num_frames": 9}, "seconds or frames, not both"),
        ({"steps": 0}, "steps is 0"),
        ({"guidance": 1.0, "negative": "a box"}, "no effect at guidance 1"),
        ({"seed": -2}, "seed -2 is out of range"),
        ({"fps": 0}, "fps is 0"),
    ],
)
def test_wrong_requests_are_refused_before_loading(wrong: dict[str, Any], says: str, root: Path) -> None:
    pipeline = Pipeline.from_pretrained(tiny_families.folder(root, "LTXPipeline"), device="cpu")
    with pytest.raises(UsageError, match=says):
        pipeline.stream.generate(PROMPT, **wrong)
    with pytest.raises(UsageError, match="prompt is empty"):
        pipeline.stream.generate(" ")
    assert pipeline.stream.loaded is None


def test_words_that_would_be_cut_are_refused(ltx: Pipeline) -> None:
    with pytest.raises(UsageError, match=r"the prompt has \d+ tokens; LTX-Video reads at most 128"):
        ltx.generate("ball " * 60, **QUICK)


def test_what_the_guardrail_refuses(root: Path, guardrail: list[Any]) -> None:
    pipeline = Pipeline.from_pretrained(tiny_families.folder(root, "CosmosTextToWorldPipeline"), device="cpu")
    with pytest.raises(UsageError, match="Cosmos Predict1 refuses this request: Cosmos Guardrail"):
        pipeline.generate("a weapon", **QUICK)


def test_steps_are_counted_and_interrupted(ltx: Pipeline, work: Path) -> None:
    seen: list[tuple[int, int]] = []
    ltx.generate(PROMPT, **QUICK, on_step=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 2), (1, 2), (2, 2)]

    def stop(done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ltx.stream.generate(PROMPT, **QUICK, on_step=stop).save("ball.mp4")
    assert [path.name for path in work.iterdir()] == ["first.png"]


def test_offloading_changes_no_frame(ltx: Pipeline) -> None:
    family, folder, cpu = ltx.stream.family, ltx.stream.folder, torch.device("cpu")
    stream = Adapter(family, folder, cpu, offload="cpu")  # to where it is, which goes the same way
    for image in (None, moving_clip(1, 64, 64).frames[0]):
        ours = stream.generate(PROMPT, image=image, **QUICK).clip().frames
        assert np.array_equal(ours, ltx.generate(PROMPT, image=image, **QUICK).frames)
    with pytest.raises(UsageError, match="offload disk is for Wan's layout; LTX-Video can use cpu or none"):
        Pipeline.from_pretrained(folder, device="cpu", offload="disk")


def test_a_missing_package_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cosmos_folder = tiny_families.folder(root, "CosmosTextToWorldPipeline")
    with monkeypatch.context() as patch:
        patch.setattr(adapter, "find_spec", lambda name: None if name == "cosmos_guardrail" else object())
        with pytest.raises(
            Failure, match=r"Cosmos Predict1 needs cosmos_guardrail .* pip install cosmos_guardrail"
        ):
            Pipeline.from_pretrained(cosmos_folder, device="cpu")
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(Failure, match=r"LTX-Video checkpoint, .* run: pip install 'worldloom\[families\]'"):
        Pipeline.from_pretrained(tiny_families.folder(root, "LTXPipeline"), device="cpu")


def cut(folder: Path) -> None:
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def pickled(folder: Path) -> None:
    file = folder / "text_encoder" / "model.safetensors"
    file.rename(file.with_name("pytorch_model.bin"))


def strange(folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "vae": ["os", "system"]}))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: shutil.rmtree(folder / "vae"), "is not whole: it lacks vae"),
        (cut, r"vae.diffusion_pytorch_model\.safetensors"),
        (pickled, r"pytorch_model\.bin"),
        (strange, "takes its vae from os; allowed: diffusers, transformers"),
    ],
)
def test_damage_is_named_before_loading(damage: Any, says: str, root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_families.folder(root, "LTXPipeline"), folder)
    damage(folder)
    with pytest.raises((Failure, UsageError), match=says):
        Pipeline.from_pretrained(folder, device="cpu")


def test_a_tensor_too_few_is_named(root: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(tiny_families.folder(root, "LTXPipeline"), folder)
    file = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    del tensors["proj_out.weight"]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(Failure, match=r"proj_out\.weight"):
        Pipeline.from_pretrained(folder, device="cpu").generate(PROMPT, **QUICK)


def test_no_card_is_said(ltx: Pipeline) -> None:
    with pytest.raises(UsageError, match="without our card"):
        ltx.card  # noqa: B018
    assert ltx.unknown_words("zeppelin") == []
    with pytest.raises(AttributeError, match="no_such_verb"):
        ltx.stream.no_such_verb()


def test_diffusers_waits_until_it_is_needed() -> None:
    assert "diffusers" not in vars(adapter) and "transformers" not in vars(adapter)
