from dataclasses import replace

import pytest
import torch

from tests.training.test_denoising import ALONE, video_step
from worldloom.core.checkpoint import save_tensors
from worldloom.core.config import override
from worldloom.core.error import UsageError
from worldloom.core.weights import Weights, find_weights
from worldloom.dit.lora import difference
from worldloom.dit.model import Transformer
from worldloom.generate.pipeline import Pipeline
from worldloom.recipes.command import train
from worldloom.recipes.registry import recipe_named
from worldloom.training.distilling import StepsConfig
from worldloom.training.objective import Surroundings


@pytest.fixture(scope="module")
def changes(dit_changes, dit_run):
    return dit_changes | {"start_from": str(dit_run / "ema")}


@pytest.fixture
def objective(changes, tmp_path):
    recipe = override(recipe_named("dit_fast_debug"), changes | {"few.teacher_steps": "2"})
    objective = recipe.build(Surroundings(tmp_path, ALONE, 0, quiet=True))
    with torch.no_grad():  # a run of eight steps hardly hears its prompts
        for parameter in objective.teacher.parameters():
            parameter.normal_(std=0.2, generator=torch.Generator().manual_seed(parameter.numel()))
        objective.transformer.load_state_dict(objective.teacher.state_dict())
    return objective


def prepared(objective):
    batch = objective.plan.batch(video_step(objective))
    return objective.prepare(batch, range(len(batch.indices)))


def test_unknown_tokens_begin_a_step_of_the_student(objective):
    canvases = prepared(objective)
    unknown = canvases.weight > 0
    assert unknown.any() and set(canvases.t[unknown].tolist()) <= set(objective.levels[::2][:-1].tolist())
    assert (canvases.t[~unknown] <= 0.1).all()
    assert len(objective.levels) == 4 * 2 + 1 and objective.levels[0] == 1 and objective.levels[-1] == 0


def test_a_share_of_samples_begins_where_the_students_own_steps_lead(objective):
    """Each by as many Euler steps from pure noise as lie before it, whatever those beside it need."""
    with torch.no_grad():
        objective.transformer.proj_out.bias += 0.3  # so that it is not its teacher
    canvases = prepared(objective)
    count = len(canvases.t)
    assert count >= 3
    begins, own = [2, 0, *[1] * (count - 2)], [True, True, False, *[True] * (count - 3)]
    canvases = objective._at(canvases, begins, own)
    context = objective._context(objective.transformer, canvases.ids, canvases.lengths)
    begin = objective._students_begin(canvases, context)
    assert not begin.requires_grad
    cells = objective._cells((canvases.weight > 0).float()).bool().expand_as(begin)
    given = torch.lerp(canvases.clean, canvases.noise, objective._cells(canvases.t))
    assert torch.equal(begin[~cells], given[~cells])
    assert torch.allclose(begin[2], given[2], atol=1e-6)
    assert torch.equal(begin[1][cells[1]], canvases.noise[1][cells[1]])
    level, following = objective.levels[0], objective.levels[2]
    unknown = canvases.weight > 0
    x = torch.where(cells, canvases.noise, given)
    for _ in range(2):
        with torch.no_grad():
            answer = objective.transformer(x, torch.where(unknown, level, canvases.t), context)
        x = torch.where(cells, x - (level - following) * answer, x)
        level, following = following, objective.levels[4]
    assert torch.allclose(begin[0], x[0], atol=1e-4) and not torch.allclose(begin[0], given[0], atol=1e-2)


def test_nobody_begins_by_itself_where_none_is_to(objective):
    objective.few = replace(objective.few, own=0.0)
    assert not prepared(objective).own.any()
    objective.few = replace(objective.few, own=1.0)
    assert prepared(objective).own.all()


def test_the_teacher_takes_guided_steps_to_the_next_of_the_students(objective):
    canvases = objective._at(objective._judged(objective.heldout[0], objective.heldout[0], 0.5), [1], [False])
    x = torch.lerp(canvases.clean, canvases.noise, objective._cells(canvases.t))
    end, t = objective._teachers_end(x, canvases)
    assert (t == objective.levels[4]).all()
    told = objective._context(objective.teacher, canvases.ids, canvases.lengths)
    ids, lengths = objective.data.tokenizer.pad([objective.empty.tolist()])
    untold = objective._context(objective.teacher, ids, lengths)
    for here, there in zip(objective.levels[2:4], objective.levels[3:5], strict=True):
        level = torch.full_like(canvases.t, float(here))
        with torch.no_grad():
            with_words, without = (objective.teacher(x, level, words) for words in (told, untold))
        x = x - (here - there) * (without + objective.few.guidance_scale * (with_words - without))
    assert torch.allclose(end, x, atol=1e-4)


