// NEON counts the bits of bytes; sums of bytes are widened before they can overflow.
#include <arm_neon.h>

#include "dispatch.h"
#include "row.h"

namespace {

struct Neon {
  typedef float Floats __attribute__((vector_size(16)));
  typedef int32_t Ints __attribute__((vector_size(16)));
  typedef int16_t Shorts __attribute__((vector_size(8)));
  typedef int64_t Longs __attribute__((vector_size(32)));  // as many numbers
  static constexpr int kFloats = 4;
  static constexpr int kFloatPixels = 2;
  static constexpr int kPixels = 4;
  static constexpr int64_t kByteRounds = 31;  // a byte counts at most 8 a round

  template <int P, int V>
  static NB_INLINE void count(const uint32_t* const (&inputs)[P], const int32_t* offsets, int64_t values,
                              const uint32_t* weight, Ints (&counts)[P][V]) {
    for (int v = 0; v < V; v += 4) count_four<P, V>(inputs, offsets, values, weight + v * kFloats, counts, v);
  }

  // Of vectors `first` to `first + 3`.
  template <int P, int V>
  static NB_INLINE void count_four(const uint32_t* const (&inputs)[P], const int32_t* offsets, int64_t values,
                                   const uint32_t* weight, Ints (&counts)[P][V], int first) {
    uint32x4_t totals[P][4];
    for (int p = 0; p < P; ++p)
      for (int v = 0; v < 4; ++v) totals[p][v] = vdupq_n_u32(0);
    for (int64_t start = 0; start < values; start += kByteRounds) {
      const int64_t end = std::min(values, start + kByteRounds);
      uint8x16_t sums[P][4];
      for (int p = 0; p < P; ++p)
        for (int v = 0; v < 4; ++v) sums[p][v] = vdupq_n_u8(0);
      for (int64_t k = start; k < end; ++k, weight += kTile) {
        uint32x4_t w[4];
        for (int v = 0; v < 4; ++v) w[v] = vld1q_u32(weight + 4 * v);
        const int64_t offset = offsets[k];
        for (int p = 0; p < P; ++p) {
          const uint32x4_t bits = vdupq_n_u32(inputs[p][offset]);
          for (int v = 0; v < 4; ++v)
            sums[p][v] = vaddq_u8(sums[p][v], vcntq_u8(vreinterpretq_u8_u32(veorq_u32(bits, w[v]))));
        }
      }
      for (int p = 0; p < P; ++p)
        for (int v = 0; v < 4; ++v) totals[p][v] = vpadalq_u16(totals[p][v], vpaddlq_u8(sums[p][v]));
    }
    for (int p = 0; p < P; ++p)
      for (int v = 0; v < 4; ++v) counts[p][first + v] = Ints(totals[p][v]);
  }

  static inline uint32_t at_least(Floats a, Floats b) {
    const uint32_t places[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vcgeq_f32(float32x4_t(a), float32x4_t(b)), vld1q_u32(places)));
  }

  static inline Floats multiply_add(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }

  static inline Ints dot_pairs(Ints sum, Ints a, Ints b) { return dot_pairs_of(sum, a, b); }

  static inline Floats load_some(const float* p, int n) { return load_some_of<Floats>(p, n); }

  static inline Floats load_wrapped(const float* p, int64_t from, int64_t size, int n) {
    return load_wrapped_of<Floats>(p, from, size, n);
  }

  static inline void store_some(float* p, Floats v, int n) { std::memcpy(p, &v, n * sizeof(float)); }

  static int64_t peak(int64_t rounds, int64_t words) {
    rounds *= words;
    constexpr int kSums = 16;
    uint8x16_t sums[kSums], weight = vdupq_n_u8(0x55), bits = vdupq_n_u8(uint8_t(rounds));
    for (auto& sum : sums) sum = vdupq_n_u8(0);
    for (int64_t i = 0; i < rounds; ++i) {
      asm volatile("" : "+w"(bits), "+w"(weight));
#pragma GCC unroll 16
      for (int s = 0; s < kSums; ++s) {
        sums[s] = vaddq_u8(sums[s], vcntq_u8(veorq_u8(bits, weight)));
        asm volatile("" : "+w"(sums[s]), "+w"(bits));  // each sum counts anew
      }
    }
    return rounds * kSums * 128;
  }
};

}  // namespace

const Isa isa_neon = make_isa<Neon>("neon");
