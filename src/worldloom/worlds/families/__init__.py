"""The families of simulated worlds, one module each."""

from collections.abc import Sequence

from worldloom.core.error import UsageError
from worldloom.worlds.families.basketball import Basketball
from worldloom.worlds.families.billiards import Billiards
from worldloom.worlds.families.bounce import Bounce
from worldloom.worlds.families.dominoes import Dominoes
from worldloom.worlds.families.drive import Drive
from worldloom.worlds.families.fragile import Fragile
from worldloom.worlds.families.occluder import Occluder
from worldloom.worlds.families.pendulum import Pendulum
from worldloom.worlds.families.pillow import Pillow
from worldloom.worlds.families.pour import Pour
from worldloom.worlds.families.pusher import Pusher
from worldloom.worlds.families.ramp import Ramp
from worldloom.worlds.families.stack import Stack
from worldloom.worlds.family import Family

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Basketball(),
        Billiards(),
        Bounce(),
        Dominoes(),
        Drive(),
        Fragile(),
        Occluder(),
        Pendulum(),
        Pillow(),
        Pour(),
        Pusher(),
        Ramp(),
        Stack(),
    )
}


def family(name: str) -> Family:
    """The family of that name.

    Raises:
        UsageError: no such family; names those there are.
    """
    check_families([name])
    return FAMILIES[name]


def check_families(names: Sequence[str]) -> None:
    """Refuse names of no family, and no names at all.

    Raises:
        UsageError: names them, and the families there are.
    """
    unknown = [repr(name) for name in names if name not in FAMILIES]
    if unknown:
        raise UsageError(f"no world family called {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    if not names:
        raise UsageError(f"at least one world family is needed; there are {', '.join(FAMILIES)}")
