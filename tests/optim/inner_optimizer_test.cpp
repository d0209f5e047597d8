#include "optim/inner_optimizer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/make_node.h"
#include "core/random.h"

using namespace localbatch;

namespace {

using Keys = std::vector<std::pair<std::string, Node>>;

InnerOptimizerFactory read_inner_optimizer(const Keys& keys) {
  const Node file = map(keys);
  Options options(file);
  InnerOptimizerFactory factory = make_part(inner_optimizer_table(), options, "", "");
  options.finish();
  return factory;
}

std::vector<double> random_vector(std::size_t size, std::uint64_t owner) {
  RandomStream stream(11, Purpose::kTest, owner);
  std::vector<double> values(size);
  for (double& value : values) value = stream.normal();
  return values;
}

std::vector<float> to_float(const std::vector<double>& values) {
  std::vector<float> result;
  result.reserve(values.size());
  for (const double value : values) result.push_back(static_cast<float>(value));
  return result;
}

/// The largest distance between ten steps of the optimizer and ten of `reference` in double, which
/// gets (parameters, gradient, learning rate, step counted from 1).
template <class Reference>
double largest_deviation(const InnerOptimizerFactory& factory, Reference reference) {
  constexpr std::size_t kCount = 1003;
  std::vector<double> exact = random_vector(kCount, 1000);
  std::vector<float> x = to_float(exact);
  std::ranges::copy(x, exact.begin());
  const auto optimizer = factory.make({.size = kCount});
  double largest = 0;
  for (int t = 1; t <= 10; ++t) {
    const std::vector<float> gradient = to_float(random_vector(kCount, t));
    const double lr = 0.1 / t;
    optimizer->step(x, gradient, lr);
    reference(exact, std::vector<double>(gradient.begin(), gradient.end()), lr, t);
    for (std::size_t i = 0; i < kCount; ++i)
      largest = std::max(largest, std::abs(exact[i] - double{x[i]}));
  }
  return largest;
}

/// Three steps of the small problem of torch_reference() below.
std::vector<float> three_steps(const InnerOptimizerFactory& factory) {
  std::vector<float> x{1, -2, 0.5, 3};
  const auto optimizer = factory.make({.size = x.size()});
  for (int t = 0; t < 3; ++t) {
    std::vector<float> gradient{0.5, -1, 0.25, 2};
    for (float& g : gradient) g = g * static_cast<float>(t + 1) - 0.125F * static_cast<float>(t);
    optimizer->step(x, gradient, 0.1);
  }
  return x;
}

void check_near(const std::vector<float>& x, const std::vector<double>& expected) {
  REQUIRE(x.size() == expected.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(double{x[i]} == doctest::Approx(expected[i]).epsilon(1e-6));
}

constexpr double kRoundOff = 5e-6;

}  // namespace

TEST_CASE("plain SGD moves against the gradient and has no state") {
  const auto optimizer = make_sgd(SgdSettings{}).make({.size = 2});
  std::vector<float> x{1, -1};
  const std::vector<float> gradient{2, 4};
  optimizer->step(x, gradient, 0.25);
  CHECK(x == std::vector<float>{0.5, -2});
  CHECK(gradient == std::vector<float>{2, 4});
  CHECK(optimizer->state().empty());
  CHECK(optimizer->steps() == 1);
}

TEST_CASE("heavy-ball momentum: two steps by hand") {
  // u = 4, x = 8 - 0.5 4 = 6; then u = 0.5 4 + 4 = 6, x = 6 - 0.5 6 = 3.
  const auto optimizer = make_sgd({.momentum = 0.5}).make({.size = 1});
  std::vector<float> x{8};
  const std::vector<float> gradient{4};
  optimizer->step(x, gradient, 0.5);
  CHECK(x[0] == 6);
  optimizer->step(x, gradient, 0.5);
  CHECK(x[0] == 3);
  CHECK(optimizer->state()[0] == 6);
}

TEST_CASE("Nesterov momentum with weight decay: two steps by hand") {
  // g = 4 + 0.25 8 = 6, u = 6, x = 8 - 0.5 (6 + 3) = 3.5;
  // g = 4 + 0.25 3.5 = 4.875, u = 3 + 4.875 = 7.875, x = 3.5 - 0.5 (4.875 + 3.9375).
  const auto optimizer =
      make_sgd({.momentum = 0.5, .weight_decay = 0.25, .nesterov = true}).make({.size = 1});
  std::vector<float> x{8};
  const std::vector<float> gradient{4};
  optimizer->step(x, gradient, 0.5);
  CHECK(x[0] == 3.5F);
  optimizer->step(x, gradient, 0.5);
  CHECK(x[0] == 3.5F - 0.5F * (4.875F + 3.9375F));
}

TEST_CASE("AdamW's first step has the length of the learning rate, whatever the gradient's scale") {
  const auto optimizer = make_adamw({.weight_decay = 0}).make({.size = 3});
  std::vector<float> x{1, 1, 1};
  const std::vector<float> gradient{1e-3F, -1e3F, 0};
  optimizer->step(x, gradient, 0.25);
  CHECK(x[0] == doctest::Approx(0.75).epsilon(1e-4));
  CHECK(x[1] == doctest::Approx(1.25).epsilon(1e-6));
  CHECK(x[2] == 1);
}

TEST_CASE("AdamW's weight decay is decoupled: it acts alone where the gradient is zero") {
  const auto optimizer = make_adamw({.weight_decay = 0.5}).make({.size = 1});
  std::vector<float> x{8};
  optimizer->step(x, std::vector<float>{0}, 0.25);
  CHECK(x[0] == 7);
}

TEST_CASE("SGD follows a double-precision implementation") {
  const double momentum = 0.9, decay = 0.01;
  const InnerOptimizerFactory plain = make_sgd({.weight_decay = decay});
  CHECK(largest_deviation(plain, [=](auto& x, const auto& g, double lr, int) {
          for (std::size_t i = 0; i < x.size(); ++i) x[i] -= lr * (g[i] + decay * x[i]);
        }) < kRoundOff);
  for (const bool nesterov : {false, true}) {
    CAPTURE(nesterov);
    std::vector<double> u(1003, -1e9);  // the first step must not look at it
    const InnerOptimizerFactory sgd =
        make_sgd({.momentum = momentum, .weight_decay = decay, .nesterov = nesterov});
    const auto reference = [&](auto& x, const auto& gradient, double lr, int t) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        double d = gradient[i] + decay * x[i];
        u[i] = t == 1 ? d : momentum * u[i] + d;
        d = nesterov ? d + momentum * u[i] : u[i];
        x[i] -= lr * d;
      }
    };
    CHECK(largest_deviation(sgd, reference) < kRoundOff);
  }
}

