// A network as the C interface holds it, and how its calls end.
#pragma once
#include <optional>
#include <variant>

#include "backbone.h"
#include "classifier.h"
#include "dense_detector.h"
#include "packed_file.h"
#include "preprocess.h"
#include "problem.h"
#include "team.h"

struct nasbnn_det {
  std::variant<DenseDetector, Classifier, Backbone> network;  // in the order of nasbnn_det_kind
  std::optional<Preprocessing> preprocessing;                 // none: the file says nothing of it
  std::vector<std::string> classes;
  const Isa* isa;
  int threads;

  // Throw Problem if it is another kind of network, or the file says nothing of preprocessing.
  const DenseDetector& detector() const { return get<DenseDetector>("boxes", "detector"); }
  const Classifier& classifier() const { return get<Classifier>("logits", "classifier"); }
  const Backbone& backbone() const { return get<Backbone>("maps", "backbone"); }
  const Preprocessing& preparation() const;

 private:
  template <class Kind>
  const Kind& get(const char* wanted, const char* kind) const {
    const Kind* found = std::get_if<Kind>(&network);
    if (!found)
      throw Problem(std::string("this network is no ") + kind + " and gives no " + wanted, NASBNN_DET_BAD_INPUT);
    return *found;
  }
};

// Keeps the sentence for nasbnn_det_error; returns the kind.
nasbnn_det_status tell(const Problem& problem);

// The instruction set that NASBNN_DET_ISA names, else the best.
const Isa* wanted_isa();

// What an image may be; throws Problem.
Image check_image(const uint8_t* bgr, int64_t width, int64_t height, int64_t stride);

// A prepared input of this size; throws Problem if it is none.
void check_prepared(int64_t height, int64_t width);

// What a file's content is loaded as: the network that it describes, or its backbone alone.
enum class Part { kNetwork, kBackbone };

// Throws Problem.
nasbnn_det* make_network(const uint8_t* data, size_t bytes, const DataName& name, int threads, Part part,
                         bool check_sum = true);

// Runs a call; what it throws becomes a status.
template <class Call>
nasbnn_det_status guarded(const Call& call) {
  try {
    call();
    return NASBNN_DET_OK;
  } catch (const Problem& problem) {
    return tell(problem);
  } catch (const std::exception& error) {  // no memory or no threads left
    return tell(Problem(std::string("not enough memory for the packed network: ") + error.what(), NASBNN_DET_NO_MEMORY));
  }
}

// Threads and memory of one call.
class Session {
 public:
  explicit Session(int threads) : lease_(threads), space_(take_workspace()) { space_->network.reset(); }
  ~Session() { return_workspace(std::move(space_)); }
  Workers workers() const { return lease_.workers(); }
  Workspace& space() const { return *space_; }

 private:
  TeamLease lease_;
  std::unique_ptr<Workspace> space_;
};

nasbnn_det_geometry describe(const Geometry& size);

// Prepares an image in a session's memory and on its threads.
void prepare(const Preprocessing& preprocessing, const Image& image, const Geometry& size, float* planes,
             const Session& session);
