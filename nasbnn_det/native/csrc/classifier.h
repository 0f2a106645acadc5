// An image classifier: a backbone, the average over its last map's pixels, a linear layer.
#pragma once
#include "packed_file.h"
#include "wiring.h"

class Classifier {
 public:
  static constexpr char kKind[] = "classifier";  // in a packed file

  // Throws Problem if the file holds more or less than that, or contradicts what it says of the network.
  Classifier(PackedFile file, const Json& network);

  int64_t num_classes() const { return linear_.channels(); }

  // A logit for each class, of an image of planes [3][height][width]; throws Problem if it is too small or too large.
  const float* logits(const float* planes, int64_t height, int64_t width, const Run& run) const;

 private:
  Chains chains_;
  Line backbone_, linear_;
};

// From logits to probabilities, which add up to 1.
void softmax(const float* logits, int64_t count, float* probabilities);
