// The C interface of packed networks, include/nasbnn_det.h.
#include "detector.h"

#include <algorithm>
#include <cstdlib>

namespace {

thread_local std::string last_error;

std::vector<std::string> read_classes(const Json* classes, int64_t wanted, bool may_lack) {
  std::vector<std::string> out;
  if (classes)
    for (const Json& name : classes->items)
      if (name.is(Json::Kind::kString)) out.push_back(name.text);
  if (may_lack && (!classes || classes->items.empty())) return out;
  if (int64_t(out.size()) != wanted || out.size() != classes->items.size())
    throw Problem("it needs the names of " + std::to_string(wanted) + " classes");
  return out;
}

int allowed_threads(int wanted) {
  constexpr int kMost = 1024;
  const char* said = std::getenv("OMP_NUM_THREADS");
  if (wanted <= 0 && said) wanted = std::atoi(said);
  return std::min(wanted > 0 ? wanted : usable_cpus(), kMost);
}

template <class Load>
nasbnn_det* loaded(const Load& load, nasbnn_det_status* status) {
  nasbnn_det* out = nullptr;
  const nasbnn_det_status found = guarded([&] { out = load(); });
  if (status) *status = found;
  return out;
}

Run run_in(const nasbnn_det& network, const Session& session) { return {session.workers(), *network.isa, session.space()}; }

std::vector<nasbnn_det_box> find(const nasbnn_det& network, const float* planes, int64_t height, int64_t width,
                                 const Frame& frame, const Session& session) {
  const DenseDetector& detector = network.detector();
  return decode(detector.forward(planes, height, width, run_in(network, session)), detector.head(), frame);
}

void classify(const nasbnn_det& network, const float* planes, int64_t height, int64_t width, const Session& session,
              float* logits, float* probabilities) {
  const Classifier& classifier = network.classifier();
  const float* found = classifier.logits(planes, height, width, run_in(network, session));
  if (logits) std::copy_n(found, classifier.num_classes(), logits);
  if (probabilities) softmax(found, classifier.num_classes(), probabilities);
}

// What a file describes. Its kind is known to this release, or the head's factory says that it is not.
nasbnn_det* make_described(PackedFile file, const DataName& name, int threads) {
  const Json* described = file.header.find("network");
  if (!described || described->is(Json::Kind::kNull)) {
    const Json* reason = file.header.find("needs_config");
    const bool said = reason && reason->is(Json::Kind::kString);
    throw Problem(name.packed + " does not stand by itself" + (said ? " (" + reason->text + ")" : "") +
                  ": evaluate it with tools/test.py CONFIG FILE");
  }
  const Json header = std::move(file.header), network = *header.find("network");
  const Json* kind = network.find("kind");
  const bool classifies = kind && kind->is(Json::Kind::kString) && kind->text == Classifier::kKind;
  try {
    Preprocessing preprocessing = Preprocessing::read(header.find("preprocessing"));
    const auto hold = [&](auto&& built, int64_t classes) {
      auto names = read_classes(header.find("classes"), classes, classifies);
      return new nasbnn_det{std::move(built), std::move(preprocessing), std::move(names), wanted_isa(),
                            allowed_threads(threads)};
    };
    if (classifies) {
      Classifier built(std::move(file), network);
      const int64_t classes = built.num_classes();
      return hold(std::move(built), classes);
    }
    DenseDetector built(std::move(file.chains), network);
    const int64_t classes = built.head().settings().num_classes;
    return hold(std::move(built), classes);
  } catch (const Problem& problem) {
    if (problem.kind != NASBNN_DET_BAD_FILE) throw;
    throw Problem(name.packed + " describes no " + (classifies ? "classifier" : "detector") + ": " + problem.what());
  }
}

nasbnn_det* make_backbone(PackedFile file, const DataName& name, int threads) {
  const Json* described = file.header.find("preprocessing");
  try {
    std::optional<Preprocessing> preprocessing;
    if (described && !described->is(Json::Kind::kNull)) preprocessing = Preprocessing::read(described);
    return new nasbnn_det{Backbone(std::move(file.chains)), std::move(preprocessing), {}, wanted_isa(),
                          allowed_threads(threads)};
  } catch (const Problem& problem) {
    if (problem.kind != NASBNN_DET_BAD_FILE) throw;
    throw Problem(name.packed + " has no backbone: " + problem.what());
  }
}

nasbnn_det* load_path(const char* path, int threads, Part part, nasbnn_det_status* status) {
  return loaded([&] {
    const std::string file(path ? path : ""), quoted = "'" + file + "'";
    const DataName name{quoted, "packed file " + quoted};
    const std::vector<uint8_t> data = read_file(file);
    return make_network(data.data(), data.size(), name, threads, part);
  }, status);
}

nasbnn_det* load_data(const void* data, size_t bytes, int threads, Part part, nasbnn_det_status* status) {
  return loaded([&] {
    const DataName name{"what lies in memory", "the packed file in memory"};
    return make_network(static_cast<const uint8_t*>(data), bytes, name, threads, part);
  }, status);
}

template <class Keep>
int write_boxes(const std::vector<nasbnn_det_box>& found, float score_thr, nasbnn_det_box* boxes, int room, const Keep& keep) {
  int count = 0;
  for (nasbnn_det_box box : found)
    if (count < room && box.score >= score_thr && keep(box)) boxes[count++] = box;
  return count;
}

}  // namespace

