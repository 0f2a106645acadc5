// From an image to the network's input, as a config's test pipeline and data preprocessor do it.
#pragma once
#include "json.h"
#include "parallel.h"
#include "resize.h"

// Sizes of an image on its way.
struct Geometry {
  int64_t width, height;               // resized
  int64_t canvas_width, canvas_height;  // padded
  int64_t input_width, input_height;   // padded again, to a multiple
  double scale_x, scale_y;             // from the original image
};

class Preprocessing {
 public:
  // Throws Problem if the description has an unknown key or a wrong value.
  static Preprocessing read(const Json* described);

  // Throws Problem if nothing of the image would be left, or too much.
  Geometry plan(int64_t width, int64_t height) const;

  // Memory that run() needs, in bytes.
  int64_t scratch_bytes(const Geometry& size, Workers workers) const;

  // Fills planes [3][input_height][input_width].
  void run(const Image& image, const Geometry& size, float* planes, char* scratch, Workers workers) const;

 private:
  void fill_row(const uint8_t* pixels, const Geometry& size, int64_t y, float* planes) const;

  bool resizes_ = false, keeps_ratio_ = true, pads_ = false, to_rgb_ = true;
  int64_t scale_[2] = {0, 0}, pad_size_[2] = {0, 0};  // width, height
  double pad_value_[3] = {0, 0, 0}, mean_[3] = {0, 0, 0}, std_[3] = {1, 1, 1};
  int64_t divisor_ = 1;
  std::vector<float> normalised_[3];  // of each value of a byte, by the network's channels
  float padding_[3];                  // the pad value, normalised
};
