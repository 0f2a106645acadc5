// A detector as the C interface holds it, and how its calls end.
#pragma once
#include "packed_file.h"
#include "preprocess.h"
#include "problem.h"
#include "rtmdet.h"
#include "team.h"

struct nasbnn_det {
  RtmDet network;
  Preprocessing preprocessing;
  std::vector<std::string> classes;
  const Isa* isa;
  int threads;
};

// Keeps the sentence for nasbnn_det_error; returns the kind.
nasbnn_det_status tell(const Problem& problem);

// The instruction set that NASBNN_DET_ISA names, else the best.
const Isa* wanted_isa();

// What an image may be; throws Problem.
Image check_image(const uint8_t* bgr, int64_t width, int64_t height, int64_t stride);

// A detector of a file's content; throws Problem.
nasbnn_det* make_detector(const uint8_t* data, size_t bytes, const DataName& name, int threads, bool check_sum = true);

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
