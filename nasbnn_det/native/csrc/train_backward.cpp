// A brick's backward pass in training, from the gradient of its output to those of its input, weight and shifts.
//
// The gradient of z lies in a grid (signs.h): [N][length][out_channels], zeros in the gaps, and 16 floats that may be read.
#include <cstring>

#include "dispatch.h"
#include "parallel.h"
#include "signs.h"
#include "train.h"
#include "workspace.h"

namespace {

constexpr int64_t kTables = kWord / 4 * 16 * kColumns;  // floats of the tables of an index

// The gradient by the weight: signs, as bits by channel, times the gradient of z.
class WeightGradient {
 public:
  WeightGradient(const Isa& isa, const NbConv& c, const uint64_t* bits, const float* grad_z, float* grad_weight, Workspace& space,
                 int threads)
      : isa_(*isa.training), c_(c), grid_(c), bits_(bits), grad_z_(grad_z), grad_weight_(grad_weight),
        inputs_(c.in_channels / c.groups), outputs_(c.out_channels / c.groups), blocks_(ceil_div(outputs_, kColumns)),
        phases_(phases_of(c)), plane_words_(ceil_div(2 * grid_.margin() + grid_.length() + kWord, kWord) + 1) {
    planes_ = space.bits[0].get<uint64_t>(c.batch * int64_t(phases_.size()) * c.in_channels * plane_words_);
    parallel_for(threads, int(c.batch * phases_.size() * c.groups * words_of(c)), [&](int index, int) { make_planes(index); });
    // Some inputs of all taps: enough parts for all threads, whatever their number.
    parts_ = std::min(inputs_, std::max<int64_t>(1, ceil_div(16, c.groups * blocks_)));
    const int64_t most = ceil_div(inputs_, parts_) * taps_of(c);
    sums_ = space.workers.get<float>(threads * (most * (kColumns + 2) + kTables));
    parallel_for(threads, int(c.groups * blocks_ * parts_), [&](int index, int worker) {
      float* memory = sums_ + worker * (most * (kColumns + 2) + kTables);
      run(index, memory, memory + kTables, reinterpret_cast<uint64_t*>(memory + kTables + most * kColumns));
    });
  }

 private:
  // Words of 64 positions, [plane_words][in_channels].
  uint64_t* plane(int64_t image, int64_t phase) const {
    return planes_ + (image * int64_t(phases_.size()) + phase) * plane_words_ * c_.in_channels;
  }

  void make_planes(int64_t index) {
    const int64_t words = words_of(c_), word = index % words, group = index / words % c_.groups;
    const int64_t number = index / words / c_.groups % int64_t(phases_.size()), image = index / words / c_.groups / int64_t(phases_.size());
    const Phase& phase = phases_[number];
    const int64_t channels = std::min<int64_t>(kWord, inputs_ - word * kWord);
    uint64_t* const to = plane(image, number) + group * inputs_ + word * kWord;
    int64_t x = -grid_.margin(), y = 0;  // of the next position; in front of the first row all are gaps
    for (int64_t w = 0; w < plane_words_; ++w) {
      uint64_t square[kWord];
      for (uint64_t& pixel : square) {
        const int64_t row = y * c_.stride_h + phase.y, column = x * c_.stride_w + phase.x;
        const bool inside = x >= 0 && y < c_.out_height && x < c_.out_width && row < c_.height && column < c_.width;
        pixel = inside ? bits_[(((image * c_.height + row) * c_.width + column) * c_.groups + group) * words + word] : 0;
        if (++x == grid_.pitch()) x = 0, ++y;
      }
      transpose_bits(square);
      std::copy_n(square, channels, to + w * c_.in_channels);
    }
  }

