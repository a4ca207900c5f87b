#include "CPlatform.h"

#include <malloc.h>

void remora_tune_allocator(void) {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    mallopt(M_TOP_PAD, 16 << 20);
}

void remora_release_memory(void) {
    malloc_trim(0);
}
