// Weights in training: filters of mean 0 and deviation 1 (weight.py).
#include <cmath>
#include <limits>

#include "dispatch.h"
#include "parallel.h"
#include "train.h"

namespace {

constexpr int64_t kFilters = 8;  // of a task

template <class F>
void for_filters(int64_t filters, int threads, F each) {
  parallel_for(threads, int(ceil_div(filters, kFilters)), [&](int index, int) {
    for (int64_t o = index * kFilters; o < std::min(filters, (index + 1) * kFilters); ++o) each(o);
  });
}

}  // namespace

// out = (weight - mean) / deviation, of each of `filters` filters of `size` > 1 numbers.
NB_API void nb_train_standardize(int64_t filters, int64_t size, const float* weight, float* out, float* deviation, int threads) {
  for_filters(filters, threads, [=](int64_t o) {
    const float* const w = weight + o * size;
    float* const to = out + o * size;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < size; ++i) sum += w[i];
    const float mean = float(sum / double(size));
    for (int64_t i = 0; i < size; ++i) {
      to[i] = w[i] - mean;
      squares += to[i] * to[i];
    }
    deviation[o] = std::max(float(std::sqrt(squares / double(size - 1))), std::numeric_limits<float>::min());
    for (int64_t i = 0; i < size; ++i) to[i] /= deviation[o];
  });
}

// Its gradient: (grad - mean of grad - out * sum of grad * out / (size - 1)) / deviation.
NB_API void nb_train_standardize_gradient(int64_t filters, int64_t size, const float* grad, const float* out,
                                          const float* deviation, float* grad_weight, int threads) {
  for_filters(filters, threads, [=](int64_t o) {
    const float *const g = grad + o * size, *const w = out + o * size;
    double sum = 0, along = 0;
    for (int64_t i = 0; i < size; ++i) {
      sum += g[i];
      along += g[i] * w[i];
    }
    const float mean = float(sum / double(size)), factor = float(along / double(size - 1));
    for (int64_t i = 0; i < size; ++i) grad_weight[o * size + i] = (g[i] - mean - factor * w[i]) / deviation[o];
  });
}
