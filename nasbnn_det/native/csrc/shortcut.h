// Shortcuts that change the map: the input is averaged over windows where a layer strides, and over channels where it has
// fewer outputs than inputs. Plain loops, compiled once for each instruction set.
#pragma once
#include <algorithm>
#include <cstdint>

namespace {

// Average of the pixels of a window, summed one after another.
inline void average(const float* x, int64_t pixel_stride, int64_t row_stride, int rows, int columns, int channels,
                    float* __restrict out) {
  if (rows == 2 && columns == 2) {  // in one go, the same sums
    const float *a = x, *b = x + pixel_stride, *c = x + row_stride, *d = c + pixel_stride;
    for (int i = 0; i < channels; ++i) out[i] = (a[i] + b[i] + c[i] + d[i]) / 4.f;
    return;
  }
  std::copy_n(x, channels, out);
  for (int pixel = 1; pixel < rows * columns; ++pixel) {
    const float* next = x + pixel / columns * row_stride + pixel % columns * pixel_stride;
    for (int i = 0; i < channels; ++i) out[i] += next[i];
  }
  if (rows * columns > 1)
    for (int i = 0; i < channels; ++i) out[i] /= float(rows * columns);
}

// Average of the `folds` channels of a pixel that meet in one; a channel behind the last one is the first again.
inline void fold(const float* pixel, int channels_in, int channels_out, int folds, float* __restrict out) {
  for (int f = 0, begin = 0; f < folds; ++f)
    for (int i = 0, n; i < channels_out; i += n, begin = (begin + n) % channels_in) {
      n = std::min(channels_out - i, channels_in - begin);
      for (int k = 0; k < n; ++k) out[i + k] = f ? out[i + k] + pixel[begin + k] : pixel[begin + k];
    }
  for (int i = 0; i < channels_out; ++i) out[i] /= float(folds);
}

inline void shortcut_row(const float* x, int64_t pixel_stride, int rows, int width_in, int channels_in, int stride,
                         int width_out, int channels_out, int folds, float* pixel, float* out) {
  for (int p = 0; p < width_out; ++p, x += stride * pixel_stride) {
    const int columns = std::min(stride, width_in - p * stride);
    average(x, pixel_stride, width_in * pixel_stride, rows, columns, channels_in, folds > 1 ? pixel : out);
    if (folds > 1) fold(pixel, channels_in, channels_out, folds, out);
    out += folds > 1 ? channels_out : channels_in;
  }
}

}  // namespace