TEST_CASE("AdamW follows a double-precision implementation") {
  const double beta1 = 0.8, beta2 = 0.95, epsilon = 1e-3, decay = 0.3;
  std::vector<double> m(1003), v(1003);
  const InnerOptimizerFactory adamw =
      make_adamw({.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .weight_decay = decay});
  const auto reference = [&](auto& x, const auto& g, double lr, int t) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] *= 1 - lr * decay;
      m[i] = beta1 * m[i] + (1 - beta1) * g[i];
      v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
      const double m_hat = m[i] / (1 - std::pow(beta1, t));
      const double v_hat = v[i] / (1 - std::pow(beta2, t));
      x[i] -= lr * m_hat / (std::sqrt(v_hat) + epsilon);
    }
  };
  CHECK(largest_deviation(adamw, reference) < kRoundOff);
}

TEST_CASE("three steps end where PyTorch's do") {
  // Numbers of torch 1.13.1, float32, printed by
  //   x = torch.tensor([1.0, -2.0, 0.5, 3.0], requires_grad=True); o = torch.optim.SGD([x], lr=0.1,
  //   ...); for t in range(3): x.grad = torch.tensor([0.5, -1.0, 0.25, 2.0]) * (t + 1) - 0.125 * t;
  //   o.step()
  check_near(three_steps(make_sgd(SgdSettings{})),
             {0.737500012, -1.36249995, 0.387499988, 1.83749986});
  check_near(three_steps(make_sgd({.momentum = 0.9, .weight_decay = 0.01})),
             {0.567922235, -0.98963201, 0.30832988, 1.13108158});
  check_near(three_steps(make_sgd({.momentum = 0.9, .weight_decay = 0.01, .nesterov = true})),
             {0.346220344, -0.448451042, 0.213775113, 0.148926884});
  // torch.optim.AdamW([x], lr=0.1, weight_decay=0.01)
  check_near(three_steps(make_adamw(AdamwSettings{})),
             {0.702252626, -1.70327556, 0.200995088, 2.69832087});
  // torch.optim.AdamW([x], lr=0.1, betas=(0.8, 0.95), eps=0.1, weight_decay=0.5)
  check_near(
      three_steps(make_adamw({.beta1 = 0.8, .beta2 = 0.95, .epsilon = 0.1, .weight_decay = 0.5})),
      {0.610290885, -1.45218849, 0.212165281, 2.30007529});
}

