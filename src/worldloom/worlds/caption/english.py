"""English words for things, settings and camera moves."""

from __future__ import annotations

from worldloom.worlds.caption.context import Context
from worldloom.worlds.scene import Thing

# Nouns by caption key; the first is the plain word, any may be used. A family may add keys of its own here.
NOUNS: dict[str, tuple[str, ...]] = {
    "ball": ("ball", "ball", "sphere"),
    "box": ("box", "box", "crate"),
    "cylinder": ("cylinder",),
    "screen": ("screen", "wall", "board"),
    "car": ("car", "toy car", "little car"),
    "cone": ("traffic cone", "cone"),
    "block": ("block", "block"),
    "arm": ("robot arm", "robotic arm"),
    "table": ("table",),
    "egg": ("egg",),
    "tomato": ("tomato",),
    "cushion": ("cushion", "soft cushion"),
    "ledge": ("ledge", "block"),
    "yolk": ("yolk",),
    "shell": ("eggshell",),
    "cup": ("cup", "mug"),
    "grain": ("bead",),
    "pillow": ("pillow",),
    "hoop": ("hoop", "rim"),
    "backboard": ("backboard",),
    "pole": ("pole",),
    "domino": ("domino",),
    "ramp": ("ramp", "slope", "incline"),
    "wall": ("wall", "low wall"),
    "frame": ("frame", "stand"),
    "cue_ball": ("cue ball",),
}

MATERIALS = {
    "rubber": ("rubber", "matte", ""),
    "plastic": ("plastic", "glossy", ""),
    "metal": ("metal", "metallic", "shiny metal"),
    "wooden": ("wooden", "wood"),
    "marble": ("marble", "polished marble"),
    "glass": ("glass", "see-through", "translucent glass"),
    "striped": ("striped",),
    "dotted": ("dotted", "spotted", "polka-dot"),
}

# Of size, feel and gloss: these stand before the colour, in this order, wherever a noun or material brings them in.
LEADING = ("little", "low", "soft", "see-through", "translucent", "shiny", "glossy", "matte")

FLOORS = {
    "wooden": ("on a wooden floor", "on wooden planks", "on a floor of wooden boards", "on a wood floor"),
    "tiled": ("on a tiled floor", "on checkered tiles", "on a floor of chequered tiles"),
    "marble": ("on a marble floor", "on white marble", "on polished marble"),
    "grass": ("on grass", "on a lawn", "on green grass"),
    "sand": ("on sand", "on rippled sand"),
    "concrete": ("on concrete", "on a concrete floor", "on grey concrete"),
    "carpet": ("on a red carpet", "on a carpet", "on a carpeted floor"),
    "brick": ("on a brick floor", "on red bricks", "on brick paving"),
}

MOODS = {
    "noon": ("at noon", "under a clear sky", "in bright daylight", "on a sunny day"),
    "sunset": ("at sunset", "in warm evening light", "under an orange sky", "at golden hour"),
    "overcast": ("on an overcast day", "under a grey sky", "in soft cloudy light"),
    "night": ("at night", "in moonlight", "under a dark sky", "in the dark of night"),
    "studio": ("in a studio", "against a white backdrop", "in neutral studio light"),
    "dawn": ("at dawn", "in pink morning light", "under a pale pink sky", "early in the morning"),
}

CAMERA = {
    "still": (
        "The camera does not move.",
        "A static shot.",
        "The camera holds still.",
        "Filmed from a fixed camera.",
    ),
    "orbit_left": (
        "The camera orbits to the left.",
        "The camera circles the scene leftwards.",
        "Orbiting left.",
    ),
    "orbit_right": (
        "The camera orbits to the right.",
        "The camera circles the scene rightwards.",
        "Orbiting right.",
    ),
    "push_in": ("The camera pushes in.", "The camera moves slowly closer.", "A slow push-in."),
    "pull_out": ("The camera pulls back.", "The camera moves slowly away.", "A slow pull-out."),
    "pan_left": ("The camera pans left.", "The view slides to the left.", "A slow pan to the left."),
    "pan_right": ("The camera pans right.", "The view slides to the right.", "A slow pan to the right."),
    "crane_up": ("The camera rises.", "The camera cranes up.", "A rising crane shot."),
    "crane_down": ("The camera sinks.", "The camera cranes down.", "A descending crane shot."),
    "handheld": ("A shaky handheld shot.", "Filmed with a handheld camera.", "The camera trembles slightly."),
}

NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


def number(count: int) -> str:
    """A count in words up to twelve, in digits beyond."""
    return NUMBERS[count] if 0 <= count < len(NUMBERS) else str(count)


