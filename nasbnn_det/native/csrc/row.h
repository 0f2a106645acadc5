// The row kernels, written once; each instruction set instantiates them with its own Simd in its own translation unit.
#pragma once
#include <algorithm>

#include "epilogue.h"
#include "layer.h"
#include "lookup.h"
#include "lookup_half.h"
#include "products.h"
#include "products_half.h"
#include "shortcut.h"
#include "simd.h"
#include "tail.h"

namespace {

// Asks for the cache lines that the next block of pixels writes, and those its shortcut reads, where they may be far: they
// take longer to come than a block of few values takes to compute.
template <class Simd, int P, int V>
NB_INLINE void fetch_next(const Row& r, const Tile& t, int pixel) {
  constexpr int kLine = 16, kLines = int(ceil_div(V * Simd::kFloats, kLine));
  if (pixel + 2 * P > r.pixels) return;
  const auto each = [&](const int64_t* at, auto fetch) NB_INLINED {
    repeat<P>([&](auto p) NB_INLINED { repeat<kLines>([&](auto i) NB_INLINED { fetch(at[pixel + P + p] + i * kLine); }); });
  };
  if (r.out_in_map) each(r.out_at, [&](int64_t i) NB_INLINED { __builtin_prefetch(r.out + t.channel + i, 1); });
  if (r.shortcut_in_map) each(r.shortcut_at, [&](int64_t i) NB_INLINED { __builtin_prefetch(r.shortcut + t.shortcut + i, 0); });
}

// Differing bits to dot products: base - 2 * counts. Half of it is as exact, and saves the doubling.
template <class Simd, int P, int V>
void binary_block(const Row& r, const Tile& t, int pixel) {
  using Floats = typename Simd::Floats;
  fetch_next<Simd, P, V>(r, t, pixel);
  const uint32_t* inputs[P];
  repeat<P>([&](auto p) NB_INLINED { inputs[p] = static_cast<const uint32_t*>(r.input) + t.input + r.inputs[pixel + p]; });
  typename Simd::Ints counts[P][V];
  Simd::template count<P, V>(inputs, r.offsets, r.values,
                             static_cast<const uint32_t*>(r.weight) + t.at / kTile * r.tile_stride, counts);
  const float* const* const base = r.base + pixel;
  const int64_t at = t.at;
  epilogue<Simd, P, V>(r, t, pixel, 2.f, [&](auto p, auto v) NB_INLINED {
    return load<Floats>(base[p] + at + v * Simd::kFloats) - __builtin_convertvector(counts[p][v], Floats);
  });
}

template <class Simd, int P, int V>
void float_block(const Row& r, const Tile& t, int pixel) {
  using Floats = typename Simd::Floats;
  fetch_next<Simd, P, V>(r, t, pixel);
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
  epilogue<Simd, P, V>(r, t, pixel, 1.f, [&](auto p, auto v) NB_INLINED { return sums[p][v]; });
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
  in_blocks<Simd, Simd::kFloatPixels>(r, [&](const Tile& t, int pixel, auto pixels, auto vectors) {
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

template <class Simd>
constexpr TrainingIsa training_isa = {{{kColumns, Lookup<Simd>::build, Lookup<Simd>::add},
                                       {kHalfColumns, LookupHalf<Simd>::build, LookupHalf<Simd>::add}},
                                      Products<Simd>::kRows,
                                      Products<Simd>::add,
                                      ProductsHalf<Simd>::add,
                                      {Tail<Simd, int16_t>::finish, Tail<Simd, float>::finish},
                                      {Tail<Simd, int16_t>::reduce, Tail<Simd, float>::reduce},
                                      {Tail<Simd, int16_t>::gradient, Tail<Simd, float>::gradient},
                                      pack_signs<Simd>,
                                      add_through_sign<Simd>};

template <class Simd>
constexpr Isa make_isa(const char* name) {
  return {name, binary_row<Simd>, float_row<Simd>, shortcut_row, pack_pixel<Simd>, Simd::peak, &training_isa<Simd>};
}

}  // namespace
