// What a Simd of 512 bits offers besides counting bits: AVX-512 F, BW, DQ and VL.
#pragma once
#include <immintrin.h>

#include "simd.h"

namespace {

struct Vectors512 {
  typedef float Floats __attribute__((vector_size(64)));
  typedef int32_t Ints __attribute__((vector_size(64)));
  typedef int16_t Shorts __attribute__((vector_size(32)));
  typedef int64_t Longs __attribute__((vector_size(128)));  // as many numbers
  static constexpr int kFloats = 16;
  static constexpr int kFloatPixels = 4;

  static inline uint32_t at_least(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }

  static inline Floats multiply_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }

  static inline Floats load_some(const float* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }

  static inline Floats load_wrapped(const float* p, int64_t from, int64_t size, int n) {
    if (size < n) return load_wrapped_of<Floats>(p, from, size, n);
    const int64_t split = size - from;
    return _mm512_mask_loadu_ps(_mm512_maskz_loadu_ps(first(split), p + from), first(n) & ~first(split), p - split);
  }

  static inline void store_some(float* p, Floats v, int n) { _mm512_mask_storeu_ps(p, first(n), v); }

  static inline __mmask16 first(int64_t n) { return __mmask16((1u << n) - 1); }
};

}  // namespace
