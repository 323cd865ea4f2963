"""From facts to sentences."""


def describe(family, facts, things, look, rng, wordings):
    return {"en": {"short": [f"a {things[0].paint.colour} {things[0].noun}"]}, "zh": {}}
