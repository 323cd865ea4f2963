// silu(x / |x| * gain) over rows of bf16 in one pass: the norm before every convolution of the autoencoder.
//
// For processors with AVX512-BF16. A group of rows is measured first and written then, while it is in the cache.

#include "lanes.h"

enum { GROUP = 16 };

static const float MIN_LENGTH = 1e-12f; // that of channel_norm.py

// 1 / (1 + exp(-x)) to 1e-4 of it; bf16 keeps 4e-3.
static inline __m512 sigmoid(__m512 x) {
    __m512 power = exp2_lanes(_mm512_mul_ps(x, _mm512_set1_ps(-1.44269504f)));
    return _mm512_rcp14_ps(_mm512_add_ps(_mm512_set1_ps(1.0f), power));
}

// x, out: [rows, channels]; gain: [channels]; inverse: [rows], becomes 1 / |x|. channels is a multiple of LANES.
void norm_silu(const bf16 *restrict x, const float *restrict gain, bf16 *restrict out, float *restrict inverse,
               int64_t channels, int64_t first, int64_t last) {
    for (; first < last; first += GROUP) {
        const bf16 *from = x + first * channels;
        bf16 *to = out + first * channels;
        int64_t count = last - first < GROUP ? last - first : GROUP;
        float scale[GROUP] = {0};
        for (int64_t row = 0; row < count; row++) {
            __m512 squares = _mm512_setzero_ps();
            for (int64_t c = 0; c < channels; c += LANES) {
                __m512 value = load(from + row * channels + c);
                squares = _mm512_fmadd_ps(value, value, squares);
            }
            scale[row] = _mm512_reduce_add_ps(squares);
        }
        __m512 length = _mm512_max_ps(_mm512_sqrt_ps(_mm512_loadu_ps(scale)), _mm512_set1_ps(MIN_LENGTH));
        _mm512_storeu_ps(scale, _mm512_div_ps(_mm512_set1_ps(1.0f), length));
        for (int64_t c = 0; c < channels; c += LANES) {
            __m512 weight = _mm512_loadu_ps(gain + c);
            for (int64_t row = 0; row < count; row++) {
                __m512 unit = _mm512_mul_ps(load(from + row * channels + c), _mm512_set1_ps(scale[row]));
                __m512 value = _mm512_mul_ps(unit, weight);
                store(to + row * channels + c, _mm512_mul_ps(value, sigmoid(value)));
            }
        }
        for (int64_t row = 0; row < count; row++) inverse[first + row] = scale[row];
    }
}

// With n = x * inverse, y = n * gain and dy = silu'(y) * grad = s (1 + y (1 - s)) grad, s = sigmoid(y):
// dgain += dy n, and since n has length 1, dx = (h - n <h, n>) inverse where h = dy gain.
void norm_silu_backward(const bf16 *x, const float *gain, const float *inverse, const bf16 *grad, bf16 *grad_x,
                        float *grad_gain, int64_t channels, int64_t first, int64_t last) {
    const __m512 one = _mm512_set1_ps(1.0f);
    float slope[channels];
    for (int64_t row = first; row < last; row++) {
        const bf16 *from = x + row * channels, *above = grad + row * channels;
        const __m512 scale = _mm512_set1_ps(inverse[row]);
        __m512 along = _mm512_setzero_ps();
        for (int64_t c = 0; c < channels; c += LANES) {
            __m512 unit = _mm512_mul_ps(load(from + c), scale), weight = _mm512_loadu_ps(gain + c);
            __m512 value = _mm512_mul_ps(unit, weight), s = sigmoid(value);
            __m512 bend = _mm512_fmadd_ps(value, _mm512_sub_ps(one, s), one);
            __m512 dy = _mm512_mul_ps(_mm512_mul_ps(s, bend), load(above + c)), h = _mm512_mul_ps(dy, weight);
            _mm512_storeu_ps(grad_gain + c, _mm512_fmadd_ps(dy, unit, _mm512_loadu_ps(grad_gain + c)));
            _mm512_storeu_ps(slope + c, h);
            along = _mm512_fmadd_ps(h, unit, along);
        }
        const __m512 back = _mm512_set1_ps(_mm512_reduce_add_ps(along));
        for (int64_t c = 0; c < channels; c += LANES) {
            __m512 unit = _mm512_mul_ps(load(from + c), scale);
            __m512 h = _mm512_fnmadd_ps(unit, back, _mm512_loadu_ps(slope + c));
            store(grad_x + row * channels + c, _mm512_mul_ps(h, scale));
        }
    }
}
