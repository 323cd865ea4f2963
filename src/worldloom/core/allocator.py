"""Memory that one step of a computation frees stays with the process for the next.

The C library hands large pieces back to the system as soon as they are free, and the next tensor of that size meets
fresh pages, each a fault of 2 microseconds: a step of `dit_tiny` had 67,500 of them, a seventh of its time.
"""

import ctypes

# Numbers of glibc's <malloc.h>.
TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8
# The largest piece that glibc lets the heap hold; larger ones are mapped, and unmapped when free.
LARGEST = 32 << 20
# Of what lies free at the end of the heap nothing is given back. With any limit, the step that passes it gives all back.
NEVER = -1


def keep_freed_memory() -> bool:
    """Tell glibc's allocator so, for the rest of the process; returns whether it is there and agrees.

    All threads share one heap from then on, so that what one frees is there for another. For programs: it is not for a
    library to say.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    wishes = {ARENA_MAX: 1, MMAP_THRESHOLD: LARGEST, TRIM_THRESHOLD: NEVER}
    granted = [mallopt(number, value) for number, value in wishes.items()]
    return all(granted)
