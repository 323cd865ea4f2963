"""A small caption grammar in both languages, and the tokenizer trained on it."""

import itertools

import pytest

from worldloom.text.tokenizer import Tokenizer, train_tokenizer

COLOURS = {"red": "红色", "blue": "蓝色", "green": "绿色", "white": "白色"}
OBJECTS = {"ball": "球", "box": "箱子", "car": "汽车", "domino": "多米诺骨牌"}
MOTIONS = {"rolls down the ramp": "从斜坡上滚下来", "falls and breaks": "落下并摔碎", "slid away": "滑行离开"}


def captions() -> list[str]:
    texts = []
    for (colour, 色), (thing, 物), (motion, 动) in itertools.product(
        COLOURS.items(), OBJECTS.items(), MOTIONS.items()
    ):
        texts.append(f"A {colour} {thing} {motion}; the camera pushes in slowly.")
        texts.append(f"一个{色}的{物}{动}，镜头缓慢推近。")
    return texts


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train_tokenizer(captions())
