// AVX-512 with VPOPCNTDQ and VNNI: 16 words of 32 bits at once. A block is 5 pixels x 32 channels, its sums stay in registers.
#include "dispatch.h"
#include "row.h"
#include "vectors512.h"

namespace {

struct Avx512 : Vectors512 {
  static constexpr int kPixels = 5;

  template <int P, int V>
  static NB_INLINE void count(const uint32_t* const (&inputs)[P], const int32_t* offsets, int64_t values,
                              const uint32_t* weight, Ints (&counts)[P][V]) {
    __m512i sums[P][V];
    repeat<P>([&](auto p) NB_INLINED { repeat<V>([&](auto v) NB_INLINED { sums[p][v] = _mm512_setzero_si512(); }); });
    for (int64_t k = 0; k < values; ++k, weight += kTile) {
      __m512i w[V];
      repeat<V>([&](auto v) NB_INLINED { w[v] = _mm512_loadu_si512(weight + 16 * v); });
      const int64_t offset = offsets[k];
      repeat<P>([&](auto p) NB_INLINED {
        const __m512i bits = _mm512_set1_epi32(inputs[p][offset]);
        repeat<V>([&](auto v) NB_INLINED {
          sums[p][v] = _mm512_add_epi32(sums[p][v], _mm512_popcnt_epi32(_mm512_xor_si512(bits, w[v])));
        });
      });
    }
    repeat<P>([&](auto p) NB_INLINED { repeat<V>([&](auto v) NB_INLINED { counts[p][v] = Ints(sums[p][v]); }); });
  }

  static inline Ints dot_pairs(Ints sum, Ints a, Ints b) {
    return Ints(_mm512_dpwssd_epi32(__m512i(sum), __m512i(a), __m512i(b)));
  }

  static int64_t peak(int64_t rounds, int64_t words) {
    rounds *= words;
    constexpr int kSums = 16;
    __m512i sums[kSums], weights[2] = {_mm512_set1_epi32(0x5555), _mm512_set1_epi32(0x3333)};
    for (auto& sum : sums) sum = _mm512_setzero_si512();
    __m512i bits = _mm512_set1_epi32(int(rounds));
    for (int64_t i = 0; i < rounds; ++i) {
      // Hides from the compiler that nothing changes from round to round.
      asm volatile("" : "+v"(bits), "+v"(weights[0]), "+v"(weights[1]));
#pragma GCC unroll 16
      for (int s = 0; s < kSums; ++s)
        sums[s] = _mm512_add_epi32(sums[s], _mm512_popcnt_epi32(_mm512_xor_si512(bits, weights[s % 2])));
#pragma GCC unroll 16
      for (auto& sum : sums) asm volatile("" : "+v"(sum));
    }
    return rounds * kSums * 512;
  }
};

}  // namespace

const Isa isa_avx512 = make_isa<Avx512>("avx512");
