import numpy as np
import pytest

from worldloom.evaluate.distances import frechet, half_sample_interval, mean_pairwise, mmd


def normal(count: int, dimensions: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (count, dimensions))


def test_frechet_of_identical_sets_is_zero() -> None:
    features = normal(50, 6, seed=0)
    assert frechet(features, features) == pytest.approx(0, abs=1e-6)
    assert frechet(features, features + 2.0) == pytest.approx(6 * 4.0)


def test_frechet_of_gaussians_is_the_closed_form() -> None:
    found = frechet(normal(2000, 3, 1), normal(2000, 3, 2, shift=0.5, scale=2.0))
    # |shift|^2 + the sum of (s1 - s2)^2 over dimensions.
    assert found == pytest.approx(3 * 0.25 + 3 * 1.0, rel=0.1)


def test_frechet_knows_correlations() -> None:
    one = normal(1500, 2, 3)
    two = one @ np.array([[1.0, 0.0], [0.9, np.sqrt(1 - 0.81)]]).T
    # tr(C1 + C2 - 2 (C1 C2)^(1/2)) for unit variances and correlation r: 4 - 2 (sqrt(1 + r) + sqrt(1 - r)).
    assert frechet(one, two) == pytest.approx(4 - 2 * (np.sqrt(1.9) + np.sqrt(0.1)), rel=0.1)


def test_mmd_is_zero_on_average_for_one_distribution() -> None:
    values = [mmd(normal(40, 5, seed), normal(40, 5, seed + 1000)) for seed in range(200)]
    assert abs(np.mean(values)) < 2.5 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0


def test_mmd_grows_as_the_kernel_says() -> None:
    far = mmd(normal(2000, 4, 5), normal(2000, 4, 6, shift=1.0))
    # With k(x, y) = (x.y / D + 1)^2, MMD^2 = 2 |m|^2 / D + the squared norm of the second moments' difference / D^2:
    # moments differ by 1 in all D^2 entries, so 2 + 1.
    assert far == pytest.approx(3.0, rel=0.1)


def test_intervals_hold_the_distance_and_repeat() -> None:
    one, two = normal(60, 3, 7), normal(60, 3, 8, shift=0.4)
    interval = half_sample_interval(mmd, one, two)
    assert interval is not None and interval == half_sample_interval(mmd, one, two)
    assert interval[0] < mmd(one, two) < interval[1]
    assert half_sample_interval(mmd, one[:3], two) is None


def test_half_samples_spread_as_new_sets_do() -> None:
    def mean_gap(first: np.ndarray, second: np.ndarray) -> float:
        return float(first.mean() - second.mean())

    interval = half_sample_interval(mean_gap, normal(200, 1, 9), normal(200, 1, 10))
    assert interval is not None
    assert interval[1] - interval[0] == pytest.approx(2 * 1.96 * np.sqrt(2 / 200), rel=0.25)


def test_pairwise_distance_is_per_dimension() -> None:
    assert mean_pairwise(np.array([[0.0] * 4, [2.0] * 4])) == pytest.approx(2.0)
    assert mean_pairwise(np.ones((3, 4))) == 0
    with pytest.raises(ValueError, match="2 vectors, not 1"):
        mean_pairwise(np.ones((1, 4)))


def test_refuses_sets_without_a_spread() -> None:
    for distance in (frechet, mmd):
        with pytest.raises(ValueError, match="not 1 and 5"):
            distance(np.ones((1, 2)), np.ones((5, 2)))
