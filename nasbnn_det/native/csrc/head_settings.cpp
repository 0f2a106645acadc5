#include "head_settings.h"

#include <cmath>

#include "problem.h"

namespace {

constexpr double kLargest = 1e6;

void read_strides(const std::string& key, const Json& value, std::vector<int64_t>& out) {
  for (const Json& item : value.items) {
    int64_t stride;
    if (!item.to_int(stride) || stride < 1 || stride > 1024) break;
    out.push_back(stride);
  }
  if (out.empty() || out.size() > 8 || out.size() != value.items.size())
    throw Problem(key + " are " + value.brief() + "; allowed are 1 to 8 integers from 1 to 1024");
}

}  // namespace

Readers::mapped_type int_reader(int64_t low, int64_t high, int64_t& out) {
  return [low, high, &out](const std::string& key, const Json& value) {
    if (!value.to_int(out) || out < low || out > high)
      throw Problem(key + " is " + value.brief() + "; allowed are integers from " + std::to_string(low) + " to " +
                    std::to_string(high));
  };
}

Readers::mapped_type real_reader(double& out) {
  return [&out](const std::string& key, const Json& value) {
    if (!value.to_double(out) || std::fabs(out) >= kLargest)
      throw Problem(key + " is " + value.brief() + "; a finite number is wanted");
  };
}

Readers::mapped_type bool_reader(bool& out) {
  return [&out](const std::string& key, const Json& value) {
    if (!value.is(Json::Kind::kBool)) throw Problem(key + " is " + value.brief() + "; allowed are true and false");
    out = value.truth;
  };
}

std::vector<float> read_reals(const std::string& key, const Json& value, size_t least, size_t most) {
  std::vector<float> out;
  double number;
  for (const Json& item : value.items)
    if (out.size() < most && item.to_double(number) && std::fabs(number) < kLargest) out.push_back(float(number));
  if (out.size() < least || out.size() != value.items.size())
    throw Problem(key + " has " + value.brief() + "; " + std::to_string(least) +
                  (least == most ? "" : " to " + std::to_string(most)) + " finite numbers are wanted");
  return out;
}

HeadSettings read_settings(const Json& network, const Readers& own) {
  HeadSettings s;
  Readers readers = own;
  readers["num_classes"] = int_reader(1, 1 << 14, s.num_classes);
  readers["strides"] = [&s](const std::string& key, const Json& value) { read_strides(key, value, s.strides); };
  readers["neck"] = [&s](const std::string& key, const Json& value) {
    if (!value.is(Json::Kind::kString)) throw Problem(key + " is " + value.brief() + "; its name is wanted");
    s.neck = value.text;
  };
  readers["score_thr"] = real_reader(s.score_thr);
  readers["nms_pre"] = int_reader(-1, 1 << 20, s.nms_pre);
  readers["iou_threshold"] = real_reader(s.iou_threshold);
  readers["max_per_img"] = int_reader(1, 1 << 16, s.max_per_img);
  readers["min_bbox_size"] = real_reader(s.min_bbox_size);
  bool known = true;
  for (const auto& [key, value] : network.members) {
    const auto found = readers.find(key);
    if (found != readers.end()) found->second(key, value);
    else known = known && key == "kind";
  }
  std::string names;
  for (const auto& reader : readers) names += (names.empty() ? "'" : ", '") + reader.first + "'";
  if (!known || !s.num_classes || s.strides.empty())
    throw Problem("the head is described by " + names + "; num_classes and strides must be among them");
  return s;
}
