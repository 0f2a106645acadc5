// The row kernels, written once; each path instantiates them with its own Simd in its own translation unit.
//
// A Simd offers:
//   Floats, Ints, Longs            vectors of kFloats numbers each, as vector types of the compiler; a machine's vector of floats
//   kPixels                        pixels that a block of popcounts covers at most
//   kRealPixels                    likewise for real weights
//   count<P, V>(...)               differing bits of P pixels and the first V vectors of a tile's output channels
//   at_least(a, b)                 one bit per pair of numbers, 1 where a >= b; x + shift >= 0 is the same as x >= -shift
//   load_some(p, n)                the first n <= kFloats numbers, zeros behind them
//   load_wrapped(p, from, size, n) n <= kFloats numbers from p[from] on; behind p[size - 1] follows p[0]
//   store_some(p, v, n)            the first n <= kFloats numbers
//   peak(rounds)
#pragma once
#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "layer.h"
#include "shortcut.h"

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

// Puts the n lowest bits of a tile at a channel's place in a pixel's words, which hold zeros there.
inline void put_bits(uint32_t* words, int64_t channel, uint32_t bits, int n) {
  const int64_t word = channel / 32, shift = channel % 32;
  words[word] |= bits << shift;
  if (shift + n > 32) words[word + 1] |= bits >> (32 - shift);
}

// What follows the convolution, as far as it is known for a whole row. The usual forms have an output.
enum class Form { kGeneral, kSums, kBare, kPlain, kSigns, kShortcut, kShortcutSigns };

// 32 output channels of a group, of which `channels` exist.
struct Tile {
  int64_t at;       // where its numbers begin in everything that is laid out in tiles
  int64_t channel;  // its first output channel
  int channels;
  int64_t input;    // of its group, in words
  int64_t shortcut;  // where its channels begin in a pixel of the shortcut
  Form form;
};

inline Form form_of(const Row& r, const Tile& t) {
  const Epilogue& e = r.epilogue;
  const bool whole = t.channels == kTile || t.channels == kTile / 2;
  const bool wraps = r.shortcut && t.shortcut + t.channels > r.shortcut_channels;
  if (r.sums) return Form::kSums;
  if (r.dots || !r.out || wraps || !whole) return Form::kGeneral;
  if (!e.slope) return r.shortcut || e.threshold ? Form::kGeneral : Form::kBare;
  if (r.shortcut) return e.threshold ? Form::kShortcutSigns : Form::kShortcut;
  return e.threshold ? Form::kSigns : Form::kPlain;
}

// Everything behind the convolution for P pixels and V vectors of channels: scale, shift, shortcut, PReLU, output and the
// signs that the next layer reads. `sums(p, v)` is what the convolution gave, over `factor`. Multiplications and additions
// are rounded one by one (no contraction), so that all paths and the PyTorch reference agree to the last bit.
template <class Simd, int P, int V, bool kActivation, bool kShortcut, bool kSigns, class Sums>
NB_INLINE void finish_usual(const Row& r, const Tile& t, int pixel, float factor, Sums sums) {
  using Floats = typename Simd::Floats;
  // Copies: the compiler can't know that no output overwrites the originals.
  const Epilogue e = r.epilogue;
  const int64_t at = t.at, channel = t.channel;
  const int64_t* const out_at = r.out_at + pixel;
  const int64_t* const shortcut_at = kShortcut ? r.shortcut_at + pixel : nullptr;
  const float* const shortcut = kShortcut ? r.shortcut + t.shortcut : nullptr;
  float* const out = r.out + channel;
  uint32_t signs[P] = {};
  repeat<V>([&](auto v) NB_INLINED {
    constexpr int first = v * Simd::kFloats;
    const Floats scale = load<Floats>(e.scale + at + first) * factor, shift = load<Floats>(e.shift + at + first);
    const Floats slope = kActivation ? load<Floats>(e.slope + at + first) : Floats{};
    const Floats bias = kActivation ? load<Floats>(e.bias_out + at + first) : Floats{};
    const Floats threshold = kSigns ? load<Floats>(e.threshold + at + first) : Floats{};
    repeat<P>([&](auto p) NB_INLINED {
      Floats y = sums(p, v) * scale + shift;
      if (kShortcut) y += load<Floats>(shortcut + shortcut_at[p] + first);
      if (kActivation) y = (y > 0 ? y : y * slope) + bias;
      std::memcpy(out + out_at[p] + first, &y, sizeof y);
      if (kSigns) signs[p] |= Simd::at_least(y, threshold) << first;
    });
  });
  if (!kSigns) return;
  const int64_t stride = r.sign_words;
  uint32_t* const words = r.signs + pixel * stride;
  if (t.channels == kTile && channel % 32 == 0)
    repeat<P>([&](auto p) NB_INLINED { words[p * stride + channel / 32] = signs[p]; });
  else
    repeat<P>([&](auto p) NB_INLINED { put_bits(words + p * stride, channel, signs[p], t.channels); });
}

