// What is wrong with a file or an image, in one sentence, and of which kind it is.
#pragma once
#include <stdexcept>
#include <string>

#include "../include/nasbnn_det.h"

struct Problem : std::runtime_error {
  explicit Problem(const std::string& sentence, nasbnn_det_status kind = NASBNN_DET_BAD_FILE)
      : std::runtime_error(sentence), kind(kind) {}
  nasbnn_det_status kind;
};
