"""Sizes as people write them, and refusals that name what would do."""

import pytest

from worldloom.core.error import UsageError
from worldloom.generate.size import Size, check_size, nearest_sizes, parse_size

TRAINED = [Size(128, 128), Size(160, 96), Size(96, 160)]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1280x720", (1280, 720)),
        ("1280*720", (1280, 720)),
        (" 96 X 160 ", (96, 160)),
        ("160×96", (160, 96)),
        ("480p", (832, 480)),
        ("720P", (1280, 720)),
        ("1080p", (1920, 1080)),
        ((160, 96), (160, 96)),
    ],
)
def test_parse(text: str | tuple[int, int], size: tuple[int, int]) -> None:
    assert parse_size(text) == Size(*size)


@pytest.mark.parametrize(
    "text", ["", "big", "128", "0x128", "128x0", "-1x5", "99999x10", "1e2x3", "128x128x3", "1.5x2"]
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(UsageError, match="size"):
        parse_size(text)


def test_nearest_prefers_the_aspect() -> None:
    assert nearest_sizes(Size(1280, 720), TRAINED)[0] == Size(160, 96)
    assert nearest_sizes(Size(720, 1280), TRAINED)[0] == Size(96, 160)
    assert nearest_sizes(Size(64, 60), TRAINED)[0] == Size(128, 128)


def test_untrained_size_is_refused_with_the_nearest_named() -> None:
    with pytest.raises(UsageError, match=r"256x144.*160x96 or 128x128.*--force-size"):
        check_size(Size(256, 144), TRAINED, (16, 16))
    assert check_size(Size(256, 144), TRAINED, (16, 16), force=True) == Size(256, 144)


def test_forced_size_must_be_made_of_whole_tokens() -> None:
    with pytest.raises(UsageError, match=r"multiple of 16.*nearest: 16x16"):
        check_size(Size(7, 7), TRAINED, (16, 16), force=True)
