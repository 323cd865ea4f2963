import numpy as np

from worldloom.evaluate.gallery import EACH, prompts_of, run_gallery


def test_five_prompts_of_every_family_with_seeds_from_nought() -> None:
    families = ("bounce", "ramp")
    asked: list[tuple[str, int]] = []

    def paint(prompt: str, seed: int) -> np.ndarray:
        asked.append((prompt, seed))
        return np.zeros((2, 8, 8, 3), np.uint8)

    result = run_gallery(paint, "tiny", 9, families=families, quiet=True)
    assert [seed for _, seed in asked] == list(range(EACH)) * len(families)
    assert list(result.sheets) == list(families) and len(result.cases) == EACH * len(families)
    assert [prompt for prompt, _ in asked[:EACH]] == prompts_of("bounce", 9)
    assert all(prompt.isascii() for prompt, _ in asked)
