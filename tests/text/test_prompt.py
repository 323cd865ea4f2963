import pytest
from diffusers.pipelines.wan import pipeline_wan

from worldloom.text.prompt import clean_prompt

PROMPTS = [
    "  a red\n\tball  ",
    "salt &amp;amp; pepper",
    "1 &lt; 2 &quot;quoted&quot;",
    "一个　红色的球 ",
    "caf\u00e9\u00a0\u2014 \u201cball\u201d",
    "",
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_cleans_as_diffusers_does_without_ftfy(prompt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_wan, "is_ftfy_available", lambda: False)
    assert clean_prompt(prompt) == pipeline_wan.prompt_clean(prompt)


def test_undoes_entities_twice_and_collapses_space() -> None:
    assert clean_prompt(" a &amp;amp;\n b ") == "a & b"
