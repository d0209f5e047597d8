#include "experiment/earlier_keys.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace localbatch {

namespace {

struct EarlierKey {
  std::string_view key, value;  ///< as it was
  std::string_view todays_key, todays_value;
};

constexpr std::array kEarlierKeys{EarlierKey{"winograd", "true", "convolution", "auto"},
                                  EarlierKey{"winograd", "false", "convolution", "direct"}};

}  // namespace

void translate_earlier_keys(Node& experiment) {
  for (const EarlierKey& earlier : kEarlierKeys) {
    if (experiment.find(std::string(earlier.todays_key)) != nullptr) continue;
    const auto found = std::ranges::find_if(experiment.entries, [&](const Node::Entry& entry) {
      return entry.key == earlier.key && entry.value.scalar == earlier.value;
    });
    if (found == experiment.entries.end()) continue;
    found->key = earlier.todays_key;
    found->value.scalar = earlier.todays_value;
  }
}

}  // namespace localbatch
