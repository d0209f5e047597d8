#pragma once

#include <filesystem>
#include <string>

namespace localbatch {

class ProcessGroup;
struct SelfTestRequest;

/// Where the runs of a self-test read and write.
struct TestFolders {
  std::filesystem::path output;  ///< of results, the same on all ranks
  std::filesystem::path own;     ///< of this rank, with the experiment file
};

// The checks of a self-test. Each returns what differs on this rank, nothing where all is well, and
// those that have processes are collective.

// Loss and gradient of a small network, whose convolution oneDNN or our own Winograd kernels
// compute, against loops as one would write them down; in bf16 only where the CPU has it.
std::string check_direct_convolution();
std::string check_winograd_convolution();
std::string check_bfloat16();

/// All layers of ResNet-20: the gradient by Winograd's kernels against that by oneDNN's.
std::string check_resnet();

/// A mean over workers on all ranks, of numbers whose mean is exact.
std::string check_average(ProcessGroup& processes);

/// The curves and parameters of a short run on all ranks and on rank 0 alone; with a single rank,
/// with one thread a worker and with two.
std::string check_placement(const SelfTestRequest& request, const TestFolders& folders,
                            ProcessGroup& processes);

/// The same run, stopped behind a checkpoint and gone on with. After check_placement().
std::string check_checkpoint(const SelfTestRequest& request, const TestFolders& folders,
                             ProcessGroup& processes);

}  // namespace localbatch
