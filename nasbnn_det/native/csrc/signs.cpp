#include "signs.h"

#include <algorithm>
#include <cstdlib>

namespace {

int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -ceil_div(-a, b); }

}  // namespace

std::vector<Phase> phases_of(const NbConv& c) {
  std::vector<Phase> phases;
  for (int64_t y = 0; y < c.stride_h; ++y)
    for (int64_t x = 0; x < c.stride_w; ++x) phases.push_back({y, x, {}});
  for (int64_t ky = 0; ky < c.kernel_h; ++ky)
    for (int64_t kx = 0; kx < c.kernel_w; ++kx) {
      // An output pixel (v, u) reads the input at stride * (v, u) + (top, left).
      const int64_t top = ky * c.dilation_h - c.pad_h, left = kx * c.dilation_w - c.pad_w;
      const int64_t dy = floor_div(top, c.stride_h), dx = floor_div(left, c.stride_w);
      Phase& phase = phases[(top - dy * c.stride_h) * c.stride_w + left - dx * c.stride_w];
      phase.taps.push_back({ky * c.kernel_w + kx, dy, dx});
    }
  return phases;
}

Grid::Grid(const NbConv& c) {
  int64_t rows = 0, columns = 0;
  for (const Phase& phase : phases_of(c))
    for (const Tap& tap : phase.taps) {
      rows = std::max(rows, std::abs(tap.dy));
      columns = std::max(columns, std::abs(tap.dx));
    }
  pitch_ = c.out_width + columns;
  length_ = c.out_height * pitch_;
  margin_ = rows * pitch_ + columns;
}

std::vector<Meeting> meetings_of(const NbConv& c) {
  std::vector<Meeting> found;
  for (int64_t out = 0; out < c.out_height * c.out_width; ++out)
    for (int64_t tap = 0; tap < taps_of(c); ++tap) {
      const int64_t y = out / c.out_width * c.stride_h + tap / c.kernel_w * c.dilation_h - c.pad_h;
      const int64_t x = out % c.out_width * c.stride_w + tap % c.kernel_w * c.dilation_w - c.pad_w;
      if (y >= 0 && y < c.height && x >= 0 && x < c.width) found.push_back({tap, out, y * c.width + x});
    }
  return found;
}

bool are_images_side_by_side(const NbConv& c, int64_t pixels) {
  if (c.height * c.width > pixels) return false;
  const int64_t pixels_in_lanes = c.batch * ceil_div(Grid(c).length(), kColumns) * taps_of(c);
  const int64_t images_in_lanes = ceil_div(c.batch, kColumns) * int64_t(meetings_of(c).size());
  return images_in_lanes < pixels_in_lanes;
}

void transpose_bits(uint64_t (&words)[kWord]) {
  uint64_t mask = 0x00000000ffffffffull;
  for (int half = 32; half; half >>= 1, mask ^= mask << half)
    for (int i = 0; i < kWord; i = (i + half + 1) & ~half) {
      const uint64_t t = (words[i] >> half ^ words[i + half]) & mask;
      words[i] ^= t << half;
      words[i + half] ^= t;
    }
}
