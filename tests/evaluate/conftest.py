import pytest

from tests.evaluate.shapes import FAMILIES, drawn
from worldloom.evaluate.judge import Judge, JudgeConfig
from worldloom.evaluate.judge_training import JudgeTraining, train_judge

CONFIG = JudgeConfig(FAMILIES, channels=(16, 16, 32), hidden=32)
TRAINING = JudgeTraining(map_steps=200, map_minutes=0, steps=150, minutes=0, map_lr=8e-3, lr=4e-3)


@pytest.fixture(scope="session")
def judge() -> Judge:
    return train_judge([drawn(number) for number in range(48)], CONFIG, TRAINING)
