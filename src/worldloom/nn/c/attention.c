// softmax(q k^T / sqrt(K) + bias) v and its gradient in bf16, a head at a time, in the cache.
//
// Scores are kept keys down and queries across: the softmax then runs along lanes, and what it makes is already laid
// out as the right operand of the next product. FlashAttention-2 (arXiv 2307.08691) without its running maximum: a row
// of scores is short enough to be kept whole.

#include <math.h>

#include "tiles.h"

enum { CHUNK = 128 }; // keys whose gradients of scores are kept at once

static const float HIDDEN = -1e30f; // score of a key that is not there

typedef struct {
    int64_t heads, queries, keys, size; // of a sample; size is a multiple of BLOCK
} Shape;

typedef struct {
    int64_t sample, head, token; // steps in values; channels lie side by side
} Layout;

static inline const bf16 *head_of(const bf16 *x, Layout layout, int64_t sample, int64_t head) {
    return x + sample * layout.sample + head * layout.head;
}

static const float LOG2_E = 1.44269504f;

// The bias of every key, times log2(e); without one, zeros.
static void lay_bias(const float *bias, int64_t keys, float *to) {
    for (int64_t key = 0; key < padded(keys); key++)
        to[key] = key >= keys ? HIDDEN : bias ? bias[key] * LOG2_E : 0.0f;
}

// Softmax over keys of BLOCK queries' scores [keys, BLOCK]: fills pairs of keys with exponentials, `inverse` with one over
// their sums and `logarithm` with the logarithms to base 2.
static void softmax(const float *scores, const float *bias, int64_t keys, float scale, bf16 *to, float inverse[BLOCK],
                    float logarithm[BLOCK]) {
    const __m512 factor = _mm512_set1_ps(scale);
    __m512 most[2] = {_mm512_set1_ps(-INFINITY), _mm512_set1_ps(-INFINITY)};
    for (int64_t key = 0; key < keys; key++) {
        for (int half = 0; half < 2; half++) {
            __m512 score = _mm512_load_ps(scores + key * BLOCK + half * SIDE);
            most[half] = _mm512_max_ps(most[half], _mm512_fmadd_ps(score, factor, _mm512_set1_ps(bias[key])));
        }
    }
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (int64_t key = 0; key < keys; key += 2) {
        bf16 *tile = to + key / BLOCK * 2 * TILE + key % BLOCK / 2 * BLOCK;
        for (int half = 0; half < 2; half++) {
            __m256i share[2];
            for (int i = 0; i < 2; i++) {
                __m512 score = _mm512_load_ps(scores + (key + i) * BLOCK + half * SIDE);
                __m512 offset = _mm512_sub_ps(_mm512_set1_ps(bias[key + i]), most[half]);
                share[i] = narrow(exp2_lanes(_mm512_fmadd_ps(score, factor, offset)));
                // as they are rounded, so that what all values have in common comes out as it is
                sum[half] = _mm512_add_ps(sum[half], widen(share[i]));
            }
            _mm512_store_si512(tile + half * TILE, paired(share[0], share[1]));
        }
    }
    for (int half = 0; half < 2; half++) {
        float sums[SIDE], tops[SIDE];
        _mm512_storeu_ps(sums, sum[half]);
        _mm512_storeu_ps(tops, most[half]);
        _mm512_storeu_ps(inverse + half * SIDE, _mm512_div_ps(_mm512_set1_ps(1.0f), sum[half]));
        for (int i = 0; i < SIDE; i++) logarithm[half * SIDE + i] = tops[i] + log2f(sums[i]);
    }
}

// Bytes of `scratch` that `attention` needs.
int64_t attention_scratch(const Shape *shape) {
    const int64_t rows = padded(shape->queries), columns = padded(shape->keys), size = shape->size;
    return 2 * size * (rows + 2 * columns) + (4 + 6 * BLOCK) * columns + 4 * BLOCK * size;
}