def times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{number(count)} times")


def article(phrase: str) -> str:
    """The phrase with "a" or "an"."""
    return f"{'an' if phrase[0].lower() in 'aeiou' else 'a'} {phrase}"


def noun(c: Context, thing: Thing) -> str:
    """One word for the thing, the same throughout a caption."""
    return c.said.setdefault(thing.name, c.pick(*NOUNS[thing.noun]))


def bare(c: Context, thing: Thing, material: float = 0.5) -> str:
    """Colour, perhaps material, and noun: "red rubber ball". `material` is the chance that the material is said."""
    stuff = c.pick(*MATERIALS[thing.paint.material]) if c.chance(material) else ""
    words = f"{thing.paint.colour} {stuff} {noun(c, thing)}".split()
    return " ".join(sorted(words, key=lambda word: LEADING.index(word) if word in LEADING else len(LEADING)))


def a(c: Context, thing: Thing, material: float = 0.5) -> str:
    """ "a red rubber ball": how a thing is introduced."""
    return article(bare(c, thing, material))


def the(c: Context, thing: Thing, material: float = 0.0) -> str:
    """ "the red ball": how a thing already introduced is spoken of."""
    return f"the {bare(c, thing, material)}"


def listing(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def floor(c: Context) -> str:
    return c.pick(*FLOORS[c.look.floor])


def mood(c: Context) -> str:
    """The light; a sky or a backdrop only where the camera sees one."""
    said = MOODS[c.look.mood]
    return c.pick(
        *(said if c.sky else [text for text in said if "sky" not in text and "backdrop" not in text])
    )


def camera(c: Context) -> str:
    return c.pick(*CAMERA[c.look.camera_move])


def sentence(text: str) -> str:
    """Capital first letter, full stop last."""
    text = text.strip()
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?" else f"{text}."


def join(parts: list[str]) -> str:
    return " ".join(sentence(part) for part in parts if part)


def short(c: Context, line: str) -> str:
    """A user's line: the clause, sometimes with a place or a light, rarely a capital and a full stop."""
    extra = c.rng.random()
    if extra < 0.35:
        line = placed(line, floor(c))
    elif extra < 0.5:
        line = f"{line}, {mood(c)}"
    return sentence(line) if c.chance(0.3) else line


def placed(line: str, place: str) -> str:
    """Put the place behind one clause, but before several: it belongs to the first, not to "none of them falls"."""
    several = any(mark in line for mark in (",", ":", " and ", " but ", " without "))
    return f"{place}, {line}" if several else f"{line} {place}"


def medium(c: Context, line: str, ending: str) -> str:
    """One or two sentences: what, where, how it ends."""
    place = f"{floor(c)} {mood(c)}" if c.chance(0.5) else floor(c)
    front = c.chance(0.25)
    first = f"{mood(c)}, {placed(line, floor(c))}" if front else placed(line, place)
    parts = [first, ending]
    if c.chance(0.3):
        parts.append(camera(c))
    return join(parts)


def dense(c: Context, opening: str, story: list[str], ending: str) -> str:
    """Everything: what and looks, setting, events in order, camera, outcome."""
    setting = c.pick(
        f"{opening} {floor(c)}, {mood(c)}",
        f"{mood(c)}, {opening} {floor(c)}",
        f"{opening} {floor(c)}. It is filmed {mood(c)}",
    )
    view = camera(c)
    parts = [view, setting, *story, ending] if c.chance(0.25) else [setting, *story, ending, view]
    return join(parts)


def everything(c: Context, material: float) -> str:
    """The whole cast as a noun phrase: "a red ball, a white egg and three traffic cones"."""
    said = []
    for group in c.alike():
        if len(group) < 3:
            said += [a(c, thing, material) for thing in group]
        else:
            said.append(f"{number(len(group))} {noun(c, group[0])}s")
    return listing(said)


def picture(c: Context, length: str, what: str) -> str:
    """One frame: what and where; at medium length and beyond in what light."""
    if length == "short":
        return short(c, what)
    if length == "medium":
        return sentence(
            c.pick(
                f"{what} {floor(c)}, {mood(c)}",
                f"{what} {floor(c)} {mood(c)}",
                f"{mood(c)}, {what} {floor(c)}",
            )
        )
    kind = c.pick("a picture", "a still picture", "an image", "a single frame")
    return c.pick(
        sentence(f"{kind} of {what} {floor(c)}, taken {mood(c)}"),
        join([f"{mood(c)}, {what} {floor(c)}", f"{kind}, without motion"]),
        join([f"{kind} shows {what}", f"the scene is set {floor(c)}, {mood(c)}"]),
    )
