"""A checkpoint saved and loaded paints the same. What a damaged one says is in `tests/test_bad_input.py`."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import worldloom
from tests import tiny
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import sha256_of
from worldloom.generate.adopt import undress
from worldloom.generate.card import Sampling
from worldloom.generate.folder import CARD_FILE, HASHES, save_checkpoint
from worldloom.generate.stream import Stream

PROMPT = "a red ball bounces on a wooden floor"
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.shared_checkpoint(tmp_path_factory)


def test_loaded_paints_what_the_saved_one_painted(saved: Path, stream: Stream) -> None:
    pipeline = worldloom.Pipeline.from_pretrained(saved, device="cpu", dtype=torch.float32)
    assert pipeline.card == tiny.CARD
    clip = pipeline.generate(PROMPT, num_frames=9, seed=7)
    assert np.array_equal(clip.frames, stream.generate(PROMPT, num_frames=9, seed=7).clip().frames)
    assert clip.settings["model"] == "debug" and clip.settings["seed"] == 7


def test_every_verb_is_a_method(saved: Path) -> None:
    pipeline = worldloom.Pipeline.from_pretrained(saved, device="cpu")
    assert pipeline.image(PROMPT, seed=1).frames.shape == (1, 32, 32, 3)
    clip = pipeline.generate(PROMPT, num_frames=9, seed=1)
    assert len(pipeline.extend(clip, num_frames=4).frames) == 13
    assert len(pipeline.loop(clip, num_frames=4).frames) == 13
    assert len(pipeline.connect(clip, clip, num_frames=4).frames) == 22
    assert len(pipeline.edit(clip, PROMPT).frames) == 9
    assert pipeline.unknown_words("a red zebra bounces") == ["zebra"]


def adapter(path: Path, out: int = 48) -> Path:
    factors = torch.randn(2, 48), torch.randn(out, 2)
    names = (f"transformer.blocks.0.attn1.to_v.lora_{letter}.weight" for letter in "AB")
    save_file(dict(zip(names, factors, strict=True)), path)
    return path


def test_an_adapter_changes_the_clip_as_strongly_as_asked_and_is_recorded(
    saved: Path, tmp_path: Path
) -> None:
    path = adapter(tmp_path / "look.safetensors")

    def painted(*lora: str) -> worldloom.Clip:
        pipeline = worldloom.Pipeline.from_pretrained(saved, device="cpu", lora=lora)
        return pipeline.generate(PROMPT, num_frames=9, seed=7)

    plain, none, half, full = (
        painted(*lora) for lora in ((), (f"{path}:0",), (f"{path}:0.5",), (str(path),))
    )
    assert np.array_equal(plain.frames, none.frames) and "loras" not in plain.settings
    changes = [np.abs(clip.frames.astype(int) - plain.frames).mean() for clip in (half, full)]
    assert changes[0] > 0 and changes[1] > 0 and not np.array_equal(half.frames, full.frames)
    record = {"file": "look.safetensors", "sha256": sha256_of(path), "strength": 0.5, "expert": "both"}
    assert half.settings["loras"] == [record]
    with pytest.raises(
        UsageError, match=r"one transformer for all noise levels; give .*look.safetensors without low="
    ):
        painted(f"low={path}")


def test_few_steps_by_the_models_own_adapter(tmp_path: Path) -> None:
    own = Sampling(sampler="euler", num_steps=1, guidance_scale=1.0)
    engine = replace(tiny.engine(), card=replace(tiny.CARD, fast=own))
    path = adapter(tmp_path / "a.safetensors")
    folder = save_checkpoint(engine, tmp_path / "model", "# debug\n", fast=path)
    clip, by_hand = (
        worldloom.Pipeline.from_pretrained(folder, device="cpu", **how).generate(
            PROMPT, num_frames=9, seed=7, **style
        )
        for how, style in (({"fast": True}, {}), ({"lora": [str(path)]}, {"steps": 1, "guidance": 1.0}))
    )
    assert np.array_equal(clip.frames, by_hand.frames) and clip.settings["steps"] == 1
    assert clip.settings["loras"][0]["sha256"] == sha256_of(path)
    whole = worldloom.Pipeline.from_pretrained(folder, device="cpu").generate(PROMPT, num_frames=9, seed=7)
    assert "loras" not in whole.settings and whole.settings["steps"] == 2
    plain = undress(folder, tmp_path / "plain")
    assert not (plain / "fast.safetensors").exists()
    (folder / "fast.safetensors").write_bytes(b"x")
    with pytest.raises(Failure, match=r"fast\.safetensors"):
        worldloom.Pipeline.from_pretrained(folder)


def test_a_model_without_such_an_adapter_says_so(saved: Path) -> None:
    with pytest.raises(UsageError, match="debug has no adapter for few steps"):
        worldloom.Pipeline.from_pretrained(saved, fast=True)


def test_the_layout_is_diffusers(saved: Path) -> None:
    index = json.loads((saved / "model_index.json").read_text())
    assert index["_class_name"] == "WanPipeline"
    for part in ("transformer", "vae", "text_encoder", "tokenizer", "scheduler"):
        assert (saved / part).is_dir() and part in index
    card = json.loads((saved / CARD_FILE).read_text())
    assert card[HASHES][WEIGHTS] == sha256_of(saved / WEIGHTS)
    assert "README.md" in card[HASHES] and CARD_FILE not in card[HASHES]


@pytest.mark.parametrize(
    ("name", "says"), [("no-such-model", "no model 'no-such-model'"), ("", "no model|not a checkpoint")]
)
def test_unknown_models_are_refused(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        worldloom.Pipeline.from_pretrained(name)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"lacks worldloom\.json"):
        worldloom.Pipeline.from_pretrained(tmp_path)


def test_an_unknown_device_is_refused(saved: Path) -> None:
    with pytest.raises(UsageError, match="auto, cpu, cuda, mps"):
        worldloom.Pipeline.from_pretrained(saved, device="abacus")
