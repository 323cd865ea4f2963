"""How much memory a device has left, a container's limit counted."""

from __future__ import annotations

from pathlib import Path

import torch

MEMINFO, OWN_CGROUP, CGROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
# Names of (limit, usage, statistics, reclaimable file pages therein) in the two versions of Linux's control groups.
VERSION_2 = ("memory.max", "memory.current", "memory.stat", "inactive_file")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat", "total_inactive_file")


def available_memory(device: torch.device) -> int | None:
    """Return the bytes that can still be taken on `device`, or None where the system does not say."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type == "cpu" and MEMINFO.exists():
        return min([_of_machine(), *_of_groups()])
    return None


def _of_machine() -> int:
    lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def _of_groups() -> list[int]:
    """Return what each control group around this process leaves it; a group without a limit is not among them."""
    found = []
    for line in OWN_CGROUP.read_text().splitlines() if OWN_CGROUP.exists() else []:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, names = CGROUPS, VERSION_2
        elif "memory" in controllers.split(","):
            root, names = CGROUPS / "memory", VERSION_1
        else:
            continue
        own = root / path.lstrip("/")
        # In a container the path may be the host's, while the group itself is mounted at the root.
        groups = {own, *own.parents, root}
        found += [_left(group, *names) for group in groups if group == root or root in group.parents]
    return [left for left in found if left is not None]


def _left(group: Path, limit: str, usage: str, statistics: str, reclaimable: str) -> int | None:
    if not (group / limit).is_file() or (text := (group / limit).read_text().strip()) == "max":
        return None
    counts = dict(line.split() for line in (group / statistics).read_text().splitlines())
    used = int((group / usage).read_text()) - int(counts.get(reclaimable, 0))
    return max(0, int(text) - used)
