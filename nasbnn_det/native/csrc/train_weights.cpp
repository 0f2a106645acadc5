// Weights in training: filters of mean 0 and deviation 1, and their signs (weight.py).
#include <algorithm>
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

// Sum of values(i), in a fixed order that lets the compiler add several at once.
template <class F>
double sum_of(int64_t size, F values) {
  constexpr int kLanes = 8;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += values(i + lane);
  for (; i < size; ++i) lanes[i % kLanes] += values(i);
  for (int step = kLanes / 2; step > 0; step /= 2)
    for (int lane = 0; lane < step; ++lane) lanes[lane] += lanes[lane + step];
  return lanes[0];
}

struct Moments {
  float mean, deviation;

  Moments(const float* w, int64_t size) {
    mean = float(sum_of(size, [=](int64_t i) { return double(w[i]); }) / double(size));
    const float m = mean;
    const double squares = sum_of(size, [=](int64_t i) { return double((w[i] - m) * (w[i] - m)); });
    deviation = std::max(float(std::sqrt(squares / double(size - 1))), std::numeric_limits<float>::min());
  }
};

// The gradient of a filter from that of its standardised numbers: (g - mean of g - out * sum of g * out / (size - 1)) / deviation.
template <class Grad, class Out>
void through_standard(int64_t size, Grad grad, Out out, float deviation, float* to) {
  const double sum = sum_of(size, [=](int64_t i) { return double(grad(i)); });
  const double along = sum_of(size, [=](int64_t i) { return double(grad(i) * out(i)); });
  const float mean = float(sum / double(size)), factor = float(along / double(size - 1));
  for (int64_t i = 0; i < size; ++i) to[i] = (grad(i) - mean - factor * out(i)) / deviation;
}

}  // namespace

// out = (weight - mean) / deviation, of each of `filters` filters of `size` > 1 numbers.
NB_API void nb_train_standardize(int64_t filters, int64_t size, const float* weight, float* out, float* deviation, int threads) {
  for_filters(filters, threads, [=](int64_t o) {
    const float* const w = weight + o * size;
    const Moments moments(w, size);
    for (int64_t i = 0; i < size; ++i) out[o * size + i] = (w[i] - moments.mean) / moments.deviation;
    deviation[o] = moments.deviation;
  });
}

NB_API void nb_train_standardize_gradient(int64_t filters, int64_t size, const float* grad, const float* out,
                                          const float* deviation, float* grad_weight, int threads) {
  for_filters(filters, threads, [=](int64_t o) {
    const float *const g = grad + o * size, *const w = out + o * size;
    through_standard(size, [=](int64_t i) { return g[i]; }, [=](int64_t i) { return w[i]; }, deviation[o], grad_weight + o * size);
  });
}

// Signs of the same filters, ±1; their means, deviations and mean magnitudes after standardising, [3][filters].
NB_API void nb_train_binarize(int64_t filters, int64_t size, const float* weight, float* signs, float* moments, int threads) {
  for_filters(filters, threads, [=](int64_t o) {
    const float* const w = weight + o * size;
    const Moments found(w, size);
    const auto out = [=](int64_t i) { return (w[i] - found.mean) / found.deviation; };
    for (int64_t i = 0; i < size; ++i) signs[o * size + i] = w[i] - found.mean >= 0 ? 1.f : -1.f;
    moments[o] = found.mean;
    moments[filters + o] = found.deviation;
    moments[2 * filters + o] = float(sum_of(size, [=](int64_t i) { return double(std::abs(out(i))); }) / double(size));
  });
}

// Its gradient, with a box for the sign's: 1 where the standardised number lies in [-1, 1].
NB_API void nb_train_binarize_gradient(int64_t filters, int64_t size, const float* grad, const float* weight, const float* moments,
                                       float* grad_weight, int threads) {
  for_filters(filters, threads, [=](int64_t o) {
    const float *const g = grad + o * size, *const w = weight + o * size, mean = moments[o], deviation = moments[filters + o];
    float* const to = grad_weight + o * size;
    const auto out = [=](int64_t i) { return (w[i] - mean) / deviation; };
    for (int64_t i = 0; i < size; ++i) {
      const float whole = g[i];  // read in any case, so that there is no branch
      to[i] = std::abs(out(i)) <= 1 ? whole : 0.f;
    }
    through_standard(size, [=](int64_t i) { return to[i]; }, out, deviation, to);
  });
}
