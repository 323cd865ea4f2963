"""Properties of the transformer that hold without a reference, its folder, and its refusals."""

from dataclasses import replace

import pytest
import torch
from diffusers import WanTransformer3DModel
from safetensors.torch import load_file, save_file

from tests.dit.reference import SMALL, relative_difference
from worldloom.core.error import Failure, UsageError
from worldloom.dit.config import TransformerConfig
from worldloom.dit.context import ALIGNED, TextContext, prompt_rows
from worldloom.dit.model import WEIGHTS_FILE, Transformer
from worldloom.nn import attention, native


def random_model(config: TransformerConfig = SMALL) -> Transformer:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = Transformer(config).eval()
        for name, parameter in model.named_parameters():
            if not name.startswith("action"):
                torch.nn.init.normal_(parameter, std=0.2)
    return model


def inputs(batch: int = 2, size: tuple[int, int, int] = (3, 4, 6)):
    generator = torch.Generator().manual_seed(6)
    latents = torch.randn(batch, 16, *size, generator=generator)
    words = torch.randn(batch, 5, 32, generator=generator)
    return latents, torch.rand(batch, generator=generator), words


def test_starts_with_zero_velocity_and_learns_from_there():
    model = Transformer(SMALL)
    latents, t, words = inputs()
    assert (model(latents, t, model.prepare_text(words)) == 0).all()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        loss = (model(latents, t, model.prepare_text(words)) - latents.roll(1, 3)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    unmoved = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert unmoved == []


@pytest.mark.parametrize("form", ["frame", "token"])
def test_forms_of_t_agree(form):
    model = random_model()
    latents, t, words = inputs()
    context = model.prepare_text(words)
    shape = (2, 3, 1, 1) if form == "frame" else (2, 3, 2, 3)
    per_sample = model(latents, t, context)
    spread = model(latents, t.view(2, 1, 1, 1).expand(shape), context)
    torch.testing.assert_close(spread, per_sample, rtol=1e-5, atol=1e-5)


def test_noise_level_of_one_token_matters():
    model = random_model()
    latents, _, words = inputs(batch=1)
    context, levels = model.prepare_text(words), torch.full((1, 3, 2, 3), 0.5)
    changed = levels.clone()
    changed[0, 1, 0, 2] = 0.9
    assert relative_difference(model(latents, changed, context), model(latents, levels, context)) > 1e-3


def test_only_distances_between_frames_matter():
    model = random_model()
    latents, t, words = inputs()
    context = model.prepare_text(words)
    here, later = model(latents, t, context), model(latents, t, context, frame_offset=1500)
    assert relative_difference(later, here) < 1e-4
    flipped = model(latents.flip(2), t, context).flip(2)
    assert relative_difference(flipped, here) > 1e-3


def test_picture_and_video_share_weights():
    model = random_model()
    for size in [(1, 2, 2), (1, 8, 4), (4, 2, 6)]:
        latents, t, words = inputs(1, size)
        assert model(latents, t, model.prepare_text(words)).shape == latents.shape


def test_samples_do_not_see_each_other():
    model = random_model()
    latents, t, words = inputs()
    together = model(latents, t, model.prepare_text(words, torch.tensor([5, 2])))
    for sample in range(2):
        one = slice(sample, sample + 1)
        context = model.prepare_text(words[one], torch.tensor([[5, 2][sample]]))
        torch.testing.assert_close(model(latents[one], t[one], context), together[one], rtol=1e-4, atol=1e-4)


def test_rows_past_the_length_do_not_matter():
    model = random_model()
    latents, t, words = inputs()
    rubbish = words.clone()
    rubbish[:, 3:] = float("nan")
    lengths = torch.tensor([3, 2])
    rubbish[1, 2] = 1e9
    actual = model(latents, t, model.prepare_text(rubbish, lengths))
    torch.testing.assert_close(actual, model(latents, t, model.prepare_text(words, lengths)))


def test_a_prompt_takes_whole_blocks_of_rows():
    assert [prompt_rows(words) for words in (0, 15, 16)] == [ALIGNED, ALIGNED, 2 * ALIGNED]
    context = Transformer(SMALL).prepare_text(torch.randn(1, 5, SMALL.text_size))
    assert context.bias.shape == (1, 1, 1, ALIGNED) and context.text[0][0].shape[2] == ALIGNED
    assert context.bias.isfinite().flatten().tolist() == [True] * 6 + [False] * (ALIGNED - 6)


def test_context_expands_and_joins():
    model = random_model()
    latents, t, words = inputs(batch=3)
    same = model.prepare_text(words[:1])
    expanded = model(latents, t, same.expand(3))
    joined = model(latents, t, TextContext.cat([same, same, same]))
    torch.testing.assert_close(expanded, joined)
    with pytest.raises(ValueError, match="one prompt"):
        model.prepare_text(words).expand(6)


def test_gradient_checkpointing_changes_nothing():
    model = random_model()
    latents, t, words = inputs()
    grads = []
    for flag in (False, True):
        model.gradient_checkpointing = flag
        model.zero_grad()
        model(latents, t, model.prepare_text(words)).square().mean().backward()
        grads.append([parameter.grad.clone() for parameter in model.parameters()])
    torch.testing.assert_close(grads[0], grads[1], rtol=0, atol=0)


def test_compiled_blocks_give_the_same_gradients():
    """Traced, not optimised: what tracing can change are the branches for compilation in nn."""
    model = random_model(replace(SMALL, depth=1))
    latents, t, words = inputs()
    results = []
    for compiled in (False, True):
        if compiled:
            model.compile_blocks(backend="aot_eager")
        model.zero_grad()
        output = model(latents, t, model.prepare_text(words))
        output.square().mean().backward()
        results.append([output.detach(), *(parameter.grad.clone() for parameter in model.parameters())])
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-4)


