// Linux lends AMX's tiles to processes that ask

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { REQUEST = 0x1023, TILE_DATA = 18 }; // ARCH_REQ_XCOMP_PERM and the feature's number in the kernel's headers

// 0 when the system lends this process its tiles.
int64_t request_tiles(void) { return syscall(SYS_arch_prctl, REQUEST, TILE_DATA); }
