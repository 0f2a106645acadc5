// The gradient by the input in training: the weight, or its signs, times the gradient of z, then through the sign of x + shift.
#include <cstring>

#include "dispatch.h"
#include "parallel.h"
#include "signs.h"
#include "train.h"
#include "weight_operand.h"
#include "workspace.h"

namespace {

// Where the gradient of the signs goes: through the sign of x + shift to grad_x, or, with surrogate -1, there as it is.
struct Signs {
  const TrainingIsa& isa;
  const float *x, *shift;
  int64_t surrogate, channels;
  float* grad_x;

  // `count` channels of a pixel from `channel` on. What the shift gets is added to `added`.
  void put(int64_t pixel, int64_t channel, int64_t count, const float* grad, float* added) const {
    const int64_t at = pixel * channels + channel;
    if (surrogate < 0) std::memcpy(grad_x + at, grad, count * sizeof(float));
    else isa.add_through_sign(Surrogate(surrogate), x + at, shift + channel, grad, count, grad_x + at, added);
  }
};

// From [rows][columns] to [columns][rows].
void turn(const float* sums, int64_t rows, int64_t columns, float* turned) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t p = 0; p < columns; ++p) turned[p * rows + i] = sums[i * columns + p];
}

// Pixels side by side: each tap is a shift of the whole grid.
class InputGradient {
 public:
  InputGradient(const NbConv& c, const float* grad_z, const WeightOperand& weight, const Signs& signs, double* grad_shift,
                Workspace& space, int threads)
      : c_(c), grid_(c), grad_z_(grad_z), weight_(weight), signs_(signs), inputs_(c.in_channels / c.groups),
        outputs_(c.out_channels / c.groups), columns_(weight.columns()), at_once_(weight.binary() ? 1 : 4), phases_(phases_of(c)),
        plane_(2 * grid_.margin() + ceil_div(grid_.length(), columns_) * columns_ + columns_) {
    const int64_t images = images_at_once(c.batch, c.out_channels * plane_ * int64_t(sizeof(float)), threads);
    planes_ = space.maps[1].get<float>(images * c.out_channels * plane_);
    steps_ = ceil_div(grid_.length(), kStep);
    const int64_t each = whole_lines(kTables + (at_once_ + 1) * weight.rows() * columns_ + inputs_);
    const int64_t per_image = steps_ * int64_t(phases_.size()) * c.groups;
    float* const memory = space.workers.get<float>(threads * each);
    std::vector<double> sums(images * per_image * inputs_);
    for (first_ = 0; first_ < c.batch; first_ += images) {
      const int64_t now = std::min(images, c.batch - first_);
      parallel_for(threads, int(now * ceil_div(c.out_channels, kColumns)), [&](int index, int) { make_planes(index); });
      parallel_for(threads, int(now * per_image), [&](int t, int worker) { run(t, memory + worker * each, sums.data() + t * inputs_); });
      for (int64_t t = 0; t < now * per_image; ++t)
        for (int64_t i = 0; i < inputs_; ++i) grad_shift[t % c.groups * inputs_ + i] += sums[t * inputs_ + i];
    }
  }

 private:
  static constexpr int64_t kStep = 128;  // positions of a task, in tiles; of real weights, which are large, a few tiles at once

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

  void run(int64_t index, float* memory, double* shift_sums) {
    const int64_t group = index % c_.groups, step = index / c_.groups % steps_, rows = weight_.rows();
    const int64_t phases = int64_t(phases_.size()), image = index / c_.groups / steps_ / phases;
    const Phase& phase = phases_[index / c_.groups / steps_ % phases];
    float *tables = memory, *sums = tables + kTables, *turned = sums + at_once_ * rows * columns_, *added = turned + rows * columns_;
    std::fill_n(added, inputs_, 0.f);
    const int64_t end = std::min(grid_.length(), (step + 1) * kStep);
    for (int64_t first = step * kStep; first < end; first += at_once_ * columns_) {
      const int64_t tiles = std::min(at_once_, ceil_div(end - first, columns_));
      std::fill_n(sums, tiles * rows * columns_, 0.f);
      for (int64_t word = 0; word < weight_.words(); ++word)
        for (const Tap& tap : phase.taps)
          for (int64_t i = 0; i < tiles; ++i)
            add_tap(image, group, word, tap, first + i * columns_, tables, sums + i * rows * columns_);
      for (int64_t i = 0; i < tiles; ++i)
        write_tile(image, group, phase, first + i * columns_, sums + i * rows * columns_, turned, added);
    }
    for (int64_t i = 0; i < inputs_; ++i) shift_sums[i] = added[i];
  }

