"""What is done to a prompt before it is tokenised: the rules of Wan's pipelines, without `ftfy`.

Training captions and users' prompts go through the same function. Wan's pipelines repair broken encodings
with `ftfy` where that happens to be installed; here it is left out, so that the same prompt is the same
prompt on every machine. Well-formed text is not changed by it.
"""

import html
import re

_WHITESPACE = re.compile(r"\s+")


def clean_prompt(prompt: str) -> str:
    """Undo HTML entities and collapse white space: ``" a &amp;amp;\\n b "`` becomes ``"a & b"``.

    Entities are undone twice, as scraped text is often escaped twice.
    """
    return _WHITESPACE.sub(" ", html.unescape(html.unescape(prompt))).strip()
