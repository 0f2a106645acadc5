// Bilinear resizing of BGR images, uint8, with the integers that OpenCV's INTER_LINEAR takes, so that both agree in every bit.
#pragma once
#include <cstdint>
#include <vector>

struct Image {
  const uint8_t* data;
  int64_t width, height, stride;  // bytes from row to row
  const uint8_t* row(int64_t y) const { return data + y * stride; }
};

class Resizer {
 public:
  Resizer(const Image& image, int64_t width, int64_t height);

  // Source rows resized in their width, of which neighbours in the output share some.
  struct Cache {
    int32_t* rows[2];  // width * 3 each
    int64_t at[2] = {-1, -1};
  };
  void row(int64_t y, Cache& cache, uint8_t* out) const;

 private:
  struct Tap {  // of a pixel, or a row: the first of two neighbours, and what both weigh
    int64_t at;
    int32_t first, second;
  };
  static Tap tap(int64_t i, int64_t from, int64_t to);
  const int32_t* across(int64_t y, Cache& cache) const;
  void halve(int64_t y, uint8_t* out) const;

  Image image_;
  int64_t width_, height_;
  bool halves_;  // OpenCV averages four pixels then
  std::vector<Tap> columns_;
};
