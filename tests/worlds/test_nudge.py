import mujoco
import numpy as np

from worldloom.core.seed import numpy_generator
from worldloom.worlds.nudge import nudge
from worldloom.worlds.stage import set_stage


def test_only_what_moves_by_itself_is_nudged() -> None:
    stage = set_stage("stack", 0, num_frames=9)
    before = stage.data.qvel.copy()
    nudge(stage, 0.05, numpy_generator("test"))
    ball = stage.model.jnt_dofadr[stage.model.body("ball").jntadr[0]]
    changed = np.flatnonzero(stage.data.qvel != before)
    assert set(changed) == set(range(ball, ball + 3))
    arm = set_stage("pusher", 0, num_frames=9)
    arm.data.qvel[:] = 1.0
    nudge(arm, 0.05, numpy_generator("test"))
    hinges = [j for j in range(arm.model.njnt) if arm.model.jnt_type[j] == mujoco.mjtJoint.mjJNT_HINGE]
    assert hinges and all(arm.data.qvel[arm.model.jnt_dofadr[j]] == 1.0 for j in hinges)
