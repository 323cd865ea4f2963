import subprocess
import sys


def test_recipes_need_no_simulator():
    """A machine that trains on rendered takes need not be able to render."""
    code = (
        "import sys; sys.modules['mujoco'] = None; "
        "import worldloom.recipes.registry, worldloom.recipes.command, worldloom.training.denoising"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