// out [samples, queries, heads, size]; weight [samples, heads, queries], the logarithm to base 2 of the sum of a query's
// exponentials; bias [samples, keys] in steps of `bias_step`, or NULL. Heads first to last of all samples.
void attention(const bf16 *query, const bf16 *key, const bf16 *value, const float *bias, bf16 *out, float *weight,
               char *scratch, const Shape *shape, const Layout layout[3], int64_t bias_step, int64_t first,
               int64_t last) {
    const int64_t heads = shape->heads, queries = shape->queries, keys = shape->keys, size = shape->size;
    const int64_t rows = padded(queries), columns = padded(keys), depth = size / BLOCK;
    const float scale = LOG2_E / sqrtf((float)size);
    bf16 *query_across = take(&scratch, 2 * rows * size), *key_plain = take(&scratch, 2 * columns * size);
    bf16 *value_turned = take(&scratch, 2 * columns * size), *share = take(&scratch, 2 * BLOCK * columns);
    float *offset = take(&scratch, 4 * columns), *scores = take(&scratch, 4 * BLOCK * columns);
    float *found = take(&scratch, 4 * BLOCK * size);

    TileConfig before = set_tiles();
    for (int64_t number = first; number < last; number++) {
        const int64_t sample = number / heads, head = number % heads;
        const bf16 *q = head_of(query, layout[0], sample, head);
        const bf16 *k = head_of(key, layout[1], sample, head);
        const bf16 *v = head_of(value, layout[2], sample, head);
        bf16 *o = out + (sample * queries * heads + head) * size;
        lay_across(q, layout[0].token, queries, size, query_across);
        lay_plain(k, layout[1].token, keys, size, key_plain);
        lay_turned(v, layout[2].token, keys, size, value_turned);
        lay_bias(bias ? bias + sample * bias_step : NULL, keys, offset);
        for (int64_t n = 0; n < rows; n += BLOCK) {
            Operand right = {query_across + n * size, LINE, 2 * TILE, depth * 2 * TILE};
            for (int64_t l = 0; l < columns; l += BLOCK) {
                Operand left = {key_plain + l * size, 2 * size, LINE, SIDE * 2 * size};
                product(left, right, scores + l * BLOCK, 4 * BLOCK, depth, 0);
            }
            float inverse[BLOCK], logarithm[BLOCK];
            softmax(scores, offset, columns, scale, share, inverse, logarithm);
            Operand shares = {share, LINE, 4 * TILE, 2 * TILE};
            for (int64_t c = 0; c < size; c += BLOCK) {
                Operand left = {value_turned + c * columns, LINE, 2 * TILE, columns / BLOCK * 2 * TILE};
                product(left, shares, found + c * BLOCK, 4 * BLOCK, columns / BLOCK, 0);
            }
            int64_t count = queries - n < BLOCK ? queries - n : BLOCK;
            write_turned(found, BLOCK, count, size, inverse, o + n * heads * size, heads * size);
            memcpy(weight + number * queries + n, logarithm, 4 * count);
        }
    }
    restore_tiles(&before);
}

static float dot(const bf16 *a, const bf16 *b, int64_t size) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t c = 0; c < size; c += LANES) sum = _mm512_fmadd_ps(load(a + c), load(b + c), sum);
    return _mm512_reduce_add_ps(sum);
}

// The rows of x [BLOCK, size] that there are, times a factor, in bf16.
static void write_rows(const float *x, int64_t count, int64_t size, float factor, bf16 *to, int64_t step) {
    for (int64_t row = 0; row < count; row++)
        for (int64_t c = 0; c < size; c += LANES)
            store(to + row * step + c, _mm512_mul_ps(_mm512_load_ps(x + row * size + c), _mm512_set1_ps(factor)));
}

// Rows of shares are this many values apart: no power of two, which would share a cache's few lines.
static inline int64_t wide(int64_t rows) { return rows + BLOCK; }

// Bytes of `scratch` that `attention_backward` needs.
int64_t attention_backward_scratch(const Shape *shape) {
    const int64_t rows = padded(shape->queries), columns = padded(shape->keys), size = shape->size;
    return 2 * size * (4 * rows + 3 * columns) + 4 * columns + 12 * rows + 8 * BLOCK * BLOCK +
           4 * BLOCK * wide(rows) + 2 * CHUNK * rows + 4 * BLOCK * size + 4 * size * rows;
}

