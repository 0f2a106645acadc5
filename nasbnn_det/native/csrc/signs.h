// The signs of a map in training, by pixels and by channels, and the taps of a convolution over them.
#pragma once
#include <vector>

#include "training.h"

inline int64_t words_of(const NbConv& c) { return ceil_div(c.in_channels / c.groups, kWord); }
inline int64_t taps_of(const NbConv& c) { return c.kernel_h * c.kernel_w; }

// Where a convolution's gradient by its input falls apart: input pixels (stride_h * y + phase_y, stride_w * x + phase_x) meet
// only some of the taps. The pixel of such a grid at (y, x) meets a tap's output pixel at (y, x) - (dy, dx).
struct Tap {
  int64_t index;  // in the kernel
  int64_t dy, dx;
};

struct Phase {
  int64_t y, x;
  std::vector<Tap> taps;
};

std::vector<Phase> phases_of(const NbConv& c);

// Maps of the output's size as one row of pixels with gaps of zeros, so that a tap is a shift of the whole map.
class Grid {
 public:
  explicit Grid(const NbConv& c);
  int64_t pitch() const { return pitch_; }    // from row to row
  int64_t length() const { return length_; }  // with the gaps between rows
  int64_t margin() const { return margin_; }  // zeros before and behind
  int64_t shift(const Tap& t) const { return t.dy * pitch_ + t.dx; }

 private:
  int64_t pitch_, length_, margin_;
};

// Small maps: images lie side by side in the lanes of the kernels, not pixels, and taps that leave the image are passed over.
struct Meeting {
  int64_t tap, out, in;  // a tap of the output pixel `out` reads the input pixel `in`
};

std::vector<Meeting> meetings_of(const NbConv& c);  // by output pixels
// Whether that is less work than a grid, for images of at most `pixels`, whose sums all have to stay in a cache. It depends
// on the shapes alone.
bool are_images_side_by_side(const NbConv& c, int64_t pixels = 256);

// Turns 64 words of 64 bits round: bit j of word i becomes bit i of word j.
void transpose_bits(uint64_t (&words)[kWord]);