nasbnn_det_geometry describe(const Geometry& g) {
  return {g.input_height, g.input_width, g.canvas_height, g.canvas_width, g.scale_x, g.scale_y};
}

void prepare(const Preprocessing& preprocessing, const Image& image, const Geometry& size, float* planes,
             const Session& session) {
  const Workers workers = session.workers();
  char* scratch = session.space().network.take<char>(preprocessing.scratch_bytes(size, workers));
  preprocessing.run(image, size, planes, scratch, workers);
}

nasbnn_det_status tell(const Problem& problem) {
  last_error = problem.what();
  return problem.kind;
}

const Isa* wanted_isa() {
  const char* name = std::getenv("NASBNN_DET_ISA");
  const Isa* isa = name && *name ? find_isa(name) : isa_at(0);
  if (isa) return isa;
  std::string known;
  for (int i = 0; const Isa* other = isa_at(i); ++i) known += (i ? ", " : "") + std::string(other->name);
  throw Problem(std::string("NASBNN_DET_ISA is '") + name + "'; whole detectors run on this machine's " + known,
                NASBNN_DET_BAD_INPUT);
}

Image check_image(const uint8_t* bgr, int64_t width, int64_t height, int64_t stride) {
  constexpr int64_t kMostPixels = 1 << 30;
  if (!bgr || width < 1 || height < 1 || width > kMostPixels / height || stride < 3 * width)
    throw Problem("an image needs 1 to " + std::to_string(kMostPixels) + " pixels and a stride of 3 bytes each; this one is " +
                  std::to_string(width) + " x " + std::to_string(height) + ", stride " + std::to_string(stride),
                  NASBNN_DET_BAD_INPUT);
  return {bgr, width, height, stride};
}

void check_prepared(int64_t height, int64_t width) {
  if (height < 1 || width < 1 || width > kMostMapValues / 3 / height)
    throw Problem("a prepared input needs 1 to " + std::to_string(kMostMapValues / 3) + " pixels; this one is " +
                  std::to_string(width) + " x " + std::to_string(height), NASBNN_DET_BAD_INPUT);
}

const Preprocessing& nasbnn_det::preparation() const {
  if (!preprocessing)
    throw Problem("the packed file does not say how images are prepared; give an input that is prepared already",
                  NASBNN_DET_BAD_INPUT);
  return *preprocessing;
}

nasbnn_det* make_network(const uint8_t* data, size_t bytes, const DataName& name, int threads, Part part, bool check_sum) {
  PackedFile file = read_packed(data, bytes, name, check_sum);
  return (part == Part::kBackbone ? make_backbone : make_described)(std::move(file), name, threads);
}

const char* nasbnn_det_error(void) { return last_error.c_str(); }

nasbnn_det* nasbnn_det_load(const char* path, int threads, nasbnn_det_status* status) {
  return load_path(path, threads, Part::kNetwork, status);
}

nasbnn_det* nasbnn_det_load_memory(const void* data, size_t bytes, int threads, nasbnn_det_status* status) {
  return load_data(data, bytes, threads, Part::kNetwork, status);
}

nasbnn_det* nasbnn_det_load_backbone(const char* path, int threads, nasbnn_det_status* status) {
  return load_path(path, threads, Part::kBackbone, status);
}

nasbnn_det* nasbnn_det_load_backbone_memory(const void* data, size_t bytes, int threads, nasbnn_det_status* status) {
  return load_data(data, bytes, threads, Part::kBackbone, status);
}

void nasbnn_det_free(nasbnn_det* network) { delete network; }

nasbnn_det_kind nasbnn_det_kind_of(const nasbnn_det* network) { return nasbnn_det_kind(network->network.index()); }

int nasbnn_det_num_classes(const nasbnn_det* network) {
  if (const auto* detector = std::get_if<DenseDetector>(&network->network)) return int(detector->head().settings().num_classes);
  const auto* classifier = std::get_if<Classifier>(&network->network);
  return classifier ? int(classifier->num_classes()) : 0;
}

const char* nasbnn_det_class_name(const nasbnn_det* network, int label) {
  return label < 0 || size_t(label) >= network->classes.size() ? nullptr : network->classes[size_t(label)].c_str();
}