// Shares p and gradients of scores ds of BLOCK keys and BLOCK queries, from their scores and `slope`, which is grad v^T.
// Rows of `share` and `bent` are keys, `width` values apart; `down` becomes the two tiles of ds laid down.
static inline void bend(const float *scores, const float *slope, const float *bias, const float *logarithm,
                        const float *along, float scale, bf16 *share, bf16 *bent, int64_t width, bf16 *down) {
    for (int column = 0; column < BLOCK; column += SIDE, down += TILE) {
        const __m512 log_sum = _mm512_load_ps(logarithm + column), level = _mm512_load_ps(along + column);
        for (int key = 0; key < BLOCK; key += 2) {
            __m256i ds[2];
            for (int i = 0; i < 2; i++) {
                const int at = (key + i) * BLOCK + column;
                const int64_t to = (key + i) * width + column;
                __m512 exponent = _mm512_sub_ps(_mm512_set1_ps(bias[key + i]), log_sum);
                exponent = _mm512_fmadd_ps(_mm512_load_ps(scores + at), _mm512_set1_ps(scale), exponent);
                __m512 p = exp2_lanes(exponent);
                ds[i] = narrow(_mm512_mul_ps(p, _mm512_sub_ps(_mm512_load_ps(slope + at), level)));
                store(share + to, p);
                _mm256_store_si256((__m256i *)(bent + to), ds[i]);
            }
            _mm512_store_si512(down + key / 2 * BLOCK, paired(ds[0], ds[1]));
        }
    }
}

