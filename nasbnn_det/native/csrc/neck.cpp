#include "neck.h"

#include "problem.h"

namespace {

const std::map<std::string, MakeNeck*> kNecks = {{"extra", make_extra}, {"fpn", make_fpn}, {"pafpn", make_pafpn}};

// SSD (arXiv 1512.02325): the backbone's maps as they are.
class Extra : public Neck {
  void join(std::vector<Map>&, const Run&) const override {}
};

}  // namespace

std::unique_ptr<Neck> make_extra(Chains&, std::vector<int64_t>&) { return std::make_unique<Extra>(); }

size_t extra_levels(const Chains& chains) {
  size_t count = 0;
  while (chains.has("neck.extra." + std::to_string(count))) ++count;
  return count;
}

std::vector<Line> take_laterals(Chains& chains, std::vector<int64_t>& channels) {
  std::vector<Line> laterals;
  for (size_t i = 0; i < channels.size(); ++i)
    laterals.push_back(chains.take("neck.laterals." + std::to_string(i), channels[i], i ? laterals[0].channels() : 0));
  channels.assign(channels.size(), laterals[0].channels());
  return laterals;
}

std::unique_ptr<Neck> Neck::make(const std::string& name, Chains& chains, std::vector<int64_t>& channels) {
  const auto found = kNecks.find(name);
  if (found == kNecks.end()) {
    std::string known;
    for (const auto& neck : kNecks) known += (known.empty() ? "'" : ", '") + neck.first + "'";
    throw Problem("its neck is '" + name + "'; this release knows " + known);
  }
  std::unique_ptr<Neck> neck = found->second(chains, channels);
  const size_t extra = extra_levels(chains);
  for (size_t i = 0; i < extra; ++i) {
    neck->extra_.push_back(chains.take("neck.extra." + std::to_string(i), channels.back()));
    channels.push_back(neck->extra_.back().channels());
  }
  return neck;
}

std::vector<Map> Neck::forward(std::vector<Map> maps, const Run& run) const {
  join(maps, run);
  for (const Line& line : extra_) maps.push_back(run_map(line, maps.back(), run));
  return maps;
}
