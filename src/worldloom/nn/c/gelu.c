// GELU in its tanh form, which is x / (1 + exp(-2 z)) with z = sqrt(2 / pi) (x + 0.044715 x^3), and its gradient.

#include "lanes.h"

static const float SLOPE = 2.30220819f;  // 2 sqrt(2 / pi) log2(e)
static const float CUBE = 0.044715f;
static const float LOG_2 = 0.69314718f;

static inline __m512 sigmoid(__m512 x) {
    __m512 square = _mm512_mul_ps(x, x);
    __m512 z = _mm512_mul_ps(x, _mm512_fmadd_ps(square, _mm512_set1_ps(-SLOPE * CUBE), _mm512_set1_ps(-SLOPE)));
    return _mm512_rcp14_ps(_mm512_add_ps(_mm512_set1_ps(1.0f), exp2_lanes(z)));
}

// Values come in groups of LANES, and first and last count groups.
void gelu(const bf16 *x, bf16 *out, int64_t first, int64_t last) {
    for (int64_t i = first * LANES; i < last * LANES; i += LANES) {
        __m512 value = load(x + i);
        store(out + i, _mm512_mul_ps(value, sigmoid(value)));
    }
}

// d/dx x s(x) = s + x s (1 - s) 2 z'.
void gelu_backward(const bf16 *x, const bf16 *grad, bf16 *grad_x, int64_t first, int64_t last) {
    const __m512 one = _mm512_set1_ps(1.0f);
    for (int64_t i = first * LANES; i < last * LANES; i += LANES) {
        __m512 value = load(x + i), s = sigmoid(value), square = _mm512_mul_ps(value, value);
        __m512 bend = _mm512_fmadd_ps(square, _mm512_set1_ps(3 * SLOPE * LOG_2 * CUBE), _mm512_set1_ps(SLOPE * LOG_2));
        bend = _mm512_mul_ps(_mm512_mul_ps(value, bend), _mm512_sub_ps(one, s));
        __m512 slope = _mm512_fmadd_ps(s, bend, s);
        store(grad_x + i, _mm512_mul_ps(load(grad + i), slope));
    }
}