def test_the_teacher_goes_by_the_sampler_that_is_asked_for(objective, monkeypatch):
    """Along dx/dt = 2 x, whose end is known; what is given stays to the bit."""
    monkeypatch.setattr(objective.teacher, "forward", lambda x, t, words: 2 * x)
    canvases = prepared(objective)
    canvases = objective._at(canvases, [1] * len(canvases.t), [False] * len(canvases.t))
    x = torch.lerp(canvases.clean, canvases.noise, objective._cells(canvases.t))
    known = objective._cells((canvases.weight == 0).float()).expand_as(x) > 0

    def error(sampler):
        objective.few = replace(objective.few, sampler=sampler)
        end, reached = objective._teachers_end(x, canvases)
        assert torch.equal(end[known], x[known])
        exact = x * torch.exp(2 * objective._cells(reached - canvases.t))
        return float((end - exact).norm())

    assert error("heun") < 0.5 * error("euler")


def test_a_student_that_does_as_its_teacher_has_no_error(objective):
    """With one step of the teacher's for one of the student's, unguided, both are the same."""
    objective.few = replace(objective.few, teacher_steps=1, guidance_scale=1.0)
    objective.levels = objective.levels[::2]
    assert objective._error(prepared(objective)).max() < 1e-6
    with torch.no_grad():
        objective.transformer.proj_out.bias += 1
    error = objective._error(prepared(objective))
    assert float(error.detach()[prepared(objective).weight > 0].min()) == pytest.approx(1, rel=1e-3)
    assert not error[prepared(objective).weight == 0].any()


def test_guidance_is_learnt(objective):
    losses = []
    optimizer = torch.optim.Adam(objective.transformer.parameters(), lr=2e-3)
    for step in range(12):
        loss, figures = objective.loss(prepared(objective), step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(figures["mse"]))
    assert losses[-1] < 0.6 * losses[0]
    assert not any(parameter.requires_grad for parameter in objective.teacher.parameters())


def test_a_run_ends_in_weights_of_four_steps(changes, tmp_path):
    train("dit_fast_debug", changes, tmp_path / "run", quiet=True)
    pipeline = Pipeline.from_pretrained(tmp_path / "run" / "ema")
    sampling = pipeline.card.sampling
    assert (sampling.num_steps, sampling.guidance_scale, sampling.sampler) == (4, 1.0, "euler")
    assert len(pipeline.generate("a red square", num_frames=5, seed=1).frames) == 5


def test_a_student_begins_with_what_an_earlier_one_learnt(changes, tmp_path, dit_run):
    """With what an adapter keeps of it: most of the way from the teacher to the earlier student."""
    train("dit_fast_debug", changes, tmp_path / "run", quiet=True)
    weights = [
        Weights(find_weights(folder / "ema" / "transformer")) for folder in (dit_run, tmp_path / "run")
    ]
    tensors: dict[str, torch.Tensor] = {}
    for name in weights[0].info:
        tensors |= difference(*weights, name, rank=12, dtype=torch.float32)
    save_tensors(tmp_path / "fast.safetensors", tensors, {"format": "pt"})
    recipe = override(
        recipe_named("dit_fast_debug"), changes | {"few.adapter": str(tmp_path / "fast.safetensors")}
    )
    objective = recipe.build(Surroundings(tmp_path, ALONE, 0, quiet=True))
    earlier = Transformer.load(tmp_path / "run" / "ema" / "transformer", dtype=torch.float32)
    teacher = Transformer.load(dit_run / "ema" / "transformer", dtype=torch.float32)
    left = gone = 0.0
    for name, parameter in objective.transformer.named_parameters():
        own = teacher.get_parameter(name)
        assert torch.equal(objective.teacher.get_parameter(name), own)
        left += float((parameter - earlier.get_parameter(name)).detach().square().sum())
        gone += float((earlier.get_parameter(name) - own).detach().square().sum())
    assert 0 < left < 0.5 * gone


def test_nonsense_is_refused(changes, tmp_path):
    with pytest.raises(UsageError, match="needs a teacher"):
        override(recipe_named("dit_fast_debug"), changes | {"start_from": ""}).build(
            Surroundings(tmp_path, ALONE, 0, quiet=True)
        )
    with pytest.raises(UsageError, match="student of 0 steps"):
        StepsConfig(steps=0)
    with pytest.raises(UsageError, match=r"share of 1\.5 of samples"):
        StepsConfig(own=1.5)
