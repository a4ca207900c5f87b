#include "crc64.h"

#include <pthread.h>
#include <string.h>

// The polynomial of ECMA-182 with its bits reversed.
#define POLYNOMIAL 0xC96C5795D7870F42ull

static uint64_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void) {
    for (int byte = 0; byte < 256; byte++) {
        uint64_t crc = (uint64_t)byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][byte] = crc;
    }
    for (int byte = 0; byte < 256; byte++)
        for (int slice = 1; slice < 8; slice++)
            table[slice][byte] = table[0][table[slice - 1][byte] & 0xFF] ^ (table[slice - 1][byte] >> 8);
}

static uint64_t little_endian(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

// Eight bytes a step. `state` is the CRC without its final inversion.
static uint64_t by_table(uint64_t state, const uint8_t *bytes, size_t length) {
    for (; length >= 8; bytes += 8, length -= 8) {
        uint64_t word = state ^ little_endian(bytes);
        state = table[7][word & 0xFF] ^ table[6][(word >> 8) & 0xFF] ^ table[5][(word >> 16) & 0xFF]
            ^ table[4][(word >> 24) & 0xFF] ^ table[3][(word >> 32) & 0xFF] ^ table[2][(word >> 40) & 0xFF]
            ^ table[1][(word >> 48) & 0xFF] ^ table[0][word >> 56];
    }
    for (; length > 0; bytes++, length--) state = table[0][(state ^ *bytes) & 0xFF] ^ (state >> 8);
    return state;
}

#if defined(__x86_64__)
#include <immintrin.h>

// Multiplies 128 bits by x^D modulo the polynomial: the lower half, which comes first in the data, by x^(D+63),
// the upper by x^(D-1); one less than the distance because a carry-less product of reflected numbers is shifted.
#define FOLD(value, constants)                                     \
    _mm_xor_si128(_mm_clmulepi64_si128((value), (constants), 0x00), \
                  _mm_clmulepi64_si128((value), (constants), 0x11))

// Four lanes of 128 bits ("Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel, 2009).
// What remains after folding is congruent to the data, so the table finishes it: no Barrett reduction is needed.
__attribute__((target("pclmul,sse4.1")))
static uint64_t fold(__m128i a, __m128i b, __m128i c, __m128i d, const __m128i *data, size_t length) {
    const __m128i by512 = _mm_set_epi64x(0x081f6054a7842df4, 0x6ae3efbb9dd441f3);
    const __m128i by128 = _mm_set_epi64x((long long)0xdabe95afc7875f40, (long long)0xe05dd497ca393ae4);
    for (; length >= 64; data += 4, length -= 64) {
        a = _mm_xor_si128(FOLD(a, by512), _mm_loadu_si128(data));
        b = _mm_xor_si128(FOLD(b, by512), _mm_loadu_si128(data + 1));
        c = _mm_xor_si128(FOLD(c, by512), _mm_loadu_si128(data + 2));
        d = _mm_xor_si128(FOLD(d, by512), _mm_loadu_si128(data + 3));
    }
    b = _mm_xor_si128(b, FOLD(a, by128));
    c = _mm_xor_si128(c, FOLD(b, by128));
    d = _mm_xor_si128(d, FOLD(c, by128));
    for (; length >= 16; data++, length -= 16) d = _mm_xor_si128(FOLD(d, by128), _mm_loadu_si128(data));
    uint8_t rest[16];
    _mm_storeu_si128((__m128i *)(void *)rest, d);
    return by_table(by_table(0, rest, 16), (const uint8_t *)data, length);
}

// At least 64 bytes.
__attribute__((target("pclmul,sse4.1")))
static uint64_t by_multiplication(uint64_t state, const uint8_t *bytes, size_t length) {
    const __m128i *data = (const __m128i *)(const void *)bytes;
    __m128i a = _mm_xor_si128(_mm_loadu_si128(data), _mm_set_epi64x(0, (long long)state));
    return fold(a, _mm_loadu_si128(data + 1), _mm_loadu_si128(data + 2), _mm_loadu_si128(data + 3), data + 4, length - 64);
}

#define WIDE_FOLD(value, constants, next)                                            \
    _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128((value), (constants), 0x00),   \
                              _mm512_clmulepi64_epi128((value), (constants), 0x11), (next), 0x96)

// Sixteen lanes in four registers, four products an instruction; at least 256 bytes.
__attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.1")))
static uint64_t by_wide_multiplication(uint64_t state, const uint8_t *bytes, size_t length) {
    const __m512i by2048 =
        _mm512_broadcast_i32x4(_mm_set_epi64x((long long)0xf31fd9271e228b79, (long long)0x8260adf2381ad81c));
    const __m512i by512 = _mm512_broadcast_i32x4(_mm_set_epi64x(0x081f6054a7842df4, 0x6ae3efbb9dd441f3));
    __m512i a = _mm512_xor_si512(_mm512_loadu_si512(bytes), _mm512_zextsi128_si512(_mm_set_epi64x(0, (long long)state)));
    __m512i b = _mm512_loadu_si512(bytes + 64);
    __m512i c = _mm512_loadu_si512(bytes + 128);
    __m512i d = _mm512_loadu_si512(bytes + 192);
    for (bytes += 256, length -= 256; length >= 256; bytes += 256, length -= 256) {
        a = WIDE_FOLD(a, by2048, _mm512_loadu_si512(bytes));
        b = WIDE_FOLD(b, by2048, _mm512_loadu_si512(bytes + 64));
        c = WIDE_FOLD(c, by2048, _mm512_loadu_si512(bytes + 128));
        d = WIDE_FOLD(d, by2048, _mm512_loadu_si512(bytes + 192));
    }
    b = WIDE_FOLD(a, by512, b);
    c = WIDE_FOLD(b, by512, c);
    d = WIDE_FOLD(c, by512, d);
    return fold(_mm512_extracti32x4_epi32(d, 0), _mm512_extracti32x4_epi32(d, 1), _mm512_extracti32x4_epi32(d, 2),
                _mm512_extracti32x4_epi32(d, 3), (const __m128i *)(const void *)bytes, length);
}
#endif

uint64_t remora_crc64_portable(uint64_t crc, const void *bytes, size_t length) {
    pthread_once(&table_once, make_table);
    return ~by_table(~crc, bytes, length);
}

uint64_t remora_crc64(uint64_t crc, const void *bytes, size_t length) {
    pthread_once(&table_once, make_table);
#if defined(__x86_64__)
    // Short pieces don't repay the wide registers.
    if (length >= 1024 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq"))
        return ~by_wide_multiplication(~crc, bytes, length);
    if (length >= 128 && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"))
        return ~by_multiplication(~crc, bytes, length);
#endif
    return ~by_table(~crc, bytes, length);
}

// Product of two reflected polynomials modulo the polynomial; x^0 is the uppermost bit.
static uint64_t multiply(uint64_t a, uint64_t b) {
    uint64_t product = 0;
    for (uint64_t bit = 1ull << 63; bit != 0; bit >>= 1) {
        if (a & bit) product ^= b;
        b = (b >> 1) ^ (b & 1 ? POLYNOMIAL : 0);
    }
    return product;
}

uint64_t remora_crc64_combine(uint64_t first, uint64_t second, uint64_t second_length) {
    // first * x^(8 * length) + second: the inversions at start and end cancel each other.
    uint64_t factor = 1ull << 63;
    uint64_t square = 1ull << 55;  // x^8
    for (; second_length != 0; second_length >>= 1) {
        if (second_length & 1) factor = multiply(factor, square);
        square = multiply(square, square);
    }
    return multiply(factor, first) ^ second;
}
