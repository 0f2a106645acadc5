// What tools and tests look at inside a network: the network's input and the head's maps.
#include <algorithm>

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
    out = make_network(static_cast<const uint8_t*>(data), bytes, name, threads, Part::kNetwork, false);
  });
  return out;
}

// Levels of a detector, and branches of its head; 0 of other networks.
NB_API int nb_detector_levels(const nasbnn_det* network) {
  const auto* detector = std::get_if<DenseDetector>(&network->network);
  return detector ? int(detector->head().levels()) : 0;
}
NB_API int nb_detector_branches(const nasbnn_det* network) {
  const auto* detector = std::get_if<DenseDetector>(&network->network);
  return detector ? int(detector->head().branches().size()) : 0;
}

// What a detector's head gives of a prepared input, in the form of MMDetection's heads in mode 'tensor': sizes [branches]
// [levels][height, width, channels], and unless they are null the maps [branches][levels], each [height][width][channels].
NB_API int nb_detector_maps(const nasbnn_det* network, const float* planes, int64_t height, int64_t width, int64_t* sizes,
                            float* const* maps) {
  return guarded([&] {
    Session session(network->threads);
    const DenseDetector& detector = network->detector();
    const Head& head = detector.head();
    const auto levels = detector.forward(planes, height, width, {session.workers(), *network->isa, session.space()});
    for (size_t branch = 0; branch < head.branches().size(); ++branch)
      for (size_t level = 0; level < levels.size(); ++level) {
        const size_t place = branch * levels.size() + level;
        const LevelMaps& found = levels[level];
        const int64_t channels = head.outputs(branch, level);
        sizes[3 * place] = found.height;
        sizes[3 * place + 1] = found.width;
        sizes[3 * place + 2] = channels;
        const int64_t values = found.height * found.width * channels;
        if (!maps) continue;
        std::copy_n(found.maps[branch], values, maps[place]);
        for (int64_t i = 0; branch == kBoxes && i < values; ++i) maps[place][i] = head.delivered(level, maps[place][i]);
      }
  });
}

// Decodes maps as nb_detector_maps gives them, whose sizes are those too, with what a packed file says of its network, JSON.
// Writes at most `room` boxes and returns how many, or the negative status.
NB_API int nb_decode(const char* network, int count, const int64_t* sizes, const float* const* maps, int64_t height,
                     int64_t width, nasbnn_det_box* boxes, int room) {
  int written = 0;
  const nasbnn_det_status status = guarded([&] {
    const std::unique_ptr<Head> head = Head::make(parse_described(network));
    const size_t branches = head->branches().size(), levels = head->levels();
    if (size_t(count) != branches * levels)
      throw Problem("there are " + std::to_string(count) + " maps; the head gives " + std::to_string(branches) +
                    " of each of its " + std::to_string(levels) + " levels", NASBNN_DET_BAD_INPUT);
    std::vector<LevelMaps> found(levels);
    std::vector<std::vector<float>> predicted;  // boxes of each level
    for (size_t place = 0; place < branches * levels; ++place) {
      const size_t branch = place / levels, level = place % levels;
      const int64_t *size = sizes + 3 * place, *first = sizes + 3 * level;
      if (size[0] != first[0] || size[1] != first[1] || size[2] != head->outputs(branch, level))
        throw Problem("map " + std::to_string(branch) + " of level " + std::to_string(level) + " has the shape (" +
                      std::to_string(size[0]) + ", " + std::to_string(size[1]) + ", " + std::to_string(size[2]) + "); (" +
                      std::to_string(first[0]) + ", " + std::to_string(first[1]) + ", " +
                      std::to_string(head->outputs(branch, level)) + ") is wanted", NASBNN_DET_BAD_INPUT);
      found[level].height = size[0];
      found[level].width = size[1];
      found[level].maps[branch] = maps[place];
      if (branch != kBoxes) continue;
      predicted.emplace_back(maps[place], maps[place] + size[0] * size[1] * size[2]);
      for (float& value : predicted.back()) value = head->predicted(level, value);
      found[level].maps[branch] = predicted.back().data();
    }
    const auto decoded = decode(found, *head, {float(width), float(height), 1, 1});
    written = int(std::min(decoded.size(), size_t(room)));
    std::copy_n(decoded.begin(), written, boxes);
  });
  return status ? -int(status) : written;
}
