"""Original names of both encoders, and that a model by the release's rules computes the same."""

import torch
from safetensors.torch import load_file, save_file

from worldloom.text import presets
from worldloom.text.encoder import TextEncoder
from worldloom.text.image_encoder import ImageEncoder, ImageEncoderConfig
from worldloom.text.original import (
    image_config_from_original,
    image_original_name,
    text_config_from_original,
    text_original_name,
)

SMALL = ImageEncoderConfig(
    hidden_size=160, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2, image_size=28
)


def test_umt5_xxl_names_and_sizes() -> None:
    with torch.device("meta"):
        shapes = TextEncoder(presets.umt5_xxl()).shapes
    original = {text_original_name(name): shape for name, shape in shapes.items()}
    layers = {"attn.q", "attn.k", "attn.v", "attn.o", "ffn.gate.0", "ffn.fc1", "ffn.fc2", "norm1", "norm2"}
    layers |= {"pos_embedding.embedding"}
    expected = {f"blocks.{i}.{layer}.weight" for i in range(24) for layer in layers}
    assert set(original) == expected | {"token_embedding.weight", "norm.weight"}
    assert text_config_from_original(original) == presets.umt5_xxl()


def test_the_gate_is_the_gate() -> None:
    """The release multiplies fc1(x) by gelu(gate(x)): two matrices of one shape, which a mix-up would not show."""
    encoder = TextEncoder(presets.debug(40)).eval()
    layer = encoder.model.encoder.block[0].layer[1]
    tensors = {text_original_name(name): tensor for name, tensor in encoder.model.state_dict().items()}
    x = torch.randn(1, 3, 32)
    normed = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * tensors["blocks.0.norm2.weight"]
    gate = torch.nn.functional.gelu(normed @ tensors["blocks.0.ffn.gate.0.weight"].T, approximate="tanh")
    hidden = gate * (normed @ tensors["blocks.0.ffn.fc1.weight"].T)
    expected = x + hidden @ tensors["blocks.0.ffn.fc2.weight"].T
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_clip_names_and_sizes() -> None:
    with torch.device("meta"):
        shapes = ImageEncoder(ImageEncoderConfig()).shapes
    original: dict[str, tuple[int, ...]] = {}
    for name, shape in shapes.items():
        kept, _, parts = image_original_name(name)
        assert parts == (3 if "q_proj" in name or "k_proj" in name or "v_proj" in name else 1)
        original[kept] = (shape[0] * parts, *shape[1:])
    layers = {"norm1", "norm2", "attn.to_qkv", "attn.proj", "mlp.0", "mlp.2"}
    expected = {
        f"visual.transformer.{i}.{x}.{k}" for i in range(32) for x in layers for k in ("weight", "bias")
    }
    expected |= {f"visual.{norm}_norm.{kind}" for norm in ("pre", "post") for kind in ("weight", "bias")}
    expected |= {"visual.cls_embedding", "visual.pos_embedding", "visual.patch_embedding.weight"}
    assert set(original) == expected
    assert original["visual.transformer.0.attn.to_qkv.weight"] == (3840, 1280)
    original["visual.pos_embedding"] = (1, 257, 1280)  # as the release keeps it
    assert image_config_from_original(original) == ImageEncoderConfig()


def test_features_are_those_of_the_last_layer_but_one(tmp_path) -> None:
    torch.manual_seed(0)
    encoder = ImageEncoder(SMALL).eval()
    pictures = torch.rand(2, 3, 20, 36) * 2 - 1
    with torch.no_grad():
        features = encoder(pictures)
        assert features.shape == (2, 5, 160)
        encoder.save(tmp_path)
        assert torch.equal(ImageEncoder.load(tmp_path)(pictures), features)
        stored = load_file(tmp_path / "model.safetensors")
        bare = {name.removeprefix("vision_model."): tensor for name, tensor in stored.items()}
        assert bare.keys() == encoder.model.state_dict().keys()
        save_file(bare | {"embeddings.position_ids": torch.arange(5)[None]}, tmp_path / "model.safetensors")
        assert torch.equal(ImageEncoder.load(tmp_path)(pictures), features)
        for parameter in encoder.model.encoder.layers[-1].parameters():
            parameter.zero_()
        assert torch.equal(encoder(pictures), features)
        encoder.model.encoder.layers[0].mlp.fc1.weight.zero_()
        assert not torch.equal(encoder(pictures), features)
