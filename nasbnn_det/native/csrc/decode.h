// From the head's maps to boxes: candidates above the threshold, their boxes, non-maximum suppression within classes.
#pragma once
#include <vector>

#include "../include/nasbnn_det.h"
#include "json.h"

// Numbers of an RTMDet head and of its decoding, as in MMDetection's config.
struct HeadSettings {
  int64_t num_classes = 0;
  std::vector<int64_t> strides;  // pixels between the points of each level
  double offset = 0;             // of the points, in strides
  double score_thr = 0.001;      // lowest score
  int64_t nms_pre = 1000;        // candidates of a level at most; -1: all
  double iou_threshold = 0.65;   // within a class
  int64_t max_per_img = 100;
  double min_bbox_size = 0;  // boxes must be larger than this, in pixels; -1: all

  // Throws Problem if a value is wrong or unknown.
  static HeadSettings read(const Json& network);
};

// What the head gives for a level.
struct LevelMaps {
  int64_t height, width;
  const float *logits, *log_distances;  // [height][width][classes] and [height][width][left, top, right, bottom]
};

// Distance from a point to a side of its box, in pixels.
float distance_of(float log_distance, int64_t stride);

struct Frame {
  float width, height;     // boxes are clipped to it
  float scale_x, scale_y;  // from the original image to it
};

// Best first, in pixels of the original image; `box` numbers are x1, y1, x2, y2.
std::vector<nasbnn_det_box> decode(const std::vector<LevelMaps>& levels, const HeadSettings& settings, const Frame& frame);
