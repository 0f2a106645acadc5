// Products of real weights with floats, W F, beside the look-ups of lookup.h: the same columns, chunks and sums.
#pragma once
#include "simd.h"
#include "training.h"

namespace {

template <class Simd>
struct Products {
  using Floats = typename Simd::Floats;
  static constexpr int kVectors = kColumns / Simd::kFloats;
  static constexpr int kRows = 12 / kVectors;  // rows at once: their sums fill three quarters of 16 registers

  // Adds to sums[m] the product of row m of W with `count` rows of F, at values + k * stride. W lies in blocks of kRows rows,
  // [rows / kRows][count][kRows].
  static void add(const float* values, int64_t stride, int count, const float* weight, int64_t rows, float* sums) {
    float packed[kWord * kColumns];
    for (int k = 0; k < count; ++k) std::memcpy(packed + k * kColumns, values + k * stride, kColumns * sizeof(float));
    for (int64_t m = 0; m < rows; m += kRows, weight += count * kRows) {
      Floats totals[kRows][kVectors];
      repeat<kRows>([&](auto r) NB_INLINED { repeat<kVectors>([&](auto v) NB_INLINED { totals[r][v] = Floats{}; }); });
      for (int k = 0; k < count; ++k) {
        Floats f[kVectors];
        repeat<kVectors>([&](auto v) NB_INLINED { f[v] = load<Floats>(packed + k * kColumns + v * Simd::kFloats); });
        repeat<kRows>([&](auto r) NB_INLINED {
          const Floats w = weight[k * kRows + r] - Floats{};  // in every lane
          repeat<kVectors>([&](auto v) NB_INLINED { totals[r][v] = Simd::multiply_add(w, f[v], totals[r][v]); });
        });
      }
      repeat<kRows>([&](auto r) NB_INLINED {
        repeat<kVectors>([&](auto v) NB_INLINED {
          float* sum = sums + (m + r) * kColumns + v * Simd::kFloats;
          const Floats total = load<Floats>(sum) + totals[r][v];
          std::memcpy(sum, &total, sizeof total);
        });
      });
    }
  }
};

}  // namespace
