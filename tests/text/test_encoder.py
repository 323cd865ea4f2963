import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import WanPipeline
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, UMT5Config, UMT5EncoderModel

from tests.text.conftest import captions
from worldloom.core.error import Failure, UsageError
from worldloom.text import presets
from worldloom.text.encoder import TextEncoder
from worldloom.text.tokenizer import Tokenizer

PROMPTS = ["A red ball rolls down the ramp &amp; falls.", "一个红色的球", "", "ball"]


@pytest.fixture(scope="module")
def encoder(tokenizer: Tokenizer) -> TextEncoder:
    torch.manual_seed(0)
    return TextEncoder(presets.debug(tokenizer.vocab_size))


def test_equals_what_diffusers_pipeline_computes(
    encoder: TextEncoder, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    tokenizer.save(tmp_path / "tokenizer")
    encoder.save(tmp_path / "text_encoder")
    theirs = WanPipeline(
        tokenizer=AutoTokenizer.from_pretrained(tmp_path / "tokenizer"),
        text_encoder=UMT5EncoderModel.from_pretrained(tmp_path / "text_encoder"),
        vae=None,
        scheduler=None,
        transformer=None,
    )
    with torch.no_grad():
        expected = theirs._get_t5_prompt_embeds(PROMPTS, max_sequence_length=24, device=torch.device("cpu"))
        ids, lengths = tokenizer.pad(tokenizer.encode(PROMPTS), length=24)
        actual = encoder(ids, lengths)
    assert actual.shape == (4, 24, 32)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    for row, length in zip(actual, lengths, strict=True):
        assert row[:length].abs().amin(0).max() > 0 and not row[length:].any()


def test_transformers_loads_what_is_saved_and_back(encoder: TextEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path / "ours")
    theirs, report = UMT5EncoderModel.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report.values())
    theirs.save_pretrained(tmp_path / "theirs")
    for folder in ("ours", "theirs"):
        again = TextEncoder.load(tmp_path / folder)
        assert again.config == encoder.config and not again.training
        for name, tensor in encoder.state_dict().items():
            assert torch.equal(again.state_dict()[name], tensor), name
    ids, lengths = torch.tensor([[5, 6, 1]]), torch.tensor([3])
    with torch.no_grad():
        assert torch.equal(theirs(ids).last_hidden_state, encoder.eval()(ids, lengths))


