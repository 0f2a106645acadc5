// Runs a chain of layers, pass by pass. A pass is a layer and the 1 x 1 layers that follow it: they are computed together,
// row by row, so that between them only a row lives, in the cache. Between passes live one float map and one bit map.
#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

#include "dispatch.h"
#include "parallel.h"
#include "workspace.h"

namespace {

struct Size {
  int64_t height, width;
};

struct Pass {
  int first, last;  // layers [first, last)
  Size in, out;
  const float* input = nullptr;  // float map of the first layer, N x H x W x C; null for a chain's own input of other strides
  float* output = nullptr;       // of the last layer, if anybody reads it
  uint32_t* bits = nullptr;      // [N][groups][H][W + 2 pad][words] for a binary first layer
};

int64_t words_of(const NbLayer& l) { return ceil_div(l.in_channels / l.groups, 32); }
int64_t tiled_channels(const NbLayer& l) { return l.groups * ceil_div(l.out_channels / l.groups, kTile) * kTile; }
bool is_pointwise(const NbLayer& l) {
  return l.kernel_h == 1 && l.kernel_w == 1 && l.stride_h == 1 && l.stride_w == 1 && l.pad_h == 0 && l.pad_w == 0;
}
int64_t out_size(int64_t size, int kernel, int stride, int pad, int dilation) {
  return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
}

// Lays a row of words in natural channel order out by the groups of the layer that reads it; the row's pads become 0.
void regroup(const uint32_t* natural, int64_t natural_words, int width, int pad, const NbLayer& reader, uint32_t* out,
             int64_t group_stride) {
  const int64_t words = words_of(reader), channels = reader.in_channels / reader.groups;
  for (int g = 0; g < reader.groups; ++g) {
    uint32_t* row = out + g * group_stride;
    std::fill_n(row, pad * words, 0u);
    std::fill_n(row + (pad + width) * words, pad * words, 0u);
    row += pad * words;
    for (int p = 0; p < width; ++p) {
      const uint32_t* pixel = natural + p * natural_words;
      for (int64_t w = 0; w < words; ++w) {
        const int64_t bit = g * channels + w * 32, from = bit / 32, shift = bit % 32, n = std::min<int64_t>(32, channels - w * 32);
        uint32_t value = pixel[from] >> shift;
        if (shift + n > 32) value |= pixel[from + 1] << (32 - shift);
        *row++ = n == 32 ? value : value & ((1u << n) - 1);
      }
    }
  }
}

class Chain {
 public:
  Chain(const NbLayer* layers, int count, const NbInput& input, float* const* taps, int32_t* dots, int threads,
        const Path& path, Workspace& space)
      : layers_(layers), count_(count), input_(input), taps_(taps), dots_(dots), threads_(std::max(1, threads)),
        path_(path), space_(space) {}

  void run() {
    plan();
    for (size_t i = 0; i < passes_.size(); ++i) {
      if (i == 0 && layers_[0].binary) pack_input(passes_[0]);
      run_pass(passes_[i], i + 1 < passes_.size() ? &passes_[i + 1] : nullptr);
    }
  }

 private:
  bool is_read(int i) const {  // does anybody read the float map of layer i?
    if (layers_[i].tap >= 0) return true;
    return i + 1 < count_ && (layers_[i + 1].shortcut || !layers_[i + 1].binary);
  }

  void plan() {
    Size size{input_.height, input_.width};
    for (int i = 0; i < count_; ++i) {
      const NbLayer& l = layers_[i];
      widest_ = std::max<int64_t>({widest_, l.in_channels, tiled_channels(l)});
      if (i > 0 && is_pointwise(l)) {
        passes_.back().last = i + 1;
        continue;
      }
      const Size out{out_size(size.height, l.kernel_h, l.stride_h, l.pad_h, l.dilation_h),
                     out_size(size.width, l.kernel_w, l.stride_w, l.pad_w, l.dilation_w)};
      passes_.push_back({i, i + 1, size, out});
      size = out;
    }
    place();
  }

