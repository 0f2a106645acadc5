#include "head.h"

#include "problem.h"

namespace {

const std::map<std::string, MakeHead*> kKinds = {
    {"fcos", make_fcos}, {"retinanet", make_retinanet}, {"rtmdet", make_rtmdet}, {"ssd", make_ssd}};

}  // namespace

std::unique_ptr<Head> Head::make(const Json& network) {
  const Json* said = network.find("kind");
  const auto found = kKinds.find(said && said->is(Json::Kind::kString) ? said->text : "");
  if (found != kKinds.end()) return found->second(network);
  std::string known;
  for (const auto& kind : kKinds) known += (known.empty() ? "'" : ", '") + kind.first + "'";
  throw Problem("its network is " + network.brief() + "; this release knows the kinds " + known);
}