def test_the_embedding_table_is_one_after_loading(encoder: TextEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    again = TextEncoder.load(tmp_path)
    assert again.model.shared.weight is again.model.encoder.embed_tokens.weight
    assert len(list(again.parameters())) == len(list(encoder.parameters()))


def test_loads_shards_and_the_table_under_its_other_name(encoder: TextEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    tensors["encoder.embed_tokens.weight"] = tensors.pop("shared.weight")
    names = sorted(tensors)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, tmp_path / file)
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    again = TextEncoder.load(tmp_path)
    assert torch.equal(again.model.shared.weight, encoder.model.shared.weight)


def test_gradients_reach_every_tensor_used(encoder: TextEncoder, tokenizer: Tokenizer) -> None:
    ids, lengths = tokenizer.pad(tokenizer.encode(captions()[:6]))
    embeds = encoder(ids, lengths)
    embeds.mul(torch.randn(embeds.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    used = encoder.model.shared.weight.grad.abs().sum(1) > 0
    assert set(used.nonzero().flatten().tolist()) == set(
        torch.cat([r[:n] for r, n in zip(ids, lengths, strict=True)]).tolist()
    )
    encoder.zero_grad()


def test_training_mode_equals_evaluation(encoder: TextEncoder) -> None:
    ids, lengths = (
        torch.randint(3, 300, (2, 9), generator=torch.Generator().manual_seed(0)),
        torch.tensor([9, 4]),
    )
    assert torch.equal(encoder.train()(ids, lengths), encoder.eval()(ids, lengths))


def test_padding_has_no_influence_and_comes_out_zero(encoder: TextEncoder) -> None:
    ids = torch.randint(3, 300, (3, 12), generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([12, 5, 0])
    with torch.no_grad():
        whole = encoder(ids, lengths)
        alone = encoder(ids[1:2, :5], torch.tensor([5]))
        other = encoder(ids.where(torch.arange(12) < lengths[:, None], 7), lengths)
    torch.testing.assert_close(whole[1:2, :5], alone, rtol=1e-5, atol=1e-5)
    assert torch.equal(whole, other)
    assert whole.isfinite().all() and not whole[1, 5:].any() and not whole[2].any()


def test_an_empty_row_gives_finite_gradients(encoder: TextEncoder) -> None:
    encoder(torch.zeros(1, 4, dtype=torch.int64), torch.tensor([0])).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())
    encoder.zero_grad()


def test_bf16_is_close_to_fp32_and_stays_bf16(encoder: TextEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    low = TextEncoder.load(tmp_path, dtype=torch.bfloat16)
    ids, lengths = (
        torch.randint(3, 300, (2, 9), generator=torch.Generator().manual_seed(0)),
        torch.tensor([9, 4]),
    )
    with torch.no_grad():
        exact, rough = encoder(ids, lengths), low(ids, lengths)
    assert rough.dtype == torch.bfloat16 and {p.dtype for p in low.parameters()} == {torch.bfloat16}
    assert (rough.float() - exact).norm() / exact.norm() < 0.03
    low.save(tmp_path / "bf16")
    assert TextEncoder.load(tmp_path / "bf16").dtype == torch.bfloat16
    assert json.loads((tmp_path / "bf16" / "config.json").read_text())["dtype"] == "bfloat16"


def test_a_wrong_file_is_one_sentence(encoder: TextEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    tensors, content = load_file(weights), json.loads(config.read_text())
    save_file({name: t for name, t in tensors.items() if name != "shared.weight"}, weights)
    with pytest.raises(Failure, match=r"lacks the tensors shared\.weight"):
        TextEncoder.load(tmp_path)
    save_file(tensors | {"spare": torch.zeros(1)}, weights)
    with pytest.raises(Failure, match="has the unknown tensors spare"):
        TextEncoder.load(tmp_path)
    save_file(tensors | {"shared.weight": torch.zeros(3, 32)}, weights)
    with pytest.raises(Failure, match=r"shared\.weight has the shape \(3, 32\)"):
        TextEncoder.load(tmp_path)
    config.write_text(json.dumps(content | {"model_type": "t5"}))
    with pytest.raises(Failure, match="does not describe a umt5 encoder"):
        TextEncoder.load(tmp_path)
    with pytest.raises(UsageError, match="lengths has shape"):
        encoder(torch.zeros(2, 3, dtype=torch.int64), torch.tensor([1]))


def test_umt5_xxl_has_the_published_shapes() -> None:
    with torch.device("meta"):
        model = TextEncoder(presets.umt5_xxl()).model
        theirs = UMT5EncoderModel(
            UMT5Config(vocab_size=256384, d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64)
        )
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert shapes == {name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items()}
    assert sum(p.numel() for p in model.parameters()) == 5_680_910_336


def test_tiny_is_small() -> None:
    with torch.device("meta"):
        assert 4e6 < sum(p.numel() for p in TextEncoder(presets.tiny(4096)).parameters()) < 5e6


def test_importing_the_module_does_not_import_transformers() -> None:
    script = (
        "import sys, worldloom.text.encoder, worldloom.text.presets; print('transformers' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert out == "False\n"


def test_heads_begin_by_looking_before_after_around_and_everywhere(encoder: TextEncoder) -> None:
    for block in encoder.model.encoder.block:
        bias = block.layer[0].SelfAttention.compute_bias(12, 12)[0].detach()
        seen = bias.softmax(-1)[:, 6]  # what the seventh word looks at
        before, after = seen[:, :6].sum(1), seen[:, 7:].sum(1)
        for head in range(len(seen)):
            match head % 4:
                case 0:
                    assert before[head] > 0.4 > 20 * after[head] and seen[head, 5] > 1.8 * seen[head, 4]
                case 1:
                    assert after[head] > 0.4 > 20 * before[head] and seen[head, 7] > 1.8 * seen[head, 8]
                case 2:
                    assert seen[head, 5] == pytest.approx(seen[head, 7].item()) and seen[head, 5] > 0.15
                case _:
                    torch.testing.assert_close(seen[head], torch.full((12,), 1 / 12))