// The same in any case.
template <class Simd, int P, int V>
void finish_general(const Row& r, const Tile& t, int pixel, float factor, const typename Simd::Floats (&sums)[P][V]) {
  using Floats = typename Simd::Floats;
  using Ints = typename Simd::Ints;
  const Epilogue& e = r.epilogue;
  const int64_t repeat = r.shortcut_channels;
  for (int p = 0; p < P; ++p) {
    uint32_t signs = 0;
    for (int v = 0; v < V; ++v) {
      const int first = v * Simd::kFloats, n = std::min(t.channels - first, Simd::kFloats);
      if (n <= 0) break;
      Floats y = sums[p][v];
      if (r.dots) {  // asked for instead of everything else
        const Ints dots = __builtin_convertvector(y * factor, Ints);
        std::memcpy(r.dots + r.out_at[pixel + p] + t.channel + first, &dots, n * sizeof(int32_t));
        continue;
      }
      y = y * (load<Floats>(e.scale + t.at + first) * factor) + load<Floats>(e.shift + t.at + first);
      if (r.shortcut) {  // one of fewer channels begins again behind its last one
        const float* added = r.shortcut + r.shortcut_at[pixel + p];
        const int64_t from = (t.shortcut + first) % repeat;
        y += from + n > repeat ? Simd::load_wrapped(added, from, repeat, n) : Simd::load_some(added + from, n);
      }
      if (e.slope) y = (y > 0 ? y : y * load<Floats>(e.slope + t.at + first)) + load<Floats>(e.bias_out + t.at + first);
      if (r.out) Simd::store_some(r.out + r.out_at[pixel + p] + t.channel + first, y, n);
      if (e.threshold) signs |= Simd::at_least(y, load<Floats>(e.threshold + t.at + first)) << first;
    }
    if (!r.signs || r.dots) continue;
    const uint32_t mask = t.channels == kTile ? ~0u : (1u << t.channels) - 1;
    put_bits(r.signs + (pixel + p) * r.sign_words, t.channel, signs & mask, t.channels);
  }
}

// Instead of everything else, the sums of dot products over all pixels. They are whole numbers, so any order gives the same.
template <class Simd, int P, int V, class Sums>
NB_INLINE void finish_sums(const Row& r, const Tile& t, float factor, Sums sums) {
  using Ints = typename Simd::Ints;
  using Longs = typename Simd::Longs;
  repeat<V>([&](auto v) NB_INLINED {
    int64_t* const to = r.sums + t.at + v * Simd::kFloats;
    int64_t* const squares_to = to + ceil_div(r.out_per_group, kTile) * kTile * r.groups;
    Longs sum = load<Longs>(to), squares = load<Longs>(squares_to);
    repeat<P>([&](auto p) NB_INLINED {
      const Longs dots = __builtin_convertvector(__builtin_convertvector(sums(p, v) * factor, Ints), Longs);
      sum += dots;
      squares += dots * dots;
    });
    std::memcpy(to, &sum, sizeof sum);
    std::memcpy(squares_to, &squares, sizeof squares);
  });
}

template <class Simd, int P, int V, class Sums>
NB_INLINE void finish(const Row& r, const Tile& t, int pixel, float factor, Sums sums) {
  switch (t.form) {
    case Form::kShortcutSigns: return finish_usual<Simd, P, V, true, true, true>(r, t, pixel, factor, sums);
    case Form::kShortcut: return finish_usual<Simd, P, V, true, true, false>(r, t, pixel, factor, sums);
    case Form::kSigns: return finish_usual<Simd, P, V, true, false, true>(r, t, pixel, factor, sums);
    case Form::kPlain: return finish_usual<Simd, P, V, true, false, false>(r, t, pixel, factor, sums);
    case Form::kBare: return finish_usual<Simd, P, V, false, false, false>(r, t, pixel, factor, sums);
    case Form::kSums: return finish_sums<Simd, P, V>(r, t, factor, sums);
    case Form::kGeneral: break;
  }
  typename Simd::Floats all[P][V];
  repeat<P>([&](auto p) NB_INLINED { repeat<V>([&](auto v) NB_INLINED { all[p][v] = sums(p, v); }); });
  finish_general<Simd, P, V>(r, t, pixel, factor, all);
}

