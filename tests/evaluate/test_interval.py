import pytest

from worldloom.evaluate.interval import bootstrap_mean, wilson


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    # Newcombe 1998, table I (method 3), and the closed form at the ends.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_the_published_interval(successes: int, count: int, low: float, high: float) -> None:
    assert wilson(successes, count) == pytest.approx((low, high), abs=6e-5)


def test_wilson_at_the_ends() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(20, 20)[1] == 1.0 and wilson(20, 20)[0] == pytest.approx(1 - wilson(0, 20)[1])
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson(3, 2)


def test_bootstrap_holds_the_mean_and_repeats() -> None:
    values = [0.0, 0.5, 1.0, 1.0, 0.8, 0.9]
    low, high = bootstrap_mean(values)
    assert low < 0.7 < high and bootstrap_mean(values) == (low, high)
    assert bootstrap_mean([0.4] * 5) == pytest.approx((0.4, 0.4))
    assert bootstrap_mean([]) == (0.0, 1.0)
