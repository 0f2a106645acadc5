// AVX2 has no popcount: a table of 16 nibbles by shuffle, sums of bytes that are widened before they can overflow.
#include <immintrin.h>

#include "dispatch.h"
#include "row.h"

namespace {

struct Avx2 {
  typedef float Floats __attribute__((vector_size(32)));
  typedef int32_t Ints __attribute__((vector_size(32)));
  typedef int16_t Shorts __attribute__((vector_size(16)));
  typedef int64_t Longs __attribute__((vector_size(64)));  // as many numbers
  static constexpr int kFloats = 8;
  static constexpr int kFloatPixels = 2;
  static constexpr int kPixels = 4;
  static constexpr int64_t kByteRounds = 31;  // a byte counts at most 8 a round

  static inline __m256i bytes(__m256i x) {
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
                                           0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i nibble = _mm256_set1_epi8(15);
    return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(x, nibble)),
                           _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi32(x, 4), nibble)));
  }

  // Four bytes to the 32-bit number they lie in.
  static inline __m256i widen(__m256i x) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(x, _mm256_set1_epi8(1)), _mm256_set1_epi16(1));
  }

  template <int P, int V>
  static NB_INLINE void count(const uint32_t* const (&inputs)[P], const int32_t* offsets, int64_t values,
                              const uint32_t* weight, Ints (&counts)[P][V]) {
    for (int v = 0; v < V; v += 2) count_two<P, V>(inputs, offsets, values, weight + v * kFloats, counts, v);
  }

  // Of vectors v and v + 1.
  template <int P, int V>
  static NB_INLINE void count_two(const uint32_t* const (&inputs)[P], const int32_t* offsets, int64_t values,
                                  const uint32_t* weight, Ints (&counts)[P][V], int v) {
    __m256i totals[P][2], sums[P][2];
    const auto each = [](auto f) NB_INLINED { repeat<P>([&](auto p) NB_INLINED { f(p, Number<0>{}), f(p, Number<1>{}); }); };
    each([&](auto p, auto i) NB_INLINED { totals[p][i] = _mm256_setzero_si256(); });
    for (int64_t start = 0; start < values; start += kByteRounds) {
      const int64_t end = std::min(values, start + kByteRounds);
      each([&](auto p, auto i) NB_INLINED { sums[p][i] = _mm256_setzero_si256(); });
      for (int64_t k = start; k < end; ++k, weight += kTile) {
        const __m256i w0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weight));
        const __m256i w1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weight + 8));
        const int64_t offset = offsets[k];
        repeat<P>([&](auto p) NB_INLINED {
          const __m256i bits = _mm256_set1_epi32(inputs[p][offset]);
          sums[p][0] = _mm256_add_epi8(sums[p][0], bytes(_mm256_xor_si256(bits, w0)));
          sums[p][1] = _mm256_add_epi8(sums[p][1], bytes(_mm256_xor_si256(bits, w1)));
        });
      }
      each([&](auto p, auto i) NB_INLINED { totals[p][i] = _mm256_add_epi32(totals[p][i], widen(sums[p][i])); });
    }
    each([&](auto p, auto i) NB_INLINED { counts[p][v + i] = Ints(totals[p][i]); });
  }

  static inline uint32_t at_least(Floats a, Floats b) {
    return uint32_t(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ)));
  }

  static inline Floats multiply_add(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }

  static inline Ints dot_pairs(Ints sum, Ints a, Ints b) { return sum + Ints(_mm256_madd_epi16(__m256i(a), __m256i(b))); }

  static inline Floats load_some(const float* p, int n) { return _mm256_maskload_ps(p, first(n)); }

  static inline Floats load_wrapped(const float* p, int64_t from, int64_t size, int n) {
    return load_wrapped_of<Floats>(p, from, size, n);
  }

  static inline void store_some(float* p, Floats v, int n) { _mm256_maskstore_ps(p, first(n), v); }

  static inline __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }

  static int64_t peak(int64_t rounds) {
    constexpr int kSums = 8;
    __m256i sums[kSums], weight = _mm256_set1_epi32(0x5555), bits = _mm256_set1_epi32(int(rounds));
    for (auto& sum : sums) sum = _mm256_setzero_si256();
    for (int64_t i = 0; i < rounds; ++i) {
      asm volatile("" : "+x"(bits), "+x"(weight));
#pragma GCC unroll 8
      for (int s = 0; s < kSums; ++s) {
        sums[s] = _mm256_add_epi8(sums[s], bytes(_mm256_xor_si256(bits, weight)));
        asm volatile("" : "+x"(sums[s]), "+x"(bits));  // each sum counts anew
      }
    }
    return rounds * kSums * 256;
  }
};

}  // namespace

const Isa isa_avx2 = make_isa<Avx2>("avx2");
