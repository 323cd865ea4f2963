// Sixteen lanes of fp32 and the bf16 rows they come from and go to (AVX-512 with AVX512-BF16).

#ifndef LANES_H
#define LANES_H

#include <immintrin.h>
#include <stdint.h>

typedef uint16_t bf16;

enum { LANES = 16 };

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static inline __m512 widen(__m256i values) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(values), 16));
}

static inline __m256i narrow(__m512 values) { return (__m256i)_mm512_cvtneps_pbh(values); }

static inline __m512 load(const bf16 *from) { return widen(_mm256_loadu_si256((const __m256i *)from)); }

static inline void store(bf16 *to, __m512 values) { _mm256_storeu_si256((__m256i *)to, narrow(values)); }

// 2^t to 5e-5 of it, at least 2^-126; NaN stays NaN. 2^t = 2^k 2^f, k whole and |f| <= 1/2, and 2^f is its Taylor
// polynomial: the coefficient of f^n is log(2)^n / n!.
static inline __m512 exp2_lanes(__m512 t) {
    // of a number and NaN, these return the second
    t = _mm512_min_ps(_mm512_set1_ps(126.0f), _mm512_max_ps(_mm512_set1_ps(-126.0f), t));
    __m512 k = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 f = _mm512_sub_ps(t, k);
    __m512 p = _mm512_set1_ps(0.00961813f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.05550411f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.24022651f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.69314718f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, k);
}

#endif