TEST_CASE("an optimizer that gets another one's state and step count goes on like it") {
  for (const InnerOptimizerFactory& factory :
       {make_sgd({.momentum = 0.9}), make_adamw(AdamwSettings{})}) {
    const auto first = factory.make({.size = 50}), resumed = factory.make({.size = 50});
    std::vector<float> x = to_float(random_vector(50, 1));
    for (int t = 0; t < 3; ++t) first->step(x, to_float(random_vector(50, 2 + t)), 0.1);

    std::vector<float> y = x;
    std::ranges::copy(first->state(), resumed->state().begin());
    resumed->steps() = first->steps();
    const std::vector<float> gradient = to_float(random_vector(50, 9));
    first->step(x, gradient, 0.1);
    resumed->step(y, gradient, 0.1);
    CHECK(x == y);
    CHECK(first->steps() == 4);
  }
}

TEST_CASE("zero state and zero steps make an optimizer new") {
  const InnerOptimizerFactory factory = make_adamw(AdamwSettings{});
  const auto used = factory.make({.size = 20}), fresh = factory.make({.size = 20});
  CHECK(used->state().size() == 40);
  std::vector<float> elsewhere(20, 1.0F);
  used->step(elsewhere, to_float(random_vector(20, 1)), 0.1);
  std::ranges::fill(used->state(), 0.0F);
  used->steps() = 0;
  std::vector<float> x(20, 2.0F), y(20, 2.0F);
  used->step(x, to_float(random_vector(20, 2)), 0.1);
  fresh->step(y, to_float(random_vector(20, 2)), 0.1);
  CHECK(x == y);
}

TEST_CASE("each key of an inner optimizer sets its own number") {
  const Node sgd = scalar("sgd"), adamw = scalar("adamw"), yes = scalar("true");
  CHECK(three_steps(read_inner_optimizer({{"name", sgd}})) == three_steps(make_sgd(SgdSettings{})));
  const Keys all_of_sgd{{"name", sgd},
                        {"momentum", scalar("0.75")},
                        {"nesterov", yes},
                        {"weight_decay", scalar("0.125")}};
  const SgdSettings sgd_settings{.momentum = 0.75, .weight_decay = 0.125, .nesterov = true};
  CHECK(three_steps(read_inner_optimizer(all_of_sgd)) == three_steps(make_sgd(sgd_settings)));
  CHECK(read_inner_optimizer(all_of_sgd).linear->momentum == 0.75);
  CHECK(read_inner_optimizer(all_of_sgd).linear->nesterov);
  CHECK(three_steps(read_inner_optimizer({{"name", adamw}})) ==
        three_steps(make_adamw(AdamwSettings{})));
  CHECK_FALSE(read_inner_optimizer({{"name", adamw}}).linear);
  const Keys all_of_adamw{{"name", adamw},
                          {"beta1", scalar("0.8")},
                          {"beta2", scalar("0.95")},
                          {"epsilon", scalar("0.1")},
                          {"weight_decay", scalar("0.5")}};
  const AdamwSettings adamw_settings{
      .beta1 = 0.8, .beta2 = 0.95, .epsilon = 0.1, .weight_decay = 0.5};
  CHECK(three_steps(read_inner_optimizer(all_of_adamw)) == three_steps(make_adamw(adamw_settings)));
}

TEST_CASE("what happens to the state at a synchronization is a named choice, keep by default") {
  for (const char* name : {"sgd", "adamw"}) {
    const auto policy = [&](const char* value) {
      return read_inner_optimizer({{"name", scalar(name)}, {"at_sync", scalar(value)}}).at_sync;
    };
    CHECK(read_inner_optimizer({{"name", scalar(name)}}).at_sync == StatePolicy::kKeep);
    CHECK(policy("keep") == StatePolicy::kKeep);
    CHECK(policy("average") == StatePolicy::kAverage);
    CHECK(policy("reset") == StatePolicy::kReset);
  }
  CHECK_THROWS_WITH_AS(
      read_inner_optimizer({{"name", scalar("sgd")}, {"at_sync", scalar("averge", 2, 9)}}),
      "test.yaml:2:9: at_sync: found 'averge', allowed is keep | average | reset (did you mean "
      "'average'?)",
      InputError);
}

TEST_CASE("Nesterov's step without momentum is refused") {
  CHECK_THROWS_WITH_AS(
      read_inner_optimizer({{"name", scalar("sgd")}, {"nesterov", scalar("true", 3, 11)}}),
      "test.yaml:3:11: nesterov: found true with momentum 0, needs momentum above "
      "0",
      InputError);
}

TEST_CASE("all inner optimizers can be described") {
  for (const PartRow<InnerOptimizerFactory>& row : inner_optimizer_table()) {
    Options options = Options::describing();
    CHECK_NOTHROW(row.make(options));
    for (const Declaration& declared : options.declarations())
      CHECK_FALSE(declared.meaning.empty());
  }
}
