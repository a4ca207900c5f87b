#pragma once

#include "crc64.h"

/// Tunes glibc's allocator for a process that reads large replies again and again.
///
/// Without it each reply buffer is mapped and unmapped, and the page faults cost more than the reading
/// (measured: 1.2 CPU seconds per GB against 0.25).
void remora_tune_allocator(void);
