// AVX2 has no popcount: a table of 16 nibbles by shuffle, sums of bytes that are widened before they can overflow. Carry-save
// adders, five instructions each, need it for fewer words, which pays where a dot product is long.
#include <immintrin.h>

#include "adders.h"
#include "dispatch.h"
#include "row.h"

namespace {

struct Bits256 {
  using Word = __m256i;
  static constexpr int kLanes = 8;
  static constexpr int kPlanes = 3;

  static inline Word zero() { return _mm256_setzero_si256(); }
  static inline Word load(const uint32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const Word*>(p)); }
  static inline Word broadcast(const uint32_t* p) { return _mm256_set1_epi32(int(*p)); }
  static inline Word differ(Word a, Word b) { return _mm256_xor_si256(a, b); }
  static inline Word add(Word a, Word b) { return _mm256_add_epi32(a, b); }
  static inline Word add_bytes(Word a, Word b) { return _mm256_add_epi8(a, b); }
  static NB_INLINE void hide(Word& x) { asm volatile("" : "+x"(x)); }

  static inline Word full_add(Word a, Word b, Word c, Word& carry) {
    const Word u = _mm256_xor_si256(b, c);
    carry = _mm256_or_si256(_mm256_and_si256(b, c), _mm256_and_si256(u, a));
    return _mm256_xor_si256(a, u);
  }

  template <int kWeight>
  static inline Word bytes(Word x) {
    constexpr char w = kWeight;
    const Word table = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, w, w, 2 * w, w, 2 * w, 2 * w, 3 * w, w, 2 * w, 2 * w,
                                                                 3 * w, 2 * w, 3 * w, 3 * w, 4 * w));
    const Word nibble = _mm256_set1_epi8(15);
    return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(x, nibble)),
                           _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi32(x, 4), nibble)));
  }

  template <int kWeight>
  static inline Word widen(Word x) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(x, _mm256_set1_epi8(kWeight)), _mm256_set1_epi16(1));
  }
};

struct Avx2 {
  typedef float Floats __attribute__((vector_size(32)));
  typedef int32_t Ints __attribute__((vector_size(32)));
  typedef int16_t Shorts __attribute__((vector_size(16)));
  typedef int64_t Longs __attribute__((vector_size(64)));  // as many numbers
  static constexpr int kFloats = 8;
  static constexpr int kFloatPixels = 2;
  static constexpr int kPixels = 4;
  static constexpr int kAdderWords = 24;  // in shorter dot products the table alone is faster

  template <int P, int V>
  static NB_INLINE void count(const uint32_t* const (&inputs)[P], const int32_t* offsets, int64_t values,
                              const uint32_t* weight, Ints (&counts)[P][V]) {
    constexpr int kTogether = 2;
    for (int v = 0; v < V; v += kTogether) {
      const uint32_t* const from = weight + v * kFloats;
      if (values < kAdderWords) {
        const auto block = count_by_table<Bits256, P, kTogether, DotWords>({inputs, offsets, from}, values);
        block.each([&](auto p, auto i) NB_INLINED { counts[p][v + i] = Ints(block.at[p][i]); });
        continue;
      }
      for (int p = 0; p < P; ++p) {
        const uint32_t* const input[1] = {inputs[p]};
        const auto block = Adders<Bits256, 1, kTogether, DotWords>::count({input, offsets, from}, values);
        block.each([&](auto, auto i) NB_INLINED { counts[p][v + i] = Ints(block.at[0][i]); });
      }
    }
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

  static int64_t peak(int64_t rounds, int64_t words) {
    return words < kAdderWords ? peak_of<Bits256, kPixels, 2>(rounds, words, count_by_table<Bits256, kPixels, 2, RegisterWords>)
                               : peak_of<Bits256, 1, 2>(rounds, words, Adders<Bits256, 1, 2, RegisterWords>::count);
  }
};

}  // namespace

const Isa isa_avx2 = make_isa<Avx2>("avx2");