  // What a tile's positions get from the outputs of a word through a tap.
  void add_tap(int64_t image, int64_t group, int64_t word, const Tap& tap, int64_t first, float* tables, float* sums) const {
    const int64_t channel = group * outputs_ + word * kWord;
    const float* z = planes_ + (image * c_.out_channels + channel) * plane_ + grid_.margin() + first - grid_.shift(tap);
    if (weight_.binary()) weight_.build(word, z, plane_, tables);
    weight_.add(group, word, tap.index, 0, inputs_, z, plane_, tables, sums);
  }

  void write_tile(int64_t image, int64_t group, const Phase& phase, int64_t first, const float* sums, float* turned, float* added) {
    turn(sums, inputs_, columns_, turned);
    for (int64_t p = 0; p < std::min(columns_, grid_.length() - first); ++p) {
      const int64_t column = (first + p) % grid_.pitch();
      const int64_t y = (first + p) / grid_.pitch() * c_.stride_h + phase.y, x = column * c_.stride_w + phase.x;
      if (column >= c_.out_width || y >= c_.height || x >= c_.width) continue;
      signs_.put(((first_ + image) * c_.height + y) * c_.width + x, group * inputs_, inputs_, turned + p * inputs_, added);
    }
  }

  const NbConv& c_;
  const Grid grid_;
  const float* grad_z_;
  const WeightOperand& weight_;
  const Signs& signs_;
  int64_t inputs_, outputs_, columns_, at_once_;
  const std::vector<Phase> phases_;
  int64_t plane_, steps_, first_;  // images before first_ are done
  float* planes_;
};

// Images side by side, for small maps: an output pixel of as many images as a look-up gives goes through all of its taps at once.
class SmallInputGradient {
 public:
  SmallInputGradient(const NbConv& c, const float* grad_z, const WeightOperand& weight, const Signs& signs, double* grad_shift,
                     Workspace& space, int threads)
      : c_(c), grid_(c), grad_z_(grad_z), weight_(weight), signs_(signs), inputs_(c.in_channels / c.groups),
        outputs_(c.out_channels / c.groups), columns_(weight.columns()), pixels_(c.height * c.width),
        out_pixels_(c.out_height * c.out_width),
        rows_(ceil_div(std::max<int64_t>(1, kSums / columns_ / pixels_), weight.block_rows()) * weight.block_rows()),
        parts_(ceil_div(inputs_, rows_)), meetings_(meetings_of(c)) {
    const int64_t blocks = ceil_div(c.batch, columns_), block = out_pixels_ * c.out_channels * columns_;
    const int64_t at_once = images_at_once(blocks, block * int64_t(sizeof(float)), threads);
    planes_ = space.maps[1].get<float>(at_once * block);
    const int64_t each = whole_lines(kTables + (pixels_ + 1) * rows_ * columns_ + rows_), per_block = c.groups * parts_;
    float* const memory = space.workers.get<float>(threads * each);
    std::vector<double> sums(at_once * per_block * rows_);
    for (first_ = 0; first_ < blocks; first_ += at_once) {
      const int64_t now = std::min(at_once, blocks - first_);
      parallel_for(threads, int(now * out_pixels_), [&](int index, int) { make_planes(index); });
      parallel_for(threads, int(now * per_block), [&](int t, int worker) { run(t, memory + worker * each, sums.data() + t * rows_); });
      for (int64_t t = 0; t < now * per_block; ++t)
        for (int64_t i = 0; i < rows_of(t % parts_); ++i)
          grad_shift[t / parts_ % c.groups * inputs_ + t % parts_ * rows_ + i] += sums[t * rows_ + i];
    }
  }

 private:
  static constexpr int64_t kSums = 4096 * kColumns;  // floats that a task keeps in the second-level cache

  int64_t rows_of(int64_t part) const { return std::min(rows_, inputs_ - part * rows_); }

