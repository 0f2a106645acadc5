// Runs a packed network and its backbone on random images, from many threads at once, and loads mutations of its file.
//
// Built with sanitizers it is a search for overruns in all that reads a stranger's file.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../../nasbnn_det/native/include/nasbnn_det.h"
#include "checks.h"

extern "C" {
const char* nb_isa(int index);
nasbnn_det* nb_load_unchecked(const void* data, size_t bytes, int threads, nasbnn_det_status* status);
void nb_free_workspaces();
}

namespace {

using Bytes = std::vector<uint8_t>;

size_t below(std::mt19937_64& random, size_t end) { return size_t(random() % end); }

// An image of exactly its size, so that AddressSanitizer knows its end.
struct Picture {
  int64_t width, height, stride;
  std::vector<uint8_t> pixels;
  explicit Picture(std::mt19937_64& random)
      : width(1 + int64_t(below(random, 150))), height(1 + int64_t(below(random, 150))),
        stride(3 * width + int64_t(below(random, 3))), pixels(size_t(stride * (height - 1) + 3 * width)) {
    for (uint8_t& pixel : pixels) pixel = uint8_t(random());
  }
};

template <class T>
Bytes bytes_of(const std::vector<T>& values, size_t count) {
  const auto* from = reinterpret_cast<const uint8_t*>(values.data());
  return Bytes(from, from + count * sizeof(T));
}

// A backbone's maps of a picture, one after another.
Bytes maps(const nasbnn_det* network, const Picture& p) {
  nasbnn_det_geometry size;
  if (nasbnn_det_plan(network, p.width, p.height, &size)) return {};
  std::vector<float> planes(size_t(3 * size.height * size.width));
  std::vector<int64_t> sizes(3 * size_t(nasbnn_det_num_maps(network)));
  if (nasbnn_det_prepare(network, p.pixels.data(), p.width, p.height, p.stride, planes.data()) ||
      nasbnn_det_map_sizes(network, size.height, size.width, sizes.data()))
    return {};
  std::vector<std::vector<float>> found;
  std::vector<float*> places;
  for (size_t i = 0; i < sizes.size(); i += 3) found.emplace_back(size_t(sizes[i] * sizes[i + 1] * sizes[i + 2]));
  for (auto& map : found) places.push_back(map.data());
  if (nasbnn_det_maps(network, planes.data(), size.height, size.width, places.data())) return {};
  Bytes out;
  for (const auto& map : found) {
    const Bytes part = bytes_of(map, map.size());
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

// What a network finds in a picture: boxes, logits and probabilities, or maps; nothing if it fails.
Bytes find(const nasbnn_det* network, const Picture& p) {
  const nasbnn_det_kind kind = nasbnn_det_kind_of(network);
  if (kind == NASBNN_DET_BACKBONE) return maps(network, p);
  if (kind == NASBNN_DET_CLASSIFIER) {
    const size_t classes = size_t(nasbnn_det_num_classes(network));
    std::vector<float> values(2 * classes);
    const auto status = nasbnn_det_classify(network, p.pixels.data(), p.width, p.height, p.stride, values.data(),
                                            values.data() + classes);
    return bytes_of(values, status ? 0 : values.size());
  }
  std::vector<nasbnn_det_box> boxes(size_t(nasbnn_det_max_boxes(network)));
  const int count = nasbnn_det_detect(network, p.pixels.data(), p.width, p.height, p.stride, 0, boxes.data(), int(boxes.size()));
  return bytes_of(boxes, size_t(count < 0 ? 0 : count));
}

// Every instruction set and number of threads finds the same, also while others call.
using Load = nasbnn_det*(const void* data, size_t bytes, int threads, nasbnn_det_status* status);
int run(Load load, const Bytes& file, std::mt19937_64& random, int pictures) {
  std::vector<nasbnn_det*> detectors;
  for (int i = 0; const char* isa = nb_isa(i); ++i) {
    setenv("NASBNN_DET_ISA", isa, 1);
    for (int threads : {1, 3}) {
      detectors.push_back(load(file.data(), file.size(), threads, nullptr));
      if (!detectors.back()) return std::printf("a network does not load: %s\n", nasbnn_det_error()), 1;
    }
  }
  std::atomic<int> wrong{0};
  size_t found = 0;
  for (int i = 0; i < pictures; ++i) {
    const Picture picture(random);
    const auto expected = find(detectors[0], picture);
    found += expected.size();
    std::vector<std::thread> callers;
    for (const nasbnn_det* detector : detectors)
      callers.emplace_back([&, detector] { wrong += find(detector, picture) != expected; });
    for (std::thread& caller : callers) caller.join();
  }
  for (nasbnn_det* detector : detectors) nasbnn_det_free(detector);
  if (wrong || !found) return std::printf("%d calls of %d found something else\n", int(wrong), pictures), 1;
  return 0;
}

// Bytes changed, cut, doubled or replaced by what numbers and descriptions are made of, mostly in the header; its length is
// made right again in half of the cases.
Bytes mutated(const Bytes& file, std::mt19937_64& random) {
  Bytes out = file;
  uint64_t length;
  std::memcpy(&length, file.data(), 8);
  const std::string values[] = {"9", "-", "\"", "{", "e", "[]", "99999999", "0.5", "null", "\\u0041", "[1,1]", "true", "0"};
  for (size_t n = 1 + below(random, 3); n > 0; --n) {
    const size_t end = below(random, 10) < 8 ? std::min(out.size(), size_t(length) + 8) : out.size(), at = below(random, end);
    const size_t more = std::min(out.size() - at, 1 + below(random, 40));
    const auto place = out.begin() + int64_t(at);
    switch (below(random, 4)) {
      case 0: *place = uint8_t(random()); break;
      case 1: out.erase(place, place + int64_t(more)); break;
      case 2: {
        const Bytes copy(place, place + int64_t(more));
        out.insert(out.begin() + int64_t(at), copy.begin(), copy.end());
        break;
      }
      default: {
        const std::string& value = values[below(random, std::size(values))];
        out.erase(place);
        out.insert(out.begin() + int64_t(at), value.begin(), value.end());
      }
    }
    if (out.size() < 9) return out;
  }
  if (random() % 2) {
    const uint64_t fitting = length + out.size() - file.size();
    std::memcpy(out.data(), &fitting, 8);
  }
  return out;
}

int fuzz(const Bytes& file, std::mt19937_64& random, int count, int& refused) {
  const std::vector<float> planes(3 * 32 * 32, 0.5f);
  const nasbnn_det_geometry geometry{32, 32, 32, 32, 1, 1};
  for (int i = 0; i < count; ++i) {
    const Bytes changed = mutated(file, random);
    nasbnn_det_status status;
    nasbnn_det* detector = nb_load_unchecked(changed.data(), changed.size(), 1, &status);
    if (!detector) {
      ++refused;
      if (status == NASBNN_DET_OK || !*nasbnn_det_error()) return std::printf("mutation %d is refused without a word\n", i), 1;
      continue;
    }
    std::vector<nasbnn_det_box> boxes(size_t(nasbnn_det_max_boxes(detector)));
    std::vector<float> logits(size_t(nasbnn_det_num_classes(detector)));
    const bool failed =
        nasbnn_det_kind_of(detector) == NASBNN_DET_CLASSIFIER
            ? nasbnn_det_classify_prepared(detector, planes.data(), geometry.height, geometry.width, logits.data(), nullptr)
            : nasbnn_det_detect_prepared(detector, planes.data(), &geometry, 0, boxes.data(), int(boxes.size())) < 0;
    if (failed && !*nasbnn_det_error()) return std::printf("mutation %d fails without a word\n", i), 1;
    nasbnn_det_free(detector);
  }
  return 0;
}

}  // namespace

int check_network(const char* path, int mutations) {
  std::ifstream stream(path, std::ios::binary);
  const Bytes file((std::istreambuf_iterator<char>(stream)), {});
  std::mt19937_64 random(0);
  int refused = 0;
  if (run(nasbnn_det_load_memory, file, random, 15) || run(nasbnn_det_load_backbone_memory, file, random, 5) ||
      fuzz(file, random, mutations, refused))
    return 1;
  nb_free_workspaces();
  std::printf("%s finds the same in 20 images on all paths and threads; %d of %d mutated files are refused, the others run\n",
              path, refused, mutations);
  return 0;
}
