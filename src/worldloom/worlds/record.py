"""What the simulation did, frame by frame: the raw material of truth and captions."""

from __future__ import annotations

from dataclasses import dataclass, field

import mujoco
import numpy as np

from worldloom.worlds.scene import Thing


@dataclass
class Contact:
    """Two things (or "floor") that touched: first frame, number of frames, summed normal impulse (N s)."""

    first: str
    second: str
    frame: int
    last_frame: int
    impulse: float


@dataclass
class Record:
    """Arrays over frames F and things O: position (m), quaternion, velocity (m/s), spin (rad/s); and contacts.

    `flags` is free for a family's `drive` to note events that no pose shows.
    """

    things: list[Thing]
    fps: float
    position: np.ndarray  # F O 3
    quaternion: np.ndarray  # F O 4
    velocity: np.ndarray  # F O 3
    spin: np.ndarray  # F O 3
    contacts: list[Contact] = field(default_factory=list)
    actions: list[tuple[float, ...]] = field(default_factory=list)

    @property
    def num_frames(self) -> int:
        return len(self.position)

    def index(self, name: str) -> int:
        for index, thing in enumerate(self.things):
            if thing.name == name:
                return index
        raise KeyError(f"no thing called {name!r}; there are {[thing.name for thing in self.things]}")

    def thing(self, name: str) -> Thing:
        return self.things[self.index(name)]

    def path(self, name: str) -> np.ndarray:
        """Positions of one thing, [F, 3]."""
        return self.position[:, self.index(name)]

    def touches(self, first: str, second: str | None = None) -> list[Contact]:
        """Contacts of `first` (with `second` when given), in order of time."""
        found = [c for c in self.contacts if first in (c.first, c.second)]
        if second is not None:
            found = [c for c in found if second in (c.first, c.second)]
        return sorted(found, key=lambda contact: contact.frame)

    def turned(self, name: str, frame: int = -1) -> float:
        """Angle in degrees between the thing's own up axis in that frame and in the first frame."""
        track = self.quaternion[:, self.index(name)]
        ups = [_up(track[at]) for at in (0, frame)]
        return float(np.degrees(np.arccos(np.clip(ups[0] @ ups[1], -1, 1))))

    def speed(self, name: str, frame: int = -1) -> float:
        return float(np.linalg.norm(self.velocity[frame, self.index(name)]))


def _up(quaternion: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternion
    return np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])


class Recorder:
    """Watches a running simulation; `step` after every physics step, `frame` once per frame."""

    def __init__(self, model: mujoco.MjModel, things: list[Thing], fps: float, num_frames: int) -> None:
        self.model, self.things, self.fps = model, things, fps
        count = len(things)
        self.bodies = [_body_or_none(model, thing.name) for thing in things]
        self.flexes = [_flex_or_none(model, thing.name) for thing in things]
        self.arrays = {
            "position": np.zeros((num_frames, count, 3)),
            "quaternion": np.tile([1.0, 0, 0, 0], (num_frames, count, 1)),
            "velocity": np.zeros((num_frames, count, 3)),
            "spin": np.zeros((num_frames, count, 3)),
        }
        self.owner = geom_owner(model, things)
        self.open: dict[tuple[int, int], Contact] = {}
        self.closed: list[Contact] = []
        self.actions: list[tuple[float, ...]] = []
        self.now = 0

    def step(self, data: mujoco.MjData) -> None:
        if not data.ncon:
            return
        geoms = data.contact.geom
        address = data.contact.efc_address
        owners = np.sort(self.owner[geoms], axis=1)
        live = (address >= 0) & (owners[:, 0] != owners[:, 1]) & (geoms >= 0).all(axis=1)
        for (one, two), row in zip(owners[live].tolist(), address[live].tolist(), strict=True):
            impulse = float(data.efc_force[row]) * self.model.opt.timestep
            contact = self.open.get((one, two))
            if contact is None or self.now - contact.last_frame > 1:
                if contact is not None:
                    self.closed.append(contact)
                contact = Contact(self._name(one), self._name(two), self.now, self.now, 0.0)
                self.open[(one, two)] = contact
            contact.last_frame = self.now
            contact.impulse += impulse

    def frame(self, data: mujoco.MjData, frame: int, action: tuple[float, ...] | None) -> None:
        six = np.zeros(6)
        for index, body in enumerate(self.bodies):
            if body is None:
                flex = self.flexes[index]
                assert flex is not None, f"thing {self.things[index].name!r} is neither a body nor a flex"
                first, count = self.model.flex_vertadr[flex], self.model.flex_vertnum[flex]
                self.arrays["position"][frame, index] = data.flexvert_xpos[first : first + count].mean(axis=0)
                continue
            self.arrays["position"][frame, index] = data.xpos[body]
            self.arrays["quaternion"][frame, index] = data.xquat[body]
            mujoco.mj_objectVelocity(self.model, data, mujoco.mjtObj.mjOBJ_BODY, body, six, 0)
            self.arrays["spin"][frame, index] = six[:3]
            self.arrays["velocity"][frame, index] = six[3:]
        if action is not None:
            self.actions.append(action)
        self.now = frame + 1

    def record(self) -> Record:
        contacts = sorted([*self.closed, *self.open.values()], key=lambda contact: contact.frame)
        last = len(self.arrays["position"]) - 1
        for contact in contacts:
            contact.frame, contact.last_frame = min(contact.frame, last), min(contact.last_frame, last)
        return Record(self.things, self.fps, contacts=contacts, actions=self.actions, **self.arrays)

    def _name(self, owner: int) -> str:
        return "floor" if owner < 0 else self.things[owner].name


def geom_owner(model: mujoco.MjModel, things: list[Thing]) -> np.ndarray:
    """Index of the thing every geom belongs to, -1 for floor and decor, [ngeom]."""
    names = {thing.name: index for index, thing in enumerate(things)}
    owner = np.full(model.ngeom, -1)
    for geom in range(model.ngeom):
        body = model.geom_bodyid[geom]
        while body > 0:
            index = names.get(model.body(body).name)
            if index is not None:
                owner[geom] = index
                break
            body = model.body_parentid[body]
    return owner


def _body_or_none(model: mujoco.MjModel, name: str) -> int | None:
    index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, name)
    return index if index >= 0 else None


def _flex_or_none(model: mujoco.MjModel, name: str) -> int | None:
    index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_FLEX, name)
    return index if index >= 0 else None