  // Decides where every map lives: in an output tensor, in place of its input, or in the other of two blocks.
  void place() {
    const bool channels_last = input_.stride_c == 1 && input_.stride_w == input_.channels &&
                               input_.stride_h == input_.width * input_.channels &&
                               input_.stride_n == input_.height * input_.stride_h;
    int block = -1;  // of the current map; -1: not ours
    int64_t sizes[2] = {0, 0};
    std::vector<int> blocks;
    for (const Pass& p : passes_) {
      const NbLayer& last = layers_[p.last - 1];
      if (!is_read(p.last - 1) || last.tap >= 0) {
        block = -1;
      } else {
        const bool in_place = p.in.height == p.out.height && p.in.width == p.out.width &&
                              layers_[p.first].in_channels == last.out_channels && layers_[p.first].binary;
        if (block < 0) block = 0;
        else if (!in_place) block = 1 - block;
        sizes[block] = std::max(sizes[block], input_.batch * p.out.height * p.out.width * last.out_channels);
      }
      blocks.push_back(block);
    }
    float* maps[2] = {space_.maps[0].get<float>(sizes[0]), space_.maps[1].get<float>(sizes[1])};
    int64_t bit_sizes[2] = {0, 0};
    for (size_t i = 0; i < passes_.size(); ++i) bit_sizes[i % 2] = std::max(bit_sizes[i % 2], bit_words(passes_[i]));
    uint32_t* bits[2] = {space_.bits[0].get<uint32_t>(bit_sizes[0]), space_.bits[1].get<uint32_t>(bit_sizes[1])};
    for (size_t i = 0; i < passes_.size(); ++i) {
      Pass& p = passes_[i];
      const NbLayer& last = layers_[p.last - 1];
      p.input = i ? passes_[i - 1].output : channels_last ? input_.data : nullptr;
      p.output = last.tap >= 0 ? taps_[last.tap] : blocks[i] >= 0 ? maps[blocks[i]] : nullptr;
      p.bits = bits[i % 2];
    }
  }

  int64_t padded_width(const Pass& p) const { return p.in.width + 2 * layers_[p.first].pad_w; }
  int64_t bit_words(const Pass& p) const {
    const NbLayer& l = layers_[p.first];
    return l.binary ? input_.batch * l.groups * p.in.height * padded_width(p) * words_of(l) : 0;
  }
  uint32_t* bit_row(const Pass& p, int64_t image, int64_t y) const {  // of group 0
    const NbLayer& l = layers_[p.first];
    return p.bits + (image * l.groups * p.in.height + y) * padded_width(p) * words_of(l);
  }
  int64_t bit_group_stride(const Pass& p) const {
    return p.in.height * padded_width(p) * words_of(layers_[p.first]);
  }

  void pack_input(const Pass& p) {
    const NbLayer& l = layers_[0];
    const int64_t natural = ceil_div(l.in_channels, 32), row = p.in.width * natural;
    uint32_t* scratch = space_.workers.get<uint32_t>(row * threads_);
    parallel_for(threads_, int(input_.batch * p.in.height), [&](int index, int worker) {
      uint32_t* words = scratch + worker * row;
      const float* x = p.input + int64_t(index) * p.in.width * l.in_channels;
      for (int64_t i = 0; i < p.in.width; ++i)
        path_.pack_pixel(x + i * l.in_channels, l.sign_shift, l.in_channels, words + i * natural);
      regroup(words, natural, int(p.in.width), l.pad_w, l, bit_row(p, index / p.in.height, index % p.in.height),
              bit_group_stride(p));
    });
  }

  // What all rows of a layer share.
  struct Prepared {
    std::vector<int32_t> offsets;
    std::vector<float> threshold;           // the next layer's sign is +1 from here on; in this layer's tiles
    std::vector<int32_t> base;              // 1 x 1 layers inside a pass: dot product where no bit differs
    std::vector<const int32_t*> bases;      // the same for every pixel of the row
  };

  void prepare(int i, const Pass& p, int64_t row_stride, Prepared& out) const {
    const NbLayer& l = layers_[i];
    const bool head = i == p.first;
    if (l.binary) {
      const int64_t words = words_of(l);
      for (int ky = 0; ky < l.kernel_h; ++ky)
        for (int kx = 0; kx < l.kernel_w; ++kx)
          for (int64_t w = 0; w < words; ++w)
            out.offsets.push_back(int32_t(ky * l.dilation_h * row_stride + kx * l.dilation_w * words + w));
      if (!head) {
        out.base.assign(tiled_channels(l), l.in_channels / l.groups);
        out.bases.assign(p.out.width, out.base.data());
      }
    } else if (head) {  // a window [channels][kernel_h][width] is copied for each row
      for (int c = 0; c < l.in_channels / l.groups; ++c)
        for (int ky = 0; ky < l.kernel_h; ++ky)
          for (int kx = 0; kx < l.kernel_w; ++kx)
            out.offsets.push_back(int32_t((int64_t(c) * l.kernel_h + ky) * row_stride + kx * l.dilation_w));
    } else {
      for (int c = 0; c < l.in_channels / l.groups; ++c) out.offsets.push_back(c);
    }
    if (i + 1 < count_ && layers_[i + 1].binary) {
      const int64_t per_group = l.out_channels / l.groups, tiled = ceil_div(per_group, kTile) * kTile;
      out.threshold.assign(tiled_channels(l), 0.f);
      for (int64_t c = 0; c < l.out_channels; ++c)
        out.threshold[c / per_group * tiled + c % per_group] = -layers_[i + 1].sign_shift[c];
    }
  }

