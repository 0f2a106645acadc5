// A brick's forward pass in training: signs, convolution, sums for batch norm, what follows.
#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

#include "dispatch.h"
#include "parallel.h"
#include "signs.h"
#include "train.h"
#include "workspace.h"

namespace {

constexpr int64_t kBlock = 512;  // output pixels whose sums stay in the nearest caches

// A binary weight as the packed kernels read it.
struct PackedWeight {
  std::vector<uint32_t> bits;
  std::vector<int32_t> counts;
};

PackedWeight pack_weight(const NbConv& c, const float* weight, int threads) {
  const int64_t inputs = c.in_channels / c.groups, outputs = c.out_channels / c.groups, words = ceil_div(inputs, 32);
  const int64_t tiles = ceil_div(outputs, kTile), taps = taps_of(c), channels = c.groups * tiles * kTile;
  PackedWeight packed;
  packed.bits.assign(channels * taps * words, 0);
  packed.counts.assign((c.kernel_h + 1) * (c.kernel_w + 1) * channels, 0);
  parallel_for(threads, int(c.groups * tiles), [&](int tile, int) {
    const int64_t first = tile % tiles * kTile, lanes = std::min<int64_t>(kTile, outputs - first);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const float* const w = weight + (tile / tiles * outputs + first + lane) * inputs * taps;
      for (int64_t i = 0; i < inputs; ++i)
        for (int64_t t = 0; t < taps; ++t)
          packed.bits[((tile * taps + t) * words + i / 32) * kTile + lane] |= uint32_t(w[i * taps + t] >= 0) << i % 32;
      for (int64_t y = 0; y < c.kernel_h; ++y)
        for (int64_t x = 0; x < c.kernel_w; ++x) {
          int32_t ones = 0;
          for (int64_t k = 0; k < words; ++k)
            ones += __builtin_popcount(packed.bits[((tile * taps + y * c.kernel_w + x) * words + k) * kTile + lane]);
          const auto at = [&](int64_t row, int64_t column) -> int32_t& {
            return packed.counts[(row * (c.kernel_w + 1) + column) * channels + tile * kTile + lane];
          };
          at(y + 1, x + 1) = ones + at(y, x + 1) + at(y + 1, x) - at(y, x);
        }
    }
  });
  return packed;
}

// Dot products of signs, by the packed kernels.
void dots_of_signs(const Isa& isa, const NbConv& c, const float* x, const float* shift, const PackedWeight& packed, int32_t* dots,
                   int threads) {
  NbLayer l{};
  l.binary = 1;
  l.in_channels = int32_t(c.in_channels);
  l.out_channels = int32_t(c.out_channels);
  l.groups = int32_t(c.groups);
  l.kernel_h = int32_t(c.kernel_h);
  l.kernel_w = int32_t(c.kernel_w);
  l.stride_h = int32_t(c.stride_h);
  l.stride_w = int32_t(c.stride_w);
  l.pad_h = int32_t(c.pad_h);
  l.pad_w = int32_t(c.pad_w);
  l.dilation_h = int32_t(c.dilation_h);
  l.dilation_w = int32_t(c.dilation_w);
  l.output = -1;
  l.weight = packed.bits.data();
  l.position_counts = packed.counts.data();
  l.sign_shift = shift;
  const int64_t row = c.width * c.in_channels;
  const NbInput input{x, c.batch, c.in_channels, c.height, c.width, c.height * row, 1, row, c.in_channels};
  auto space = take_workspace();
  run_chain(&l, 1, input, nullptr, {dots, nullptr}, threads, isa, *space);
  return_workspace(std::move(space));
}

// z of real weights on signs.
class RealWeights {
 public:
  RealWeights(const Lookups& lookups, const NbConv& c, const float* weight, const uint64_t* bits, float* z, Workspace& space,
              int threads)
      : lookups_(lookups), c_(c), bits_(bits), z_(z), inputs_(c.in_channels / c.groups), outputs_(c.out_channels / c.groups),
        columns_(lookups.columns), blocks_(ceil_div(outputs_, columns_)), words_(words_of(c)), rows_(std::max<int64_t>(1, kBlock / c.out_width)),
        steps_(ceil_div(c.out_height, rows_)), images_(std::max<int64_t>(1, kImages / (c.out_height * c.out_width))),
        weights_(c.groups * taps_of(c) * inputs_ * blocks_ * columns_) {
    const bool small = are_images_side_by_side(c);
    const int64_t pixels = small ? images_ * c.out_height * c.out_width : rows_ * c.out_width;
    each_ = whole_lines(kTables + pixels * columns_);
    memory_ = space.workers.get<float>(threads * each_);
    parallel_for(threads, int(c.groups * blocks_), [&](int index, int) { lay_out(index, weight); });
    if (small) {
      meetings_ = meetings_of(c);
      std::stable_sort(meetings_.begin(), meetings_.end(), [](const Meeting& a, const Meeting& b) { return a.tap < b.tap; });
      parallel_for(threads, int(ceil_div(c.batch, images_) * c.groups * blocks_), [&](int index, int worker) { run_small(index, worker); });
    } else {
      parallel_for(threads, int(c.batch * steps_ * c.groups * blocks_), [&](int index, int worker) { run(index, worker); });
    }
  }

