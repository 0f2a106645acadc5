// Everything behind a convolution, for a block of pixels and a tile of channels whose sums lie in registers.
#pragma once
#include <algorithm>

#include "layer.h"
#include "simd.h"

namespace {

// Puts the n lowest bits of a tile at a channel's place in a pixel's words, which hold zeros there.
inline void put_bits(uint32_t* words, int64_t channel, uint32_t bits, int n) {
  const int64_t word = channel / 32, shift = channel % 32;
  words[word] |= bits << shift;
  if (shift + n > 32) words[word + 1] |= bits >> (32 - shift);
}

// What follows the convolution, as far as it is known for a whole row. The usual forms have an output.
enum class Form { kGeneral, kSums, kDots, kAffine, kPlain, kSigns, kShortcut, kShortcutSigns };

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
  if (r.dots) return whole ? Form::kDots : Form::kGeneral;
  if (!r.out || wraps || !whole) return Form::kGeneral;
  if (!e.slope) return r.shortcut || e.threshold ? Form::kGeneral : Form::kAffine;
  if (r.shortcut) return e.threshold ? Form::kShortcutSigns : Form::kShortcut;
  return e.threshold ? Form::kSigns : Form::kPlain;
}

// Everything behind the convolution for P pixels and V vectors of channels: scale, shift, shortcut, PReLU, output and the
// signs that the next layer reads. `sums(p, v)` is what the convolution gave, over `factor`. Multiplications and additions
// are rounded one by one (no contraction), so that all instruction sets and the PyTorch reference agree to the last bit.
template <class Simd, int P, int V, bool kActivation, bool kShortcut, bool kSigns, class Sums>
NB_INLINE void epilogue_usual(const Row& r, const Tile& t, int pixel, float factor, Sums sums) {
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
void epilogue_general(const Row& r, const Tile& t, int pixel, float factor, const typename Simd::Floats (&sums)[P][V]) {
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
      if (r.dots) {  // a tile that is not whole
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
NB_INLINE void epilogue_sums(const Row& r, const Tile& t, float factor, Sums sums) {
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
NB_INLINE void epilogue_dots(const Row& r, const Tile& t, int pixel, float factor, Sums sums) {
  using Ints = typename Simd::Ints;
  const int64_t* const out_at = r.out_at + pixel;
  int32_t* const out = r.dots + t.channel;
  repeat<P>([&](auto p) NB_INLINED {
    repeat<V>([&](auto v) NB_INLINED {
      const Ints dots = __builtin_convertvector(sums(p, v) * factor, Ints);
      std::memcpy(out + out_at[p] + v * Simd::kFloats, &dots, sizeof dots);
    });
  });
}

template <class Simd, int P, int V, class Sums>
NB_INLINE void epilogue(const Row& r, const Tile& t, int pixel, float factor, Sums sums) {
  switch (t.form) {
    case Form::kShortcutSigns: return epilogue_usual<Simd, P, V, true, true, true>(r, t, pixel, factor, sums);
    case Form::kShortcut: return epilogue_usual<Simd, P, V, true, true, false>(r, t, pixel, factor, sums);
    case Form::kSigns: return epilogue_usual<Simd, P, V, true, false, true>(r, t, pixel, factor, sums);
    case Form::kPlain: return epilogue_usual<Simd, P, V, true, false, false>(r, t, pixel, factor, sums);
    case Form::kAffine: return epilogue_usual<Simd, P, V, false, false, false>(r, t, pixel, factor, sums);
    case Form::kSums: return epilogue_sums<Simd, P, V>(r, t, factor, sums);
    case Form::kDots: return epilogue_dots<Simd, P, V>(r, t, pixel, factor, sums);
    case Form::kGeneral: break;
  }
  typename Simd::Floats all[P][V];
  repeat<P>([&](auto p) NB_INLINED { repeat<V>([&](auto v) NB_INLINED { all[p][v] = sums(p, v); }); });
  epilogue_general<Simd, P, V>(r, t, pixel, factor, all);
}

}  // namespace
