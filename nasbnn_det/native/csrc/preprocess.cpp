#include "preprocess.h"

#include <algorithm>
#include <cmath>

#include "layer_spec.h"
#include "problem.h"

namespace {

constexpr int64_t kBand = 16;  // rows that a worker prepares at once
constexpr char kKeys[] = "'divisor', 'keep_ratio', 'mean', 'pad_size', 'pad_value', 'scale', 'std', 'to_rgb'";

void read_size(const std::string& name, const Json& value, bool& given, int64_t (&out)[2]) {
  given = !value.is(Json::Kind::kNull);
  if (!given) return;
  const bool pair = value.is(Json::Kind::kArray) && value.items.size() == 2;
  for (int i = 0; i < 2; ++i)
    if (!pair || !value.items[i].to_int(out[i]) || out[i] < 1 || out[i] > 16384)
      throw Problem(name + " is " + value.brief() + "; allowed are null and two integers from 1 to 16384");
}

void read_numbers(const std::string& name, const Json& value, double (&out)[3]) {
  const bool three = value.is(Json::Kind::kArray) && value.items.size() == 3;
  for (int i = 0; i < 3; ++i)
    if (!three || !value.items[i].to_double(out[i]) || std::fabs(out[i]) >= 1e6)
      throw Problem(name + " is " + value.brief() + "; three finite numbers are wanted");
}

void read_bool(const Json& value, bool& out) {
  if (!value.is(Json::Kind::kBool)) throw Problem("keep_ratio and to_rgb must be true or false");
  out = value.truth;
}

}  // namespace

Preprocessing Preprocessing::read(const Json* described) {
  if (!described || !described->is(Json::Kind::kObject)) throw Problem(std::string("preprocessing is described by ") + kKeys);
  Preprocessing p;
  for (const auto& [key, value] : described->members) {
    if (key == "scale") read_size(key, value, p.resizes_, p.scale_);
    else if (key == "pad_size") read_size(key, value, p.pads_, p.pad_size_);
    else if (key == "keep_ratio") read_bool(value, p.keeps_ratio_);
    else if (key == "to_rgb") read_bool(value, p.to_rgb_);
    else if (key == "pad_value") read_numbers(key, value, p.pad_value_);
    else if (key == "mean") read_numbers(key, value, p.mean_);
    else if (key == "std") read_numbers(key, value, p.std_);
    else if (key != "divisor") throw Problem(std::string("preprocessing is described by ") + kKeys);
    else if (!value.to_int(p.divisor_) || p.divisor_ < 1 || p.divisor_ > 1024)
      throw Problem("divisor is " + value.brief() + "; allowed are integers from 1 to 1024");
  }
  for (int c = 0; c < 3; ++c) {
    if (p.std_[c] <= 0) throw Problem("std is " + described->find("std")->brief() + "; three positive numbers are wanted");
    for (int value = 0; value < 256; ++value)
      p.normalised_[c].push_back((float(value) - float(p.mean_[c])) / float(p.std_[c]));
    // OpenCV pads with whole numbers.
    const double fill = std::clamp(std::nearbyint(p.pad_value_[p.to_rgb_ ? 2 - c : c]), 0., 255.);
    p.padding_[c] = p.normalised_[c][size_t(fill)];
  }
  return p;
}

Geometry Preprocessing::plan(int64_t width, int64_t height) const {
  Geometry g{width, height, 0, 0, 0, 0, 1, 1};
  if (resizes_ && !keeps_ratio_) {
    g.width = scale_[0];
    g.height = scale_[1];
  } else if (resizes_) {
    const double factor = std::min(double(std::max(scale_[0], scale_[1])) / double(std::max(width, height)),
                                   double(std::min(scale_[0], scale_[1])) / double(std::min(width, height)));
    g.width = int64_t(double(width) * factor + 0.5);
    g.height = int64_t(double(height) * factor + 0.5);
  }
  if (g.width == 0 || g.height == 0)
    throw Problem("an image of " + std::to_string(width) + " x " + std::to_string(height) + " pixels is too narrow or too "
                  "low: its proportions kept, " + std::to_string(g.width) + " x " + std::to_string(g.height) +
                  " pixels of it would be left", NASBNN_DET_BAD_INPUT);
  g.canvas_width = std::max(g.width, pads_ ? pad_size_[0] : 0);
  g.canvas_height = std::max(g.height, pads_ ? pad_size_[1] : 0);
  g.input_width = (g.canvas_width + divisor_ - 1) / divisor_ * divisor_;
  g.input_height = (g.canvas_height + divisor_ - 1) / divisor_ * divisor_;
  if (3 * g.input_width * g.input_height > kMostMapValues)
    throw Problem("an input of " + std::to_string(g.input_width) + " x " + std::to_string(g.input_height) +
                  " pixels is too large; " + std::to_string(kMostMapValues) + " values are allowed", NASBNN_DET_BAD_INPUT);
  g.scale_x = double(g.width) / double(width);
  g.scale_y = double(g.height) / double(height);
  return g;
}

int64_t Preprocessing::scratch_bytes(const Geometry& size, Workers workers) const {
  return workers.threads * 3 * size.width * int64_t(2 * sizeof(int32_t) + 1);
}

void Preprocessing::run(const Image& image, const Geometry& size, float* planes, char* scratch, Workers workers) const {
  const bool same = size.width == image.width && size.height == image.height;
  const Resizer resizer(image, size.width, size.height);
  const int64_t row = 3 * size.width;
  auto* sums = reinterpret_cast<int32_t*>(scratch);
  auto* bytes = reinterpret_cast<uint8_t*>(sums + workers.threads * 2 * row);
  parallel_for(workers, int((size.input_height + kBand - 1) / kBand), [&](int band, int worker) {
    Resizer::Cache cache{{sums + worker * 2 * row, sums + (worker * 2 + 1) * row}};
    const int64_t end = std::min(size.input_height, (band + 1) * kBand);
    for (int64_t y = band * kBand; y < end; ++y) {
      const uint8_t* pixels = nullptr;
      if (y < size.height && same) {
        pixels = image.row(y);
      } else if (y < size.height) {
        resizer.row(y, cache, bytes + worker * row);
        pixels = bytes + worker * row;
      }
      fill_row(pixels, size, y, planes);
    }
  });
}

// Without pixels the row lies below the image.
void Preprocessing::fill_row(const uint8_t* pixels, const Geometry& size, int64_t y, float* planes) const {
  for (int c = 0; c < 3; ++c) {
    float* out = planes + (c * size.input_height + y) * size.input_width;
    const float* table = normalised_[c].data();
    const int64_t channel = to_rgb_ ? 2 - c : c;
    int64_t x = 0;
    if (pixels)
      for (; x < size.width; ++x) out[x] = table[pixels[3 * x + channel]];
    if (y < size.canvas_height)
      for (; x < size.canvas_width; ++x) out[x] = padding_[c];
    std::fill(out + x, out + size.input_width, 0.f);
  }
}
