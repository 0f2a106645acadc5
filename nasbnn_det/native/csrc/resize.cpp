#include "resize.h"

#include <algorithm>
#include <cmath>

namespace {

constexpr float kOne = 2048;  // weights are of 11 bits

}  // namespace

Resizer::Resizer(const Image& image, int64_t width, int64_t height)
    : image_(image), width_(width), height_(height),
      halves_(image.width == 2 * width && image.height == 2 * height) {
  if (halves_) return;
  for (int64_t x = 0; x < width; ++x) {
    Tap t = tap(x, image.width, width);
    if (t.at < 0) t = {0, int32_t(kOne), 0};
    if (t.at >= image.width - 1) t = {image.width - 1, int32_t(kOne), 0};
    columns_.push_back(t);
  }
}

Resizer::Tap Resizer::tap(int64_t i, int64_t from, int64_t to) {
  const double scale = 1. / (double(to) / double(from));
  float at = float((double(i) + 0.5) * scale - 0.5);
  const float whole = std::floor(at);
  at -= whole;
  return {int64_t(whole), int32_t(std::lrint((1.f - at) * kOne)), int32_t(std::lrint(at * kOne))};
}

const int32_t* Resizer::across(int64_t y, Cache& cache) const {
  y = std::clamp<int64_t>(y, 0, image_.height - 1);
  int32_t* out = cache.rows[y % 2];
  if (cache.at[y % 2] == y) return out;
  cache.at[y % 2] = y;
  const uint8_t* row = image_.row(y);
  const int64_t last = 3 * (image_.width - 1);
  for (int64_t x = 0; x < width_; ++x) {
    const Tap& t = columns_[x];
    const uint8_t *left = row + 3 * t.at, *right = row + std::min(3 * t.at + 3, last);
    for (int c = 0; c < 3; ++c) out[3 * x + c] = left[c] * t.first + right[c] * t.second;
  }
  return out;
}

void Resizer::halve(int64_t y, uint8_t* out) const {
  const uint8_t *upper = image_.row(2 * y), *lower = image_.row(2 * y + 1);
  for (int64_t x = 0; x < width_; ++x, upper += 6, lower += 6)
    for (int c = 0; c < 3; ++c) out[3 * x + c] = uint8_t((upper[c] + upper[c + 3] + lower[c] + lower[c + 3] + 2) >> 2);
}

void Resizer::row(int64_t y, Cache& cache, uint8_t* out) const {
  if (halves_) return halve(y, out);
  const Tap t = tap(y, image_.height, height_);
  const int32_t *upper = across(t.at, cache), *lower = across(t.at + 1, cache);
  for (int64_t i = 0; i < 3 * width_; ++i)
    out[i] = uint8_t((((t.first * (upper[i] >> 4)) >> 16) + ((t.second * (lower[i] >> 4)) >> 16) + 2) >> 2);
}
