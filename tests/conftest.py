"""What holds for the whole suite: shapes are checked, and threads are fixed."""

import os

# Before anything imports numpy or torch: with one thread a sum has one order, and workers do not fight for cores.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LP_NUM_THREADS"):
    os.environ[name] = "0" if name == "LP_NUM_THREADS" else "1"

from jaxtyping import install_import_hook  # noqa: E402

import tests.typecheck  # noqa: E402, F401  # the hook looks it up by name

# Every annotated shape and dtype of the package is checked on every call of every test.
install_import_hook("worldloom", "tests.typecheck.check")
