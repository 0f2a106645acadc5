// From a head's maps to boxes: candidates above the threshold, their boxes, non-maximum suppression within classes.
#pragma once
#include "../include/nasbnn_det.h"
#include "head.h"

struct Frame {
  float width, height;     // boxes are clipped to it
  float scale_x, scale_y;  // from the original image to it
};

// Best first, in pixels of the original image.
std::vector<nasbnn_det_box> decode(const std::vector<LevelMaps>& levels, const Head& head, const Frame& frame);
