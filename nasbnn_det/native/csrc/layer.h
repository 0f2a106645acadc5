// What a kernel gets to compute one output row of one layer. Plain values; the driver in chain.cpp fills them in.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels.h"

// Work after a convolution, on tiles of 32 channels.
struct Epilogue {
  const float* scale;
  const float* shift;
  const float* slope;       // null: no activation
  const float* bias_out;
  const float* threshold;   // the next layer's sign is +1 where y >= threshold; null: no signs wanted
};

// Pixels that share their offsets: a row of one image, or the same row of several.
struct Row {
  int groups, out_per_group, pixels;
  // Convolution: value k of pixel p in group g stands at input + g * group_stride + inputs[p] + offsets[k].
  const void* input;
  int64_t group_stride;       // in 4-byte words
  const int64_t* inputs;
  const int32_t* offsets;
  int64_t values;             // length of offsets
  const void* weight;         // tile 0, first value
  int64_t tile_stride;        // words from tile to tile
  const float* const* base;   // binary: per pixel, half the dot product where no bit differs, [groups * tiles * 32]
  Epilogue epilogue;
  const float* shortcut;      // its channels are repeated as far as needed; or null
  const int64_t* shortcut_at;  // where each pixel begins in it
  int64_t shortcut_channels;
  float* out;                 // or null
  int32_t* dots;              // the plain dot products, instead of all that follows them; or null
  const int64_t* out_at;      // where each pixel begins in them
  int64_t* sums;              // or: sums of the dot products and of their squares are added to these, [2][groups * tiles * 32]
  bool out_in_map, shortcut_in_map;  // they lie in whole maps, which leave the nearest caches between two layers
  uint32_t* signs;            // [pixels][sign_words], natural order of channels, or null
  int64_t sign_words;
};

struct TrainingIsa;

// The kernels for one instruction set; isas.h lists them.
struct Isa {
  const char* name;
  void (*binary_row)(const Row&);
  void (*float_row)(const Row&);
  // One row of a shortcut that is pooled or folded: the average of the pixels of a window that exist, then of the
  // `folds` channels that meet. `rows` rows of `width_in` pixels of `pixel_stride` floats begin at x, `pixel` holds
  // channels_in floats; writes channels_out channels, or channels_in if there is nothing to fold.
  void (*shortcut_row)(const float* x, int64_t pixel_stride, int rows, int width_in, int channels_in, int stride,
                       int width_out, int channels_out, int folds, float* pixel, float* out);
  // Signs of x + shift: count channels to ceil(count / 32) words.
  void (*pack_pixel)(const float* x, const float* shift, int64_t count, uint32_t* words);
  // Computes some dot products of so many words on registers alone, `rounds` times; returns their binary multiply-accumulates.
  int64_t (*peak)(int64_t rounds, int64_t words);
  const TrainingIsa* training;
};

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