  void run(int64_t index, float* tables, float* sums, uint64_t* indices) {
    const int64_t part = index % parts_, block = index / parts_ % blocks_, group = index / parts_ / blocks_;
    const int64_t from = inputs_ * part / parts_, to = inputs_ * (part + 1) / parts_, taps = taps_of(c_);
    const int64_t channel = group * outputs_ + block * kColumns, rows = (to - from) * taps;
    std::fill_n(sums, rows * kColumns, 0.f);
    for (int64_t n = 0; n < c_.batch; ++n)
      for (int64_t first = 0; first < grid_.length(); first += kWord) {
        const int count = int(std::min<int64_t>(kWord, grid_.length() - first));
        isa_.build_tables(grad_z_ + (n * grid_.length() + first) * c_.out_channels + channel, c_.out_channels, count, tables);
        gather(n, group, from, to, first, indices);
        isa_.add_lookups(tables, int(ceil_div(count, 4)), indices, 1, rows, sums);
      }
    store(channel, std::min<int64_t>(kColumns, outputs_ - block * kColumns), from, to, sums);
  }

  // The signs that 64 positions meet, for each tap and input; row (tap, input).
  void gather(int64_t image, int64_t group, int64_t from, int64_t to, int64_t first, uint64_t* indices) const {
    for (size_t number = 0; number < phases_.size(); ++number)
      for (const Tap& tap : phases_[number].taps) {
        const int64_t at = grid_.margin() + first + grid_.shift(tap), shift = at % kWord;
        const uint64_t* low = plane(image, int64_t(number)) + at / kWord * c_.in_channels + group * inputs_ + from;
        const uint64_t* high = low + c_.in_channels;
        uint64_t* out = indices + tap.index * (to - from);
        if (shift == 0) std::copy_n(low, to - from, out);
        else
          for (int64_t i = 0; i < to - from; ++i) out[i] = low[i] >> shift | high[i] << (kWord - shift);
      }
  }

  // Signs outside the image were taken for -1 and count nothing: what they took away comes back.
  void store(int64_t channel, int64_t lanes, int64_t from, int64_t to, const float* sums) {
    const int64_t taps = taps_of(c_), columns = to - from;
    for (int64_t t = 0; t < taps; ++t) {
      float outside[kColumns] = {};
      add_outside(t, channel, lanes, outside);
      for (int64_t o = 0; o < lanes; ++o)
        for (int64_t i = from; i < to; ++i)
          grad_weight_[((channel + o) * inputs_ + i) * taps + t] = sums[(t * columns + i - from) * kColumns + o] + outside[o];
    }
  }

  void add_outside(int64_t tap, int64_t channel, int64_t lanes, float* sums) const {
    const int64_t dy = tap / c_.kernel_w * c_.dilation_h - c_.pad_h, dx = tap % c_.kernel_w * c_.dilation_w - c_.pad_w;
    for (int64_t n = 0; n < c_.batch; ++n)
      for (int64_t y = 0; y < c_.out_height; ++y) {
        const int64_t row = y * c_.stride_h + dy;
        const bool row_outside = row < 0 || row >= c_.height;
        const float* z = grad_z_ + (n * grid_.length() + y * grid_.pitch()) * c_.out_channels + channel;
        const auto add = [&](int64_t x) {
          for (int64_t i = 0; i < lanes; ++i) sums[i] += z[x * c_.out_channels + i];
        };
        int64_t left = 0, right = c_.out_width;
        if (!row_outside) {
          while (left < c_.out_width && left * c_.stride_w + dx < 0) ++left;
          while (right > left && (right - 1) * c_.stride_w + dx >= c_.width) --right;
        } else {
          left = right = c_.out_width;
        }
        for (int64_t x = 0; x < left; ++x) add(x);
        for (int64_t x = right; x < c_.out_width; ++x) add(x);
      }
  }

