// Plain C++ for any machine.
#include "dispatch.h"
#include "row.h"

namespace {

struct Portable {
  typedef float Floats __attribute__((vector_size(16)));
  typedef int32_t Ints __attribute__((vector_size(16)));
  typedef int16_t Shorts __attribute__((vector_size(8)));
  typedef int64_t Longs __attribute__((vector_size(32)));  // as many numbers
  static constexpr int kFloats = 4;
  static constexpr int kFloatPixels = 2;
  static constexpr int kPixels = 4;

  static inline uint32_t ones(uint32_t x) {
    x -= x >> 1 & 0x55555555u;
    x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0fu;
    return x * 0x01010101u >> 24;
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
    constexpr int kLanes = 2 * kFloats;
    uint32_t sums[P][kLanes] = {};
    for (int64_t k = 0; k < values; ++k, weight += kTile)
      for (int p = 0; p < P; ++p) {
        const uint32_t bits = inputs[p][offsets[k]];
        for (int lane = 0; lane < kLanes; ++lane) sums[p][lane] += ones(bits ^ weight[lane]);
      }
    for (int p = 0; p < P; ++p) std::memcpy(&counts[p][v], sums[p], sizeof sums[p]);
  }

  static inline uint32_t at_least(Floats a, Floats b) {
    uint32_t bits = 0;
    for (int i = 0; i < kFloats; ++i) bits |= uint32_t(a[i] >= b[i]) << i;
    return bits;
  }

  static inline Floats multiply_add(Floats a, Floats b, Floats c) { return a * b + c; }

  static inline Ints dot_pairs(Ints sum, Ints a, Ints b) { return dot_pairs_of(sum, a, b); }

  static inline Floats load_some(const float* p, int n) { return load_some_of<Floats>(p, n); }

  static inline Floats load_wrapped(const float* p, int64_t from, int64_t size, int n) {
    return load_wrapped_of<Floats>(p, from, size, n);
  }

  static inline void store_some(float* p, Floats v, int n) { std::memcpy(p, &v, n * sizeof(float)); }

  static int64_t peak(int64_t rounds, int64_t words) {
    rounds *= words;
    constexpr int kSums = 8;
    uint32_t sums[kSums] = {}, bits = uint32_t(rounds);
    for (int64_t i = 0; i < rounds; ++i)
      for (int s = 0; s < kSums; ++s) {
        sums[s] += ones(bits ^ sums[s]);
      }
    volatile uint32_t sink = 0;
    for (uint32_t sum : sums) sink = sink + sum;
    return rounds * kSums * 32;
  }
};

}  // namespace

const Isa isa_portable = make_isa<Portable>("portable");
