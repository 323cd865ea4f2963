// Products of bf16 matrices on AMX's tiles, or in AVX-512's lanes, and how their operands are laid out.
//
// A product of tiles takes 16 rows of 32 values on the left, and on the right 16 pairs of rows with 16 columns, the two
// values of a pair side by side, which is also how AVX512-BF16 multiplies a pair of the left by 16 columns. So a matrix
// x [rows, K] is laid out in one of four ways:
//   plain   rows of x as they are           left operand of x y^T
//   across  rows of x become columns        right operand of y x^T
//   down    pairs of rows side by side      right operand of y x, a sum over x's rows
//   turned  channels become rows            left operand of x^T y

#ifndef TILES_H
#define TILES_H

#include <string.h>

#include "lanes.h"

enum {
    SIDE = 16,       // rows of a tile, and its columns of 32 bits
    BLOCK = 32,      // rows and columns of a product of four tiles; values in a tile's row
    TILE = 16 * 32,  // values of bf16 in a tile
    LINE = 64,       // bytes in a tile's row
};

// An operand: bytes from row to row of a tile, from tile to tile along the sum, and to the other tile of the block.
typedef struct {
    const bf16 *at;
    int64_t row, step, other;
} Operand;

// `product`: c [BLOCK, BLOCK], whose rows are `row` bytes apart, becomes or gains the sum of `steps` products of tiles.
// Between `set_tiles` and `restore_tiles` only.

#ifdef __AMX_BF16__

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} __attribute__((packed, aligned(64))) TileConfig;

// Every tile of its full size from now on; returns what was, for oneDNN remembers what it has set.
static inline TileConfig set_tiles(void) {
    TileConfig before, full = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) {
        full.row_bytes[tile] = LINE;
        full.rows[tile] = SIDE;
    }
    _tile_storeconfig(&before);
    _tile_loadconfig(&full);
    return before;
}

static inline void restore_tiles(const TileConfig *before) { _tile_loadconfig(before); }

static inline void product(Operand a, Operand b, float *c, int64_t row, int64_t steps, int gains) {
    char *low = (char *)c, *high = low + SIDE * row;
    if (gains) {
        _tile_loadd(0, low, row);
        _tile_loadd(1, low + LINE, row);
        _tile_loadd(2, high, row);
        _tile_loadd(3, high + LINE, row);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    const char *left = (const char *)a.at, *right = (const char *)b.at;
    for (int64_t step = 0; step < steps; step++, left += a.step, right += b.step) {
        _tile_loadd(4, left, a.row);
        _tile_loadd(6, right, b.row);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, right + b.other, b.row);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, left + a.other, a.row);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, low, row);
    _tile_stored(1, low + LINE, row);
    _tile_stored(2, high, row);
    _tile_stored(3, high + LINE, row);
}

#else

enum { STRIP = 8 }; // rows of a product whose sums stay in registers

typedef struct {
} TileConfig;

static inline TileConfig set_tiles(void) { return (TileConfig){}; }

static inline void restore_tiles(const TileConfig *before) { (void)before; }

static inline void product(Operand a, Operand b, float *c, int64_t row, int64_t steps, int gains) {
    for (int first = 0; first < BLOCK; first += STRIP) {
        const char *left = (const char *)a.at + first / SIDE * a.other + first % SIDE * a.row;
        const char *right = (const char *)b.at;
        char *to = (char *)c + first * row;
        __m512 low[STRIP], high[STRIP];
        for (int i = 0; i < STRIP; i++) {
            low[i] = gains ? _mm512_loadu_ps(to + i * row) : _mm512_setzero_ps();
            high[i] = gains ? _mm512_loadu_ps(to + i * row + LINE) : _mm512_setzero_ps();
        }
        for (int64_t step = 0; step < steps; step++, left += a.step, right += b.step) {
            for (int pair = 0; pair < SIDE; pair++) {
                const __m512bh columns = (__m512bh)_mm512_loadu_si512(right + pair * b.row);
                const __m512bh others = (__m512bh)_mm512_loadu_si512(right + b.other + pair * b.row);
                for (int i = 0; i < STRIP; i++) {
                    int32_t values;
                    memcpy(&values, left + i * a.row + pair * sizeof values, sizeof values);
                    const __m512bh rows = (__m512bh)_mm512_set1_epi32(values);
                    low[i] = _mm512_dpbf16_ps(low[i], rows, columns);
                    high[i] = _mm512_dpbf16_ps(high[i], rows, others);
                }
            }
        }
        for (int i = 0; i < STRIP; i++) {
            _mm512_storeu_ps(to + i * row, low[i]);
            _mm512_storeu_ps(to + i * row + LINE, high[i]);
        }
    }
}