  const TrainingIsa& isa_;
  const NbConv& c_;
  const Grid grid_;
  const uint64_t* bits_;
  const float* grad_z_;
  float* grad_weight_;
  int64_t inputs_, outputs_, blocks_, parts_;
  const std::vector<Phase> phases_;
  int64_t plane_words_;
  uint64_t* planes_;
  float* sums_;
};

// The gradient by the input: the weight, or its signs, times the gradient of z, then through the sign of x + shift.
class InputGradient {
 public:
  InputGradient(const Isa& isa, const NbConv& c, const float* grad_z, const float* weight, bool binary, const float* x, const float* shift,
                int64_t surrogate, float* grad_x, double* grad_shift, Workspace& space, int threads)
      : isa_(*isa.training), c_(c), grid_(c), grad_z_(grad_z), x_(x), shift_(shift), surrogate_(surrogate), grad_x_(grad_x),
        binary_(binary), inputs_(c.in_channels / c.groups), outputs_(c.out_channels / c.groups), words_(ceil_div(outputs_, kWord)),
        rows_(ceil_div(inputs_, isa_.product_rows) * isa_.product_rows), at_once_(binary ? 1 : 4),
        phases_(phases_of(c)), plane_(2 * grid_.margin() + ceil_div(grid_.length(), kColumns) * kColumns + kColumns) {
    const int64_t images = images_at_once(c.batch, c.out_channels * plane_ * int64_t(sizeof(float)), threads);
    planes_ = space.maps[1].get<float>(images * c.out_channels * plane_);
    if (binary) indices_ = space.bits[1].get<uint64_t>(c.in_channels * taps_of(c) * words_);
    else blocks_ = space.bits[1].get<float>(c.groups * taps_of(c) * outputs_ * rows_);
    parallel_for(threads, int(c.groups * words_), [&](int index, int) {
      if (binary) make_indices(index, weight);
      else make_blocks(index, weight);
    });
    steps_ = ceil_div(ceil_div(grid_.length(), kColumns), kStep);
    const int64_t each = kTables + (at_once_ + 1) * rows_ * kColumns + inputs_, per_image = steps_ * int64_t(phases_.size()) * c.groups;
    float* const memory = space.workers.get<float>(threads * each);
    std::vector<double> sums(images * per_image * inputs_);
    std::fill_n(grad_shift, c.in_channels, 0.);
    for (first_ = 0; first_ < c.batch; first_ += images) {
      const int64_t now = std::min(images, c.batch - first_);
      parallel_for(threads, int(now * ceil_div(c.out_channels, kColumns)), [&](int index, int) { make_planes(index); });
      parallel_for(threads, int(now * per_image), [&](int t, int worker) { run(t, memory + worker * each, sums.data() + t * inputs_); });
      for (int64_t t = 0; t < now * per_image; ++t)
        for (int64_t i = 0; i < inputs_; ++i) grad_shift[t % c.groups * inputs_ + i] += sums[t * inputs_ + i];
    }
  }

 private:
  static constexpr int64_t kStep = 8;  // tiles of 16 positions in a task; of real weights, which are large, a few at once

  void make_planes(int64_t index) {
    const int64_t blocks = ceil_div(c_.out_channels, kColumns), image = index / blocks, first = index % blocks * kColumns;
    const int64_t lanes = std::min<int64_t>(kColumns, c_.out_channels - first);
    float* const to = planes_ + (image * c_.out_channels + first) * plane_;
    const float* const z = grad_z_ + (first_ + image) * grid_.length() * c_.out_channels + first;
    for (int64_t i = 0; i < lanes; ++i) {
      std::fill_n(to + i * plane_, grid_.margin(), 0.f);
      std::fill_n(to + i * plane_ + grid_.margin() + grid_.length(), plane_ - grid_.margin() - grid_.length(), 0.f);
    }
    for (int64_t p = 0; p < grid_.length(); ++p)
      for (int64_t i = 0; i < lanes; ++i) to[i * plane_ + grid_.margin() + p] = z[p * c_.out_channels + i];
  }

  // [groups][words][taps][inputs]
  void make_indices(int64_t index, const float* weight) {
    const int64_t group = index / words_, word = index % words_, taps = taps_of(c_), each = inputs_ * taps;
    uint64_t* const to = indices_ + index * each;
    std::fill_n(to, each, uint64_t(0));
    for (int64_t o = word * kWord; o < std::min(outputs_, (word + 1) * kWord); ++o) {
      const float* w = weight + (group * outputs_ + o) * each;
      for (int64_t i = 0; i < inputs_; ++i)
        for (int64_t t = 0; t < taps; ++t) to[t * inputs_ + i] |= uint64_t(w[i * taps + t] >= 0) << o % kWord;
    }
  }