 private:
  static constexpr int64_t kImages = 4096;  // pixels of the images of a small map that a task takes at once

  // [groups][blocks][taps][inputs][columns], zeros where a group has no more outputs.
  void lay_out(int64_t index, const float* weight) {
    const int64_t taps = taps_of(c_), first = index / blocks_ * outputs_ + index % blocks_ * columns_;
    const int64_t lanes = std::min(columns_, outputs_ - index % blocks_ * columns_);
    float* const to = weights_.data() + index * taps * inputs_ * columns_;
    for (int64_t o = 0; o < lanes; ++o)
      for (int64_t i = 0; i < inputs_; ++i)
        for (int64_t t = 0; t < taps; ++t) to[(t * inputs_ + i) * columns_ + o] = weight[((first + o) * inputs_ + i) * taps + t];
  }

  // Tables of the weights of up to 64 inputs; how many there are.
  int make_tables(int64_t group, int64_t block, int64_t tap, int64_t word, float* tables) const {
    const int64_t first = word * kWord, count = std::min<int64_t>(kWord, inputs_ - first);
    const float* values = weights_.data() + (((group * blocks_ + block) * taps_of(c_) + tap) * inputs_ + first) * columns_;
    lookups_.build(values, columns_, int(count), tables);
    return int(ceil_div(count, 4));
  }

  // z of a block's outputs, of pixels that follow each other.
  void store(const float* sums, int64_t pixels, int64_t group, int64_t block, float* z) const {
    const int64_t lanes = std::min(columns_, outputs_ - block * columns_);
    z += group * outputs_ + block * columns_;
    for (int64_t p = 0; p < pixels; ++p) std::memcpy(z + p * c_.out_channels, sums + p * columns_, lanes * sizeof(float));
  }

  void run(int64_t index, int worker) {
    const int64_t block = index % blocks_, group = index / blocks_ % c_.groups, step = index / blocks_ / c_.groups % steps_;
    const int64_t image = index / blocks_ / c_.groups / steps_, top = step * rows_, bottom = std::min(top + rows_, c_.out_height);
    float *const tables = memory_ + worker * each_, *const sums = tables + kTables;
    std::fill_n(sums, (bottom - top) * c_.out_width * columns_, 0.f);
    for (int64_t tap = 0; tap < taps_of(c_); ++tap)
      for (int64_t word = 0; word < words_; ++word) {
        const int count = make_tables(group, block, tap, word, tables);
        add_tap(image, group, tap, word, top, bottom, tables, count, sums);
      }
    store(sums, (bottom - top) * c_.out_width, group, block, z_ + (image * c_.out_height + top) * c_.out_width * c_.out_channels);
  }

  // Some images of a small map: a pixel of all of them at once, so that tables serve many rows.
  void run_small(int64_t index, int worker) {
    const int64_t block = index % blocks_, group = index / blocks_ % c_.groups, first = index / blocks_ / c_.groups * images_;
    const int64_t images = std::min(images_, c_.batch - first), pixels = c_.out_height * c_.out_width;
    const int64_t words = c_.groups * words_, image = c_.height * c_.width * words;
    float *const tables = memory_ + worker * each_, *const sums = tables + kTables;
    std::fill_n(sums, images * pixels * columns_, 0.f);
    for (int64_t word = 0; word < words_; ++word) {
      int64_t tap = -1;
      int count = 0;
      for (const Meeting& m : meetings_) {
        if (m.tap != tap) count = make_tables(group, block, tap = m.tap, word, tables);
        const uint64_t* signs = bits_ + first * image + m.in * words + group * words_ + word;
        lookups_.add(tables, count, signs, image, images, sums + m.out * images * columns_);
      }
    }
    for (int64_t p = 0; p < pixels; ++p)
      for (int64_t i = 0; i < images; ++i)
        store(sums + (p * images + i) * columns_, 1, group, block, z_ + ((first + i) * pixels + p) * c_.out_channels);
  }

  // Pixels outside do not count: each tap meets only some of the output's.
  void add_tap(int64_t image, int64_t group, int64_t tap, int64_t word, int64_t top, int64_t bottom, const float* tables,
               int count, float* sums) const {
    const int64_t dy = tap / c_.kernel_w * c_.dilation_h - c_.pad_h, dx = tap % c_.kernel_w * c_.dilation_w - c_.pad_w;
    int64_t left = 0, right = c_.out_width;
    while (left < right && left * c_.stride_w + dx < 0) ++left;
    while (right > left && (right - 1) * c_.stride_w + dx >= c_.width) --right;
    const int64_t pixel = c_.groups * words_;
    for (int64_t y = top; y < bottom; ++y) {
      const int64_t row = y * c_.stride_h + dy;
      if (row < 0 || row >= c_.height || left == right) continue;
      const uint64_t* index = bits_ + ((image * c_.height + row) * c_.width + left * c_.stride_w + dx) * pixel + group * words_ + word;
      lookups_.add(tables, count, index, c_.stride_w * pixel, right - left, sums + ((y - top) * c_.out_width + left) * columns_);
    }
  }

