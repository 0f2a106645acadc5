// One layer of a chain in plain loops: what every instruction set must compute, to the last bit.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels.h"

// A map N x H x W x C.
struct Map {
  int64_t batch, height, width, channels;
  std::vector<float> values;

  Map(int64_t n, int64_t h, int64_t w, int64_t c)
      : batch(n), height(h), width(w), channels(c), values(n * h * w * c) {}
  int64_t place(int64_t n, int64_t y, int64_t x, int64_t c) const {
    return ((n * height + y) * width + x) * channels + c;
  }
  float at(int64_t n, int64_t y, int64_t x, int64_t c) const { return values[place(n, y, x, c)]; }
};

inline int64_t out_size(int64_t size, int kernel, int stride, int pad, int dilation) {
  const int64_t room = size + 2 * pad - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

// Channel c of the input as a shortcut sees it at an output pixel: the average of the pixels that exist.
inline float pooled(const NbLayer& l, const Map& in, int64_t n, int64_t y, int64_t x, int64_t c) {
  float sum = 0;
  int count = 0;
  for (int64_t iy = y * l.stride_h; iy < std::min<int64_t>(in.height, (y + 1) * l.stride_h); ++iy)
    for (int64_t ix = x * l.stride_w; ix < std::min<int64_t>(in.width, (x + 1) * l.stride_w); ++ix, ++count)
      sum = count ? sum + in.at(n, iy, ix, c) : in.at(n, iy, ix, c);
  return sum / float(count);
}

// Channels are repeated where they are too few, and averaged where they are too many.
inline float shortcut(const NbLayer& l, const Map& in, int64_t n, int64_t y, int64_t x, int64_t o) {
  const int folds = (l.in_channels + l.out_channels - 1) / l.out_channels;
  float sum = pooled(l, in, n, y, x, o % l.in_channels);
  for (int f = 1; f < folds; ++f) sum += pooled(l, in, n, y, x, (int64_t(f) * l.out_channels + o) % l.in_channels);
  return sum / float(folds);
}

// Runs the layer; `dots` receives the dot products of a binary one.
inline Map run_plain(const NbLayer& l, const Map& in, std::vector<int32_t>& dots) {
  Map out(in.batch, out_size(in.height, l.kernel_h, l.stride_h, l.pad_h, l.dilation_h),
          out_size(in.width, l.kernel_w, l.stride_w, l.pad_w, l.dilation_w), l.out_channels);
  const int64_t ins = l.in_channels / l.groups, outs = l.out_channels / l.groups, words = (ins + 31) / 32;
  const int64_t tiles = (outs + 31) / 32, positions = l.kernel_h * l.kernel_w;
  dots.assign(out.values.size(), 0);
  const auto value = [&](int64_t n, int64_t y, int64_t x, int64_t o) {
    const int64_t g = o / outs, tile = g * tiles + o % outs / 32, lane = o % outs % 32;
    const auto* bits = static_cast<const uint32_t*>(l.weight);
    const auto* reals = static_cast<const float*>(l.weight);
    int32_t dot = 0;
    float sum = 0;
    for (int64_t i = 0; i < ins; ++i)
      for (int64_t position = 0; position < positions; ++position) {
        const int64_t iy = y * l.stride_h - l.pad_h + position / l.kernel_w * l.dilation_h;
        const int64_t ix = x * l.stride_w - l.pad_w + position % l.kernel_w * l.dilation_w;
        if (iy < 0 || iy >= in.height || ix < 0 || ix >= in.width) continue;
        const float from = in.at(n, iy, ix, g * ins + i);
        if (l.binary) {
          const uint32_t word = bits[((tile * positions + position) * words + i / 32) * 32 + lane];
          dot += (from + l.sign_shift[g * ins + i] >= 0) == bool(word >> i % 32 & 1) ? 1 : -1;
        } else {
          sum += reals[(tile * ins * positions + i * positions + position) * 32 + lane] * from;
        }
      }
    dots[out.place(n, y, x, o)] = dot;
    const int64_t at = tile * 32 + lane;
    float result = (l.binary ? float(dot) : sum) * l.scale[at] + l.shift[at];
    if (l.shortcut) result += shortcut(l, in, n, y, x, o);
    if (l.slope) result = (result > 0 ? result : result * l.slope[at]) + l.bias_out[at];
    return result;
  };
  for (int64_t n = 0; n < out.batch; ++n)
    for (int64_t y = 0; y < out.height; ++y)
      for (int64_t x = 0; x < out.width; ++x)
        for (int64_t o = 0; o < l.out_channels; ++o) out.values[out.place(n, y, x, o)] = value(n, y, x, o);
  return out;
}
