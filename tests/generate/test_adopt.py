"""Releases become checkpoints and go the whole way: found, converted, loaded, painted, exported and found again."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import WanPipeline
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers
from safetensors.torch import load_file, save_file

from tests.generate import releases
from tests.generate.conftest import moving_clip
from worldloom import cli
from worldloom.core.error import Failure, UsageError
from worldloom.generate import adopt as adopting
from worldloom.generate.adopt import adopt, size_of
from worldloom.generate.assembly import Assembly
from worldloom.generate.folder import CARD_FILE, load_card, verify_folder
from worldloom.generate.pipeline import Pipeline
from worldloom.generate.release import find_release

PROMPT = "a red ball bounces on a wooden floor"
WEIGHTS = "diffusion_pytorch_model.safetensors"
EXPECTED = {
    "wan2.1-t2v": ("wan2.1-t2v-1.3b", Assembly(per_token=False)),
    "wan2.1-i2v": ("wan2.1-i2v-14b", Assembly(per_token=False, from_pictures=True, image_encoder=True)),
    "wan2.2-ti2v": ("wan2.2-ti2v-5b", Assembly(per_token=True)),
    "wan2.2-t2v": ("wan2.2-t2v-a14b", Assembly(per_token=False, boundary=0.875)),
    "wan2.2-i2v": ("wan2.2-i2v-a14b", Assembly(per_token=False, boundary=0.9, from_pictures=True)),
}


@pytest.fixture(scope="module", params=releases.KINDS, name="kind")
def _kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", name="release")
def _release(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return releases.write_release(tmp_path_factory.mktemp("release") / "original", kind, shards=2)


@pytest.fixture(scope="module", name="folder")
def _folder(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return adopt(find_release([release]), tmp_path_factory.mktemp("adopted") / "model")


@pytest.fixture(scope="module", name="source")
def _source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest release, in one file for each part."""
    return releases.write_release(tmp_path_factory.mktemp("one") / "original", "wan2.1-t2v")


def small(folder: Path) -> Path:
    """Let the card say that small sizes and short clips were trained."""
    card = json.loads((folder / CARD_FILE).read_text())
    card |= {"sizes": [[32, 32]], "num_frames": [1, 9]}
    (folder / CARD_FILE).write_text(json.dumps(card))
    return folder


def test_a_release_goes_the_whole_way(kind: str, release: Path, folder: Path) -> None:
    name, assembly = EXPECTED[kind]
    verify_folder(folder)
    assert load_card(folder).name == f"{name}-relative" and Assembly.read(folder) == assembly
    pipeline = Pipeline.from_pretrained(small(folder), device="cpu", dtype=torch.float32)
    picture = moving_clip(1).frames[0]
    options = {"num_frames": 5, "steps": 2, "seed": 1}
    clip = pipeline.generate(PROMPT, image=picture, **options)
    assert clip.frames.shape == (5, 32, 32, 3) and np.array_equal(clip.frames[0], picture)
    other = pipeline.generate("a blue box slides down a ramp", image=picture, **options)
    assert not np.array_equal(clip.frames[1:], other.frames[1:])
    if not assembly.from_pictures:
        assert len(pipeline.generate(PROMPT, **options).frames) == 5


def test_every_tensor_arrives(release: Path, folder: Path) -> None:
    """Of the transformer by name and value, through diffusers' own converter."""
    for part, source in (("transformer", "high_noise_model"), ("transformer_2", "low_noise_model")):
        files = sorted((release / source).glob("*.safetensors")) or sorted(
            release.glob("diffusion*.safetensors")
        )
        if not (folder / part).is_dir():
            continue
        tensors = {name: tensor for file in files for name, tensor in load_file(file).items()}
        expected, found = convert_wan_transformer_to_diffusers(tensors), load_file(folder / part / WEIGHTS)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_exports_are_found_again(kind: str, folder: Path, tmp_path: Path) -> None:
    """Plain diffusers and original names: both lead back to the same bytes of weights."""
    for layout in ("diffusers", "original"):
        plain, again = tmp_path / layout, tmp_path / f"{layout}-again"
        assert (
            cli.main(["models", "export", str(folder), "-o", str(plain), "--layout", layout, "--quiet"]) == 0
        )
        assert not (plain / CARD_FILE).exists()
        assert cli.main(["models", "import", str(plain), "-o", str(again), "--quiet"]) == 0
        assert load_card(again).name == EXPECTED[kind][0] + "-relative"
        for file in folder.rglob("*.safetensors"):
            assert (again / file.relative_to(folder)).read_bytes() == file.read_bytes()


