"""The families of simulated worlds, one module each."""

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
    if name not in FAMILIES:
        raise UsageError(f"no world family called {name!r}; there are {', '.join(FAMILIES)}")
    return FAMILIES[name]
