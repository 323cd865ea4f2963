// silu(x / |x| * gain) over rows of bf16 in one pass: the norm before every convolution of the autoencoder.
//
// For processors with AVX512-BF16. A group of rows is measured first and written then, while it is in the cache.

#include <immintrin.h>
#include <stdint.h>

enum { LANES = 16, GROUP = 16 };

static const float MIN_LENGTH = 1e-12f; // that of channel_norm.py

static inline __m512 load(const uint16_t *from) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

static inline void store(uint16_t *to, __m512 values) {
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh(values));
}

// x / (1 + exp(-x)) to 1e-4 of it; bf16 keeps 4e-3. exp(-x) = 2^t = 2^k 2^f, k whole and |f| <= 1/2, and 2^f is
// its Taylor polynomial: the coefficient of f^n is log(2)^n / n!.
static inline __m512 silu(__m512 x) {
    const __m512 one = _mm512_set1_ps(1.0f);
    __m512 t = _mm512_mul_ps(x, _mm512_set1_ps(-1.44269504f));
    t = _mm512_min_ps(_mm512_max_ps(t, _mm512_set1_ps(-126.0f)), _mm512_set1_ps(126.0f));
    __m512 k = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 f = _mm512_sub_ps(t, k);
    __m512 p = _mm512_set1_ps(0.00961813f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.05550411f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.24022651f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.69314718f));
    p = _mm512_fmadd_ps(p, f, one);
    return _mm512_mul_ps(x, _mm512_rcp14_ps(_mm512_add_ps(one, _mm512_scalef_ps(p, k))));
}

// x, out: [rows, channels] bf16; gain: [channels]; inverse: [rows], becomes 1 / |x|. channels is a multiple of LANES.
void norm_silu(const uint16_t *restrict x, const float *restrict gain, uint16_t *restrict out, float *restrict inverse,
               int64_t rows, int64_t channels) {
    for (int64_t first = 0; first < rows; first += GROUP) {
        int64_t count = rows - first < GROUP ? rows - first : GROUP;
        float scale[GROUP] = {0};
        for (int64_t row = 0; row < count; row++) {
            __m512 squares = _mm512_setzero_ps();
            for (int64_t c = 0; c < channels; c += LANES) {
                __m512 value = load(x + row * channels + c);
                squares = _mm512_fmadd_ps(value, value, squares);
            }
            scale[row] = _mm512_reduce_add_ps(squares);
        }
        __m512 length = _mm512_max_ps(_mm512_sqrt_ps(_mm512_loadu_ps(scale)), _mm512_set1_ps(MIN_LENGTH));
        _mm512_storeu_ps(scale, _mm512_div_ps(_mm512_set1_ps(1.0f), length));
        for (int64_t c = 0; c < channels; c += LANES) {
            __m512 weight = _mm512_loadu_ps(gain + c);
            for (int64_t row = 0; row < count; row++) {
                __m512 unit = _mm512_mul_ps(load(x + row * channels + c), _mm512_set1_ps(scale[row]));
                store(out + row * channels + c, silu(_mm512_mul_ps(unit, weight)));
            }
        }
        for (int64_t row = 0; row < count; row++) inverse[first + row] = scale[row];
        x += GROUP * channels;
        out += GROUP * channels;
    }
}
