// The weight as the gradient by its input takes it: signs as bits of outputs for look-ups, or real weights in blocks.
#pragma once
#include <algorithm>

#include "parallel.h"
#include "signs.h"
#include "workspace.h"

class WeightOperand {
 public:
  // Memory is taken from `space`, which has to outlive this.
  WeightOperand(const TrainingIsa& isa, const NbConv& c, const float* weight, bool binary, Block& space, int threads)
      : isa_(isa), binary_(binary), inputs_(c.in_channels / c.groups), outputs_(c.out_channels / c.groups), taps_(taps_of(c)),
        words_(ceil_div(outputs_, kWord)), rows_(ceil_div(inputs_, isa.product_rows) * isa.product_rows) {
    if (binary) indices_ = space.get<uint64_t>(c.in_channels * taps_ * words_);
    else blocks_ = space.get<float>(c.groups * taps_ * outputs_ * rows_);
    parallel_for(threads, int(c.groups * words_), [&](int index, int) {
      if (binary) make_indices(index, weight);
      else make_blocks(index, weight);
    });
  }

  bool binary() const { return binary_; }
  int64_t words() const { return words_; }
  int64_t rows() const { return rows_; }  // inputs of a group, and zeros behind them
  int64_t outputs_of(int64_t word) const { return std::min<int64_t>(kWord, outputs_ - word * kWord); }

  // Adds what 16 columns of the outputs of a word, at z + output * stride, give to `count` inputs from `from` on through a tap.
  // Real weights add to a multiple of product_rows, of which `from` has to be one; binary ones need the word's tables.
  void add(int64_t group, int64_t word, int64_t tap, int64_t from, int64_t count, const float* z, int64_t stride,
           const float* tables, float* sums) const {
    const int64_t outputs = outputs_of(word);
    if (binary_) {
      const uint64_t* indices = indices_ + ((group * words_ + word) * taps_ + tap) * inputs_ + from;
      isa_.add_lookups(tables, int(ceil_div(outputs, 4)), indices, 1, count, sums);
    } else {
      const float* block = blocks_ + ((group * outputs_ + word * kWord) * taps_ + tap * outputs) * rows_ + from * outputs;
      isa_.add_products(z, stride, int(outputs), block, ceil_div(count, isa_.product_rows) * isa_.product_rows, sums);
    }
  }

 private:
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

  const TrainingIsa& isa_;
  bool binary_;
  int64_t inputs_, outputs_, taps_, words_, rows_;
  uint64_t* indices_ = nullptr;
  float* blocks_ = nullptr;
};
