// Layer norm with scale and shift by noise level, and a branch added through a gate by noise level, in one pass each.
//
// Scale, shift and gate have few rows of fp32, one per level; `level` names the row of every token.

#include <math.h>

#include "lanes.h"

// out = (x - mean) / sqrt(variance + eps) * (1 + scale) + shift over rows of `width`; moments [rows, 2] becomes the mean
// and 1 / sqrt(variance + eps).
void norm_modulate(const bf16 *x, const float *scale, const float *shift, const int32_t *level, bf16 *out,
                   float *moments, int64_t width, float eps, int64_t first, int64_t last) {
    const __m512 one = _mm512_set1_ps(1.0f);
    for (int64_t row = first; row < last; row++) {
        const bf16 *from = x + row * width;
        const float *gain = scale + level[row] * width, *offset = shift + level[row] * width;
        __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
        for (int64_t c = 0; c < width; c += LANES) sum = _mm512_add_ps(sum, load(from + c));
        const float mean = _mm512_reduce_add_ps(sum) / (float)width;
        const __m512 middle = _mm512_set1_ps(mean);
        for (int64_t c = 0; c < width; c += LANES) {
            __m512 value = _mm512_sub_ps(load(from + c), middle);
            squares = _mm512_fmadd_ps(value, value, squares);
        }
        const float inverse = 1.0f / sqrtf(_mm512_reduce_add_ps(squares) / (float)width + eps);
        for (int64_t c = 0; c < width; c += LANES) {
            __m512 value = _mm512_mul_ps(_mm512_sub_ps(load(from + c), middle), _mm512_set1_ps(inverse));
            __m512 factor = _mm512_add_ps(one, _mm512_loadu_ps(gain + c));
            store(out + row * width + c, _mm512_fmadd_ps(value, factor, _mm512_loadu_ps(offset + c)));
        }
        moments[2 * row] = mean;
        moments[2 * row + 1] = inverse;
    }
}

// With n the normed row and h = grad (1 + scale): dx = (h - mean(h) - n mean(h n)) inverse, and of its level
// dscale += grad n, dshift += grad.
void norm_modulate_backward(const bf16 *x, const float *scale, const int32_t *level, const float *moments,
                            const bf16 *grad, bf16 *grad_x, float *grad_scale, float *grad_shift, int64_t width,
                            int64_t first, int64_t last) {
    const __m512 one = _mm512_set1_ps(1.0f);
    for (int64_t row = first; row < last; row++) {
        const bf16 *from = x + row * width, *above = grad + row * width;
        const float *gain = scale + level[row] * width;
        float *to_scale = grad_scale + level[row] * width, *to_shift = grad_shift + level[row] * width;
        const __m512 middle = _mm512_set1_ps(moments[2 * row]), inverse = _mm512_set1_ps(moments[2 * row + 1]);
        __m512 sum = _mm512_setzero_ps(), along = _mm512_setzero_ps();
        for (int64_t c = 0; c < width; c += LANES) {
            __m512 g = load(above + c), normed = _mm512_mul_ps(_mm512_sub_ps(load(from + c), middle), inverse);
            _mm512_storeu_ps(to_scale + c, _mm512_fmadd_ps(g, normed, _mm512_loadu_ps(to_scale + c)));
            _mm512_storeu_ps(to_shift + c, _mm512_add_ps(g, _mm512_loadu_ps(to_shift + c)));
            __m512 h = _mm512_mul_ps(g, _mm512_add_ps(one, _mm512_loadu_ps(gain + c)));
            sum = _mm512_add_ps(sum, h);
            along = _mm512_fmadd_ps(h, normed, along);
        }
        const __m512 level_of_h = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)width);
        const __m512 slope_of_h = _mm512_set1_ps(_mm512_reduce_add_ps(along) / (float)width);
        for (int64_t c = 0; c < width; c += LANES) {
            __m512 normed = _mm512_mul_ps(_mm512_sub_ps(load(from + c), middle), inverse);
            __m512 h = _mm512_mul_ps(load(above + c), _mm512_add_ps(one, _mm512_loadu_ps(gain + c)));
            h = _mm512_fnmadd_ps(normed, slope_of_h, _mm512_sub_ps(h, level_of_h));
            store(grad_x + row * width + c, _mm512_mul_ps(h, inverse));
        }
    }
}

// out = x + branch * gate.
void add_gated(const bf16 *x, const bf16 *branch, const float *gate, const int32_t *level, bf16 *out, int64_t width,
               int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++) {
        const float *factor = gate + level[row] * width;
        for (int64_t c = 0, at = row * width; c < width; c += LANES, at += LANES)
            store(out + at, _mm512_fmadd_ps(load(branch + at), _mm512_loadu_ps(factor + c), load(x + at)));
    }
}

// dbranch = grad * gate, and of its level dgate += grad * branch; that of x is `grad` itself.
void add_gated_backward(const bf16 *branch, const float *gate, const int32_t *level, const bf16 *grad,
                        bf16 *grad_branch, float *grad_gate, int64_t width, int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++) {
        const float *factor = gate + level[row] * width;
        float *to_gate = grad_gate + level[row] * width;
        for (int64_t c = 0, at = row * width; c < width; c += LANES, at += LANES) {
            __m512 g = load(grad + at);
            store(grad_branch + at, _mm512_mul_ps(g, _mm512_loadu_ps(factor + c)));
            _mm512_storeu_ps(to_gate + c, _mm512_fmadd_ps(g, load(branch + at), _mm512_loadu_ps(to_gate + c)));
        }
    }
}
