// The gradients of a linear layer's weight and bias: grad^T x, and grad summed over rows, in fp32.
//
// oneDNN takes 2.3 times as long for this product as for that of the input's gradient, which has as many operations.

#include "tiles.h"

enum {
    ROWS = 256,    // of x and grad that are laid out at once
    SECTION = 384, // rows and columns of the weight that stay in the cache meanwhile
};

typedef struct {
    int64_t rows, in, out;
} Size;

// Bytes of `scratch` that `weight_gradient` needs.
int64_t weight_gradient_scratch(void) { return 2 * ROWS * 2 * SECTION; }

// weight [SECTION, SECTION] and less, rows `step` values apart, becomes grad^T x of columns that begin at these places.
static void section(const bf16 *x, const bf16 *grad, float *weight, int64_t step, char *scratch, const Size *size,
                    int64_t in, int64_t out) {
    bf16 *x_down = take(&scratch, 2 * ROWS * SECTION), *grad_turned = take(&scratch, 2 * ROWS * SECTION);
    for (int64_t row = 0; row < size->rows; row += ROWS) {
        const int64_t rows = least(size->rows - row, ROWS), steps = padded(rows) / BLOCK;
        lay_down(x + row * size->in, size->in, rows, in, x_down);
        lay_turned(grad + row * size->out, size->out, rows, out, grad_turned);
        for (int64_t i = 0; i < in; i += BLOCK) {
            Operand right = {x_down + i / SIDE * steps * TILE, LINE, 2 * TILE, steps * 2 * TILE};
            for (int64_t o = 0; o < out; o += BLOCK) {
                Operand left = {grad_turned + o / SIDE * steps * TILE, LINE, 2 * TILE, steps * 2 * TILE};
                product(left, right, weight + o * step + i, 4 * step, steps, row > 0);
            }
        }
    }
}

// x [rows, in], grad [rows, out]; weight becomes [out, in], bias [out]. Both widths come in multiples of BLOCK, and first
// and last count blocks of out.
void weight_gradient(const bf16 *x, const bf16 *grad, float *weight, float *bias, char *scratch, const Size *size,
                     int64_t first, int64_t last) {
    const int64_t in = size->in, begin = first * BLOCK, end = last * BLOCK;
    TileConfig before = set_tiles();
    for (int64_t o = begin; o < end; o += SECTION)
        for (int64_t i = 0; i < in; i += SECTION)
            section(x + i, grad + o, weight + o * in + i, in, scratch, size, least(in - i, SECTION),
                    least(end - o, SECTION));
    restore_tiles(&before);
    for (int64_t o = begin; o < end; o += BLOCK) {
        __m512 low = _mm512_setzero_ps(), high = _mm512_setzero_ps();
        for (const bf16 *row = grad + o; row < grad + size->rows * size->out; row += size->out) {
            low = _mm512_add_ps(low, load(row));
            high = _mm512_add_ps(high, load(row + LANES));
        }
        _mm512_storeu_ps(bias + o, low);
        _mm512_storeu_ps(bias + o + LANES, high);
    }
}