  // [groups][words][taps][rows / product_rows][outputs of the word][product_rows], zeros behind the last input.
  void make_blocks(int64_t index, const float* weight) {
    const int64_t group = index / words_, first = index % words_ * kWord, count = std::min<int64_t>(kWord, outputs_ - first);
    const int64_t taps = taps_of(c_), each = isa_.product_rows;
    float* to = blocks_ + (group * outputs_ + first) * taps * rows_;
    for (int64_t t = 0; t < taps; ++t)
      for (int64_t i = 0; i < rows_; i += each)
        for (int64_t o = 0; o < count; ++o)
          for (int64_t r = i; r < i + each; ++r)
            *to++ = r < inputs_ ? weight[((group * outputs_ + first + o) * inputs_ + r) * taps + t] : 0.f;
  }

  void run(int64_t index, float* memory, double* shift_sums) {
    const int64_t group = index % c_.groups, step = index / c_.groups % steps_;
    const int64_t phases = int64_t(phases_.size()), image = index / c_.groups / steps_ / phases;
    const Phase& phase = phases_[index / c_.groups / steps_ % phases];
    float *tables = memory, *sums = tables + kTables, *turned = sums + at_once_ * rows_ * kColumns, *added = turned + rows_ * kColumns;
    std::fill_n(added, inputs_, 0.f);
    const int64_t end = std::min(grid_.length(), (step + 1) * kStep * kColumns), width = at_once_ * kColumns;
    for (int64_t first = step * kStep * kColumns; first < end; first += width) {
      const int64_t tiles = std::min(at_once_, ceil_div(end - first, kColumns));
      std::fill_n(sums, tiles * rows_ * kColumns, 0.f);
      for (int64_t word = 0; word < words_; ++word)
        for (const Tap& tap : phase.taps)
          for (int64_t i = 0; i < tiles; ++i)
            add_tap(image, group, word, tap, first + i * kColumns, tables, sums + i * rows_ * kColumns);
      for (int64_t i = 0; i < tiles; ++i)
        write_tile(image, group, phase, first + i * kColumns, sums + i * rows_ * kColumns, turned, added);
    }
    for (int64_t i = 0; i < inputs_; ++i) shift_sums[i] = added[i];
  }

  // What 16 positions get from the outputs of a word through a tap.
  void add_tap(int64_t image, int64_t group, int64_t word, const Tap& tap, int64_t first, float* tables, float* sums) const {
    const int count = int(std::min<int64_t>(kWord, outputs_ - word * kWord));
    const int64_t channel = group * outputs_ + word * kWord;
    const float* z = planes_ + (image * c_.out_channels + channel) * plane_ + grid_.margin() + first - grid_.shift(tap);
    if (binary_) {
      const uint64_t* indices = indices_ + ((group * words_ + word) * taps_of(c_) + tap.index) * inputs_;
      isa_.build_tables(z, plane_, count, tables);
      isa_.add_lookups(tables, int(ceil_div(count, 4)), indices, 1, inputs_, sums);
    } else {
      isa_.add_products(z, plane_, count, blocks_ + (channel * taps_of(c_) + tap.index * count) * rows_, rows_, sums);
    }
  }

  void write_tile(int64_t image, int64_t group, const Phase& phase, int64_t first, const float* sums, float* turned, float* added) {
    for (int64_t i = 0; i < inputs_; ++i)
      for (int64_t p = 0; p < kColumns; ++p) turned[p * inputs_ + i] = sums[i * kColumns + p];
    for (int64_t p = 0; p < std::min<int64_t>(kColumns, grid_.length() - first); ++p) {
      const int64_t column = (first + p) % grid_.pitch();
      const int64_t y = (first + p) / grid_.pitch() * c_.stride_h + phase.y, x = column * c_.stride_w + phase.x;
      if (column >= c_.out_width || y >= c_.height || x >= c_.width) continue;
      const int64_t at = (((first_ + image) * c_.height + y) * c_.width + x) * c_.in_channels + group * inputs_;
      const float* grad = turned + p * inputs_;
      if (surrogate_ < 0) std::memcpy(grad_x_ + at, grad, inputs_ * sizeof(float));
      else isa_.add_through_sign(Surrogate(surrogate_), x_ + at, shift_ + group * inputs_, grad, inputs_, grad_x_ + at, added);
    }
  }

  const TrainingIsa& isa_;
  const NbConv& c_;
  const Grid grid_;
  const float *grad_z_, *x_, *shift_;
  int64_t surrogate_;
  float* grad_x_;
  bool binary_;
  int64_t inputs_, outputs_, words_, rows_, at_once_;
  const std::vector<Phase> phases_;
  int64_t plane_, steps_, first_;  // images before first_ are done
  float *planes_, *blocks_ = nullptr;
  uint64_t* indices_ = nullptr;
};

}  // namespace

