// 3x3 convolution of bf16 frames by Winograd's minimal filtering, F(2x2, 3x3) (Lavin & Gray, arXiv 1509.09308).
//
// Two by two output pixels, a tile, need a four by four patch of the input. In a transformed basis of 16 coordinates the
// convolution is a product of matrices for each of them, 16 multiplications for 36. A kernel that reaches back in time
// sums its frames in that basis, where each is transformed once: the last ones stay in a ring. A piece of the picture
// is worked through from its first frame to its last, in memory that a core's own cache holds.
//
// For processors with AVX512-BF16. Transforms are taken in fp32; the coordinates of input and kernel are bf16.

#include "tiles.h"

enum {
    SIZE = 2,       // output pixels along a side of a tile
    PATCH = 4,      // input pixels that they need
    COORDINATES = PATCH * PATCH,
    CHANNELS = 32,  // of the input, which are moved at once
    ROWS = 8,       // tiles of a product whose sums stay in registers, twice LANES wide
    LONG_ROWS = 16, // the same, once LANES wide
};

typedef struct {
    int64_t frames, height, width, in, out, taps; // frames of the output; `out` counts channels that are stored
    int64_t high, wide;                           // tiles of a piece
} Size;

typedef struct {
    int64_t top, left, high, wide; // in tiles
} Piece;

static inline int64_t over(int64_t count, int64_t size) { return (count + size - 1) / size; }

static inline int64_t rows_of(const Size *size) { return over(size->high * size->wide, LONG_ROWS) * LONG_ROWS; }

static inline int64_t width_of(const Size *size) { return over(size->out, LANES) * LANES; }

// From coordinate to coordinate, in values of bf16 and of fp32. A line more than needed, for at a power of two all 16
// would share few places of the cache.
static inline int64_t moved_step(const Size *size) { return rows_of(size) * size->in + LINE / 2; }

static inline int64_t product_step(const Size *size) { return rows_of(size) * width_of(size) + LINE / 4; }

// Bytes of `scratch` that `winograd` needs.
int64_t winograd_scratch(const Size *size) {
    const int64_t ring = size->taps * COORDINATES * moved_step(size) * 2;
    return whole_lines(ring) + whole_lines(COORDINATES * product_step(size) * 4);
}

// g [3] of every lane, `step` apart, becomes G g [4], as far apart.
static inline void transform_kernel(__m512 *g, int step) {
    const __m512 half = _mm512_set1_ps(0.5f), a = g[0], b = _mm512_mul_ps(half, g[step]), c = g[2 * step];
    const __m512 ends = _mm512_mul_ps(half, _mm512_add_ps(a, c));
    g[step] = _mm512_add_ps(ends, b);
    g[2 * step] = _mm512_sub_ps(ends, b);
    g[3 * step] = c;
}

// weight [out, in, taps, 3, 3] becomes `moved` [COORDINATES, taps, in / 2, width_of, 2]: channels in the order in which
// `move_in` stores them. first and last count pairs of channels.
void winograd_kernel(const bf16 *weight, bf16 *moved, const Size *size, int64_t first, int64_t last) {
    const int64_t in = size->in, taps = size->taps, width = width_of(size);
    for (; first < last; first++) {
        const int64_t pair = first % (CHANNELS / 2), odd = pair >= CHANNELS / 4;
        const int64_t channel = first / (CHANNELS / 2) * CHANNELS + (odd ? 4 * pair + 1 - CHANNELS : 4 * pair);
        for (int64_t tap = 0; tap < taps; tap++) {
            for (int64_t o = 0; o < width; o += LANES) {
                __m256i both[2][COORDINATES];
                for (int side = 0; side < 2; side++) {
                    uint32_t taken[9][LANES] = {0};
                    for (int64_t lane = 0; lane < least(LANES, size->out - o); lane++) {
                        const bf16 *from = weight + (((o + lane) * in + channel + 2 * side) * taps + tap) * 9;
                        for (int i = 0; i < 9; i++) taken[i][lane] = (uint32_t)from[i] << 16;
                    }
                    __m512 g[COORDINATES];
                    for (int i = 0; i < 9; i++) g[i / 3 * PATCH + i % 3] = _mm512_loadu_ps(taken[i]);
                    for (int i = 0; i < 3; i++) transform_kernel(g + i, PATCH);
                    for (int i = 0; i < PATCH; i++) transform_kernel(g + i * PATCH, 1);
                    for (int i = 0; i < COORDINATES; i++) both[side][i] = narrow(g[i]);
                }
                for (int64_t i = 0; i < COORDINATES; i++) {
                    bf16 *to = moved + (((i * taps + tap) * in / 2 + first) * width + o) * 2;
                    _mm512_storeu_si512(to, paired(both[0][i], both[1][i]));
                }
            }
        }
    }
}

