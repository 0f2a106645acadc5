// The gradient by the weight in training: signs, as bits by channel, times the gradient of z.
#include "dispatch.h"
#include "parallel.h"
#include "signs.h"
#include "train.h"
#include "workspace.h"

namespace {

// The gradient falls into tasks: as many outputs of a group as a look-up gives, and some of its inputs with all of their taps; as many as keep all
// threads at work, whatever their number.
struct Task {
  int64_t group, channel, lanes;  // the first of `lanes` outputs
  int64_t from, rows;             // the first of `rows` inputs
};

class Tasks {
 public:
  Tasks(const NbConv& c, int64_t columns)
      : groups_(c.groups), inputs_(c.in_channels / c.groups), outputs_(c.out_channels / c.groups), columns_(columns),
        blocks_(ceil_div(outputs_, columns)),
        parts_(std::min(inputs_, std::max<int64_t>(1, ceil_div(16, c.groups * blocks_)))) {}
  int count() const { return int(groups_ * blocks_ * parts_); }
  int64_t most_rows() const { return ceil_div(inputs_, parts_); }

  Task operator[](int64_t index) const {
    const int64_t part = index % parts_, block = index / parts_ % blocks_, group = index / parts_ / blocks_;
    const int64_t from = inputs_ * part / parts_;
    return {group, group * outputs_ + block * columns_, std::min(columns_, outputs_ - block * columns_), from,
            inputs_ * (part + 1) / parts_ - from};
  }

