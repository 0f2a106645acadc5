// The C interface of the packed runtime. Python describes a chain of layers, one call runs it.
//
// Float maps are N x H x W x C (PyTorch's channels_last). Everything a layer owns is laid out in tiles of 32 output
// channels: group g of a layer has ceil(out_channels / groups / 32) tiles, and per-channel numbers are padded to whole
// tiles, so that no kernel needs to mask what it loads.
#pragma once
#include <cstdint>

#if defined(_WIN32)
#define NB_API extern "C" __declspec(dllexport)
#else
#define NB_API extern "C" __attribute__((visibility("default")))
#endif

constexpr int kTile = 32;  // output channels of a tile, and bits of a word

extern "C" {

// One convolution and what follows it: y = conv(x) * scale + shift, + shortcut(x), then PReLU and + bias_out.
struct NbLayer {
  int32_t binary;  // 1: xor and popcount on the signs of x + sign_shift; 0: float weights on x itself
  int32_t in_channels, out_channels, groups;
  int32_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  int32_t shortcut;           // 1: the input, pooled and its channels repeated or folded, is added
  int32_t output;             // index of the output tensor that receives this layer's map, -1: none
  const void* weight;         // binary: uint32 [groups][tiles][kernel_h * kernel_w * words][32], bit 1 is weight +a,
                              // words = ceil(in_channels / groups / 32); float: [groups][tiles][in * kh * kw][32]
  const int32_t* position_counts;  // binary, kernel above 1: [kernel_h + 1][kernel_w + 1][groups * tiles * 32], ones in
                                   // the first rows and columns of the kernel
  const float* sign_shift;    // binary: [in_channels]
  const float* scale;         // [groups * tiles * 32]
  const float* shift;         // likewise
  const float* slope;         // likewise, or null: no activation
  const float* bias_out;      // likewise, null with slope
};

// The input of a chain: any strides, in floats.
struct NbInput {
  const float* data;
  int64_t batch, channels, height, width;
  int64_t stride_n, stride_c, stride_h, stride_w;
};
}
