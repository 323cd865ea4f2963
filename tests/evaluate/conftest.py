import pytest

from tests.evaluate.shapes import FAMILIES, drawn
from worldloom.evaluate.judge import Judge, JudgeConfig
from worldloom.evaluate.judge_training import JudgeTraining, train_judge
from worldloom.worlds.look import COLOURS

CONFIG = JudgeConfig(FAMILIES, tuple(COLOURS), channels=(16, 16, 32))
TRAINING = JudgeTraining(steps=80, minutes=0, clips=8, frames=2, lr=1e-2)


@pytest.fixture(scope="session")
def judge() -> Judge:
    return train_judge([drawn(number) for number in range(48)], CONFIG, TRAINING)
