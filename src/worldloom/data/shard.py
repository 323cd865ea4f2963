"""Random access to the members of uncompressed tar shards.

A tar file has no directory; it is scanned once, header by header, and the byte range of each member is kept.
Reads then use `os.pread`, which shares no file position: any number of threads may read the same shard.
"""

import os
import tarfile
import threading
from pathlib import Path

from worldloom.core.error import Failure


class Shard:
    """One tar file, opened for reading members by name."""

    def __init__(self, path: Path) -> None:
        """Scan `path`; raises Failure where it is missing or no whole tar file."""
        self.path = path
        try:
            with tarfile.open(path, "r:") as tar:
                self.ranges = {m.name: (m.offset_data, m.size) for m in tar if m.isfile()}
            self._descriptor = os.open(path, os.O_RDONLY)
        except (OSError, tarfile.TarError) as error:
            raise Failure(f"shard {path} cannot be read: {error}") from error

    def read(self, name: str) -> bytes:
        """The bytes of member `name`; raises Failure where it is absent or cut short."""
        if name not in self.ranges:
            raise Failure(f"shard {self.path} has no member {name}")
        offset, size = self.ranges[name]
        data = os.pread(self._descriptor, size, offset)
        if len(data) != size:
            raise Failure(f"shard {self.path} ends inside member {name}: {len(data)} of {size} bytes")
        return data

    def close(self) -> None:
        """Give the file descriptor back."""
        os.close(self._descriptor)


class Shelf:
    """Shards opened on first use and kept open; safe to read from several threads."""

    def __init__(self) -> None:
        self._shards: dict[Path, Shard] = {}
        self._lock = threading.Lock()

    def read(self, shard: Path, name: str) -> bytes:
        """The bytes of member `name` of the tar file `shard`."""
        with self._lock:
            if shard not in self._shards:
                self._shards[shard] = Shard(shard)
            opened = self._shards[shard]
        return opened.read(name)

    def close(self) -> None:
        """Close every shard."""
        with self._lock:
            for shard in self._shards.values():
                shard.close()
            self._shards.clear()
