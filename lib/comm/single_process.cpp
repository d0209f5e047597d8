#include <algorithm>

#include "comm/process_group.h"
#include "core/error.h"

namespace localbatch {

namespace {

template <class T>
void copy_all(std::span<const T> from, std::span<T> to) {
  check(from.size() == to.size(), "a process alone receives what it sends");
  std::ranges::copy(from, to.begin());
}

class SingleProcess final : public ProcessGroup {
 public:
  int rank() const override { return 0; }
  int num_ranks() const override { return 1; }

  void exchange(std::span<const float> send, std::span<const std::size_t> /*send_counts*/,
                std::span<float> receive,
                std::span<const std::size_t> /*receive_counts*/) override {
    copy_all(send, receive);
  }
  void gather_all(std::span<const float> mine, std::span<float> all,
                  std::span<const std::size_t> /*counts*/) override {
    copy_all(mine, all);
  }
  void gather_all(std::span<const double> mine, std::span<double> all,
                  std::span<const std::size_t> /*counts*/) override {
    copy_all(mine, all);
  }
  int max(int value) override { return value; }
};

}  // namespace

std::unique_ptr<ProcessGroup> single_process() { return std::make_unique<SingleProcess>(); }

}  // namespace localbatch