  const Lookups& lookups_;
  const NbConv& c_;
  const uint64_t* bits_;
  float* z_;
  int64_t inputs_, outputs_, columns_, blocks_, words_, rows_, steps_, images_;
  std::vector<Meeting> meetings_;  // by taps
  std::vector<float> weights_;
  float* memory_;  // of each thread: tables and sums
  int64_t each_;
};

// Sums of z and of its squares by channel, [2][channels]; dots, if given, become z on the way.
template <class Z>
void add_up(const NbConv& c, const int32_t* dots, Z* z, double* sums, int threads) {
  const int64_t pixels = c.batch * c.out_height * c.out_width, channels = c.out_channels;
  const RowParts parts(pixels, 2 * channels);
  std::vector<double> partial(parts.doubles());
  parallel_for(threads, parts.count(), [&](int part, int) {
    double* const to = partial.data() + part * 2 * channels;
    std::vector<float> row(2 * channels);
    parts.in_runs(part, [&](int64_t first, int64_t count) {
      float *sum = row.data(), *squares = sum + channels;
      std::fill(row.begin(), row.end(), 0.f);
      for (int64_t p = first; p < first + count; ++p)
        for (int64_t i = 0; i < channels; ++i) {
          const float value = dots ? float(dots[p * channels + i]) : float(z[p * channels + i]);
          if (dots) z[p * channels + i] = Z(value);
          sum[i] += value;
          squares[i] += value * value;
        }
      for (int64_t i = 0; i < 2 * channels; ++i) to[i] += row[i];
    });
  });
  parts.join(partial, sums);
}

}  // namespace

// 0; 1: no such instruction set, 2: out of memory. Gives the signs' bits, z (int16 for binary weights, else float), and the
// sums of z and of its squares, [2][out_channels]. half: real weights in 16 bits.
NB_API int nb_train_convolve(const char* isa_name, const NbConv* conv, const float* x, const float* shift, const float* weight,
                             int binary, int half, uint64_t* bits, void* z, double* sums, int threads) {
  const Isa* isa = find_isa(isa_name);
  if (!isa) return 1;
  return guarded([&] {
    const NbConv& c = *conv;
    const int64_t inputs = c.in_channels / c.groups, words = words_of(c);
    parallel_for(threads, int(c.batch * c.height), [&](int row, int) {
      for (int64_t p = row * c.width; p < (row + 1) * c.width; ++p)
        for (int64_t g = 0; g < c.groups; ++g)
          isa->training->pack_signs(x + p * c.in_channels + g * inputs, shift + g * inputs, inputs, bits + (p * c.groups + g) * words);
    });
    if (!binary) {
      auto space = take_workspace();
      const Lookups& lookups = lookups_for(*isa->training, half, c.out_channels / c.groups);
      RealWeights(lookups, c, weight, bits, static_cast<float*>(z), *space, threads);
      return_workspace(std::move(space));
      return add_up<float>(c, nullptr, static_cast<float*>(z), sums, threads);
    }
    const PackedWeight packed = pack_weight(c, weight, threads);
    const int64_t each = c.out_height * c.out_width * c.out_channels, at_once = images_at_once(c.batch, 4 * each, threads);
    auto space = take_workspace();
    int32_t* const dots = space->maps[0].get<int32_t>(at_once * each);
    std::vector<double> some(2 * c.out_channels);
    std::fill_n(sums, 2 * c.out_channels, 0.);
    for (int64_t n = 0; n < c.batch; n += at_once) {
      NbConv part = c;
      part.batch = std::min(at_once, c.batch - n);
      dots_of_signs(*isa, part, x + n * c.height * c.width * c.in_channels, shift, packed, dots, threads);
      add_up(part, dots, static_cast<int16_t*>(z) + n * each, some.data(), threads);
      for (size_t i = 0; i < some.size(); ++i) sums[i] += some[i];
    }
    return_workspace(std::move(space));
  });
}

// 0, or 2: out of memory. Sums of a float map and of its squares, [2][channels].
NB_API int nb_train_sum(int64_t pixels, int64_t channels, const float* z, double* sums, int threads) {
  NbConv c{};
  c.batch = pixels;
  c.out_height = c.out_width = 1;
  c.out_channels = channels;
  return guarded([&] { add_up<float>(c, nullptr, const_cast<float*>(z), sums, threads); });
}

// 0; 1: no such instruction set. out = PReLU(scale * z + offset + shortcut) + bias_out.
NB_API int nb_train_finish(const char* isa_name, int64_t pixels, int64_t channels, const NbTail* tail, float* out, int threads) {
  const Isa* isa = find_isa(isa_name);
  if (!isa) return 1;
  const RowParts parts(pixels, 0);
  parallel_for(threads, parts.count(), [&](int part, int) {
    parts.in_runs(part, [&](int64_t first, int64_t count) {
      const TailRow row = tail_row(*tail, channels, first, count);
      isa->training->finish[tail->z_is_float](row, out + first * channels);
    });
  });
  return 0;
}
