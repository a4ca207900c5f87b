#pragma once

#include <stddef.h>
#include <stdint.h>

/// CRC-64/XZ (ECMA-182 polynomial, reflected), the one of mongodump's archives and Go's `crc64.ECMA`.
///
/// Continues from `crc`, which is 0 at the start, over `length` bytes. Safe from many threads at once.
uint64_t remora_crc64(uint64_t crc, const void *bytes, size_t length);

/// The CRC of two pieces laid end to end, from the CRC of each and the length of the second.
uint64_t remora_crc64_combine(uint64_t first, uint64_t second, uint64_t second_length);

/// The table implementation alone, for tests that compare it with the one that the processor helps with.
uint64_t remora_crc64_portable(uint64_t crc, const void *bytes, size_t length);