class TestActions:
    with_actions = replace(SMALL, action_size=3)

    def test_absent_when_off(self):
        plain, acting = random_model(), random_model(self.with_actions)
        extra = set(acting.state_dict()) - set(plain.state_dict())
        assert extra and all(name.startswith("action_embedder.") for name in extra)
        acting.load_state_dict(plain.state_dict(), strict=False)
        latents, t, words = inputs()
        expected = plain(latents, t, plain.prepare_text(words))
        context = acting.prepare_text(words)
        assert torch.equal(acting(latents, t, context), expected)
        # its output layer starts at zero, so a model that gains it starts from what it was
        assert torch.equal(acting(latents, t, context, torch.randn(2, 3, 3)), expected)

    def test_action_of_a_frame_changes_the_result_once_trained(self):
        model = random_model(self.with_actions)
        torch.nn.init.normal_(model.action_embedder.linear_2.weight)
        latents, t, words = inputs()
        context, actions = model.prepare_text(words), torch.randn(2, 3, 3)
        other = actions.clone()
        other[0, 1] += 1
        change = (
            (model(latents, t, context, other) - model(latents, t, context, actions)).abs().amax((1, 2, 3, 4))
        )
        assert change[0] > 1e-3 and change[1] < 1e-4

    def test_refusals(self):
        latents, t, words = inputs()
        plain, acting = random_model(), random_model(self.with_actions)
        with pytest.raises(ValueError, match="action_size is None"):
            plain(latents, t, plain.prepare_text(words), torch.zeros(2, 3, 3))
        with pytest.raises(ValueError, match="4 frames"):
            acting(latents, t, acting.prepare_text(words), torch.zeros(2, 4, 3))


class TestRefusals:
    def test_indivisible_size(self):
        model = random_model()
        latents, t, words = inputs(size=(2, 5, 4))
        with pytest.raises(ValueError, match=r"\(2, 5, 4\).*\(1, 2, 2\)"):
            model(latents, t, model.prepare_text(words))

    def test_channels(self):
        model = random_model()
        _, t, words = inputs()
        with pytest.raises(ValueError, match=r"\[B, 16, f, h, w\]"):
            model(torch.zeros(2, 48, 1, 4, 4), t, model.prepare_text(words))

    def test_batch_of_the_context(self):
        model = random_model()
        latents, t, words = inputs()
        with pytest.raises(ValueError, match="1 samples does not fit 2"):
            model(latents, t, model.prepare_text(words[:1]))

    def test_shape_of_t(self):
        model = random_model()
        latents, _, words = inputs()
        with pytest.raises(ValueError, match="t has shape"):
            model(latents, torch.zeros(2, 3, 4, 6), model.prepare_text(words))

    def test_too_many_words(self):
        model = random_model()
        with pytest.raises(ValueError, match=r"0\.\.20"):
            model.prepare_text(torch.zeros(1, 21, 32))

    def test_picture_for_a_model_without_that_branch(self):
        with pytest.raises(ValueError, match="image_size is None"):
            random_model().prepare_text(torch.zeros(1, 2, 32), image_embeds=torch.zeros(1, 2, 8))

    def test_config(self):
        with pytest.raises(UsageError, match="num_heads 5"):
            replace(SMALL, num_heads=5)