class TestOneKind:
    """What does not depend on the kind, on the smallest."""

    @pytest.fixture(name="copy")
    def _copy(self, source: Path, tmp_path: Path) -> Path:
        """A copy by links, in which whole files may be replaced."""
        copy = tmp_path / "copy"
        for file in source.rglob("*"):
            if file.is_file():
                target = copy / file.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(file, target)
        return copy

    def test_diffusers_paints_with_it(self, source: Path, tmp_path: Path) -> None:
        adopt(find_release([source]), tmp_path / "model")
        pipeline = WanPipeline.from_pretrained(tmp_path / "model")
        assert not pipeline.config.expand_timesteps and pipeline.transformer.config.num_layers == 2

    def test_parts_from_several_places(self, source: Path, tmp_path: Path) -> None:
        """A single file with the prefix of repackaged weights, and each other part named by itself."""
        tensors = load_file(source / WEIGHTS)
        prefixed = {f"model.diffusion_model.{name}": tensor for name, tensor in tensors.items()}
        save_file(prefixed, tmp_path / "wan_14B.safetensors")
        (tmp_path / "config.json").write_text(json.dumps(releases.HEADS))
        rest = [source / "Wan_VAE.safetensors", source / "models_t5.safetensors", source / "google"]
        apart = find_release([tmp_path / "wan_14B.safetensors", *rest])
        together = find_release([source])
        assert apart.parts["transformer"].config == together.parts["transformer"].config
        for name in ("blocks.1.attn2.to_k.weight", "proj_out.bias"):
            assert torch.equal(
                apart.parts["transformer"].read(name), together.parts["transformer"].read(name)
            )

    def test_a_checkpoint_keeps_its_own_card(self, source: Path, tmp_path: Path) -> None:
        small(adopt(find_release([source]), tmp_path / "model"))
        again = adopt(find_release([tmp_path / "model"]), tmp_path / "again")
        assert load_card(again).sizes == ((32, 32),) == load_card(tmp_path / "model").sizes

    def test_dtype(self, source: Path, tmp_path: Path) -> None:
        release = find_release([source])
        adopt(release, tmp_path / "model", torch.bfloat16)
        transformer = load_file(tmp_path / "model" / "transformer" / WEIGHTS)
        kinds = {name: tensor.dtype for name, tensor in transformer.items()}
        assert kinds["proj_out.weight"] == torch.bfloat16
        assert kinds["blocks.0.scale_shift_table"] == torch.float32
        vae = load_file(tmp_path / "model" / "vae" / WEIGHTS)
        assert {tensor.dtype for tensor in vae.values()} == {torch.float32}
        written = sum(file.stat().st_size for file in (tmp_path / "model").rglob("*.safetensors"))
        assert 0 < written - size_of(release, torch.bfloat16) < 200_000  # the headers

    def test_an_interrupt_leaves_nothing(self, source: Path, tmp_path: Path) -> None:
        def stop(done: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            adopt(find_release([source]), tmp_path / "model", on_bytes=stop)
        assert list(tmp_path.iterdir()) == []

    def test_a_target_is_replaced_only_when_asked_and_only_by_a_whole_one(
        self, source: Path, tmp_path: Path
    ) -> None:
        release, target = find_release([source]), tmp_path / "model"
        adopt(release, target)
        (target / "mark").touch()
        with pytest.raises(UsageError, match="exists already"):
            adopt(release, target)
        with pytest.raises(KeyboardInterrupt):
            adopt(release, target, force=True, on_bytes=lambda done: (_ for _ in ()).throw(KeyboardInterrupt))
        assert (target / "mark").exists()
        adopt(release, target, force=True)
        assert not (target / "mark").exists()
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "diary.txt").touch()
        with pytest.raises(UsageError, match="is no checkpoint, so it is not replaced"):
            adopt(release, tmp_path / "mine", force=True)

    def test_a_full_disk_is_known_beforehand(self, source: Path, tmp_path: Path, monkeypatch) -> None:
        usage = adopting.shutil.disk_usage(tmp_path)
        monkeypatch.setattr(adopting.shutil, "disk_usage", lambda path: usage._replace(free=1 << 20))
        with pytest.raises(Failure, match=r"it needs 0\.0 GB, and the disk has 0\.0 GB free"):
            adopt(find_release([source]), tmp_path / "model")
        assert list(tmp_path.iterdir()) == []

    def test_show_names_damage(
        self, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        target = adopt(find_release([source]), tmp_path / "model")
        assert cli.main(["models", "show", str(target), "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["intact"] and shown["parts"]["vae"]["dtype"] == "fp32"
        assert (
            shown["parts"]["transformer"]["parameters"] > 50_000
            and "parameters" not in shown["parts"]["tokenizer"]
        )
        data = bytearray((target / "vae" / WEIGHTS).read_bytes())
        data[-9] ^= 1
        (target / "vae" / WEIGHTS).write_bytes(data)
        assert cli.main(["models", "show", str(target)]) == 1
        assert "vae/diffusion_pytorch_model.safetensors is changed" in capsys.readouterr().out

    WRONG = {
        "nothing there": (lambda f: f.rename(f.with_name("gone")), 2, "does not exist"),
        "an empty folder": (lambda f: [p.unlink() for p in f.rglob("*") if p.is_file()], 2, "copy lacks transformer, vae, text_encoder, tokenizer"),
        "a pickle in a part's place": (lambda f: (f / "Wan_VAE.safetensors").rename(f / "Wan2.1_VAE.pth"), 2, "lacks vae, but there is the pickle Wan2.1_VAE.pth, which can run any code"),
        "no tokenizer": (lambda f: (f / "google/umt5-xxl/tokenizer.json").unlink(), 2, "lacks tokenizer"),
        "a part twice": (lambda f: os.link(f / "Wan_VAE.safetensors", f / "again.safetensors"), 2, "the vae is there twice"),
        "a cut-off file": (lambda f: cut(f / WEIGHTS), 1, "is damaged or cut off"),
        "mixed layouts": (lambda f: mix(f / WEIGHTS), 1, "mixes the transformer of the diffusers layout"),
        "a missing tensor": (lambda f: change(f / WEIGHTS, lambda t: t.pop("blocks.1.cross_attn.k.bias")), 1, "lacks the tensors blocks.1.cross_attn.k.bias"),
        "an extra tensor": (lambda f: change(f / WEIGHTS, lambda t: t.update(lora=torch.ones(1))), 1, "has the unknown tensors lora"),
        "another width": (lambda f: change(f / "models_t5.safetensors", lambda t: t.update({"norm.weight": torch.ones(7)})), 1, "norm.weight has the shape (7,); it must be (32,)"),
        "a model of another kind": (lambda f: save_file({"unet.weight": torch.ones(1)}, f / "x.safetensors"), 2, "holds none of image_encoder, text_encoder, transformer, vae"),
        "no file of weights": (lambda f: [(f / WEIGHTS).unlink(), (f / "config.json").unlink()], 2, "lacks transformer"),
    }  # fmt: skip

    @pytest.mark.parametrize("case", WRONG)
    def test_wrong_sources(
        self, case: str, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        damage, code, says = self.WRONG[case]
        damage(copy)
        assert cli.main(["models", "import", str(copy), "-o", str(tmp_path / "model"), "--quiet"]) == code
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("\n") == 1 and printed.err.startswith("worldloom: ")
        assert says in printed.err and "unexpected" not in printed.err, printed.err
        assert not any("model" in path.name for path in tmp_path.iterdir())

    def test_a_missing_shard(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        source = releases.write_release(tmp_path / "original", "wan2.1-t2v", shards=3)
        (source / "diffusion_pytorch_model-00002-of-00003.safetensors").unlink()
        assert cli.main(["models", "import", str(source), "-o", str(tmp_path / "model")]) == 1
        assert (
            "diffusion_pytorch_model-00002-of-00003.safetensors of 3 shards is missing"
            in capsys.readouterr().err
        )

    def test_parts_that_do_not_belong_together(self, source: Path, tmp_path: Path) -> None:
        other = releases.write_release(tmp_path / "other", "wan2.2-ti2v")
        rest = [source / "models_t5.safetensors", source / "google"]
        with pytest.raises(UsageError, match="takes 16 channels and gives 16; with this autoencoder of 48"):
            find_release([source / WEIGHTS, other / "Wan_VAE.safetensors", *rest])


def cut(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: len(data) // 2])


def change(path: Path, how) -> None:
    tensors = load_file(path)
    how(tensors)
    path.unlink()
    save_file(tensors, path)


def mix(path: Path) -> None:
    change(path, lambda t: t.update({"blocks.1.attn1.to_q.weight": t.pop("blocks.1.self_attn.q.weight")}))
