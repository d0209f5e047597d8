#include <doctest/doctest.h>

#include <set>

#include "run/run_fixtures.h"

// Shadow controllers and audits: they see, and are not seen.

namespace localbatch {

namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kShadows{
    "shadow_controllers=[{name: norm_test, eta: 0.3}, {name: inner_product_test, theta: 0.5, nu: "
    "2},"
    " {name: coordinate_norm_test, share: 0.9}, {name: fixed}]"};

std::vector<std::string> and_also(std::vector<std::string> settings, const std::string& one) {
  settings.push_back(one);
  return settings;
}

void check_error(const std::vector<std::string>& settings, const std::string& message) {
  const ScratchFolder scratch;
  try {
    run_alone(request(scratch, tiny_experiment(), "out", settings));
    FAIL_CHECK("not refused");
  } catch (const InputError& error) {
    CHECK(std::string(error.what()).find(message) != std::string::npos);
  }
  CHECK_FALSE(fs::exists(scratch.path() / "out"));
}

}  // namespace

TEST_CASE("shadow controllers leave the run as it is, whatever acts and whatever is measured") {
  for (const std::vector<std::string>& settings : std::vector<std::vector<std::string>>{
           {},
           {"batch_size_controller={name: fixed}"},
           {"gradient_statistics={moving_average: 0.8, at: first}"},
           {"batch_size_controller={name: norm_test, every_rounds: 3}"},
           // The last two rounds share what is left in steps below the maximum, and test once more.
           {"gradient_statistics={moving_average: 0.8}", "batch_size.max=8", "max_samples=700"},
           {"learning_rate_coupling={name: adascale}"}}) {
    const ScratchFolder scratch;
    const fs::path alone = run_alone(request(scratch, tiny_experiment(), "alone", settings)).folder;
    const fs::path watched =
        run_alone(request(scratch, tiny_experiment(), "watched", and_also(settings, kShadows[0])))
            .folder;
    for (const char* const name : {"rounds.csv", "evaluations.csv", "final_parameters.f32"})
      CHECK(text_of(alone / name) == text_of(watched / name));
    CHECK_FALSE(fs::exists(alone / "controllers.csv"));
    CHECK(fs::exists(watched / "controllers.csv"));
  }
}

TEST_CASE("micro-batches and samples are measured without a trace in the run, too") {
  const std::string fixed = "batch_size_controller={name: fixed}";
  for (const char* const chunks : {"micro_batches", "micro_batches, gradient: own", "samples",
                                   "samples, gradient: own", "delta"}) {
    CAPTURE(chunks);
    const ScratchFolder scratch;
    const std::vector<std::string> settings{
        fixed, "batch_size={initial: 24, max: 24, micro_batch: 8}",
        std::string("gradient_statistics={chunks: ") + chunks + "}"};
    const fs::path alone = run_alone(request(scratch, tiny_experiment(), "alone", settings)).folder;
    const fs::path watched =
        run_alone(
            request(scratch, tiny_experiment(), "watched",
                    and_also(and_also(settings, "shadow_controllers=[{name: inner_product_test}]"),
                             "audit={every_rounds: 2, samples: 30}")))
            .folder;
    CHECK(text_of(alone / "rounds.csv") == text_of(watched / "rounds.csv"));
    CHECK(text_of(alone / "final_parameters.f32") == text_of(watched / "final_parameters.f32"));
    const Columns controllers = read_csv(watched / "controllers.csv");
    CHECK(std::stod(controllers.at("test_statistic").front()) > 0);
  }
}

TEST_CASE("a shadow wants what it would want if it acted on the same statistics") {
  const ScratchFolder scratch;
  const RunResult run =
      run_alone(request(scratch, tiny_experiment(), "out",
                        {"shadow_controllers=[{name: fixed}, {name: norm_test, eta: 0.8}]"}));
  const Columns rounds = read_csv(run.folder / "rounds.csv");
  const Columns shadows = read_csv(run.folder / "controllers.csv");
  REQUIRE(shadows.at("round").size() == 2 * rounds.at("round").size());
  for (std::size_t k = 0; k < rounds.at("round").size(); ++k) {
    CHECK(shadows.at("settings")[2 * k] == "fixed");
    CHECK(shadows.at("reason")[2 * k] == "fixed");
    CHECK(shadows.at("settings")[2 * k + 1] == "norm_test eta=0.8");
    if (rounds.at("reason")[k] == "not_due") continue;  // at the maximum only the shadow looks on
    for (const char* const name :
         {"round", "samples", "local_batch_size", "test_statistic", "test_threshold",
          "wanted_local_batch_size", "next_local_batch_size", "reason"})
      CHECK(shadows.at(name)[2 * k + 1] == rounds.at(name)[k]);
  }
}

