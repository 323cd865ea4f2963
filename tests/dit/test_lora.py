"""Adapters under every name in use, against the formula and against diffusers' own converter."""

from pathlib import Path

import pytest
import torch
from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_wan_lora_to_diffusers
from safetensors.torch import save_file

from worldloom.core.error import Failure, UsageError
from worldloom.core.weights import Weights, find_weights
from worldloom.dit import presets
from worldloom.dit.lora import Adapted, Lora, changes_of, difference
from worldloom.dit.model import Transformer
from worldloom.dit.original import original_name

RANK = 3
ADAPTED = (
    "blocks.0.attn1.to_q",
    "blocks.1.attn1.to_out.0",
    "blocks.0.attn2.to_v",
    "blocks.1.ffn.net.0.proj",
    "blocks.0.ffn.net.2",
    "condition_embedder.time_proj",
)


@pytest.fixture(scope="module")
def model() -> Transformer:
    torch.manual_seed(0)
    return Transformer(presets.debug())


@pytest.fixture(scope="module")
def folder(model: Transformer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    model.save(path)
    return path


def shapes_of(model: Transformer) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def factors(model: Transformer, seed: int = 1) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    pairs = {}
    for module in ADAPTED:
        out, inner = model.get_parameter(f"{module}.weight").shape
        pairs[module] = (
            torch.randn(RANK, inner, generator=generator),
            torch.randn(out, RANK, generator=generator),
        )
    return pairs


def diffusers_names(pairs):
    return {
        f"transformer.{module}.lora_{letter}.weight": factor.contiguous()
        for module, pair in pairs.items()
        for letter, factor in zip("AB", pair, strict=True)
    }


def original_names(pairs, alpha=None):
    tensors = {}
    for module, (down, up) in pairs.items():
        name = f"diffusion_model.{original_name(module)}"
        tensors |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
        if alpha is not None:
            tensors[f"{name}.alpha"] = torch.tensor(alpha)
    return tensors


def kohya_names(pairs, alpha):
    tensors = {}
    for name, tensor in original_names(pairs, alpha).items():
        module, kind = name.removeprefix("diffusion_model.").split(".lora_" if ".lora_" in name else ".alpha")
        tensors[f"lora_unet_{module.replace('.', '_')}.{'lora_' + kind if kind else 'alpha'}"] = tensor
    return tensors


def loaded(folder: Path, *loras: Lora, **how) -> dict[str, torch.Tensor]:
    return Transformer.load(folder, loras=loras, **how).state_dict()


@pytest.mark.parametrize(
    ("names", "scale"),
    [
        (diffusers_names, 1.0),
        (original_names, 1.0),
        (lambda pairs: original_names(pairs, 1.5), 0.5),
        (lambda pairs: kohya_names(pairs, 6.0), 2.0),
    ],
    ids=["diffusers", "original", "original with alpha", "kohya"],
)
def test_weights_gain_the_product_of_the_factors(model, folder, tmp_path, names, scale):
    pairs = factors(model)
    save_file(names(pairs), tmp_path / "a.safetensors")
    adapted = loaded(folder, Lora(tmp_path / "a.safetensors", 0.75))
    for name, before in model.state_dict().items():
        module = name.removesuffix(".weight")
        if module not in pairs or not name.endswith(".weight"):
            assert torch.equal(adapted[name], before), name
            continue
        down, up = pairs[module]
        assert torch.allclose(adapted[name], before + 0.75 * scale * up @ down, atol=1e-5), name


def test_names_are_read_as_diffusers_converts_them(model, tmp_path):
    pairs = {module: pair for module, pair in factors(model).items() if module.startswith("blocks")}
    converted = _convert_non_diffusers_wan_lora_to_diffusers(original_names(pairs, 1.5))
    save_file(original_names(pairs, 1.5), tmp_path / "a.safetensors")
    save_file({name: t.contiguous() for name, t in converted.items()}, tmp_path / "b.safetensors")
    ours, theirs = (changes_of(Weights(tmp_path / f"{file}.safetensors"), shapes_of(model)) for file in "ab")
    assert set(ours) == set(theirs) == {f"{module}.weight" for module in pairs}


def test_differences_of_vectors_and_a_convolution_are_added(model, folder, tmp_path):
    weight = model.get_parameter("patch_embedding.weight")
    down, up = torch.randn(2, *weight.shape[1:]), torch.randn(weight.shape[0], 2, 1, 1, 1)
    bias, norm = torch.randn(48), torch.randn(48)
    tensors = {
        "diffusion_model.patch_embedding.lora_down.weight": down,
        "diffusion_model.patch_embedding.lora_up.weight": up,
        "diffusion_model.blocks.0.self_attn.q.diff_b": bias,
        "diffusion_model.blocks.1.norm3.diff": norm,
    }
    save_file(tensors, tmp_path / "a.safetensors")
    before, adapted = model.state_dict(), loaded(folder, Lora(tmp_path / "a.safetensors", -2.0))
    gained = (up.flatten(1) @ down.flatten(1)).view(weight.shape)
    assert torch.allclose(adapted["patch_embedding.weight"], weight - 2 * gained, atol=1e-4)
    assert torch.allclose(adapted["blocks.0.attn1.to_q.bias"], before["blocks.0.attn1.to_q.bias"] - 2 * bias)
    assert torch.allclose(adapted["blocks.1.norm2.weight"], before["blocks.1.norm2.weight"] - 2 * norm)


def test_adapters_add_up_in_the_number_format_asked_for(model, folder, tmp_path):
    for seed in (1, 2):
        save_file(diffusers_names(factors(model, seed)), tmp_path / f"{seed}.safetensors")
    both = [Lora(tmp_path / "1.safetensors"), Lora(tmp_path / "2.safetensors", 0.5)]
    whole = loaded(folder, *both)
    name = "blocks.0.attn1.to_q.weight"
    (down, up), (other_down, other_up) = (factors(model, seed)["blocks.0.attn1.to_q"] for seed in (1, 2))
    assert torch.allclose(
        whole[name], model.state_dict()[name] + up @ down + 0.5 * other_up @ other_down, atol=1e-5
    )
    half = loaded(folder, *both, dtype=torch.bfloat16)
    assert half[name].dtype == torch.bfloat16 and torch.equal(half[name], whole[name].bfloat16())


def test_streamed_blocks_are_adapted_too(model, folder, tmp_path):
    save_file(diffusers_names(factors(model)), tmp_path / "a.safetensors")
    loras = [Lora(tmp_path / "a.safetensors")]
    latents, t = torch.randn(1, model.config.in_channels, 1, 4, 4), torch.tensor([0.5])
    outputs = []
    for offload in ("none", "disk"):
        adapted = Transformer.load(folder, loras=loras, offload=offload)
        with torch.no_grad():
            context = adapted.prepare_text(torch.ones(1, 3, model.config.text_size), torch.tensor([3]))
            adapted.get_parameter("proj_out.weight").normal_(generator=torch.Generator().manual_seed(3))
            outputs.append(adapted(latents, t, context))
    assert torch.equal(*outputs) and outputs[0].abs().max() > 0


def test_an_adapter_as_it_is_typed():
    assert Lora.parse("a.safetensors") == Lora(Path("a.safetensors"))
    assert Lora.parse("low=dir/a.safetensors:0.5") == Lora(Path("dir/a.safetensors"), 0.5, "low")
    assert Lora.parse("C:name.safetensors") == Lora(Path("C:name.safetensors"))
    with pytest.raises(UsageError, match=r"strength of a.safetensors is 11; it must be from -10 to 10"):
        Lora.parse("a.safetensors:11")
    with pytest.raises(UsageError, match="strength"):
        Lora(Path("a"), float("nan"))


def test_what_does_not_fit_is_named(model, folder, tmp_path):
    good = diffusers_names(factors(model))
    first = next(iter(good))

    def refused(tensors, error, match):
        save_file(tensors, tmp_path / "bad.safetensors")
        with pytest.raises(error, match=match):
            loaded(folder, Lora(tmp_path / "bad.safetensors"))

    refused(model.state_dict(), UsageError, "no low-rank adapter for this model")
    refused({k: v for k, v in good.items() if k != first}, Failure, "of the two factors .* only")
    refused(
        good | {first: torch.zeros(RANK, 7)}, Failure, r"has the shape \(48, 7\); this model's has \(48, 48\)"
    )
    refused(
        good | {"transformer.blocks.9.attn1.to_q.lora_A.weight": torch.zeros(1)},
        Failure,
        "no place: .*blocks.9",
    )
    refused(
        good | {"transformer.blocks.0.attn1.to_q.dora_scale": torch.zeros(1)},
        Failure,
        "no place: .*dora_scale",
    )
    with pytest.raises(UsageError, match="does not exist"):
        loaded(folder, Lora(tmp_path / "none.safetensors"))
    (tmp_path / "a.pt").write_bytes(b"x")
    with pytest.raises(UsageError, match="pickle"):
        loaded(folder, Lora(tmp_path / "a.pt"))


def test_tables_are_read_by_rows(folder, model, tmp_path):
    save_file(diffusers_names(factors(model)), tmp_path / "a.safetensors")
    weights = Weights(find_weights(folder))
    adapted = Adapted(weights, shapes_of(model), [Lora(tmp_path / "a.safetensors")])
    rows = adapted.read_rows("blocks.1.attn1.to_q.weight", [2, 0])
    assert torch.equal(rows, model.state_dict()["blocks.1.attn1.to_q.weight"][[2, 0]])


def differences(base, other, rank):
    return {
        key: tensor
        for name in base.info
        for key, tensor in difference(base, other, name, rank, torch.float32).items()
    }


def test_the_difference_of_two_models_leads_from_one_to_the_other(model, folder, tmp_path):
    pairs = factors(model)
    tuned = Transformer(model.config)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for module, (down, up) in pairs.items():
        state[f"{module}.weight"] += 0.1 * up @ down
    state["blocks.0.scale_shift_table"] += 1
    state["blocks.1.ffn.net.2.bias"] -= 1
    tuned.load_state_dict(state)
    tuned.save(tmp_path / "tuned")
    base, other = (Weights(find_weights(path)) for path in (folder, tmp_path / "tuned"))
    tensors = differences(base, other, RANK)
    assert sum("lora_up" in name for name in tensors) == len(pairs) and len(tensors) == 2 * len(pairs) + 2
    save_file(tensors, tmp_path / "difference.safetensors")
    adapted = loaded(folder, Lora(tmp_path / "difference.safetensors"))
    for name, wanted in tuned.state_dict().items():
        assert torch.allclose(adapted[name], wanted, atol=1e-4), name
    poorer = differences(base, other, RANK - 1)
    save_file(poorer, tmp_path / "poorer.safetensors")
    away = loaded(folder, Lora(tmp_path / "poorer.safetensors"))["blocks.0.attn1.to_q.weight"]
    name = "blocks.0.attn1.to_q.weight"
    left = torch.linalg.svdvals(state[name] - model.state_dict()[name])[RANK - 1]
    assert torch.linalg.matrix_norm(away - state[name]) == pytest.approx(float(left), rel=1e-3)
