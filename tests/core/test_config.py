"""Configs: there and back without loss, and no typo goes unnoticed."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldloom.core.config import from_dict, override, to_dict
from worldloom.core.error import UsageError


@dataclass(frozen=True)
class Optimizer:
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.95)
    kind: Literal["adamw", "muon"] = "adamw"


@dataclass(frozen=True)
class Model:
    patch_size: tuple[int, int, int] = (1, 2, 2)
    widths: tuple[int, ...] = (64, 128)
    action_size: int | None = None
    causal: bool = True


@dataclass(frozen=True)
class Run:
    name: str = "tiny"
    seed: int = 0
    folder: Path = Path("runs")
    resume_from: str | None = None
    optimizer: Optimizer = Optimizer()
    models: tuple[Model, ...] = (Model(),)
    teacher: Model | None = None
    mix: dict[str, float] = field(default_factory=lambda: {"clip": 0.5})


RUNS = st.builds(
    Run,
    name=st.text(),
    seed=st.integers(),
    folder=st.sampled_from([Path("a"), Path("/b/c")]),
    resume_from=st.none() | st.text(),
    optimizer=st.builds(
        Optimizer,
        lr=st.floats(allow_nan=False, allow_infinity=False),
        kind=st.sampled_from(["adamw", "muon"]),
    ),
    models=st.lists(st.builds(Model, widths=st.lists(st.integers()).map(tuple)), max_size=3).map(tuple),
    teacher=st.none() | st.builds(Model, action_size=st.none() | st.integers()),
)


@given(RUNS)
def test_round_trip_through_json(run):
    assert from_dict(Run, json.loads(json.dumps(to_dict(run)))) == run


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((), {"sede": 1}, "Run has unknown fields sede; allowed: name, seed"),
        (
            ("optimizer",),
            {"learning_rate": 1},
            "Run.optimizer has unknown fields learning_rate; allowed: lr, betas",
        ),
        ((), {"seed": "7"}, "Run.seed is '7'; it must be of type int"),
        ((), {"seed": True}, "Run.seed is True; it must be of type int"),
        ((), {"seed": 1.0}, "Run.seed is 1.0; it must be of type int"),
        ((), {"name": None}, "Run.name is None; it must be of type str"),
        ((), {"resume_from": 3}, "Run.resume_from is 3; it must be str or null"),
        ((), {"optimizer": 3}, "Run.optimizer must be a mapping"),
        ((), {"mix": {"clip": "x"}}, "Run.mix.clip is 'x'; it must be of type float"),
        (("optimizer",), {"kind": "sgd"}, "Run.optimizer.kind is 'sgd'; allowed: 'adamw', 'muon'"),
        (("optimizer",), {"betas": [0.9]}, "Run.optimizer.betas has 1 entries; it must have 2"),
        (("optimizer",), {"betas": "0.9"}, "Run.optimizer.betas is '0.9'; it must be a list"),
        (("models", 0), {"widths": [1, "2"]}, r"Run.models\[0\].widths\[1\] is '2'"),
        ((), {"teacher": {"depth": 1}}, "Run.teacher has unknown fields depth"),
    ],
)
def test_wrong_values_are_named(path, value, message):
    values = to_dict(Run())
    place = values
    for key in path:
        place = place[key]
    place.update(value)
    with pytest.raises(UsageError, match=message):
        from_dict(Run, values)


def test_missing_keys_are_named():
    values = to_dict(Run())
    del values["seed"], values["optimizer"]["lr"]
    with pytest.raises(UsageError, match="Run lacks the fields seed; allowed"):
        from_dict(Run, values)
    with pytest.raises(UsageError, match=r"Run.optimizer lacks the fields lr; allowed"):
        from_dict(Run, values | {"seed": 0})


@pytest.mark.parametrize(
    ("dotted", "text", "value"),
    [
        ("optimizer.lr", "3e-4", 3e-4),
        ("optimizer.lr", "1", 1.0),
        ("optimizer.kind", "muon", "muon"),
        ("optimizer.betas", "0.8,0.9", (0.8, 0.9)),
        ("optimizer.betas", "[0.8, 0.9]", (0.8, 0.9)),
        ("seed", "-3", -3),
        ("name", "7", "7"),
        ("folder", "/data/x", Path("/data/x")),
        ("resume_from", "none", None),
        ("resume_from", "runs/a", "runs/a"),
        ("mix", '{"still": 1}', {"still": 1.0}),
        ("teacher", "none", None),
    ],
)
def test_override_reads_text_by_annotation(dotted, text, value):
    run = override(Run(teacher=Model()), {dotted: text})
    found = run
    for name in dotted.split("."):
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("no", False), ("1", True), ("OFF", False)])
def test_override_reaches_inside_an_optional_group(text, value):
    assert override(Run(teacher=Model()), {"teacher.causal": text}).teacher.causal is value


def test_override_changes_nothing_else():
    changed = override(Run(), {"optimizer.lr": "0.5", "seed": "9"})
    assert changed == replace(Run(), optimizer=Optimizer(lr=0.5), seed=9)


@pytest.mark.parametrize(
    ("dotted", "text", "message"),
    [
        ("optimiser.lr", "1", "Run has no field 'optimiser'; allowed: name, seed"),
        ("optimizer.rate", "1", "Optimizer has no field 'rate'; allowed: lr, betas, kind"),
        ("seed", "1.5", "seed is '1.5'; it must be of type int"),
        ("optimizer.lr", "fast", "it must be of type float"),
        ("optimizer.lr", "nan", "it must be of type float"),
        ("optimizer.kind", "sgd", "allowed: 'adamw', 'muon'"),
        ("optimizer.betas", "1,2,3", "has 3 entries; it must have 2"),
        ("optimizer", "x", "is a group; set one of its fields: optimizer.lr"),
        ("seed.x", "1", "is a value without fields"),
        ("teacher.causal", "yes", "is a value without fields"),
    ],
)
def test_override_refuses(dotted, text, message):
    with pytest.raises(UsageError, match=message):
        override(Run(), {dotted: text})


def test_only_instances_have_values():
    with pytest.raises(TypeError, match="takes a dataclass instance"):
        to_dict(Run)