TEST_CASE("an audit writes both statistics, their ratio and what the controller would want") {
  const ScratchFolder scratch;
  const RunResult run = run_alone(
      request(scratch, tiny_experiment(), "out", {"audit={every_rounds: 2, samples: 100}"}));
  const Columns audits = read_csv(run.folder / "audits.csv");
  const Columns rounds = read_csv(run.folder / "rounds.csv");
  REQUIRE(audits.at("round").size() >= 2);
  for (std::size_t i = 0; i < audits.at("round").size(); ++i) {
    const auto number = [&](const char* name) { return std::stod(audits.at(name)[i]); };
    CHECK(audits.at("round")[i] == std::to_string(2 * (i + 1)));
    CHECK(audits.at("audited_samples")[i] == "100");
    CHECK(number("exact_variance") > 0);
    CHECK(number("exact_variance_error") > 0);
    CHECK(number("exact_variance_error") < number("exact_variance"));
    CHECK(number("variance_ratio") ==
          doctest::Approx(number("variance") / number("exact_variance")));
    CHECK(number("exact_wanted_local_batch_size") ==
          doctest::Approx(number("exact_variance") / (3 * 0.64 * number("exact_squared_norm"))));
    const std::string& same_round = rounds.at("variance")[2 * i + 1];
    if (!same_round.empty()) CHECK(audits.at("variance")[i] == same_round);
  }
}

TEST_CASE(
    "under batch norm an audit looks at micro-batches and says so, and at their samples if asked") {
  const std::vector<std::string> batch_norm{"model={name: resnet}", "max_samples=72",
                                            "batch_size={initial: 12, max: 12, micro_batch: 8}",
                                            "evaluation.every_samples=0"};
  const ScratchFolder scratch;
  const auto audits_of = [&](const std::string& output, const std::string& audit) {
    return run_alone(request(scratch, tiny_experiment(), output, and_also(batch_norm, audit)))
        .folder;
  };
  const fs::path plain = audits_of("plain", "audit={every_rounds: 1, samples: 48}");
  const fs::path both =
      audits_of("both", "audit={every_rounds: 1, samples: 48, samples_in_batch: true}");
  CHECK(text_of(plain / "rounds.csv") == text_of(both / "rounds.csv"));
  CHECK(text_of(plain / "final_parameters.f32") == text_of(both / "final_parameters.f32"));
  const Columns alone = read_csv(plain / "audits.csv"), audits = read_csv(both / "audits.csv");
  // A local batch of 12 is two micro-batches of 6.
  CHECK(audits.at("audited_chunk_samples").at(0) == "6");
  CHECK(audits.at("audited_samples").at(0) == "48");
  CHECK(audits.at("exact_variance") == alone.at("exact_variance"));
  CHECK(alone.at("samples_in_batch_variance").at(0).empty());
  const auto number = [&](const char* name) { return std::stod(audits.at(name).at(0)); };
  CHECK(number("exact_variance_error") > 0);
  CHECK(number("samples_in_batch_variance_error") > 0);
  CHECK(number("samples_in_batch_variance") != number("exact_variance"));
  CHECK(number("samples_in_batch_unbiased_squared_norm") != 0);
}

TEST_CASE("measurements that cannot be made are refused before anything is written") {
  check_error({"gradient_statistics={chunks: delta}", "inner_optimizer={name: adamw}"},
              "gradient_statistics.chunks: found 'delta', which is for inner_optimizer: sgd");
  check_error({"gradient_statistics={chunks: delta}", "inner_optimizer={clip_norm: 1}"},
              "found 'delta', which is for inner_optimizer: sgd without clip_norm");
  check_error({"gradient_statistics={chunks: micro_batches}"},
              "batch_size.initial is 4, micro_batch is 8");
  check_error({"gradient_statistics={chunks: samples}",
               "batch_size_controller={name: coordinate_norm_test}"},
              "gradient_statistics.chunks: found no 'workers'");
  check_error({"gradient_statistics={chunks: delta, at: first}"}, "gradient_statistics.at: ");
  check_error({"audit={every_rounds: 1, samples: 5}"},
              "audit.samples: found 5, allowed is at least 2");
  check_error({"model={name: resnet}", "gradient_statistics={chunks: samples}"},
              "gradient_statistics.chunks: found 'samples', but batch norm couples");
  check_error({"model={name: resnet}", "audit={every_rounds: 1, samples: 47}"},
              "audit.samples: found 47, allowed is at least 48: two micro-batches of 8 for each of "
              "3 workers");
  check_error({"audit={every_rounds: 1, samples_in_batch: true}"},
              "audit.samples_in_batch: found true, which is for networks with batch norm");
  for (const char* const chunks : {"workers", "delta"})
    check_error({std::string("gradient_statistics={gradient: own, chunks: ") + chunks + "}"},
                "gradient_statistics.gradient: found 'own', which is for chunks: micro_batches | "
                "samples");
  check_error({"shadow_controllers=[{name: norm_test, eat: 1}]"}, "did you mean 'eta'?");
}

}  // namespace localbatch
