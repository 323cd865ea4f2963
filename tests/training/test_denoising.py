import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from worldloom.core.config import override
from worldloom.core.seed import numpy_generator
from worldloom.generate.folder import load_checkpoint
from worldloom.generate.pipeline import Pipeline
from worldloom.recipes.registry import recipe_named
from worldloom.training.denoising import Canvases
from worldloom.training.export import export
from worldloom.training.masking import MaskConfig
from worldloom.training.objective import Surroundings
from worldloom.training.parallel import Parallel
from worldloom.vae.autoencoder import Autoencoder

ALONE = Parallel(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def build(dit_run, dit_changes):
    """An objective on the finished run's caches, with parts of its recipe replaced."""

    def make(**parts):
        recipe = replace(override(recipe_named("dit_debug"), dit_changes), **parts)
        return recipe.build(Surroundings(dit_run, ALONE, 0, quiet=True))

    return make


@pytest.fixture(scope="module")
def objective(build):
    return build()


def video_step(objective, frames=9):
    return next(s for s in range(1000) if objective.plan.batch(s).shape[0] == frames)


def prepared(objective, step):
    batch = objective.plan.batch(step)
    return objective.prepare(batch, range(len(batch.indices)))


def test_a_batch_repeats_and_does_not_depend_on_who_prepares_it(objective):
    step = video_step(objective, 5)
    whole, again = prepared(objective, step), prepared(objective, step)
    assert all(torch.equal(a, b) for a, b in zip(vars(whole).values(), vars(again).values(), strict=True))
    batch = objective.plan.batch(step)
    second = objective.prepare(batch, [1])
    assert torch.equal(second.noise[0], whole.noise[1]) and torch.equal(second.t[0], whole.t[1])
    other = prepared(objective, step + objective.plan.batches_per_epoch)
    assert not torch.equal(other.noise[: len(whole.noise)][:1], whole.noise[:1])


def test_known_tokens_are_clean_and_weightless(build):
    first = build(
        mask=replace(MaskConfig(*[0.0] * 9), first=1.0, nothing=1e-9),
        noise=replace(recipe_named("dit_debug").noise, touched=0.0, subjects=1.0),
    )
    batch = prepared(first, video_step(first))
    assert (batch.t[:, 0] == 0).all() and (batch.weight[:, 0] == 0).all()
    assert (batch.t[:, 1:] > 0).all() and (batch.weight[:, 1:] == 1).all()
    assert all(len(sample[1:].unique()) == 1 for sample in batch.t)


def test_tokens_with_things_weigh_more(build):
    noise = recipe_named("dit_debug").noise
    nothing = replace(MaskConfig(*[0.0] * 9), nothing=1.0)
    plain = build(mask=nothing, noise=replace(noise, subjects=1.0))
    batch = prepared(plain, video_step(plain))
    assert (batch.weight == 1).all()
    weighed = build(mask=nothing, noise=replace(noise, subjects=4.0))
    weight = prepared(weighed, video_step(weighed)).weight
    assert weight.min() >= 1 and weight.max() <= 4 and weight.max() > 2 and weight.min() < 1.5


def test_a_dissolve_runs_from_a_sample_into_the_next(build):
    plain = build(mask=replace(MaskConfig(*[0.0] * 9), first=1.0, nothing=1e-9))
    dissolving = build(mask=replace(MaskConfig(*[0.0] * 9), dissolve=1.0, nothing=1e-9))
    step = video_step(plain)
    clips, mixed = prepared(plain, step).clean, prepared(dissolving, step)
    assert torch.equal(mixed.clean[:, :, 0], clips[:, :, 0])
    assert torch.equal(mixed.clean[:, :, -1], clips.roll(-1, 0)[:, :, -1])
    alone = dissolving.prepare(dissolving.plan.batch(step), [0])
    assert torch.equal(alone.clean[0], mixed.clean[0])


def test_levels_are_per_frame(build):
    levels = build(mask=replace(MaskConfig(*[0.0] * 9), levels=1.0, nothing=1e-9))
    batch = prepared(levels, video_step(levels))
    assert all(len(sample.unique()) == sample.shape[0] for sample in batch.t)
    assert (batch.t == batch.t[..., :1, :1]).all()


def test_known_tokens_do_not_enter_the_loss(objective):
    batch = prepared(objective, video_step(objective))
    weight = torch.ones_like(batch.weight)
    weight[:, 0] = 0
    masked = replace(batch, weight=weight)
    loss, _ = objective.loss(masked, 0)
    error = objective._error(masked)
    assert loss.item() == pytest.approx(error[:, 1:].mean().item(), rel=1e-5)


def test_error_of_an_untrained_model_is_that_of_zero_velocity(build):
    fresh = build()
    batch = prepared(fresh, video_step(fresh))
    error = fresh._error(batch)  # the last layer starts at zero
    expected = (batch.noise - batch.clean).square().mean(1)
    assert error.mean().item() == pytest.approx(expected.mean().item(), rel=1e-5)


def test_latents_are_standardised(objective):
    places = list(range(len(objective.data.manifest.samples)))
    by_shape = {}
    for place in places:
        by_shape.setdefault(objective.data.manifest.samples[place].shape, []).append(place)
    clips = [objective._latents(group, shape[0]).flatten(2).mean(2) for shape, group in by_shape.items()]
    assert torch.cat(clips).mean(0).abs().max() < 0.1


def test_captions_mix_and_are_dropped(objective, build):
    draw = objective.data.captions.draw
    texts = [objective.data.tokenizer.decode(draw(0, numpy_generator("c", n)).tolist()) for n in range(200)]
    chinese = sum("方块" in t for t in texts)
    assert 70 < chinese < 130 and len(set(texts)) == 12
    everywhere = build(noise=replace(objective.recipe.noise, drop_text=1.0, drop_known=1.0))
    batch = prepared(everywhere, video_step(everywhere))
    assert batch.lengths.tolist() == [1] * len(batch.lengths), "only </s> is left"


def test_moving_tokens_weigh_more(build):
    moving = build(noise=replace(recipe_named("dit_debug").noise, moving=3.0))
    clean = torch.zeros(1, 4, 3, 4, 6)
    clean[:, :, 1, :2, :2] = 2.0
    weight = moving._moving_weight(clean)
    assert weight.shape == (1, 3, 2, 3)
    assert weight[0, :, 0, 0].tolist() == [3, 3, 3] and weight[0, :, 1:].eq(1).all()


def test_more_training_brings_the_loss_down(build):
    objective = build()
    from worldloom.training.optimizer import Optimizer, OptimizerConfig

    optimizer = Optimizer(objective.module.named_parameters(), OptimizerConfig(), objective.plain)
    fixed: Canvases = prepared(objective, video_step(objective))
    losses = []
    for _ in range(40):
        loss, _ = objective.loss(fixed, 0)
        objective.module.zero_grad()
        loss.backward()
        optimizer.step(1.0)
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_the_run_holds_a_checkpoint_that_generates(dit_run):
    pipeline = Pipeline.from_pretrained(dit_run / "ema")
    assert pipeline.card.sizes[0] in ((48, 32), (32, 32)) and set(pipeline.card.num_frames) == {1, 5, 9}
    width, height = pipeline.card.sizes[0]
    clip = pipeline.generate("a red square moves", num_frames=9, seed=1, steps=2)
    assert clip.frames.shape == (9, height, width, 3)
    assert np.ptp(clip.frames) > 0


def test_export_writes_half_size_weights_that_load(dit_run, vae_run, tmp_path):
    target = export(
        dit_run / "ema", tmp_path / "out", "small", "a test model", "# small\n", vae=vae_run / "ema" / "vae"
    )
    card = json.loads((target / "worldloom.json").read_text())
    assert card["name"] == "small" and card["recipe"] == "dit_debug"
    engine = load_checkpoint(target, torch.device("cpu"), torch.float32)
    source = load_checkpoint(dit_run / "ema", torch.device("cpu"), torch.float32)
    for ours, theirs in zip(engine.transformer.parameters(), source.transformer.parameters(), strict=True):
        assert torch.equal(ours, theirs.bfloat16().float())
    sizes = [f / "transformer" / "diffusion_pytorch_model.safetensors" for f in (target, dit_run / "ema")]
    assert sizes[0].stat().st_size < 0.6 * sizes[1].stat().st_size
    assert torch.equal(engine.vae.latents_std, source.vae.latents_std)


def test_statistics_are_measured_once_and_kept(dit_run):
    vae = Autoencoder.load(dit_run / "vae")
    assert not (vae.latents_std == 1).all()
    again = Autoencoder.load(dit_run / "ema" / "vae")
    assert torch.equal(vae.latents_std, again.latents_std) and torch.equal(
        vae.latents_mean, again.latents_mean
    )


def test_a_caption_too_long_for_the_transformer_keeps_its_end_mark(objective):
    most = objective.transformer.config.text_length
    fitting = objective._fitting(np.arange(most + 9))
    assert len(fitting) == most and fitting[-1] == most + 8 and fitting[-2] == most - 2
    short = np.arange(most)
    assert objective._fitting(short) is short


def test_colours_and_ways_are_learnt_from_the_truth_and_left_behind(build, tmp_path):
    objective = build(noise=replace(recipe_named("dit_debug").noise, naming=0.5, following=0.5))
    step = video_step(objective)
    batch = prepared(objective, step)
    things = batch.colours > 0
    assert things.any() and not things.all()
    assert batch.moved[things].abs().max() > 0.1
    loss, figures = objective.loss(batch, step)
    loss.backward()
    reader = objective.naming.reader.weight
    assert reader.grad is not None and reader.grad.abs().sum() > 0
    # Fresh blocks change nothing and the last layer is zero, so that velocities do not reach the first one yet.
    first = objective.transformer.patch_embedding.weight.grad
    assert first is not None and first.abs().sum() > 0
    plain, unasked = build().loss(prepared(build(), step), step)
    assert set(figures) - set(unasked) == {"naming", "following"}
    asked = 0.5 * float(figures["naming"] + figures["following"])
    assert loss.item() == pytest.approx(plain.item() + asked, rel=1e-4)
    optimizer = torch.optim.Adam(objective.module.parameters(), 1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        objective.loss(batch, step)[0].backward()
        optimizer.step()
    learnt = objective.loss(batch, step)[1]
    assert all(learnt[name] < 0.7 * figures[name] for name in ("naming", "following"))
    objective.write_weights(tmp_path / "weights")
    Pipeline.from_pretrained(tmp_path / "weights")
