import pytest

from tests.evaluate.shapes import FAMILIES, drawn
from worldloom.evaluate.judge import Judge, JudgeConfig
from worldloom.evaluate.judge_training import JudgeTraining, train_judge

CONFIG = JudgeConfig(FAMILIES, channels=(16, 16, 32), hidden=32)
TRAINING = JudgeTraining(steps=100, minutes=0, clips=8, lr=8e-3)


@pytest.fixture(scope="session")
def judge() -> Judge:
    return train_judge([drawn(number) for number in range(48)], CONFIG, TRAINING)
