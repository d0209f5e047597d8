#pragma once

#include <span>
#include <string>

namespace localbatch {

/// `describe FILE [options]`, the file first: the network of an experiment, and which algorithm
/// computes each of its convolutions here.
int describe_experiment(std::span<const std::string> arguments);

}  // namespace localbatch
