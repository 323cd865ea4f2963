// The norm of queries and keys, x / sqrt(mean(x^2) + eps) * weight over rows of bf16, and their rotation, in one pass.

#include <math.h>

#include "lanes.h"

typedef struct {
    int64_t width, tokens, pairs; // of a row; rows of a sample; of the table, for each token
} Size;

// Pairs (a, b) of neighbouring lanes to (a cos - b sin, a sin + b cos); `turn` holds (cos, sin) in their place.
static inline __m512 turned(__m512 x, __m512 turn) {
    __m512 across = _mm512_mul_ps(_mm512_permute_ps(x, 0xb1), _mm512_movehdup_ps(turn));
    return _mm512_fmaddsub_ps(x, _mm512_moveldup_ps(turn), across);
}

static inline __m512 turned_back(__m512 x, __m512 turn) {
    __m512 across = _mm512_mul_ps(_mm512_permute_ps(x, 0xb1), _mm512_movehdup_ps(turn));
    return _mm512_fmsubadd_ps(x, _mm512_moveldup_ps(turn), across);
}

// x, out: [rows, width]; weight [width]; rope [tokens, pairs, 2] or NULL, the same for all heads of 2 * pairs channels;
// inverse [rows] becomes 1 / sqrt(mean(x^2) + eps). Channels, also those of a head, come in multiples of LANES.
void norm_turn(const bf16 *x, const float *weight, const float *rope, bf16 *out, float *inverse, const Size *size,
               float eps, int64_t first, int64_t last) {
    const int64_t width = size->width, channels = 2 * size->pairs;
    for (int64_t row = first; row < last; row++) {
        const bf16 *from = x + row * width;
        const float *turns = rope ? rope + row % size->tokens * channels : NULL;
        __m512 squares = _mm512_setzero_ps();
        for (int64_t c = 0; c < width; c += LANES) {
            __m512 value = load(from + c);
            squares = _mm512_fmadd_ps(value, value, squares);
        }
        inverse[row] = 1.0f / sqrtf(_mm512_reduce_add_ps(squares) / (float)width + eps);
        const __m512 scale = _mm512_set1_ps(inverse[row]);
        for (int64_t c = 0, in_head = 0; c < width; c += LANES) {
            __m512 value = _mm512_mul_ps(_mm512_mul_ps(load(from + c), scale), _mm512_loadu_ps(weight + c));
            if (turns) value = turned(value, _mm512_loadu_ps(turns + in_head));
            store(out + row * width + c, value);
            in_head = in_head + LANES == channels ? 0 : in_head + LANES;
        }
    }
}

// n = w x r with r = `inverse`: dx = r w g - x r^3 / width * <w g, x>, dw += sum over rows of r g x, where g, the
// gradient of n, is `grad` turned back.
void norm_turn_backward(const bf16 *x, const float *weight, const float *rope, const float *inverse, const bf16 *grad,
                        bf16 *grad_x, float *grad_weight, const Size *size, int64_t first, int64_t last) {
    const int64_t width = size->width, channels = 2 * size->pairs;
    for (int64_t row = first; row < last; row++) {
        const bf16 *from = x + row * width, *above = grad + row * width;
        const float *turns = rope ? rope + row % size->tokens * channels : NULL;
        const __m512 scale = _mm512_set1_ps(inverse[row]);
        __m512 along = _mm512_setzero_ps();
        for (int64_t c = 0, in_head = 0; c < width; c += LANES) {
            __m512 g = load(above + c), value = load(from + c);
            if (turns) g = turned_back(g, _mm512_loadu_ps(turns + in_head));
            __m512 product = _mm512_mul_ps(g, value);
            along = _mm512_fmadd_ps(product, _mm512_loadu_ps(weight + c), along);
            __m512 sum = _mm512_fmadd_ps(product, scale, _mm512_loadu_ps(grad_weight + c));
            _mm512_storeu_ps(grad_weight + c, sum);
            in_head = in_head + LANES == channels ? 0 : in_head + LANES;
        }
        float cube = inverse[row] * inverse[row] * inverse[row];
        const __m512 back = _mm512_set1_ps(_mm512_reduce_add_ps(along) * cube / (float)width);
        for (int64_t c = 0, in_head = 0; c < width; c += LANES) {
            __m512 g = load(above + c);
            if (turns) g = turned_back(g, _mm512_loadu_ps(turns + in_head));
            g = _mm512_mul_ps(_mm512_mul_ps(g, _mm512_loadu_ps(weight + c)), scale);
            store(grad_x + row * width + c, _mm512_fnmadd_ps(load(from + c), back, g));
            in_head = in_head + LANES == channels ? 0 : in_head + LANES;
        }
    }
}