// With p the shares and d_i = <grad_i, out_i>: dv = p^T grad, ds = p (grad v^T - d), dq = ds k, dk = ds^T q, the last
// two over sqrt(K). `out` and `weight` are those of `attention`; layout[3] is that of grad; gradients are
// [samples, tokens, heads, size].
void attention_backward(const bf16 *query, const bf16 *key, const bf16 *value, const float *bias, const bf16 *out,
                        const float *weight, const bf16 *grad, bf16 *grad_query, bf16 *grad_key, bf16 *grad_value,
                        char *scratch, const Shape *shape, const Layout layout[4], int64_t bias_step, int64_t first,
                        int64_t last) {
    const int64_t heads = shape->heads, queries = shape->queries, keys = shape->keys, size = shape->size;
    const int64_t rows = padded(queries), columns = padded(keys), depth = size / BLOCK, step = heads * size;
    const int64_t width = wide(rows);
    const float scale = LOG2_E / sqrtf((float)size);
    bf16 *query_across = take(&scratch, 2 * rows * size), *grad_across = take(&scratch, 2 * rows * size);
    bf16 *query_down = take(&scratch, 2 * rows * size), *grad_down = take(&scratch, 2 * rows * size);
    bf16 *key_plain = take(&scratch, 2 * columns * size), *value_plain = take(&scratch, 2 * columns * size);
    bf16 *key_turned = take(&scratch, 2 * columns * size);
    float *offset = take(&scratch, 4 * columns), *logarithm = take(&scratch, 4 * rows);
    float *along = take(&scratch, 4 * rows), *factors = take(&scratch, 4 * rows);
    float *scores = take(&scratch, 4 * BLOCK * BLOCK), *slope = take(&scratch, 4 * BLOCK * BLOCK);
    bf16 *share = take(&scratch, 2 * BLOCK * width), *bent = take(&scratch, 2 * BLOCK * width);
    bf16 *bent_down = take(&scratch, 2 * CHUNK * rows);
    float *sum = take(&scratch, 4 * BLOCK * size), *sum_query = take(&scratch, 4 * size * rows);
    for (int64_t n = 0; n < rows; n++) factors[n] = scale / LOG2_E;

    TileConfig before = set_tiles();
    for (int64_t number = first; number < last; number++) {
        const int64_t sample = number / heads, head = number % heads;
        const bf16 *q = head_of(query, layout[0], sample, head);
        const bf16 *k = head_of(key, layout[1], sample, head);
        const bf16 *v = head_of(value, layout[2], sample, head);
        const bf16 *g = head_of(grad, layout[3], sample, head);
        const bf16 *o = out + (sample * queries * heads + head) * size;
        lay_across(q, layout[0].token, queries, size, query_across);
        lay_down(q, layout[0].token, queries, size, query_down);
        lay_across(g, layout[3].token, queries, size, grad_across);
        lay_down(g, layout[3].token, queries, size, grad_down);
        lay_plain(k, layout[1].token, keys, size, key_plain);
        lay_turned(k, layout[1].token, keys, size, key_turned);
        lay_plain(v, layout[2].token, keys, size, value_plain);
        lay_bias(bias ? bias + sample * bias_step : NULL, keys, offset);
        for (int64_t n = 0; n < rows; n++) {
            logarithm[n] = n < queries ? weight[number * queries + n] : -HIDDEN;
            along[n] = n < queries ? dot(g + n * layout[3].token, o + n * step, size) : 0.0f;
        }
        memset(sum_query, 0, 4 * size * rows);
        for (int64_t chunk = 0; chunk < columns; chunk += CHUNK) {
            const int64_t end = columns - chunk < CHUNK ? columns : chunk + CHUNK;
            for (int64_t l = chunk; l < end; l += BLOCK) {
                Operand these_keys = {key_plain + l * size, 2 * size, LINE, SIDE * 2 * size};
                Operand these_values = {value_plain + l * size, 2 * size, LINE, SIDE * 2 * size};
                for (int64_t n = 0; n < rows; n += BLOCK) {
                    Operand queries_there = {query_across + n * size, LINE, 2 * TILE, depth * 2 * TILE};
                    Operand grads_there = {grad_across + n * size, LINE, 2 * TILE, depth * 2 * TILE};
                    product(these_keys, queries_there, scores, 4 * BLOCK, depth, 0);
                    product(these_values, grads_there, slope, 4 * BLOCK, depth, 0);
                    bf16 *down = bent_down + ((l - chunk) / BLOCK * (rows / SIDE) + n / SIDE) * TILE;
                    bend(scores, slope, offset + l, logarithm + n, along + n, scale, share + n, bent + n, width, down);
                }
                const int64_t count = keys - l < BLOCK ? keys - l : BLOCK;
                const int64_t place = (sample * keys + l) * step + head * size;
                Operand shares = {share, 2 * width, LINE, SIDE * 2 * width};
                Operand bents = {bent, 2 * width, LINE, SIDE * 2 * width};
                for (int64_t c = 0; c < size; c += BLOCK) {
                    Operand grads = {grad_down + c * rows, LINE, 2 * TILE, rows / BLOCK * 2 * TILE};
                    product(shares, grads, sum + c, 4 * size, rows / BLOCK, 0);
                }
                write_rows(sum, count, size, 1.0f, grad_value + place, step);
                for (int64_t c = 0; c < size; c += BLOCK) {
                    Operand rights = {query_down + c * rows, LINE, 2 * TILE, rows / BLOCK * 2 * TILE};
                    product(bents, rights, sum + c, 4 * size, rows / BLOCK, 0);
                }
                write_rows(sum, count, size, scale / LOG2_E, grad_key + place, step);
            }
            for (int64_t c = 0; c < size; c += BLOCK) {
                const bf16 *channels = key_turned + (c / SIDE * (columns / BLOCK) + chunk / BLOCK) * TILE;
                Operand left = {channels, LINE, 2 * TILE, columns / BLOCK * 2 * TILE};
                for (int64_t n = 0; n < rows; n += BLOCK) {
                    Operand right = {bent_down + n / SIDE * TILE, LINE, rows / SIDE * 2 * TILE, 2 * TILE};
                    product(left, right, sum_query + c * rows + n, 4 * rows, (end - chunk) / BLOCK, 1);
                }
            }
        }
        write_turned(sum_query, rows, queries, size, factors, grad_query + sample * queries * step + head * size, step);
    }
    restore_tiles(&before);
}
