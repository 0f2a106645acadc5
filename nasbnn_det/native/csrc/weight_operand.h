// The weight as the gradient by its input takes it: signs as bits of outputs for look-ups, or real weights in blocks.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>

#include "parallel.h"
#include "signs.h"
#include "train.h"
#include "workspace.h"

class WeightOperand {
 public:
  // half: in 16 bits. side_by_side: floats that lie side by side. Memory is taken from `space`, which has to outlive this.
  WeightOperand(const TrainingIsa& isa, const NbConv& c, const float* weight, bool binary, bool half, int64_t side_by_side, Block& space,
                int threads)
      : isa_(isa), lookups_(lookups_for(isa, half, side_by_side)), binary_(binary), half_(half), inputs_(c.in_channels / c.groups),
        outputs_(c.out_channels / c.groups), taps_(taps_of(c)), words_(ceil_div(outputs_, kWord)),
        rows_(ceil_div(inputs_, isa.product_rows) * isa.product_rows) {
    if (binary) {
      indices_ = space.get<uint64_t>(c.in_channels * taps_ * words_);
    } else {
      units_ = space.get<float>(c.out_channels + c.groups * taps_ * (outputs_ + 1) * rows_);
      blocks_ = units_ + c.out_channels;
    }
    parallel_for(threads, int(c.groups * words_), [&](int index, int) {
      if (binary) make_indices(index, weight);
      else if (half) make_pairs(index, weight);
      else make_blocks(index, weight);
    });
  }

  bool binary() const { return binary_; }
  int64_t columns() const { return binary_ ? lookups_.columns : kColumns; }
  int64_t words() const { return words_; }
  int64_t rows() const { return rows_; }  // inputs of a group, and zeros behind them
  int64_t block_rows() const { return isa_.product_rows; }

  // Tables of the columns of a word's outputs, at z + output * stride, for binary weights.
  void build(int64_t word, const float* z, int64_t stride, float* tables) const {
    lookups_.build(z, stride, int(outputs_of(word)), tables);
  }

  // Adds what columns of the outputs of a word, at z + output * stride, give to `count` inputs from `from` on through a tap.
  // Real weights add to a multiple of block_rows, of which `from` has to be one; binary ones need the word's tables.
  void add(int64_t group, int64_t word, int64_t tap, int64_t from, int64_t count, const float* z, int64_t stride,
           const float* tables, float* sums) const {
    const int64_t outputs = outputs_of(word), rows = ceil_div(count, isa_.product_rows) * isa_.product_rows;
    if (binary_) {
      const uint64_t* indices = indices_ + ((group * words_ + word) * taps_ + tap) * inputs_ + from;
      lookups_.add(tables, int(ceil_div(outputs, 4)), indices, 1, count, sums);
    } else if (half_) {
      const int64_t pairs = ceil_div(outputs, 2);
      const int32_t* block = pairs_of(group, word) + tap * pairs * rows_ + from * pairs;
      isa_.add_half_products(z, stride, int(outputs), block, units_ + group * outputs_ + word * kWord, rows, sums);
    } else {
      const float* block = blocks_ + ((group * outputs_ + word * kWord) * taps_ + tap * outputs) * rows_ + from * outputs;
      isa_.add_products(z, stride, int(outputs), block, rows, sums);
    }
  }

 private:
  int64_t outputs_of(int64_t word) const { return std::min<int64_t>(kWord, outputs_ - word * kWord); }

  // A word has kWord / 2 pairs, but for the last of a group.
  int32_t* pairs_of(int64_t group, int64_t word) const {
    return reinterpret_cast<int32_t*>(blocks_) + (group * ceil_div(outputs_, 2) + word * (kWord / 2)) * taps_ * rows_;
  }

  // [groups][words][taps][inputs]
  void make_indices(int64_t index, const float* weight) {
    const int64_t group = index / words_, word = index % words_, each = inputs_ * taps_;
    uint64_t* const to = indices_ + index * each;
    std::fill_n(to, each, uint64_t(0));
    for (int64_t o = word * kWord; o < std::min(outputs_, (word + 1) * kWord); ++o) {
      const float* w = weight + (group * outputs_ + o) * each;
      for (int64_t i = 0; i < inputs_; ++i)
        for (int64_t t = 0; t < taps_; ++t) to[t * inputs_ + i] |= uint64_t(w[i * taps_ + t] >= 0) << o % kWord;
    }
  }

  // [groups][words][taps][rows / product_rows][outputs of the word][product_rows], zeros behind the last input.
  void make_blocks(int64_t index, const float* weight) {
    const int64_t group = index / words_, first = index % words_ * kWord, count = outputs_of(index % words_);
    const int64_t each = isa_.product_rows;
    float* to = blocks_ + (group * outputs_ + first) * taps_ * rows_;
    for (int64_t t = 0; t < taps_; ++t)
      for (int64_t i = 0; i < rows_; i += each)
        for (int64_t o = 0; o < count; ++o)
          for (int64_t r = i; r < i + each; ++r)
            *to++ = r < inputs_ ? weight[((group * outputs_ + first + o) * inputs_ + r) * taps_ + t] : 0.f;
  }

  // The same in pairs of outputs, in 12 bits, and what a unit of each output is worth.
  void make_pairs(int64_t index, const float* weight) {
    const int64_t group = index / words_, word = index % words_, first = group * outputs_ + word * kWord, count = outputs_of(word);
    const int64_t each = isa_.product_rows, filter = inputs_ * taps_;
    float factors[kWord];
    for (int64_t o = 0; o < count; ++o) {
      const float* const w = weight + (first + o) * filter;
      float most = 0, wrong = 0;
      for (int64_t i = 0; i < filter; ++i) most = std::max(most, std::fabs(w[i])), wrong += w[i] - w[i];
      units_[first + o] = most + wrong;  // no number stays one
      factors[o] = most > 0 ? kHalfWeight / most : 0.f;
    }
    const auto rounded = [&](int64_t o, int64_t r, int64_t t) -> uint32_t {
      if (o >= count || r >= inputs_) return 0;
      return round_to_bits(weight[((first + o) * inputs_ + r) * taps_ + t] * factors[o]);
    };
    int32_t* to = pairs_of(group, word);
    for (int64_t t = 0; t < taps_; ++t)
      for (int64_t i = 0; i < rows_; i += each)
        for (int64_t o = 0; o < count; o += 2)
          for (int64_t r = i; r < i + each; ++r) *to++ = int32_t((rounded(o, r, t) & 0xffff) | rounded(o + 1, r, t) << 16);
  }

  // A number between -2^15 and 2^15 as an integer of 16 bits, below others; quicker than a rounding function.
  static uint32_t round_to_bits(float x) {
    x += kRounder;
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
  }

  const TrainingIsa& isa_;
  const Lookups& lookups_;
  bool binary_, half_;
  int64_t inputs_, outputs_, taps_, words_, rows_;
  uint64_t* indices_ = nullptr;
  float *units_ = nullptr, *blocks_ = nullptr;
};