#endif

// ---- layouts ----

static inline void transpose(__m512i r[SIDE]) {
    __m512i t[SIDE];
    for (int i = 0; i < SIDE; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < SIDE; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    }
}

// The values of two rows side by side.
static inline __m512i paired(__m256i even, __m256i odd) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
}

static inline int64_t padded(int64_t count) { return (count + BLOCK - 1) / BLOCK * BLOCK; }

// x [count, size] as [padded(count), size], zero where x ends.
static inline void lay_plain(const bf16 *x, int64_t step, int64_t count, int64_t size, bf16 *to) {
    for (int64_t row = 0; row < count; row++) memcpy(to + row * size, x + row * step, 2 * size);
    memset(to + count * size, 0, 2 * (padded(count) - count) * size);
}

// Tiles [padded(count) / SIDE, size / BLOCK].
static inline void lay_across(const bf16 *x, int64_t step, int64_t count, int64_t size, bf16 *to) {
    for (int64_t first = 0; first < padded(count); first += SIDE) {
        for (int64_t c = 0; c < size; c += BLOCK, to += TILE) {
            __m512i rows[SIDE];
            for (int64_t i = 0; i < SIDE; i++)
                rows[i] = first + i < count ? _mm512_loadu_si512(x + (first + i) * step + c) : _mm512_setzero_si512();
            transpose(rows);
            for (int i = 0; i < SIDE; i++) _mm512_store_si512(to + i * BLOCK, rows[i]);
        }
    }
}

static inline __m256i some_row(const bf16 *x, int64_t step, int64_t count, int64_t row, int64_t c) {
    return row < count ? _mm256_loadu_si256((const __m256i *)(x + row * step + c)) : _mm256_setzero_si256();
}

// Pairs of rows in tiles [size / SIDE, padded(count) / BLOCK], each turned or not.
static inline void lay_pairs(const bf16 *x, int64_t step, int64_t count, int64_t size, int turns, bf16 *to) {
    const int64_t column = padded(count) / BLOCK * TILE;
    for (int64_t first = 0; first < padded(count); first += BLOCK, to += TILE) {
        for (int64_t c = 0; c < size; c += SIDE) {
            __m512i pairs[SIDE];
            for (int64_t i = 0, row = first; i < SIDE; i++, row += 2)
                pairs[i] = paired(some_row(x, step, count, row, c), some_row(x, step, count, row + 1, c));
            if (turns) transpose(pairs);
            for (int i = 0; i < SIDE; i++) _mm512_store_si512(to + c / SIDE * column + i * BLOCK, pairs[i]);
        }
    }
}

static inline void lay_down(const bf16 *x, int64_t step, int64_t count, int64_t size, bf16 *to) {
    lay_pairs(x, step, count, size, 0, to);
}

static inline void lay_turned(const bf16 *x, int64_t step, int64_t count, int64_t size, bf16 *to) {
    lay_pairs(x, step, count, size, 1, to);
}

// x [size, columns] fp32, columns `row` values apart from channel to channel, becomes bf16 rows of `to`.
static inline void write_turned(const float *x, int64_t row, int64_t columns, int64_t size, const float *scale, bf16 *to,
                         int64_t step) {
    for (int64_t first = 0; first < columns; first += SIDE) {
        __m512 factor = _mm512_loadu_ps(scale + first);
        int64_t count = columns - first < SIDE ? columns - first : SIDE;
        for (int64_t c = 0; c < size; c += SIDE) {
            __m512i rows[SIDE];
            for (int i = 0; i < SIDE; i++)
                rows[i] = _mm512_castps_si512(_mm512_mul_ps(_mm512_load_ps(x + (c + i) * row + first), factor));
            transpose(rows);
            for (int64_t i = 0; i < count; i++)
                store(to + (first + i) * step + c, _mm512_castsi512_ps(rows[i]));
        }
    }
}

// ---- memory ----

static inline int64_t whole_lines(int64_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }

static void *take(char **scratch, int64_t bytes) {
    void *taken = *scratch;
    *scratch += whole_lines(bytes);
    return taken;
}

#endif
