// The row kernels, written once; each path instantiates them with its own Simd in its own translation unit.
//
// A Simd offers:
//   Floats, Ints                   the machine's vectors, as vector types of the compiler; kFloats numbers each
//   kPixels                        pixels that a block of popcounts covers at most
//   kRealPixels                    likewise for real weights
//   kLanes                         output channels it covers, a divisor of 32
//   count<P>(...)                  differing bits of P pixels and kLanes output channels, of which `channels` are wanted
//   at_least(a, b)                 one bit per pair of numbers, 1 where a >= b; x + shift >= 0 is the same as x >= -shift
//   load_some(p, n)                the first n <= kFloats numbers, zeros behind them
//   load_wrapped(p, from, size, n) n <= kFloats numbers from p[from] on; behind p[size - 1] follows p[0]
//   store_some(p, v, n)            the first n <= kFloats numbers
//   peak(rounds)
#pragma once
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "layer.h"

namespace {

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

// Everything behind the convolution for P pixels and one vector of channels, of which n exist: scale, shift, shortcut,
// PReLU, output and the signs that the next layer reads. `sums(p)` is what the convolution gave. Multiplications and
// additions are rounded one by one (no contraction), so that all paths and the PyTorch reference agree to the last bit.
template <class Simd, int P, class Sums>
inline void finish(const Row& r, int pixel, int64_t channel, int64_t at, int n, int place, uint32_t (&signs)[P],
                   Sums sums) {
  using Floats = typename Simd::Floats;
  const Epilogue e = r.epilogue;
  const bool whole = n >= Simd::kFloats;
  const Floats scale = load<Floats>(e.scale + at), shift = load<Floats>(e.shift + at);
  const Floats slope = e.slope ? load<Floats>(e.slope + at) : Floats{};
  const Floats bias = e.slope ? load<Floats>(e.bias_out + at) : Floats{};
  const Floats threshold = e.threshold ? load<Floats>(e.threshold + at) : Floats{};
  const int64_t width = r.out_stride, repeat = r.shortcut_channels, stride = r.shortcut_stride;
  float* const out = r.out ? r.out + channel : nullptr;
  const int64_t* const to = r.out_pixels + pixel;
  // A shortcut of fewer channels begins again behind its last one.
  const float* const shortcut = r.shortcut;
  const int64_t* const source = r.shortcut_pixels + pixel;
  const int64_t from = r.shortcut ? channel % repeat : 0;
  const int some = std::min(n, Simd::kFloats);
  const bool wraps = from + some > repeat;
  const auto pixels = [&](auto usual) {
    constexpr bool kUsual = decltype(usual)::value;  // everything is there: no questions
#pragma GCC unroll 5
    for (int p = 0; p < P; ++p) {
      Floats y = sums(p) * scale + shift;
      if (kUsual) y += load<Floats>(shortcut + source[p] * stride + from);
      else if (shortcut && wraps) y += Simd::load_wrapped(shortcut + source[p] * stride, from, repeat, some);
      else if (shortcut) y += Simd::load_some(shortcut + source[p] * stride + from, some);
      if (kUsual || e.slope) y = (y > 0 ? y : y * slope) + bias;
      if (kUsual) std::memcpy(out + to[p] * width, &y, sizeof y);
      else if (out) Simd::store_some(out + to[p] * width, y, some);
      if (kUsual || e.threshold) signs[p] |= Simd::at_least(y, threshold) << place;
    }
  };
  if (whole && shortcut && !wraps && e.slope && out && e.threshold) pixels(std::true_type{});
  else pixels(std::false_type{});
}

// The same for a whole tile, of which n channels exist; `sums(p, first)` from channel `first` of the tile on.
template <class Simd, int P, class Sums>
inline void finish_tile(const Row& r, int pixel, int64_t channel, int64_t at, int n, Sums sums) {
  uint32_t signs[P] = {};
#pragma GCC unroll 2
  for (int first = 0; first < kTile; first += Simd::kFloats) {
    if (first >= n) break;
    finish<Simd, P>(r, pixel, channel + first, at + first, n - first, first, signs, [&](int p) { return sums(p, first); });
  }
  if (!r.signs) return;
  const uint32_t mask = n == kTile ? ~0u : (1u << n) - 1;
  for (int p = 0; p < P; ++p) put_bits(r.signs + (pixel + p) * r.sign_words, channel, signs[p] & mask, n);
}

template <class Simd, int P>
inline void binary_block(const Row& r, int group, int tile, int pixel) {
  alignas(64) int32_t counts[P][kTile];
  const int64_t index = group * ceil_div(r.out_per_group, kTile) + tile, at = index * kTile;
  const int n = std::min(kTile, r.out_per_group - tile * kTile);
  const int64_t channel = int64_t(group) * r.out_per_group + tile * kTile;
  const uint32_t* inputs[P];
  for (int p = 0; p < P; ++p)
    inputs[p] = static_cast<const uint32_t*>(r.input) + group * r.group_stride + r.inputs[pixel + p];
  const uint32_t* weight = static_cast<const uint32_t*>(r.weight) + index * r.tile_stride;
  for (int lane = 0; lane < n; lane += Simd::kLanes)
    Simd::template count<P>(inputs, r.offsets, r.values, weight + lane, n - lane, &counts[0][lane]);
  const int32_t* const* base = r.base + pixel;
  if (r.dots) {  // asked for instead of everything else
    for (int p = 0; p < P; ++p) {
      const int32_t* from = base[p] + at;
      int32_t* to = r.dots + r.out_pixels[pixel + p] * r.out_channels() + channel;
      for (int i = 0; i < n; ++i) to[i] = from[i] - 2 * counts[p][i];
    }
    return;
  }
  finish_tile<Simd, P>(r, pixel, channel, at, n, [&](int p, int first) {
    using Ints = typename Simd::Ints;
    const Ints dots = load<Ints>(base[p] + at + first) - 2 * load<Ints>(counts[p] + first);
    return __builtin_convertvector(dots, typename Simd::Floats);
  });
}

template <class Simd, int P>
inline void float_block(const Row& r, int group, int tile, int pixel) {
  using Floats = typename Simd::Floats;
  constexpr int kParts = kTile / Simd::kFloats;
  Floats sums[P][kParts] = {};
  const int64_t index = group * ceil_div(r.out_per_group, kTile) + tile;
  const int n = std::min(kTile, r.out_per_group - tile * kTile);
  const int64_t channel = int64_t(group) * r.out_per_group + tile * kTile;
  const float* inputs[P];
  for (int p = 0; p < P; ++p)
    inputs[p] = static_cast<const float*>(r.input) + group * r.group_stride + r.inputs[pixel + p];
  const float* weight = static_cast<const float*>(r.weight) + index * r.tile_stride;
  for (int64_t k = 0; k < r.values; ++k, weight += kTile) {
    const int64_t offset = r.offsets[k];
    for (int part = 0; part < kParts; ++part) {
      const Floats w = load<Floats>(weight + part * Simd::kFloats);
      for (int p = 0; p < P; ++p) sums[p][part] += w * inputs[p][offset];
    }
  }
  finish_tile<Simd, P>(r, pixel, channel, index * kTile, n,
                       [&](int p, int first) { return sums[p][first / Simd::kFloats]; });
}

// Calls block(P) over a row in near-equal blocks of at most `most` pixels.
template <class Block>
inline void in_blocks(int pixels, int most, Block block) {
  const int blocks = int(ceil_div(pixels, most));
  for (int i = 0, pixel = 0; i < blocks; ++i) {
    const int size = (pixels - pixel) / (blocks - i);
    block(pixel, size);
    pixel += size;
  }
}

template <class Simd>
void binary_row(const Row& r) {
  if (r.signs) std::fill_n(r.signs, r.pixels * r.sign_words, 0u);
  const int tiles = int(ceil_div(r.out_per_group, kTile));
  for (int group = 0; group < r.groups; ++group)
    for (int tile = 0; tile < tiles; ++tile)
      in_blocks(r.pixels, Simd::kPixels, [&](int pixel, int size) {
        switch (size) {
          case 1: return binary_block<Simd, 1>(r, group, tile, pixel);
          case 2: return binary_block<Simd, 2>(r, group, tile, pixel);
          case 3: return binary_block<Simd, 3>(r, group, tile, pixel);
          case 4: return binary_block<Simd, 4>(r, group, tile, pixel);
          default: break;
        }
        if constexpr (Simd::kPixels > 4) binary_block<Simd, 5>(r, group, tile, pixel);
      });
}

template <class Simd>
void float_row(const Row& r) {
  if (r.signs) std::fill_n(r.signs, r.pixels * r.sign_words, 0u);
  const int tiles = int(ceil_div(r.out_per_group, kTile));
  for (int group = 0; group < r.groups; ++group)
    for (int tile = 0; tile < tiles; ++tile)
      in_blocks(r.pixels, Simd::kRealPixels, [&](int pixel, int size) {
        switch (size) {
          case 1: return float_block<Simd, 1>(r, group, tile, pixel);
          case 2: return float_block<Simd, 2>(r, group, tile, pixel);
          case 3: return float_block<Simd, 3>(r, group, tile, pixel);
          case 4: return float_block<Simd, 4>(r, group, tile, pixel);
        }
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

inline void shortcut_row(const float* x, int64_t pixel_stride, int rows, int width_in, int channels_in, int stride,
                         int width_out, int channels_out, int folds, float* pixel, float* out) {
  for (int p = 0; p < width_out; ++p) {
    const float* from = x + int64_t(p) * stride * pixel_stride;
    float* to = folds > 1 ? pixel : out;
    const int columns = std::min(stride, width_in - p * stride);
    std::copy_n(from, channels_in, to);
    for (int tap = 1; tap < rows * columns; ++tap) {
      const float* next = from + (int64_t(tap / columns) * width_in + tap % columns) * pixel_stride;
      for (int i = 0; i < channels_in; ++i) to[i] += next[i];
    }
    const float count = float(rows * columns);
    if (count > 1)
      for (int i = 0; i < channels_in; ++i) to[i] /= count;
    if (folds == 1) {
      out += channels_in;
      continue;
    }
    for (int i = 0; i < channels_out; ++i) {
      float sum = pixel[i % channels_in];
      for (int f = 1; f < folds; ++f) sum += pixel[(f * channels_out + i) % channels_in];
      out[i] = sum / float(folds);
    }
    out += channels_out;
  }
}

template <class Simd>
constexpr Path make_path(const char* name) {
  return {name, binary_row<Simd>, float_row<Simd>, shortcut_row, pack_pixel<Simd>, Simd::peak};
}

}  // namespace