  // A worker's own memory for the rows of a pass.
  struct Rows {
    float *maps[2], *shortcut, *pixel, *window;
    uint32_t *natural[2], *grouped;  // a layer reads one row of signs while it writes the other
    int32_t* base;
    const int32_t** bases;
    int64_t from = -1, to = -1;  // kernel rows that `base` was made for
  };

  struct RowSizes {
    int64_t map, pixel, window, natural, grouped, base, bases;
    int64_t total() const {
      return 4 * (3 * map + pixel + window + 2 * natural + grouped + base) + 8 * bases + 64 * 10;
    }
  };

  RowSizes row_sizes(const Pass& p) const {
    const NbLayer& head = layers_[p.first];
    RowSizes s{p.out.width * widest_, widest_, 0, p.out.width * (ceil_div(widest_, 32) + 1), 0, 0, p.out.width};
    for (int i = p.first; i < p.last; ++i)
      s.grouped = std::max<int64_t>(s.grouped, layers_[i].groups * words_of(layers_[i]) * p.out.width);
    if (head.binary) {
      const int64_t border = std::min<int64_t>(p.out.width, 2 * head.pad_w);
      s.base = (border + 1) * tiled_channels(head);
    } else {
      s.window = int64_t(head.in_channels) * head.kernel_h * padded_width(p);
    }
    return s;
  }

  static Rows carve(const RowSizes& s, char* memory) {
    auto take = [&memory](int64_t bytes) {
      char* at = memory;
      memory += ceil_div(bytes, 64) * 64;
      ASAN_POISON_MEMORY_REGION(at + bytes, memory - at - bytes);
      return at;
    };
    Rows r;
    for (auto& map : r.maps) map = reinterpret_cast<float*>(take(4 * s.map));
    r.shortcut = reinterpret_cast<float*>(take(4 * s.map));
    r.pixel = reinterpret_cast<float*>(take(4 * s.pixel));
    r.window = reinterpret_cast<float*>(take(4 * s.window));
    for (auto& natural : r.natural) natural = reinterpret_cast<uint32_t*>(take(4 * s.natural));
    r.grouped = reinterpret_cast<uint32_t*>(take(4 * s.grouped));
    r.base = reinterpret_cast<int32_t*>(take(4 * s.base));
    r.bases = reinterpret_cast<const int32_t**>(take(8 * s.bases));
    return r;
  }

  void run_pass(const Pass& p, const Pass* next) {
    std::vector<Prepared> prepared(p.last - p.first);
    const NbLayer& head = layers_[p.first];
    const int64_t row_stride = head.binary ? padded_width(p) * words_of(head) : padded_width(p);
    for (int i = p.first; i < p.last; ++i) prepare(i, p, i == p.first ? row_stride : 0, prepared[i - p.first]);
    const RowSizes sizes = row_sizes(p);
    const int64_t bytes = ceil_div(sizes.total(), 64) * 64;
    char* memory = space_.workers.get<char>(bytes * threads_);
    std::vector<Rows> workers;
    for (int t = 0; t < threads_; ++t) workers.push_back(carve(sizes, memory + t * bytes));
    parallel_for(threads_, int(input_.batch * p.out.height), [&](int index, int worker) {
      run_row(p, next, prepared, workers[worker], index / p.out.height, index % p.out.height);
    });
  }

