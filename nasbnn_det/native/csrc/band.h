// What a band of pixels needs while it goes through the layers of a pass: tables, scratch memory, the layout of signs.
#pragma once
#include <algorithm>
#include <vector>

#include "plan.h"

// What all rows of a layer share.
struct LayerTables {
  std::vector<int32_t> offsets;
  std::vector<float> threshold;       // the next layer's sign is +1 from here on; in this layer's tiles
  std::vector<float> base;            // 1 x 1 layers inside a pass: half the dot product where no bit differs
  std::vector<const float*> bases;    // the same for every pixel
  std::vector<int64_t> out_at, shortcut_at;  // where the pixels begin in its output, and in what its shortcut reads
};

// Where the pixels of a band stand, relative to its first image's row.
struct PixelTables {
  std::vector<int64_t> position, map, head;  // in the band; in a map of the pass's output; in the first layer's input
};

// A worker's own memory for a band.
struct Rows {
  float *maps[2], *shortcut, *pixel, *window;
  uint32_t *natural[2], *grouped;  // a layer reads one row of signs while it writes the other
  float* base;
  const float** bases;
  int64_t* inputs;
  int64_t pixels;
  int64_t from = -1, to = -1;  // kernel rows that `base` was made for
};

struct RowSizes {
  int64_t map, pixel, window, natural, grouped, base, pixels;

  int64_t bytes() const {
    return ceil_div(4 * (3 * map + pixel + window + 2 * natural + grouped + base) + 16 * pixels, 64) * 64 + 64 * 12;
  }

  Rows carve(char* memory) const {
    auto take = [&memory](int64_t bytes) {
      char* at = memory;
      memory += ceil_div(bytes, 64) * 64;
      ASAN_POISON_MEMORY_REGION(at + bytes, memory - at - bytes);
      return at;
    };
    Rows r;
    for (auto& m : r.maps) m = reinterpret_cast<float*>(take(4 * map));
    r.shortcut = reinterpret_cast<float*>(take(4 * map));
    r.pixel = reinterpret_cast<float*>(take(4 * pixel));
    r.window = reinterpret_cast<float*>(take(4 * window));
    for (auto& n : r.natural) n = reinterpret_cast<uint32_t*>(take(4 * natural));
    r.grouped = reinterpret_cast<uint32_t*>(take(4 * grouped));
    r.base = reinterpret_cast<float*>(take(4 * base));
    r.bases = reinterpret_cast<const float**>(take(8 * pixels));
    r.inputs = reinterpret_cast<int64_t*>(take(8 * pixels));
    r.pixels = pixels;
    return r;
  }
};

PixelTables make_tables(const Plan& plan, const Pass& p, int64_t images);
LayerTables prepare(const Plan& plan, const Pass& p, int layer, const PixelTables& tables, bool dots);
RowSizes row_sizes(const Plan& plan, const Pass& p, int64_t images);

// Columns of a kernel that lie outside the image meet zero words there, so their popcount is that of the weight:
// base holds what that adds, and counts the bits that take part; half of both. Of kernel rows [from, to).
void make_bases(const Plan& plan, const Pass& p, int64_t from, int64_t to, Rows& rows);

// Lays words in natural channel order out by the groups of the layer that reads them; pads become 0. Behind the last pixel
// there must be a word that may be read.
void regroup(const uint32_t* natural, int64_t natural_words, int64_t pixels, int64_t left, int64_t right,
             const NbLayer& reader, uint32_t* out, int64_t group_stride);
