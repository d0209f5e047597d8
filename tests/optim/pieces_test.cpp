#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "core/random.h"
#include "core/vector_math.h"
#include "optim/inner_optimizer.h"

using namespace localbatch;

TEST_CASE("a local step has the same bits however the parameters are cut into pieces") {
  constexpr std::size_t kCount = 50, kPiece = 7;
  const ParallelFor last_piece_first = [=](std::size_t count, const RangeWork& work) {
    for (std::size_t last = count; last > 0; last -= std::min(last, kPiece))
      work(last - std::min(last, kPiece), last);
  };
  const ParameterLayout layout{.size = kCount,
                               .vectors = {{0, 3}},
                               .hidden_matrices = {{.first = 5, .rows = 3, .columns = 4},
                                                   {.first = 17, .rows = 4, .columns = 6}}};
  for (const InnerOptimizerFactory& factory :
       {make_sgd({.weight_decay = 0.01}), make_sgd({.momentum = 0.9}),
        make_sgd({.momentum = 0.9, .nesterov = true}), make_adamw(AdamwSettings{}),
        make_muon(MuonSettings{})}) {
    const auto whole = factory.make(layout), cut = factory.make(layout);
    std::vector<float> x(kCount, 1), y(kCount, 1), gradient(kCount);
    RandomStream random(1, Purpose::kTest);
    for (int step = 1; step <= 3; ++step) {
      for (float& value : gradient) value = random.normal();
      whole->step(x, gradient, 0.1);
      cut->step(y, gradient, {.learning_rate = 0.1}, last_piece_first);
    }
    CHECK(x == y);
    CHECK(std::ranges::equal(whole->state(), cut->state()));
    CHECK(whole->steps() == 3);
    CHECK(cut->steps() == 3);
  }
}
