// From logits to the candidates whose score is above a threshold.
#pragma once
#include "head.h"

float sigmoid(float logit);

// Each logit has a score of its own.
void find_by_sigmoid(const float* logits, int64_t count, double score_thr, size_t level, std::vector<Candidate>& out);

// Those of a prior share one: the classes' logits, then the background's.
void find_by_softmax(const float* logits, int64_t priors, int64_t per_prior, double score_thr, size_t level,
                     std::vector<Candidate>& out);