// 32 channels of a column of a patch, as rows of B^T: even channels in the first half of `to`, odd ones in the second.
static inline void move_column(const bf16 *const *lines, int64_t place, __m512 to[2 * PATCH]) {
    __m512 d[2 * PATCH];
    for (int i = 0; i < PATCH; i++) {
        const __m512i both = lines[i] ? _mm512_loadu_si512(lines[i] + place) : _mm512_setzero_si512();
        d[i] = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
        d[PATCH + i] = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(0xffff0000)));
    }
    for (int i = 0; i < 2 * PATCH; i += PATCH) {
        to[i] = _mm512_sub_ps(d[i], d[i + 2]);
        to[i + 1] = _mm512_add_ps(d[i + 1], d[i + 2]);
        to[i + 2] = _mm512_sub_ps(d[i + 2], d[i + 1]);
        to[i + 3] = _mm512_sub_ps(d[i + 1], d[i + 3]);
    }
}

static inline void store_both(bf16 *to, __m512 even, __m512 odd) {
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(odd, even));
}

// One frame [height, width, in] of a piece becomes `moved` [COORDINATES, rows, in]; of every 32 channels the even ones
// come first. Neighbouring patches have two columns in common, which are moved once.
static void move_in(const bf16 *frame, bf16 *moved, const Size *size, Piece piece) {
    const int64_t in = size->in, step = moved_step(size);
    for (int64_t row = 0; row < piece.high; row++, moved += piece.wide * in) {
        const bf16 *lines[PATCH], *nowhere[PATCH] = {0};
        for (int i = 0; i < PATCH; i++) {
            const int64_t y = (piece.top + row) * SIZE - 1 + i;
            lines[i] = y >= 0 && y < size->height ? frame + y * size->width * in : 0;
        }
        for (int64_t c = 0; c < in; c += CHANNELS) {
            int64_t x = piece.left * SIZE - 1;
            __m512 a[2 * PATCH], b[2 * PATCH], d[2 * PATCH], e[2 * PATCH];
            move_column(x < 0 ? nowhere : lines, x * in + c, a);
            move_column(lines, (x + 1) * in + c, b);
            for (int64_t tile = 0; tile < piece.wide; tile++, x += SIZE) {
                move_column(x + 2 < size->width ? lines : nowhere, (x + 2) * in + c, d);
                move_column(x + 3 < size->width ? lines : nowhere, (x + 3) * in + c, e);
                bf16 *to = moved + tile * in + c;
                for (int i = 0; i < PATCH; i++, to += PATCH * step) {
                    const int o = i + PATCH;
                    store_both(to, _mm512_sub_ps(a[i], d[i]), _mm512_sub_ps(a[o], d[o]));
                    store_both(to + step, _mm512_add_ps(b[i], d[i]), _mm512_add_ps(b[o], d[o]));
                    store_both(to + 2 * step, _mm512_sub_ps(d[i], b[i]), _mm512_sub_ps(d[o], b[o]));
                    store_both(to + 3 * step, _mm512_sub_ps(b[i], e[i]), _mm512_sub_ps(b[o], e[o]));
                }
                memcpy(a, d, sizeof a);
                memcpy(b, e, sizeof b);
            }
        }
    }
}

