// What a packed file says of a head and of its decoding.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "json.h"

// Numbers that all heads have, as in MMDetection's config.
struct HeadSettings {
  int64_t num_classes = 0;
  std::vector<int64_t> strides;  // pixels between the points of each level
  std::string neck = "pafpn";    // what lies before the head
  double score_thr = 0.001;      // lowest score
  int64_t nms_pre = 1000;        // candidates of a level at most; -1: all
  double iou_threshold = 0.65;   // within a class
  int64_t max_per_img = 100;
  double min_bbox_size = 0;  // boxes must be larger than this, in pixels; -1: all
};

// What reads a value, by the key that it stands under; it throws Problem if the value is wrong.
using Readers = std::map<std::string, std::function<void(const std::string& key, const Json& value)>>;

// Reads them, and a head's own numbers by `own`. Throws Problem if a value is wrong, or a key unknown or missing.
HeadSettings read_settings(const Json& network, const Readers& own);

Readers::mapped_type int_reader(int64_t low, int64_t high, int64_t& out);
Readers::mapped_type real_reader(double& out);
Readers::mapped_type bool_reader(bool& out);

// A list of so many finite numbers below a million; throws Problem.
std::vector<float> read_reals(const std::string& key, const Json& value, size_t least, size_t most);
