// The C interface of a whole detector, include/nasbnn_det.h.
#include "detector.h"

#include <algorithm>
#include <cstdlib>

namespace {

thread_local std::string last_error;

std::vector<std::string> read_classes(const Json* classes, int64_t wanted) {
  std::vector<std::string> out;
  if (classes)
    for (const Json& name : classes->items)
      if (name.is(Json::Kind::kString)) out.push_back(name.text);
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

std::vector<nasbnn_det_box> find(const nasbnn_det& detector, const float* planes, int64_t height, int64_t width,
                                 const Frame& frame, const Session& session) {
  const Run run{session.workers(), *detector.isa, session.space()};
  return decode(detector.network.forward(planes, height, width, run), detector.network.settings(), frame);
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

nasbnn_det* make_detector(const uint8_t* data, size_t bytes, const DataName& name, int threads, bool check_sum) {
  PackedFile file = read_packed(data, bytes, name, check_sum);
  const Json* network = file.header.find("network");
  if (!network || network->is(Json::Kind::kNull)) {
    const Json* reason = file.header.find("needs_config");
    const bool said = reason && reason->is(Json::Kind::kString);
    throw Problem(name.packed + " does not stand by itself" + (said ? " (" + reason->text + ")" : "") +
                  ": evaluate it with tools/test.py CONFIG FILE");
  }
  try {
    const Json* kind = network->find("kind");
    if (!kind || !kind->is(Json::Kind::kString) || kind->text != "rtmdet")
      throw Problem("its network is " + network->brief() + "; this release knows the kind 'rtmdet'");
    RtmDet built(std::move(file.chains), *network);
    Preprocessing preprocessing = Preprocessing::read(file.header.find("preprocessing"));
    auto classes = read_classes(file.header.find("classes"), built.settings().num_classes);
    return new nasbnn_det{std::move(built), std::move(preprocessing), std::move(classes), wanted_isa(),
                          allowed_threads(threads)};
  } catch (const Problem& problem) {
    if (problem.kind != NASBNN_DET_BAD_FILE) throw;
    throw Problem(name.packed + " describes no detector: " + problem.what());
  }
}

const char* nasbnn_det_error(void) { return last_error.c_str(); }

nasbnn_det* nasbnn_det_load(const char* path, int threads, nasbnn_det_status* status) {
  return loaded([&] {
    const std::string file(path ? path : ""), quoted = "'" + file + "'";
    const DataName name{quoted, "packed file " + quoted};
    const std::vector<uint8_t> data = read_file(file);
    return make_detector(data.data(), data.size(), name, threads);
  }, status);
}

nasbnn_det* nasbnn_det_load_memory(const void* data, size_t bytes, int threads, nasbnn_det_status* status) {
  return loaded([&] {
    const DataName name{"what lies in memory", "the packed file in memory"};
    return make_detector(static_cast<const uint8_t*>(data), bytes, name, threads);
  }, status);
}

void nasbnn_det_free(nasbnn_det* detector) { delete detector; }

int nasbnn_det_num_classes(const nasbnn_det* detector) { return int(detector->classes.size()); }

const char* nasbnn_det_class_name(const nasbnn_det* detector, int label) {
  return label < 0 || size_t(label) >= detector->classes.size() ? nullptr : detector->classes[size_t(label)].c_str();
}

int nasbnn_det_max_boxes(const nasbnn_det* detector) { return int(detector->network.settings().max_per_img); }

int nasbnn_det_detect(const nasbnn_det* detector, const uint8_t* bgr, int64_t width, int64_t height, int64_t stride,
                      float score_thr, nasbnn_det_box* boxes, int room) {
  int count = 0;
  const nasbnn_det_status status = guarded([&] {
    const Image image = check_image(bgr, width, height, stride);
    const Geometry size = detector->preprocessing.plan(width, height);
    Session session(detector->threads);
    float* planes = session.space().network.take<float>(3 * size.input_height * size.input_width);
    prepare(detector->preprocessing, image, size, planes, session);
    const Frame frame{float(size.canvas_width), float(size.canvas_height), float(size.scale_x), float(size.scale_y)};
    const auto found = find(*detector, planes, size.input_height, size.input_width, frame, session);
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

int nasbnn_det_detect_prepared(const nasbnn_det* detector, const float* planes, const nasbnn_det_geometry* geometry,
                               float score_thr, nasbnn_det_box* boxes, int room) {
  int count = 0;
  const nasbnn_det_status status = guarded([&] {
    const nasbnn_det_geometry& g = *geometry;
    if (g.height < 1 || g.width < 1 || g.width > kMostMapValues / 3 / g.height)
      throw Problem("a prepared input needs 1 to " + std::to_string(kMostMapValues / 3) + " pixels; this one is " +
                    std::to_string(g.width) + " x " + std::to_string(g.height), NASBNN_DET_BAD_INPUT);
    Session session(detector->threads);
    const Frame frame{float(g.image_width), float(g.image_height), float(g.scale_x), float(g.scale_y)};
    const auto found = find(*detector, planes, g.height, g.width, frame, session);
    count = write_boxes(found, score_thr, boxes, room, [](nasbnn_det_box&) { return true; });
  });
  return status ? -int(status) : count;
}

nasbnn_det_status nasbnn_det_plan(const nasbnn_det* detector, int64_t width, int64_t height, nasbnn_det_geometry* geometry) {
  return guarded([&] { *geometry = describe(detector->preprocessing.plan(width, height)); });
}

nasbnn_det_status nasbnn_det_prepare(const nasbnn_det* detector, const uint8_t* bgr, int64_t width, int64_t height,
                                     int64_t stride, float* planes) {
  return guarded([&] {
    const Image image = check_image(bgr, width, height, stride);
    Session session(detector->threads);
    prepare(detector->preprocessing, image, detector->preprocessing.plan(width, height), planes, session);
  });
}