class TestFolder:
    def test_round_trip_and_diffusers_reads_it(self, tmp_path):
        model = random_model(replace(SMALL, text_length=512))
        model.save(tmp_path)
        loaded = Transformer.load(tmp_path)
        assert loaded.config == model.config and not loaded.training
        latents, t, words = inputs()
        expected = model(latents, t, model.prepare_text(words))
        assert torch.equal(loaded(latents, t, loaded.prepare_text(words)), expected)
        reference, report = WanTransformer3DModel.from_pretrained(tmp_path, output_loading_info=True)
        assert not any(report.values())
        padded = torch.nn.functional.pad(words, (0, 0, 0, 507))
        assert relative_difference(reference(latents, 1000 * t, padded).sample, expected) < 1e-4

    def test_folder_of_diffusers_is_read(self, tmp_path):
        reference = WanTransformer3DModel(
            num_attention_heads=2, attention_head_dim=12, text_dim=8, freq_dim=8, ffn_dim=16, num_layers=1
        )
        reference.save_pretrained(tmp_path)
        state = Transformer.load(tmp_path).state_dict()
        assert all(torch.equal(tensor, state[name]) for name, tensor in reference.state_dict().items())

    def test_bf16_keeps_the_timestep_path_in_fp32(self, tmp_path):
        model = random_model()
        model.save(tmp_path, torch.bfloat16)
        assert {x.dtype for x in load_file(tmp_path / WEIGHTS_FILE).values()} == {torch.bfloat16}
        loaded = Transformer.load(tmp_path, dtype=torch.bfloat16)
        wide = {name for name, parameter in loaded.named_parameters() if parameter.dtype == torch.float32}
        assert wide and all("time_embedder" in name or "scale_shift_table" in name for name in wide)
        latents, t, words = inputs()
        actual = loaded(latents, t, loaded.prepare_text(words))
        assert actual.dtype == torch.float32
        assert relative_difference(actual, model(latents, t, model.prepare_text(words))) < 0.1

    @pytest.mark.parametrize("damage", ["missing", "extra", "shape"])
    def test_wrong_tensors_are_named(self, tmp_path, damage):
        random_model().save(tmp_path)
        tensors = load_file(tmp_path / WEIGHTS_FILE)
        if damage == "missing":
            del tensors["blocks.1.attn1.to_q.bias"]
        elif damage == "extra":
            tensors["blocks.1.attn1.to_q.bias2"] = torch.zeros(1)
        else:
            tensors["blocks.1.attn1.to_q.bias"] = torch.zeros(3)
        save_file(tensors, tmp_path / WEIGHTS_FILE)
        with pytest.raises(Failure, match=r"blocks\.1\.attn1\.to_q\.bias"):
            Transformer.load(tmp_path)

    def test_cut_file(self, tmp_path):
        random_model().save(tmp_path)
        path = tmp_path / WEIGHTS_FILE
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(Failure):
            Transformer.load(tmp_path)


def test_an_untrained_model_reads_words_rather_than_padding():
    torch.manual_seed(0)
    model = Transformer(replace(SMALL, text_length=96))
    words = torch.randn(1, 8, SMALL.text_size)
    block = model.blocks[0].attn2
    context = model.prepare_text(words)
    query = block.heads(block.norm_q(block.to_q(torch.randn(1, 20, SMALL.hidden_size)))).transpose(1, 2)
    scores = query @ context.text[0][0].transpose(-1, -2) / query.shape[-1] ** 0.5 + context.bias
    assert scores.softmax(-1)[..., -1].mean() < 0.5


@pytest.mark.skipif(native.why_not() is not None, reason=f"no kernels: {native.why_not()}")
def test_training_in_bfloat16_is_all_in_the_kernels_and_near_fp32(monkeypatch):
    config = replace(SMALL, num_heads=1, hidden_size=32, ffn_size=64)
    model = random_model(config).train().requires_grad_()
    latents, words = torch.randn(2, 16, 3, 4, 6), torch.randn(2, 5, 32)
    seen = []
    attended = attention._kernel_takes
    monkeypatch.setattr(attention, "_kernel_takes", lambda *given: seen.append(attended(*given)) or seen[-1])

    def gradients(narrow: bool) -> torch.Tensor:
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=narrow):
            out = model(latents, torch.tensor([0.2, 0.7]), model.prepare_text(words)).float()
        out.square().mean().backward()
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    exact = gradients(narrow=False)
    assert not any(seen)
    seen.clear()
    assert relative_difference(gradients(narrow=True), exact) < 0.05
    assert seen and all(seen)
