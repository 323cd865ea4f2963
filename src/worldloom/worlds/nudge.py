"""A run that goes another way: what moves gets a slightly other velocity."""

from __future__ import annotations

import mujoco
import numpy as np

from worldloom.worlds.stage import Stage


def nudge(stage: Stage, error: float, rng: np.random.Generator) -> None:
    """Change the velocity of everything that moves by a normal draw of `error` m/s along each axis.

    What rests is seen to rest and what a motor drives follows its motor: both stay as they are.
    """
    model, data = stage.model, stage.data
    driven = set(model.actuator_trnid[:, 0].tolist()) if model.nu else set()
    for thing in stage.scene.things:
        body = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, thing.name) if thing.moving else -1
        if body < 0:
            continue
        first = model.body_jntadr[body]
        for joint in range(first, first + model.body_jntnum[body]):
            start = model.jnt_dofadr[joint]
            if joint in driven:
                continue
            if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE:
                if np.linalg.norm(data.qvel[start : start + 3]) > 2 * error:
                    data.qvel[start : start + 3] += rng.normal(0, error, 3)
            elif model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_HINGE:
                arm = float(np.linalg.norm(data.xipos[body] - data.xanchor[joint]))
                if arm * abs(data.qvel[start]) > 2 * error:
                    data.qvel[start] += rng.normal(0, error / arm)
