import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from worldloom.core.config import override
from worldloom.core.error import UsageError
from worldloom.data.manifest import Manifest
from worldloom.dit.model import Transformer
from worldloom.recipes.command import train
from worldloom.recipes.registry import recipe_named
from worldloom.text.encoder import TextEncoder
from worldloom.text.tokenizer import Tokenizer
from worldloom.training.denoising import Denoising
from worldloom.training.objective import Surroundings
from worldloom.training.parallel import Parallel
from worldloom.training.parts import some_captions
from worldloom.training.questions import NOTHING, Questions, answers_of

ALONE = Parallel(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def changes(folder, tmp_path_factory):
    return {"data.folders": str(folder), "data.cache": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture(scope="module")
def run(changes, tmp_path_factory):
    """A run long enough to learn four colours in two languages."""
    run = tmp_path_factory.mktemp("runs") / "text_debug"
    longer = {
        "schedule.steps": "120",
        "data.batch": "16",
        "optimizer.learning_rate": "0.004",
        "data.evaluated": "9",
    }
    train("text_debug", changes | longer, run, quiet=True)
    return run


@pytest.fixture(scope="module")
def objective(run, changes):
    return override(recipe_named("text_debug"), changes).build(Surroundings(run, ALONE, 0, quiet=True))


def built(changes: dict[str, str], run: Path) -> Denoising:
    """The objective of a toy transformer in a new run folder."""
    run.mkdir()
    return override(recipe_named("dit_debug"), changes).build(Surroundings(run, ALONE, 0, quiet=True))


def test_the_answers_are_those_of_each_take(folder):
    manifest = Manifest.load([folder])
    questions = Questions.gather(manifest, quiet=True)
    by_name = dict(zip(questions.names, questions.answers, strict=True))
    assert by_name["colour 1"] == ("blue", "green", "red", "white") and by_name["colour 2"] == (NOTHING,)
    assert by_name["outcome"] == ("square: moved",)
    assert questions.table.shape == (len(manifest.samples), len(questions.names))
    assert by_name["colour of the square"] == by_name["colour 1"]
    bound = questions.names.index("colour of the square")
    assert questions.binding[:, bound].all() and questions.binding.sum() == len(questions.table)
    assert not questions.general[bound] and questions.general.sum() == len(questions.names) - 1
    column = questions.names.index("colour 1")
    assert len(set(questions.table[:, column])) > 2


def test_two_of_a_kind_are_not_asked_for_one_colour():
    look = {"floor": "wood", "mood": "noon", "camera_move": "still"}
    things = [
        {"noun": noun, "colour": colour}
        for noun, colour in (("ball", "red"), ("ball", "blue"), ("cup", "green"))
    ]
    facts = {"outcome": "falls", "details": {"direction": "left"}}
    truth = {"family": "pour", "look": look, "facts": facts, "objects": things}
    answers = answers_of(truth, ["ball", "cup", "egg"])
    assert [answers[f"colour of the {noun}"] for noun in ("ball", "cup", "egg")] == [
        NOTHING,
        "green",
        NOTHING,
    ]
    assert answers["colour 2"] == "blue" and answers["material 1"] == NOTHING
    assert (answers["things"], answers["of a kind"], answers["direction"]) == ("3", "2", "left")


def test_pressing_questions_add_to_the_loss(objective, run, changes):
    recipe = override(recipe_named("text_debug"), changes)
    batch = objective.prepare(objective.plan.batch(3), range(3))
    alike = replace(recipe, pressing=()).build(Surroundings(run, ALONE, 0, quiet=True))
    alike.module.load_state_dict(objective.module.state_dict())
    with torch.no_grad():
        pressed, plain = objective.loss(batch, 0)[0], alike.loss(batch, 0)[0]
        logits, _ = objective._read(batch)
    names = [name for name, asked in zip(objective.questions.names, objective.pressing, strict=True) if asked]
    assert names == ["camera", "outcome", "direction", "things", "of a kind"]
    asked = [n for n, name in enumerate(objective.questions.names) if name in names]
    told = torch.stack([F.cross_entropy(logits[n], batch.answers[:, n]) for n in asked]).mean()
    assert pressed.item() == pytest.approx(plain.item() + told.item(), rel=1e-4)
    with pytest.raises(UsageError, match="no question 'weather'; there are family, floor"):
        replace(recipe, pressing=("weather",)).build(Surroundings(run, ALONE, 0, quiet=True))


def test_it_learns_to_read_both_languages(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    held_out = {line["name"]: line["value"] for line in lines if line.get("name", "").startswith("held-out/")}
    assert held_out["held-out/en/colour 1"] > 0.8 and held_out["held-out/zh/colour 1"] > 0.8
    assert held_out["held-out/en/bound"] > 0.8 and held_out["held-out/zh/bound"] > 0.8


def test_captions_of_a_batch_are_of_one_length_and_the_same_again(objective):
    batch = objective.plan.batch(3)
    once, again = (objective.prepare(batch, range(len(batch.indices))) for _ in range(2))
    assert torch.equal(once.ids, again.ids) and torch.equal(once.said, again.said)
    texts = [
        objective.tokenizer.decode(row[:n].tolist()) for row, n in zip(once.ids, once.lengths, strict=True)
    ]
    assert len({text.count("over the floor") + text.count("在地板上") for text in texts}) == 1


def test_what_it_writes_is_read_and_held_still_by_a_transformers_run(run, dit_changes, tmp_path):
    read = tmp_path / "run"
    changes = dit_changes | {"data.text": str(run / "ema"), "schedule.steps": "2"}
    train("dit_debug", changes, read, quiet=True)
    learnt, used = (TextEncoder.load(folder / "ema" / "text_encoder") for folder in (run, read))
    for name, tensor in learnt.state_dict().items():
        assert torch.equal(tensor, used.state_dict()[name]), name
    assert Tokenizer.load(read / "tokenizer").vocab_size == Tokenizer.load(run / "tokenizer").vocab_size


def test_a_transformer_whose_encoder_had_other_tokens_reads_anew(changes, dit_run, dit_changes, tmp_path):
    other = tmp_path / "other"
    train("text_debug", changes | {"data.vocab_size": "1500", "schedule.steps": "2"}, other, quiet=True)
    new = built(
        dit_changes | {"data.text": str(other / "ema"), "start_from": str(dit_run / "ema")}, tmp_path / "new"
    )
    knew = Transformer.load(dit_run / "ema" / "transformer", dtype=torch.float32)
    block, known = new.transformer.blocks[0], knew.blocks[0]
    assert torch.equal(block.attn1.to_q.weight, known.attn1.to_q.weight)
    assert not block.attn2.to_out[0].weight.any() and known.attn2.to_out[0].weight.any()


def test_a_transformer_that_knew_this_encoder_reads_on(run, dit_changes, tmp_path):
    reads = dit_changes | {"data.text": str(run / "ema")}
    train("dit_debug", reads | {"schedule.steps": "2"}, tmp_path / "first", quiet=True)
    following = built(reads | {"start_from": str(tmp_path / "first" / "ema")}, tmp_path / "next")
    assert following.transformer.blocks[0].attn2.to_out[0].weight.any()


@pytest.fixture(scope="module")
def longer(run, changes, tmp_path_factory):
    """A run in which the encoder of `run` learns on."""
    longer = tmp_path_factory.mktemp("runs") / "longer"
    more = {"start_from": str(run / "ema"), "schedule.steps": "10", "data.batch": "16"}
    train("text_debug", changes | more, longer, quiet=True)
    return longer


def test_an_encoder_learns_on_from_where_it_was(run, longer):
    before, after = (
        TextEncoder.load(folder / "ema" / "text_encoder").state_dict() for folder in (run, longer)
    )
    assert any(not torch.equal(tensor, after[name]) for name, tensor in before.items())
    for name, tensor in before.items():
        assert (tensor - after[name]).norm() < 0.3 * tensor.norm(), name
    assert (longer / "tokenizer" / "tokenizer.json").read_bytes() == (
        run / "tokenizer" / "tokenizer.json"
    ).read_bytes()


def test_an_encoder_of_other_sizes_does_not_learn_on(run, changes, tmp_path):
    more = {"start_from": str(run / "ema"), "text.num_layers": "3"}
    with pytest.raises(UsageError, match="num_layers=3"):
        train("text_debug", changes | more, tmp_path / "run", quiet=True)


def test_the_words_of_another_encoder_are_translated(run, changes, dit_changes, tmp_path):
    """A stranger to the transformer's encoder that reads the same tokens, from other first weights."""
    stranger, first = tmp_path / "stranger", tmp_path / "first"
    more = {
        "data.tokenizer": str(run / "ema"),
        "schedule.steps": "60",
        "data.batch": "16",
        "trainer.seed": "9",
    }
    train("text_debug", changes | more | {"optimizer.learning_rate": "0.004"}, stranger, quiet=True)
    train(
        "dit_debug", dit_changes | {"data.text": str(run / "ema"), "schedule.steps": "2"}, first, quiet=True
    )
    new = built(
        dit_changes | {"data.text": str(stranger / "ema"), "start_from": str(first / "ema")},
        tmp_path / "next",
    )
    knew = Transformer.load(first / "ema" / "transformer", dtype=torch.float32)
    assert new.transformer.blocks[0].attn2.to_out[0].weight.any()

    ids, lengths = new.data.tokenizer.pad(some_captions(new.data)[:20])
    known = TextEncoder.load(run / "ema" / "text_encoder", dtype=torch.float32)
    words = torch.arange(ids.shape[1]) < lengths[:, None]
    with torch.no_grad():
        ours, theirs = (encoder(ids, lengths)[words] for encoder in (new.text_encoder, known))
        reads = knew.condition_embedder.text_embedder.linear_1
        wanted = reads(theirs)
        translated = new.transformer.condition_embedder.text_embedder.linear_1(ours)
        error = (translated - wanted).square().mean() / wanted.var()
        untranslated = (reads(ours) - wanted).square().mean() / wanted.var()
    assert error < 0.5 * untranslated and error < 0.5


def test_a_folder_without_a_text_encoder_is_refused(dit_changes, tmp_path):
    with pytest.raises(UsageError, match="text"):
        train("dit_debug", dit_changes | {"data.text": str(tmp_path)}, tmp_path / "run", quiet=True)