  void run_row(const Pass& p, const Pass* next, const std::vector<Prepared>& prepared, Rows& rows, int64_t image,
               int64_t y) const {
    const int64_t width = p.out.width;
    const float* map = nullptr;      // the row before this layer, from the second layer on
    const uint32_t* signs = nullptr; // likewise, natural order
    for (int i = p.first; i < p.last; ++i) {
      const NbLayer& l = layers_[i];
      const Prepared& ready = prepared[i - p.first];
      const bool head = i == p.first, last = i + 1 == p.last;
      Row row{};
      row.groups = l.groups;
      row.out_per_group = l.out_channels / l.groups;
      row.width = int(width);
      row.epilogue = {l.scale, l.shift, l.slope, l.bias_out, nullptr};
      row.offsets = ready.offsets.data();
      row.values = int64_t(ready.offsets.size());
      row.weight = l.weight;
      row.tile_stride = row.values * kTile;
      row.base = head ? rows.bases : ready.bases.data();
      if (!head) point_input(l, map, signs, rows, row);
      else if (l.binary) binary_head(p, rows, image, y, row);
      else float_head(p, rows, image, y, row);
      if (l.shortcut) {
        row.shortcut = head ? head_shortcut(p, rows, image, y) : point_shortcut(l, map, rows, width);
        row.shortcut_channels = std::min(l.in_channels, l.out_channels);
      }

      const int64_t place = (image * p.out.height + y) * width * l.out_channels;
      if (l.tap >= 0) row.out = taps_[l.tap] + place;
      else if (last) row.out = p.output ? p.output + place : nullptr;
      else if (is_read(i)) row.out = map == rows.maps[0] ? rows.maps[1] : rows.maps[0];
      if (dots_ && i + 1 == count_) row.dots = dots_ + place;

      const NbLayer* reader = i + 1 < count_ && layers_[i + 1].binary ? &layers_[i + 1] : nullptr;
      uint32_t *destination = nullptr, *scratch = nullptr;
      if (reader) {
        row.epilogue.threshold = ready.threshold.data();
        row.sign_words = ceil_div(l.out_channels, 32);
        row.signs = signs == rows.natural[0] ? rows.natural[1] : rows.natural[0];
        scratch = row.signs;
        if (last) {
          destination = bit_row(*next, image, y);
          if (reader->groups == 1) row.signs = destination + reader->pad_w * row.sign_words;
        }
      }
      (l.binary ? path_.binary_row : path_.float_row)(row);
      if (destination && row.signs == scratch) {
        regroup(row.signs, row.sign_words, int(width), reader->pad_w, *reader, destination, bit_group_stride(*next));
      } else if (destination) {
        const int64_t pad = reader->pad_w * row.sign_words;
        std::fill_n(destination, pad, 0u);
        std::fill_n(destination + pad + width * row.sign_words, pad, 0u);
      }
      map = row.out;
      signs = row.signs;
    }
  }

  // Input of a 1 x 1 layer inside a pass: the row that the layer before it left.
  void point_input(const NbLayer& l, const float* map, const uint32_t* signs, const Rows& rows, Row& row) const {
    if (!l.binary) {
      row.input = map;
      row.group_stride = l.in_channels / l.groups;
      row.pixel_stride = l.in_channels;
      return;
    }
    const int64_t words = words_of(l);
    row.group_stride = row.width * words;
    row.pixel_stride = words;
    row.input = signs;
    if (l.groups > 1) {
      regroup(signs, ceil_div(l.in_channels, 32), row.width, 0, l, rows.grouped, row.group_stride);
      row.input = rows.grouped;
    }
  }

  void binary_head(const Pass& p, Rows& rows, int64_t image, int64_t y, Row& row) const {
    const NbLayer& l = layers_[p.first];
    const int64_t words = words_of(l), top = y * l.stride_h - l.pad_h;
    // Kernel rows inside the image; those outside are left out.
    int64_t from = 0, to = l.kernel_h;
    while (from < to && top + from * l.dilation_h < 0) ++from;
    while (to > from && top + (to - 1) * l.dilation_h >= p.in.height) --to;
    row.values = (to - from) * l.kernel_w * words;
    row.weight = static_cast<const uint32_t*>(l.weight) + from * l.kernel_w * words * kTile;
    row.input = from < to ? bit_row(p, image, top + from * l.dilation_h) : p.bits;
    row.group_stride = bit_group_stride(p);
    row.pixel_stride = l.stride_w * words;
    if (from != rows.from || to != rows.to) make_bases(p, from, to, rows);
    rows.from = from;
    rows.to = to;
  }

  // Columns of a kernel that lie outside the image meet zero words there, so their popcount is that of the weight's taps:
  // base holds what that adds, and counts the bits that take part.
  void make_bases(const Pass& p, int64_t from, int64_t to, Rows& rows) const {
    const NbLayer& l = layers_[p.first];
    const int64_t channels = tiled_channels(l), per_group = l.in_channels / l.groups;
    if (l.kernel_h == 1 && l.kernel_w == 1 && l.pad_w == 0) {
      std::fill_n(rows.base, channels, int32_t((to - from) * per_group));
      std::fill_n(rows.bases, p.out.width, rows.base);
      return;
    }
    int32_t* base = rows.base;
    std::fill_n(base, channels, int32_t((to - from) * l.kernel_w * per_group));
    for (int64_t x = 0; x < p.out.width; ++x) {
      const int64_t left = x * l.stride_w - l.pad_w;
      int64_t first = 0, end = l.kernel_w;
      while (first < end && left + first * l.dilation_w < 0) ++first;
      while (end > first && left + (end - 1) * l.dilation_w >= p.in.width) --end;
      if (first == 0 && end == l.kernel_w) {
        rows.bases[x] = rows.base;
        continue;
      }
      base += channels;
      rows.bases[x] = base;
      auto counts = [&](int64_t ky, int64_t kx) { return l.tap_counts + (ky * (l.kernel_w + 1) + kx) * channels; };
      auto inside = [&](int64_t c0, int64_t c1, int64_t c) {
        return counts(to, c1)[c] - counts(from, c1)[c] - counts(to, c0)[c] + counts(from, c0)[c];
      };
      const int32_t bits = int32_t((to - from) * (end - first) * per_group);
      for (int64_t c = 0; c < channels; ++c)
        base[c] = bits + 2 * (inside(0, l.kernel_w, c) - inside(first, end, c));
    }
  }

