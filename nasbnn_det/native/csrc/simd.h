// Vectors. Each instruction set has a Simd of its own, and the kernels are written once for any of them.
//
// A Simd offers:
//   Floats, Ints, Shorts, Longs    vectors of kFloats numbers each, as vector types of the compiler; a machine's vector of floats
//   kPixels                        pixels that a block of popcounts covers at most
//   kFloatPixels                    likewise for real weights
//   count<P, V>(...)               differing bits of P pixels and the first V vectors of a tile's output channels
//   at_least(a, b)                 one bit per pair of numbers, 1 where a >= b; x + shift >= 0 is the same as x >= -shift
//   multiply_add(a, b, c)         a * b + c, rounded once where the machine can
//   dot_pairs(sum, a, b)           sum + a . b of the two 16-bit halves of each number
//   load_some(p, n)                the first n <= kFloats numbers, zeros behind them
//   load_wrapped(p, from, size, n) n <= kFloats numbers from p[from] on; behind p[size - 1] follows p[0]
//   store_some(p, v, n)            the first n <= kFloats numbers
//   peak(rounds, words)            see Isa
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#define NB_INLINE __attribute__((always_inline)) inline
#define NB_INLINED __attribute__((always_inline))  // for lambdas

namespace {

template <int N>
using Number = std::integral_constant<int, N>;

template <class F, int... I>
NB_INLINE void repeat_each(F f, std::integer_sequence<int, I...>) {
  (f(Number<I>{}), ...);
}

// f(0) to f(N - 1), each number a constant: arrays indexed by them can live in registers, which loops don't always achieve.
template <int N, class F>
NB_INLINE void repeat(F f) {
  repeat_each(f, std::make_integer_sequence<int, N>{});
}

template <class Vector, class T>
inline Vector load(const T* p) {
  Vector v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class Ints>
NB_INLINE Ints dot_pairs_of(Ints sum, Ints a, Ints b) {
  return sum + (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
}

// The plain forms of what a Simd offers for a few channels.
template <class Floats>
inline Floats load_some_of(const float* p, int n) {
  Floats v = {};
  std::memcpy(&v, p, n * sizeof(float));
  return v;
}

template <class Floats>
inline Floats load_wrapped_of(const float* p, int64_t from, int64_t size, int n) {
  Floats v = {};
  for (int i = 0; i < n; ++i) v[i] = p[(from + i) % size];
  return v;
}

}  // namespace
