// What tools and tests look at inside a detector: the network's input and the head's maps.
#include <algorithm>
#include <cmath>

#include "detector.h"

namespace {

Json parse_described(const char* text) {
  try {
    return parse_json(text);
  } catch (const std::invalid_argument& error) {
    throw Problem(error.what(), NASBNN_DET_BAD_INPUT);
  }
}

}  // namespace

// Prepares an image as a packed file's description of it says, JSON. Fills `geometry`, and planes [3][geometry->height]
// [geometry->width] unless they are null.
NB_API int nb_prepare(const char* described, const uint8_t* bgr, int64_t width, int64_t height, int64_t stride,
                      nasbnn_det_geometry* geometry, float* planes) {
  return guarded([&] {
    const Json json = parse_described(described);
    const Preprocessing preprocessing = Preprocessing::read(&json);
    const Image image = check_image(bgr, width, height, stride);
    const Geometry size = preprocessing.plan(width, height);
    *geometry = describe(size);
    if (!planes) return;
    Session session(1);
    prepare(preprocessing, image, size, planes, session);
  });
}

// As nasbnn_det_load_memory, whatever the checksum says, as a stranger would have made it right again.
NB_API nasbnn_det* nb_load_unchecked(const void* data, size_t bytes, int threads, nasbnn_det_status* status) {
  nasbnn_det* out = nullptr;
  *status = guarded([&] {
    const DataName name{"what lies in memory", "the packed file in memory"};
    out = make_detector(static_cast<const uint8_t*>(data), bytes, name, threads, false);
  });
  return out;
}

NB_API int nb_detector_levels(const nasbnn_det* detector) { return int(detector->network.settings().strides.size()); }

// The maps of a prepared input: sizes [levels][height, width]; and unless they are null, per level class logits
// [height][width][classes] and distances [height][width][left, top, right, bottom] in pixels.
NB_API int nb_detector_maps(const nasbnn_det* detector, const float* planes, int64_t height, int64_t width, int64_t* sizes,
                            float* const* logits, float* const* distances) {
  return guarded([&] {
    Session session(detector->threads);
    const HeadSettings& settings = detector->network.settings();
    const auto levels = detector->network.forward(planes, height, width, {session.workers(), *detector->isa, session.space()});
    for (size_t i = 0; i < levels.size(); ++i) {
      const int64_t points = levels[i].height * levels[i].width;
      sizes[2 * i] = levels[i].height;
      sizes[2 * i + 1] = levels[i].width;
      if (!logits) continue;
      std::copy_n(levels[i].logits, points * settings.num_classes, logits[i]);
      for (int64_t j = 0; j < 4 * points; ++j) distances[i][j] = distance_of(levels[i].log_distances[j], settings.strides[i]);
    }
  });
}

// Decodes maps as nb_detector_maps gives them, heights and widths in `sizes`, with the settings that a packed file gives a
// network, JSON. Writes at most `room` boxes and returns how many, or the negative status.
NB_API int nb_decode(const char* network, const int64_t* sizes, const float* const* logits, const float* const* distances,
                     int64_t height, int64_t width, nasbnn_det_box* boxes, int room) {
  int count = 0;
  const nasbnn_det_status status = guarded([&] {
    const HeadSettings settings = HeadSettings::read(parse_described(network));
    std::vector<LevelMaps> levels;
    std::vector<std::vector<float>> logs;
    for (size_t i = 0; i < settings.strides.size(); ++i) {
      logs.emplace_back(distances[i], distances[i] + 4 * sizes[2 * i] * sizes[2 * i + 1]);
      for (float& value : logs.back()) value = std::log(value / float(settings.strides[i]));
      levels.push_back({sizes[2 * i], sizes[2 * i + 1], logits[i], logs.back().data()});
    }
    const auto found = decode(levels, settings, {float(width), float(height), 1, 1});
    count = int(std::min(found.size(), size_t(room)));
    std::copy_n(found.begin(), count, boxes);
  });
  return status ? -int(status) : count;
}
