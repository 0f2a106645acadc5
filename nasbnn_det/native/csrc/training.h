// Training's kernels: a brick's forward and backward pass, element-wise work fused, products with signs by tables.
//
// A brick is out = PReLU(scale * z + offset + shortcut) + bias_out, z = conv(sign(x + shift), weight): batch norm, whose
// statistics come from sums of z, lies in scale and offset. Maps are N x H x W x C. Signs are bits, 1 for +1: in 64-bit
// words of channels, [N][H][W][groups][words], words = ceil(in_channels / groups / 64).
#pragma once
#include <cstdint>

#include "layer.h"

constexpr int kColumns = 16;      // floats that one look-up gives
constexpr int kHalfColumns = 32;  // likewise of 16 bits
constexpr int kWord = 64;     // signs of an index
constexpr int kTables = kWord / 4 * 16 * kColumns + kHalfColumns;  // floats of the tables of an index, of either
constexpr int kHalfWeight = 2047;  // the largest weight of 16 bits, in its own units
// Added to a float between -2^15 and 2^15, leaves its nearest integer in the lower 16 bits: 1.5 * 2^23, whose last bit is worth 1.
constexpr float kRounder = 12582912.f;
constexpr float kNothing = 1e-30f;  // columns of smaller numbers are zeros in 16 bits

extern "C" {

struct NbConv {
  int64_t batch, in_channels, height, width, out_channels, out_height, out_width, groups;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
};

// A batch norm between a convolution and RPReLU. Vectors of `channels` numbers.
struct NbNorm {
  int64_t channels;
  double count, momentum, eps;  // pixels that the statistics are of; 0: they are the running ones
  const float *scale, *gamma, *beta, *bias_in, *slope, *bias_out;
  float *running_mean, *running_var;
};

// What follows the convolution, by output channel. z is int16, or float where real weights made it.
struct NbTail {
  const void* z;
  int64_t z_is_float;
  const float* shortcut;      // a map of the output's size, or null
  int64_t shortcut_channels;  // its channels, repeated as far as needed
  const float* vectors;       // [4][channels]: scale, offset, slope, bias_out
};
}

// Some pixels of a brick's element-wise work; rows of out_channels numbers that follow each other.
struct TailRow {
  int64_t pixels, channels, shortcut_channels;
  const void* z;
  const float* shortcut;
  const float *scale, *offset, *slope, *bias_out;
  const float* grad;  // backward: of the output
  const float *by_grad, *by_z, *constant;  // gradient of z = by_grad * d + by_z * z + constant, d that of PReLU's input
};

// The surrogate derivative of the activations' sign.
enum Surrogate : int64_t { kQuadratic = 0, kBox = 1 };

// Products of signs with floats, see lookup.h and lookup_half.h. Sums are [rows][columns].
struct Lookups {
  int64_t columns;
  void (*build)(const float* values, int64_t stride, int count, float* tables);
  void (*add)(const float* tables, int count, const uint64_t* index, int64_t index_stride, int64_t rows, float* sums);
};

struct TrainingIsa {
  Lookups lookups[2];  // of single precision, of 16 bits
  // See products.h and products_half.h; rows are multiples of product_rows.
  int product_rows;
  void (*add_products)(const float* values, int64_t stride, int count, const float* weight, int64_t rows, float* sums);
  void (*add_half_products)(const float* values, int64_t stride, int count, const int32_t* weight, const float* units, int64_t rows,
                            float* sums);
  // See tail.h; [0] for a z of int16, [1] of float.
  void (*finish[2])(const TailRow&, float* out);
  void (*reduce[2])(const TailRow&, float* sums);  // [4][channels]: of d, d * z, what the slope gets, and the gradient
  void (*gradient[2])(const TailRow&, float* grad_z, float* grad_shortcut);
  // Signs of x + shift: `channels` of them to ceil(channels / 64) words.
  void (*pack_signs)(const float* x, const float* shift, int64_t channels, uint64_t* words);
  // grad_x += grad * derivative(x + shift), and to sums what was added; `channels` numbers.
  void (*add_through_sign)(Surrogate rule, const float* x, const float* shift, const float* grad, int64_t channels, float* grad_x,
                           float* sums);
};