int nasbnn_det_max_boxes(const nasbnn_det* network) {
  const auto* detector = std::get_if<DenseDetector>(&network->network);
  return detector ? int(detector->head().settings().max_per_img) : 0;
}

int nasbnn_det_detect(const nasbnn_det* network, const uint8_t* bgr, int64_t width, int64_t height, int64_t stride,
                      float score_thr, nasbnn_det_box* boxes, int room) {
  int count = 0;
  const nasbnn_det_status status = guarded([&] {
    network->detector();
    const Image image = check_image(bgr, width, height, stride);
    const Geometry size = network->preparation().plan(width, height);
    Session session(network->threads);
    float* planes = session.space().network.take<float>(3 * size.input_height * size.input_width);
    prepare(network->preparation(), image, size, planes, session);
    const Frame frame{float(size.canvas_width), float(size.canvas_height), float(size.scale_x), float(size.scale_y)};
    const auto found = find(*network, planes, size.input_height, size.input_width, frame, session);
    // Boxes end at the image's border; one that lies wholly in what the image was padded with is left out.
    count = write_boxes(found, score_thr, boxes, room, [&](nasbnn_det_box& box) {
      box.x1 = std::min(box.x1, float(width));
      box.x2 = std::min(box.x2, float(width));
      box.y1 = std::min(box.y1, float(height));
      box.y2 = std::min(box.y2, float(height));
      return box.x2 > box.x1 && box.y2 > box.y1;
    });
  });
  return status ? -int(status) : count;
}

int nasbnn_det_detect_prepared(const nasbnn_det* network, const float* planes, const nasbnn_det_geometry* geometry,
                               float score_thr, nasbnn_det_box* boxes, int room) {
  int count = 0;
  const nasbnn_det_status status = guarded([&] {
    const nasbnn_det_geometry& g = *geometry;
    check_prepared(g.height, g.width);
    Session session(network->threads);
    const Frame frame{float(g.image_width), float(g.image_height), float(g.scale_x), float(g.scale_y)};
    const auto found = find(*network, planes, g.height, g.width, frame, session);
    count = write_boxes(found, score_thr, boxes, room, [](nasbnn_det_box&) { return true; });
  });
  return status ? -int(status) : count;
}

nasbnn_det_status nasbnn_det_classify(const nasbnn_det* network, const uint8_t* bgr, int64_t width, int64_t height,
                                      int64_t stride, float* logits, float* probabilities) {
  return guarded([&] {
    network->classifier();
    const Image image = check_image(bgr, width, height, stride);
    const Geometry size = network->preparation().plan(width, height);
    Session session(network->threads);
    float* planes = session.space().network.take<float>(3 * size.input_height * size.input_width);
    prepare(network->preparation(), image, size, planes, session);
    classify(*network, planes, size.input_height, size.input_width, session, logits, probabilities);
  });
}

nasbnn_det_status nasbnn_det_classify_prepared(const nasbnn_det* network, const float* planes, int64_t height, int64_t width,
                                               float* logits, float* probabilities) {
  return guarded([&] {
    check_prepared(height, width);
    Session session(network->threads);
    classify(*network, planes, height, width, session, logits, probabilities);
  });
}

int nasbnn_det_num_maps(const nasbnn_det* network) {
  const auto* backbone = std::get_if<Backbone>(&network->network);
  return backbone ? int(backbone->maps()) : 0;
}

nasbnn_det_status nasbnn_det_map_sizes(const nasbnn_det* network, int64_t height, int64_t width, int64_t* sizes) {
  return guarded([&] {
    check_prepared(height, width);
    for (const Map& map : network->backbone().sizes(height, width))
      for (int64_t size : {map.height, map.width, map.channels}) *sizes++ = size;
  });
}

nasbnn_det_status nasbnn_det_maps(const nasbnn_det* network, const float* planes, int64_t height, int64_t width,
                                  float* const* maps) {
  return guarded([&] {
    check_prepared(height, width);
    Session session(network->threads);
    for (const Map& map : network->backbone().forward(planes, height, width, run_in(*network, session)))
      std::copy_n(map.data, map.values(), *maps++);
  });
}

nasbnn_det_status nasbnn_det_plan(const nasbnn_det* network, int64_t width, int64_t height, nasbnn_det_geometry* geometry) {
  return guarded([&] { *geometry = describe(network->preparation().plan(width, height)); });
}

nasbnn_det_status nasbnn_det_prepare(const nasbnn_det* network, const uint8_t* bgr, int64_t width, int64_t height,
                                     int64_t stride, float* planes) {
  return guarded([&] {
    const Image image = check_image(bgr, width, height, stride);
    Session session(network->threads);
    prepare(network->preparation(), image, network->preparation().plan(width, height), planes, session);
  });
}