// Grids of a convolution's output: [0] from row to row, [1] the length.
NB_API void nb_train_grid(const NbConv* conv, int64_t* sizes) {
  const Grid grid(*conv);
  sizes[0] = grid.pitch();
  sizes[1] = grid.length();
}

// 0; 1: no such instruction set. Sums over all pixels, [4][channels]: of d, the gradient of PReLU's input, of d * z, of the
// slope's gradient, and of the gradient itself.
NB_API int nb_train_reduce(const char* isa_name, int64_t pixels, int64_t channels, const NbTail* tail, const float* grad,
                           double* sums, int threads) {
  const Isa* isa = find_isa(isa_name);
  if (!isa) return 1;
  return guarded([&] {
    const RowParts parts(pixels, 4 * channels);
    std::vector<double> partial(parts.doubles());
    parallel_for(threads, parts.count(), [&](int part, int) {
      std::vector<float> run(4 * channels);
      parts.in_runs(part, [&](int64_t first, int64_t count) {
        TailRow row = tail_row(*tail, channels, first, count);
        row.grad = grad + first * channels;
        isa->training->reduce[tail->z_is_float](row, run.data());
        for (int64_t i = 0; i < 4 * channels; ++i) partial[part * 4 * channels + i] += run[i];
      });
    });
    parts.join(partial, sums);
  });
}

// Likewise. The gradient of z, terms[0] * d + terms[1] * z + terms[2], each a vector of channels, into a grid, and d itself into grad_shortcut, a map of
// shortcut_channels whose repetitions are added up.
NB_API int nb_train_spread(const char* isa_name, const NbConv* conv, const NbTail* tail, const float* grad, const float* terms,
                           float* grad_z, float* grad_shortcut, int threads) {
  const Isa* isa = find_isa(isa_name);
  if (!isa) return 1;
  const NbConv& c = *conv;
  const Grid grid(c);
  const int64_t channels = c.out_channels;
  parallel_for(threads, int(c.batch * c.out_height), [&](int index, int) {
    const int64_t image = index / c.out_height, y = index % c.out_height, first = index * c.out_width;
    TailRow row = tail_row(*tail, channels, first, c.out_width);
    row.grad = grad + first * channels;
    row.by_grad = terms;
    row.by_z = terms + channels;
    row.constant = terms + 2 * channels;
    float* const to = grad_z + (image * grid.length() + y * grid.pitch()) * channels;
    isa->training->gradient[tail->z_is_float](row, to, tail->shortcut ? grad_shortcut + first * tail->shortcut_channels : nullptr);
    std::fill(to + c.out_width * channels, to + grid.pitch() * channels, 0.f);
  });
  return 0;
}

// 0; 1: no such instruction set, 2: out of memory. grad_weight: [out_channels][in_channels / groups][taps].
NB_API int nb_train_weight_gradient(const char* isa_name, const NbConv* conv, const uint64_t* bits, const float* grad_z,
                                    float* grad_weight, int threads) {
  const Isa* isa = find_isa(isa_name);
  if (!isa) return 1;
  return guarded([&] {
    auto space = take_workspace();
    WeightGradient(*isa, *conv, bits, grad_z, grad_weight, *space, threads);
    return_workspace(std::move(space));
  });
}

// Likewise. Adds to grad_x the gradient through the sign, and gives that of the shift; surrogate -1 writes the gradient of the
// signs into grad_x instead.
NB_API int nb_train_input_gradient(const char* isa_name, const NbConv* conv, const float* grad_z, const float* weight,
                                   int binary, const float* x, const float* shift, int64_t surrogate, float* grad_x,
                                   double* grad_shift, int threads) {
  const Isa* isa = find_isa(isa_name);
  if (!isa) return 1;
  return guarded([&] {
    auto space = take_workspace();
    InputGradient(*isa, *conv, grad_z, weight, binary, x, shift, surrogate, grad_x, grad_shift, *space, threads);
    return_workspace(std::move(space));
  });
}