 private:
  int64_t groups_, inputs_, outputs_, columns_, blocks_, parts_;
};

// Pixels side by side in an index: each tap is a shift of the whole grid.
class WeightGradient {
 public:
  WeightGradient(const Lookups& lookups, const NbConv& c, const uint64_t* bits, const float* grad_z, float* grad_weight, Workspace& space,
                 int threads)
      : lookups_(lookups), c_(c), grid_(c), bits_(bits), grad_z_(grad_z), grad_weight_(grad_weight),
        inputs_(c.in_channels / c.groups), phases_(phases_of(c)), plane_words_(ceil_div(2 * grid_.margin() + grid_.length() + kWord, kWord) + 1) {
    planes_ = space.bits[0].get<uint64_t>(c.batch * int64_t(phases_.size()) * c.in_channels * plane_words_);
    parallel_for(threads, int(c.batch * phases_.size() * c.groups * words_of(c)), [&](int index, int) { make_planes(index); });
    const Tasks tasks(c, lookups.columns);
    const int64_t most = tasks.most_rows() * taps_of(c), each = whole_lines(most * (lookups.columns + 2) + kTables);
    float* const memory = space.workers.get<float>(threads * each);
    parallel_for(threads, tasks.count(), [&](int index, int worker) {
      float *tables = memory + worker * each, *sums = tables + kTables;
      run(tasks[index], tables, sums, reinterpret_cast<uint64_t*>(sums + most * lookups_.columns));
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

  void run(const Task& t, float* tables, float* sums, uint64_t* indices) {
    const int64_t rows = t.rows * taps_of(c_);
    std::fill_n(sums, rows * lookups_.columns, 0.f);
    for (int64_t n = 0; n < c_.batch; ++n)
      for (int64_t first = 0; first < grid_.length(); first += kWord) {
        const int count = int(std::min<int64_t>(kWord, grid_.length() - first));
        lookups_.build(grad_z_ + (n * grid_.length() + first) * c_.out_channels + t.channel, c_.out_channels, count, tables);
        gather(n, t, first, indices);
        lookups_.add(tables, int(ceil_div(count, 4)), indices, 1, rows, sums);
      }
    store(t, sums);
  }

  // The signs that 64 positions meet, for each tap and input; row (tap, input).
  void gather(int64_t image, const Task& t, int64_t first, uint64_t* indices) const {
    for (size_t number = 0; number < phases_.size(); ++number)
      for (const Tap& tap : phases_[number].taps) {
        const int64_t at = grid_.margin() + first + grid_.shift(tap), shift = at % kWord;
        const uint64_t* low = plane(image, int64_t(number)) + at / kWord * c_.in_channels + t.group * inputs_ + t.from;
        const uint64_t* high = low + c_.in_channels;
        uint64_t* out = indices + tap.index * t.rows;
        if (shift == 0) std::copy_n(low, t.rows, out);
        else
          for (int64_t i = 0; i < t.rows; ++i) out[i] = low[i] >> shift | high[i] << (kWord - shift);
      }
  }

  // Signs outside the image were taken for -1 and count nothing: what they took away comes back.
  void store(const Task& t, const float* sums) {
    const int64_t taps = taps_of(c_);
    for (int64_t tap = 0; tap < taps; ++tap) {
      float outside[kHalfColumns] = {};
      add_outside(tap, t.channel, t.lanes, outside);
      for (int64_t o = 0; o < t.lanes; ++o)
        for (int64_t i = 0; i < t.rows; ++i)
          grad_weight_[((t.channel + o) * inputs_ + t.from + i) * taps + tap] = sums[(tap * t.rows + i) * lookups_.columns + o] + outside[o];
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

  const Lookups& lookups_;
  const NbConv& c_;
  const Grid grid_;
  const uint64_t* bits_;
  const float* grad_z_;
  float* grad_weight_;
  int64_t inputs_;
  const std::vector<Phase> phases_;
  int64_t plane_words_;
  uint64_t* planes_;
};

// Images side by side in an index, for small maps: an output pixel of 64 images goes through all of its taps at once.
class SmallWeightGradient {
 public:
  SmallWeightGradient(const Lookups& lookups, const NbConv& c, const uint64_t* bits, const float* grad_z, float* grad_weight, Workspace& space,
                      int threads)
      : lookups_(lookups), c_(c), grid_(c), bits_(bits), grad_z_(grad_z), grad_weight_(grad_weight),
        inputs_(c.in_channels / c.groups), pixels_(c.height * c.width), chunks_(ceil_div(c.batch, kWord)), meetings_(meetings_of(c)) {
    planes_ = space.bits[0].get<uint64_t>(chunks_ * pixels_ * c.in_channels);
    parallel_for(threads, int(chunks_ * pixels_), [&](int index, int) { make_planes(index); });
    const Tasks tasks(c, lookups.columns);
    const int64_t each = whole_lines(tasks.most_rows() * taps_of(c) * lookups.columns + kTables);
    float* const memory = space.workers.get<float>(threads * each);
    parallel_for(threads, tasks.count(), [&](int index, int worker) { run(tasks[index], memory + worker * each); });
  }

 private:
  // [chunks of 64 images][pixels][channels], zeros for images that lack.
  void make_planes(int64_t index) {
    const int64_t pixel = index % pixels_, first = index / pixels_ * kWord, images = std::min<int64_t>(kWord, c_.batch - first);
    const int64_t words = words_of(c_), each = c_.groups * words;
    for (int64_t w = 0; w < each; ++w) {
      uint64_t square[kWord] = {};
      for (int64_t i = 0; i < images; ++i) square[i] = bits_[((first + i) * pixels_ + pixel) * each + w];
      transpose_bits(square);
      const int64_t channel = w % words * kWord;
      std::copy_n(square, std::min<int64_t>(kWord, inputs_ - channel), planes_ + index * c_.in_channels + w / words * inputs_ + channel);
    }
  }

  void run(const Task& t, float* tables) {
    const int64_t taps = taps_of(c_);
    float* const sums = tables + kTables;
    std::fill_n(sums, t.rows * taps * lookups_.columns, 0.f);
    for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
      const int64_t first = chunk * kWord, images = std::min<int64_t>(kWord, c_.batch - first);
      int64_t out = -1;
      for (const Meeting& m : meetings_) {
        if (m.out != out) {
          out = m.out;
          const int64_t at = first * grid_.length() + out / c_.out_width * grid_.pitch() + out % c_.out_width;
          lookups_.build(grad_z_ + at * c_.out_channels + t.channel, grid_.length() * c_.out_channels, int(images), tables);
        }
        const uint64_t* indices = planes_ + (chunk * pixels_ + m.in) * c_.in_channels + t.group * inputs_ + t.from;
        lookups_.add(tables, int(ceil_div(images, 4)), indices, 1, t.rows, sums + m.tap * t.rows * lookups_.columns);
      }
    }
    for (int64_t o = 0; o < t.lanes; ++o)
      for (int64_t i = 0; i < t.rows; ++i)
        for (int64_t tap = 0; tap < taps; ++tap)
          grad_weight_[((t.channel + o) * inputs_ + t.from + i) * taps + tap] = sums[(tap * t.rows + i) * lookups_.columns + o];
  }

  const Lookups& lookups_;
  const NbConv& c_;
  const Grid grid_;
  const uint64_t* bits_;
  const float* grad_z_;
  float* grad_weight_;
  int64_t inputs_, pixels_, chunks_;
  const std::vector<Meeting> meetings_;
  uint64_t* planes_;
};

}  // namespace

// 0; 1: no such instruction set, 2: out of memory. grad_weight: [out_channels][in_channels / groups][taps]. half: in 16 bits.
NB_API int nb_train_weight_gradient(const char* isa_name, const NbConv* conv, const uint64_t* bits, const float* grad_z,
                                    int half, float* grad_weight, int threads) {
  const Isa* isa = find_isa(isa_name);
  if (!isa) return 1;
  return guarded([&] {
    auto space = take_workspace();
    const Lookups& lookups = lookups_for(*isa->training, half, conv->out_channels / conv->groups);
    if (are_images_side_by_side(*conv)) SmallWeightGradient(lookups, *conv, bits, grad_z, grad_weight, *space, threads);
    else WeightGradient(lookups, *conv, bits, grad_z, grad_weight, *space, threads);
    return_workspace(std::move(space));
  });
}
