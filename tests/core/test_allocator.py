import os
import platform
import subprocess
import sys

import pytest

MEASURED = """
import resource, sys
import torch
from worldloom.core.allocator import keep_freed_memory

if sys.argv[1:]:
    assert keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    kept = [torch.ones(30 << 20, dtype=torch.uint8) for _ in range(40)]

for _ in range(4):
    step()
before = faults()
for _ in range(3):
    step()
print(faults() - before)
"""


def faults(*arguments: str) -> int:
    """Page faults of three rounds of 1.2 GB in a process whose C library maps every large piece anew."""
    mapping = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments],
        env=os.environ | mapping,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_used_again_without_faults() -> None:
    assert faults() > 100_000  # 307,200 pages of 4 kB, fewer where the system has larger ones
    assert faults("keep") < 10_000
