#include "scores.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

constexpr int64_t kBlock = 64;  // logits looked at together: most are of background
constexpr double kInfinite = std::numeric_limits<double>::infinity();

}  // namespace

float sigmoid(float logit) { return 1 / (1 + std::exp(-logit)); }

void find_by_sigmoid(const float* logits, int64_t count, double score_thr, size_t level, std::vector<Candidate>& out) {
  const double chance = std::clamp(score_thr, 0., 1.);
  const float lowest = float(chance == 0 ? -kInfinite : chance == 1 ? kInfinite : std::log(chance / (1 - chance)));
  for (int64_t from = 0; from < count; from += kBlock) {
    const int64_t end = std::min(from + kBlock, count);
    int any = 0;
    for (int64_t i = from; i < end; ++i) any |= logits[i] > lowest;
    if (!any) continue;
    for (int64_t i = from; i < end; ++i)
      if (logits[i] > lowest) out.push_back({sigmoid(logits[i]), int32_t(level), i});
  }
}

void find_by_softmax(const float* logits, int64_t priors, int64_t per_prior, double score_thr, size_t level,
                     std::vector<Candidate>& out) {
  // A score is at most e^(logit - highest): where background is far above all classes, no exponential is needed.
  constexpr double kRounding = 1e-3;
  const float reach = float(score_thr <= 0 ? kInfinite : kRounding - std::log(score_thr));
  std::vector<float> powers(static_cast<size_t>(per_prior));
  const float smallest = float(score_thr);
  for (int64_t prior = 0; prior < priors; ++prior) {
    const float* row = logits + prior * per_prior;
    float best = row[0];
    for (int64_t i = 1; i + 1 < per_prior; ++i) best = row[i] > best ? row[i] : best;
    const float highest = std::max(best, row[per_prior - 1]);
    if (highest - best > reach) continue;
    float sum = 0;
    for (int64_t i = 0; i < per_prior; ++i) sum += powers[size_t(i)] = std::exp(row[i] - highest);
    for (int64_t i = 0; i + 1 < per_prior; ++i) {
      const float score = powers[size_t(i)] / sum;
      if (score > smallest && score >= 0) out.push_back({score, int32_t(level), prior * per_prior + i});
    }
  }
}