  // [blocks of images][output pixels][channels][images of a block], zeros for images that lack.
  void make_planes(int64_t index) {
    const int64_t pixel = index % out_pixels_, first = (first_ + index / out_pixels_) * columns_;
    float* const to = planes_ + index * c_.out_channels * columns_;
    const int64_t at = pixel / c_.out_width * grid_.pitch() + pixel % c_.out_width;
    const int64_t lanes = std::min(columns_, c_.batch - first);
    if (lanes < columns_) std::fill_n(to, c_.out_channels * columns_, 0.f);
    for (int64_t i = 0; i < lanes; ++i) {
      const float* const z = grad_z_ + ((first + i) * grid_.length() + at) * c_.out_channels;
      for (int64_t o = 0; o < c_.out_channels; ++o) to[o * columns_ + i] = z[o];
    }
  }

  void run(int64_t index, float* memory, double* shift_sums) {
    const int64_t part = index % parts_, group = index / parts_ % c_.groups, block = index / parts_ / c_.groups;
    const int64_t rows = rows_of(part);
    float *tables = memory, *sums = tables + kTables, *turned = sums + pixels_ * rows_ * columns_, *added = turned + rows_ * columns_;
    std::fill_n(sums, pixels_ * rows_ * columns_, 0.f);
    for (int64_t word = 0; word < weight_.words(); ++word) {
      int64_t out = -1;
      const float* z = nullptr;
      for (const Meeting& m : meetings_) {
        if (m.out != out) {
          out = m.out;
          z = planes_ + ((block * out_pixels_ + out) * c_.out_channels + group * outputs_ + word * kWord) * columns_;
          if (weight_.binary()) weight_.build(word, z, columns_, tables);
        }
        weight_.add(group, word, m.tap, part * rows_, rows, z, columns_, tables, sums + m.in * rows_ * columns_);
      }
    }
    std::fill_n(shift_sums, rows, 0.);
    const int64_t first = (first_ + block) * columns_, channel = group * inputs_ + part * rows_;
    for (int64_t p = 0; p < pixels_; ++p) {
      turn(sums + p * rows_ * columns_, rows, columns_, turned);
      std::fill_n(added, rows, 0.f);
      for (int64_t i = 0; i < std::min(columns_, c_.batch - first); ++i)
        signs_.put((first + i) * pixels_ + p, channel, rows, turned + i * rows, added);
      for (int64_t i = 0; i < rows; ++i) shift_sums[i] += added[i];
    }
  }

  const NbConv& c_;
  const Grid grid_;
  const float* grad_z_;
  const WeightOperand& weight_;
  const Signs& signs_;
  int64_t inputs_, outputs_, columns_, pixels_, out_pixels_, rows_, parts_;
  const std::vector<Meeting> meetings_;
  int64_t first_;  // blocks before it are done
  float* planes_;
};

}  // namespace

// 0; 1: no such instruction set, 2: out of memory. Adds to grad_x the gradient through the sign, and gives that of the shift;
// surrogate -1 writes the gradient of the signs into grad_x instead. half: in 16 bits.
NB_API int nb_train_input_gradient(const char* isa_name, const NbConv* conv, const float* grad_z, const float* weight,
                                   int binary, int half, const float* x, const float* shift, int64_t surrogate, float* grad_x,
                                   double* grad_shift, int threads) {
  const Isa* found = find_isa(isa_name);
  if (!found) return 1;
  return guarded([&] {
    const TrainingIsa& isa = *found->training;
    const NbConv& c = *conv;
    auto space = take_workspace();
    // Real weights are read anew for each pixel.
    const bool small = are_images_side_by_side(c, binary ? 256 : 64);
    const WeightOperand operand(isa, c, weight, binary, half, small ? c.batch : Grid(c).length(), space->bits[1], threads);
    const Signs signs{isa, x, shift, surrogate, c.in_channels, grad_x};
    std::fill_n(grad_shift, c.in_channels, 0.);
    if (small) SmallInputGradient(c, grad_z, operand, signs, grad_shift, *space, threads);
    else InputGradient(c, grad_z, operand, signs, grad_shift, *space, threads);
    return_workspace(std::move(space));
  });
}