// to [rows, vectors * LANES], rows `width` apart, becomes the sum over taps of left[tap] [rows, in] times right [taps, in,
// vectors * LANES] in pairs of rows, `width` pairs apart. A macro, for sums stay in registers only where both are known.
#define MULTIPLY(name, rows, vectors)                                                                                  \
    static void name(const bf16 *const *left, const bf16 *right, float *to, int64_t width, int64_t in, int64_t taps) { \
        __m512 sums[rows][vectors];                                                                                    \
        for (int i = 0; i < rows; i++)                                                                                 \
            for (int v = 0; v < vectors; v++) sums[i][v] = _mm512_setzero_ps();                                        \
        for (int64_t tap = 0; tap < taps; tap++) {                                                                     \
            const bf16 *from = left[tap];                                                                              \
            for (int64_t c = 0; c < in; c += 2, from += 2, right += 2 * width) {                                       \
                __m512bh columns[vectors];                                                                             \
                for (int v = 0; v < vectors; v++)                                                                      \
                    columns[v] = (__m512bh)_mm512_loadu_si512(right + 2 * LANES * v);                                  \
                for (int i = 0; i < rows; i++) {                                                                       \
                    int32_t values;                                                                                    \
                    memcpy(&values, from + i * in, sizeof values);                                                     \
                    const __m512bh pair = (__m512bh)_mm512_set1_epi32(values);                                         \
                    for (int v = 0; v < vectors; v++) sums[i][v] = _mm512_dpbf16_ps(sums[i][v], pair, columns[v]);     \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        for (int i = 0; i < rows; i++)                                                                                 \
            for (int v = 0; v < vectors; v++) _mm512_storeu_ps(to + i * width + v * LANES, sums[i][v]);                \
    }

MULTIPLY(multiply_wide, ROWS, 2)
MULTIPLY(multiply_narrow, LONG_ROWS, 1)

// The products of one coordinate, [rows, width].
static void multiply_all(const bf16 *const *moved, const bf16 *kernel, float *products, int64_t rows, const Size *size) {
    const int64_t width = width_of(size);
    const bf16 *left[size->taps];
    for (int64_t column = 0; column < width; column += 2 * LANES) {
        const int wide = column + LANES < width;
        for (int64_t row = 0; row < rows; row += wide ? ROWS : LONG_ROWS) {
            for (int64_t tap = 0; tap < size->taps; tap++) left[tap] = moved[tap] + row * size->in;
            float *to = products + row * width + column;
            if (wide)
                multiply_wide(left, kernel + 2 * column, to, width, size->in, size->taps);
            else
                multiply_narrow(left, kernel + 2 * column, to, width, size->in, size->taps);
        }
    }
}

// m becomes A^T m for columns of four values `step` apart: two are left.
static inline void transform_output(__m512 *m, int step) {
    const __m512 a = m[0], b = m[step], c = m[2 * step], d = m[3 * step];
    m[0] = _mm512_add_ps(_mm512_add_ps(a, b), c);
    m[step] = _mm512_sub_ps(_mm512_sub_ps(b, c), d);
}

// products [COORDINATES, rows, width] become a piece of one frame [height, width, out], with bias and `onto`.
static void move_out(const float *products, const float *bias, const bf16 *onto, bf16 *frame, const Size *size,
                     Piece piece) {
    const int64_t width = width_of(size), step = product_step(size);
    for (int64_t tile = 0; tile < piece.high * piece.wide; tile++) {
        const int64_t row = (piece.top + tile / piece.wide) * SIZE, column = (piece.left + tile % piece.wide) * SIZE;
        for (int64_t c = 0; c < size->out; c += LANES) {
            const __mmask16 kept = size->out - c < LANES ? (1u << (size->out - c)) - 1 : 0xffff;
            const int whole = size->out - c >= LANES;
            const __m512 always = bias ? _mm512_maskz_loadu_ps(kept, bias + c) : _mm512_setzero_ps();
            __m512 m[COORDINATES];
            for (int i = 0; i < COORDINATES; i++) m[i] = _mm512_loadu_ps(products + i * step + tile * width + c);
            for (int i = 0; i < PATCH; i++) transform_output(m + i, PATCH);
            for (int i = 0; i < SIZE; i++) transform_output(m + i * PATCH, 1);
            for (int i = 0; i < SIZE * SIZE; i++) {
                const int64_t y = row + i / SIZE, x = column + i % SIZE;
                if (y >= size->height || x >= size->width) continue;
                const int64_t place = (y * size->width + x) * size->out + c;
                __m512 value = _mm512_add_ps(m[i / SIZE * PATCH + i % SIZE], always);
                if (onto) value = _mm512_add_ps(value, widen(_mm256_maskz_loadu_epi16(kept, onto + place)));
                if (whole)
                    store(frame + place, value); // a store under a mask takes several times as long
                else
                    _mm256_mask_storeu_epi16(frame + place, kept, narrow(value));
            }
        }
    }
}

// Ask for one of COORDINATES parts of what `move_in` will read of a frame.
static void fetch(const bf16 *frame, int64_t part, const Size *size, Piece piece) {
    const int64_t low = least(piece.left * SIZE + piece.wide * SIZE, size->width) * size->in, in = size->in;
    for (int64_t y = piece.top * SIZE - 1 + part; y < (piece.top + piece.high) * SIZE + 1; y += COORDINATES) {
        if (y < 0 || y >= size->height) continue;
        const bf16 *row = frame + y * size->width * in;
        for (int64_t i = piece.left * SIZE * in; i < low; i += LINE / 2) _mm_prefetch(row + i, _MM_HINT_T1);
    }
}

// x [clips, frames + taps - 1, height, width, in], onto (or null) and out [clips, frames, height, width, out]; bias [out]
// or null; kernel [COORDINATES, taps, in / 2, width_of, 2], of every 32 channels the even ones first. `in` is a multiple
// of CHANNELS. first and last count pieces of
// `high` by `wide` tiles, clip by clip and row by row. onto may be out.
void winograd(const bf16 *x, const bf16 *kernel, const float *bias, const bf16 *onto, bf16 *out, char *scratch,
              const Size *size, int64_t first, int64_t last) {
    const int64_t rows = over(size->height, SIZE), columns = over(size->width, SIZE);
    const int64_t down = over(rows, size->high), across = over(columns, size->wide);
    const int64_t pixels = size->height * size->width, step = moved_step(size), taps = size->taps;
    bf16 *ring = take(&scratch, taps * COORDINATES * step * 2);
    float *products = take(&scratch, COORDINATES * product_step(size) * 4);
    memset(ring, 0, taps * COORDINATES * step * 2); // tiles beyond a piece's last
    for (; first < last; first++) {
        const int64_t clip = first / (down * across), top = first / across % down * size->high;
        const int64_t left = first % across * size->wide;
        const Piece piece = {top, left, least(size->high, rows - top), least(size->wide, columns - left)};
        const int64_t held = over(piece.high * piece.wide, LONG_ROWS) * LONG_ROWS;
        const bf16 *input = x + clip * (size->frames + taps - 1) * pixels * size->in;
        for (int64_t frame = 0; frame < size->frames + taps - 1; frame++) {
            bf16 *slot = ring + frame % taps * COORDINATES * step;
            move_in(input + frame * pixels * size->in, slot, size, piece);
            const int64_t kept = frame - (taps - 1);
            if (kept < 0) continue;
            const bf16 *next = input + (frame + 1) * pixels * size->in;
            for (int64_t i = 0; i < COORDINATES; i++) {
                if (frame + 1 < size->frames + taps - 1) fetch(next, i, size, piece);
                const bf16 *moved[taps];
                for (int64_t tap = 0; tap < taps; tap++)
                    moved[tap] = ring + ((kept + tap) % taps * COORDINATES + i) * step;
                multiply_all(moved, kernel + i * taps * size->in * width_of(size),
                             products + i * product_step(size), held, size);
            }
            const int64_t place = (clip * size->frames + kept) * pixels * size->out;
            move_out(products, bias, onto ? onto + place : 0, out + place, size, piece);
        }
    }
}
