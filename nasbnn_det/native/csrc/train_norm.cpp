// Batch norm in training, folded into a factor and a summand per channel, and its gradients in terms of sums over all pixels.
#include <algorithm>
#include <cmath>

#include "training.h"

namespace {

// What the forward pass leaves, [3][channels]: a, the factor before the batch norm; the mean of a * z; one over its deviation.
struct State {
  double *scale, *mean, *inverse;
  State(double* s, int64_t channels) : scale(s), mean(s + channels), inverse(s + 2 * channels) {}
};

}  // namespace

// bn(a * z) + bias_in = factor * z + offset. vectors: [4][channels], of which the first two are written, and slope and bias_out
// copied. A count above 0 takes the statistics from the sums of z and of its squares, [2][channels], and updates the running
// ones; with 0 they are the running ones. Null for gamma is 1, for beta and bias_in 0, for running_mean and running_var no norm.
NB_API void nb_train_fold(const NbNorm* norm, const double* sums, float* vectors, double* state) {
  const NbNorm& n = *norm;
  const State s(state, n.channels);
  for (int64_t i = 0; i < n.channels; ++i) {
    const double a = n.scale ? n.scale[i] : 1, gamma = n.gamma ? n.gamma[i] : 1;
    double mean = n.running_mean ? n.running_mean[i] : 0, var = n.running_var ? n.running_var[i] : 1;
    if (n.count > 0) {
      const double of_z = sums[i] / n.count;
      mean = a * of_z;
      var = a * a * std::max(0., sums[n.channels + i] / n.count - of_z * of_z);
      n.running_mean[i] += float(n.momentum * (mean - n.running_mean[i]));
      n.running_var[i] += float(n.momentum * (var * (n.count / (n.count - 1)) - n.running_var[i]));
    }
    s.scale[i] = a;
    s.mean[i] = mean;
    s.inverse[i] = 1 / std::sqrt(var + n.eps);
    const double factor = gamma * s.inverse[i];
    vectors[i] = float(factor * a);
    vectors[n.channels + i] = float((n.beta ? n.beta[i] : 0) - factor * mean + (n.bias_in ? n.bias_in[i] : 0));
    vectors[2 * n.channels + i] = n.slope ? n.slope[i] : 1;
    vectors[3 * n.channels + i] = n.bias_out ? n.bias_out[i] : 0;
  }
}

// From the sums of nb_train_reduce: terms, [3][channels], with which the gradient of z is terms[0] * d + terms[1] * z + terms[2];
// and grads, [5][channels]: of gamma, beta, bias_in, slope and bias_out. `all` are the first two sums, over all
// processes that share the statistics.
NB_API void nb_train_terms(const NbNorm* norm, const double* state, const double* sums, const double* all, float* terms,
                           float* grads) {
  const NbNorm& n = *norm;
  const int64_t c = n.channels;
  const State s(const_cast<double*>(state), c);
  for (int64_t i = 0; i < c; ++i) {
    const double a = s.scale[i], inverse = s.inverse[i], k = (n.gamma ? n.gamma[i] : 1) * inverse;
    double by_z = 0, constant = 0;
    if (n.count > 0) {  // the batch's mean and deviation depend on z too
      const double along = k * inverse * inverse * (a * all[c + i] - s.mean[i] * all[i]) / n.count;
      by_z = -along * a;
      constant = along * s.mean[i] - k * all[i] / n.count;
    }
    terms[i] = float(k * a);
    terms[c + i] = float(by_z * a);
    terms[2 * c + i] = float(constant * a);
    grads[i] = float(inverse * (a * sums[c + i] - s.mean[i] * sums[i]));
    grads[c + i] = float(sums[i]);
    grads[2 * c + i] = float(sums[i]);
    grads[3 * c + i] = float(sums[2 * c + i]);
    grads[4 * c + i] = float(sums[3 * c + i]);
  }
}