// Differing bits to dot products: base - 2 * counts. Half of it is as exact, and saves the doubling.
template <class Simd, int P, int V>
void binary_block(const Row& r, const Tile& t, int pixel) {
  using Floats = typename Simd::Floats;
  const uint32_t* inputs[P];
  repeat<P>([&](auto p) NB_INLINED { inputs[p] = static_cast<const uint32_t*>(r.input) + t.input + r.inputs[pixel + p]; });
  typename Simd::Ints counts[P][V];
  Simd::template count<P, V>(inputs, r.offsets, r.values,
                             static_cast<const uint32_t*>(r.weight) + t.at / kTile * r.tile_stride, counts);
  const float* const* const base = r.base + pixel;
  const int64_t at = t.at;
  finish<Simd, P, V>(r, t, pixel, 2.f, [&](auto p, auto v) NB_INLINED {
    return load<Floats>(base[p] + at + v * Simd::kFloats) - __builtin_convertvector(counts[p][v], Floats);
  });
}

template <class Simd, int P, int V>
void float_block(const Row& r, const Tile& t, int pixel) {
  using Floats = typename Simd::Floats;
  Floats sums[P][V] = {};
  const float* inputs[P];
  repeat<P>([&](auto p) NB_INLINED { inputs[p] = static_cast<const float*>(r.input) + t.input + r.inputs[pixel + p]; });
  const float* weight = static_cast<const float*>(r.weight) + t.at / kTile * r.tile_stride;
  for (int64_t k = 0; k < r.values; ++k, weight += kTile) {
    const int64_t offset = r.offsets[k];
    repeat<V>([&](auto v) NB_INLINED {
      const Floats w = load<Floats>(weight + v * Simd::kFloats);
      repeat<P>([&](auto p) NB_INLINED { sums[p][v] += w * inputs[p][offset]; });
    });
  }
  finish<Simd, P, V>(r, t, pixel, 1.f, [&](auto p, auto v) NB_INLINED { return sums[p][v]; });
}

// Calls block(first pixel, P, V) over a row, in near-equal blocks of at most kMost pixels, P and V as types: V vectors are half
// a tile where that is enough.
template <class Simd, int kMost, class Block>
inline void in_blocks(const Row& r, Block block) {
  constexpr int kParts = kTile / Simd::kFloats;
  const int tiles = int(ceil_div(r.out_per_group, kTile)), blocks = int(ceil_div(r.pixels, kMost));
  for (int group = 0; group < r.groups; ++group)
    for (int i = 0; i < tiles; ++i) {
      Tile t{};
      t.at = (int64_t(group) * tiles + i) * kTile;
      t.channel = int64_t(group) * r.out_per_group + i * kTile;
      t.channels = std::min(kTile, r.out_per_group - i * kTile);
      t.input = group * r.group_stride;
      t.shortcut = r.shortcut ? t.channel % r.shortcut_channels : 0;
      t.form = form_of(r, t);
      const auto row = [&](auto vectors) {
        for (int b = 0, pixel = 0, size; b < blocks; ++b, pixel += size) {
          size = (r.pixels - pixel) / (blocks - b);
          switch (size) {
            case 1: block(t, pixel, Number<1>{}, vectors); break;
            case 2: block(t, pixel, Number<2>{}, vectors); break;
            case 3: block(t, pixel, Number<std::min(3, kMost)>{}, vectors); break;
            case 4: block(t, pixel, Number<std::min(4, kMost)>{}, vectors); break;
            default: block(t, pixel, Number<kMost>{}, vectors);
          }
        }
      };
      if (t.channels <= kTile / 2) row(Number<kParts / 2>{});
      else row(Number<kParts>{});
    }
}

template <class Simd>
void binary_row(const Row& r) {
  if (r.signs) std::fill_n(r.signs, r.pixels * r.sign_words, 0u);
  in_blocks<Simd, Simd::kPixels>(r, [&](const Tile& t, int pixel, auto pixels, auto vectors) {
    binary_block<Simd, decltype(pixels)::value, decltype(vectors)::value>(r, t, pixel);
  });
}

template <class Simd>
void float_row(const Row& r) {
  if (r.signs) std::fill_n(r.signs, r.pixels * r.sign_words, 0u);
  in_blocks<Simd, Simd::kRealPixels>(r, [&](const Tile& t, int pixel, auto pixels, auto vectors) {
    float_block<Simd, decltype(pixels)::value, decltype(vectors)::value>(r, t, pixel);
  });
}

template <class Simd>
void pack_pixel(const float* x, const float* shift, int64_t count, uint32_t* words) {
  using Floats = typename Simd::Floats;
  std::fill_n(words, ceil_div(count, 32), 0u);
  int64_t i = 0;
  for (; i + Simd::kFloats <= count; i += Simd::kFloats)
    words[i / 32] |= Simd::at_least(load<Floats>(x + i), -load<Floats>(shift + i)) << i % 32;
  for (; i < count; ++i) words[i / 32] |= uint32_t(x[i] >= -shift[i]) << i % 32;
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

template <class Simd>
constexpr Path make_path(const char* name) {
  return {name, binary_row<Simd>, float_row<Simd>, shortcut_row, pack_pixel<Simd>, Simd::peak};
}

}  // namespace