  void float_head(const Pass& p, Rows& rows, int64_t image, int64_t y, Row& row) const {
    const NbLayer& l = layers_[p.first];
    const NbInput in = p.first == 0 ? input_ : map_input(p);
    const int64_t width = padded_width(p);
    float* out = rows.window;
    for (int64_t c = 0; c < l.in_channels; ++c)
      for (int ky = 0; ky < l.kernel_h; ++ky, out += width) {
        const int64_t from = y * l.stride_h - l.pad_h + ky * l.dilation_h;
        std::fill_n(out, width, 0.f);
        if (from < 0 || from >= in.height) continue;
        const float* x = in.data + image * in.stride_n + c * in.stride_c + from * in.stride_h;
        for (int64_t i = 0; i < in.width; ++i) out[l.pad_w + i] = x[i * in.stride_w];
      }
    row.input = rows.window;
    row.group_stride = l.in_channels / l.groups * l.kernel_h * width;
    row.pixel_stride = l.stride_w;
  }

  NbInput map_input(const Pass& p) const {
    const int64_t channels = layers_[p.first].in_channels, row = p.in.width * channels;
    return {p.input, input_.batch, channels, p.in.height, p.in.width, p.in.height * row, 1, row, channels};
  }

  // The input itself where nothing is pooled or folded; channels are repeated where they are read.
  const float* head_shortcut(const Pass& p, Rows& rows, int64_t image, int64_t y) const {
    const NbLayer& l = layers_[p.first];
    const int64_t top = y * l.stride_h;
    const float* x = p.input + (image * p.in.height + top) * p.in.width * l.in_channels;
    return make_shortcut(l, x, std::min<int64_t>(l.stride_h, p.in.height - top), p.in.width, p.out.width, rows);
  }

  const float* point_shortcut(const NbLayer& l, const float* map, Rows& rows, int64_t width) const {
    return make_shortcut(l, map, 1, width, width, rows);
  }

  const float* make_shortcut(const NbLayer& l, const float* x, int64_t rows_in, int64_t width_in, int64_t width_out,
                             Rows& rows) const {
    if (l.stride_h == 1 && l.in_channels <= l.out_channels) return x;
    path_.shortcut_row(x, int(rows_in), int(width_in), l.in_channels, l.stride_h, int(width_out), l.out_channels,
                       int(ceil_div(l.in_channels, l.out_channels)), rows.pixel, rows.shortcut);
    return rows.shortcut;
  }

  const NbLayer* layers_;
  int count_;
  NbInput input_;
  float* const* taps_;
  int32_t* dots_;
  int threads_;
  const Path& path_;
  Workspace& space_;
  std::vector<Pass> passes_;
  int64_t widest_ = 0;
};

std::mutex spaces_mutex;
std::vector<std::unique_ptr<Workspace>> spaces;

}  // namespace

std::unique_ptr<Workspace> take_workspace() {
  std::lock_guard<std::mutex> lock(spaces_mutex);
  if (spaces.empty()) return std::make_unique<Workspace>();
  auto space = std::move(spaces.back());
  spaces.pop_back();
  return space;
}

void return_workspace(std::unique_ptr<Workspace> space) {
  std::lock_guard<std::mutex> lock(spaces_mutex);
  spaces.push_back(std::move(space));
}

void drop_workspaces() {
  std::lock_guard<std::mutex> lock(spaces_mutex);
  spaces.clear();
}

void run_chain(const NbLayer* layers, int count, const NbInput& input, float* const* taps, int32_t* dots, int threads,
               const Path& path) {
  auto space = take_workspace();
  Chain(layers, count, input, taps, dots, threads, path, *space).run();
  return_workspace(std::move(space));
}
