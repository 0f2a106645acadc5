// What happens in a run before any kernel: layers are grouped into passes, and every map gets its place in memory.
#pragma once
#include <vector>

#include "layer.h"
#include "workspace.h"

struct Size {
  int64_t height, width;
  int64_t area() const { return height * width; }
};

// A layer and the 1 x 1 layers that follow it: they are computed together, row by row, so that between them only a row
// lives, in the cache.
struct Pass {
  int first, last;  // layers [first, last)
  Size in, out;
  int64_t widest;                // channels of its widest layer, input or output
  const float* input = nullptr;  // float map of the first layer, N x H x W x C; null for a chain's input of other strides
  float* output = nullptr;       // of the last layer, if anybody reads it
  int64_t input_stride = 0, output_stride = 0;  // floats from pixel to pixel
  uint32_t* bits = nullptr;      // [N][groups][H][pad + W + pad][words] for a binary first layer
};

inline int64_t words_of(const NbLayer& l) { return ceil_div(l.in_channels / l.groups, 32); }
inline int64_t tiled_channels(const NbLayer& l) { return l.groups * ceil_div(l.out_channels / l.groups, kTile) * kTile; }

class Plan {
 public:
  Plan(const NbLayer* layers, int count, const NbInput& input, float* const* outputs, Workspace& space);

  // Does anybody read the float map of layer i?
  bool is_read(int i) const;
  const NbLayer& layer(int i) const { return layers_[i]; }
  const NbLayer& head(const Pass& p) const { return layers_[p.first]; }
  int count() const { return int(layers_.size()); }
  const std::vector<Pass>& passes() const { return passes_; }

  // Columns that a kernel reads behind the last pixel.
  int64_t right_pad(const Pass& p) const {
    const NbLayer& l = head(p);
    const int64_t reach = (p.out.width - 1) * l.stride_w - l.pad_w + (l.kernel_w - 1) * l.dilation_w;
    return reach < p.in.width ? 0 : reach - p.in.width + 1;
  }
  int64_t padded_width(const Pass& p) const { return head(p).pad_w + p.in.width + right_pad(p); }
  int64_t bit_row_stride(const Pass& p) const { return padded_width(p) * words_of(head(p)); }
  int64_t bit_group_stride(const Pass& p) const { return p.in.height * bit_row_stride(p); }
  int64_t bit_image_stride(const Pass& p) const { return head(p).groups * bit_group_stride(p); }
  uint32_t* bit_row(const Pass& p, int64_t image, int64_t y) const {  // of group 0
    return p.bits + image * bit_image_stride(p) + y * bit_row_stride(p);
  }

 private:
  void group();
  void crop(NbLayer& l, Size in, Size out);
  bool fits_in_place(const Pass& p) const;
  void place(const NbInput& input, float* const* outputs, Workspace& space);

  std::vector<NbLayer> layers_;
  std::vector<std::vector<int32_t>> owned_;  // weights and counts of cropped kernels
  std::vector<Pass> passes_;
  Size size_;
  int64_t batch_;
};
