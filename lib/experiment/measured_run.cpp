#include "experiment/measured_run.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "experiment/run_folder.h"

namespace localbatch {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line + ",");
  for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
  return cells;
}

/// The numbers of some columns of a CSV file.
class NumberColumns {
 public:
  NumberColumns(const fs::path& path, const std::vector<std::string>& names) {
    std::istringstream text(read_text(path));
    std::string line;
    std::getline(text, line);
    const std::vector<std::string> header = cells_of(line);
    std::vector<std::size_t> places;
    for (const std::string& name : names) {
      const auto found = std::ranges::find(header, name);
      if (found == header.end()) fail_input("{}: has no column {}", path.string(), name);
      places.push_back(static_cast<std::size_t>(found - header.begin()));
    }
    for (int row = 2; std::getline(text, line); ++row) {
      const std::vector<std::string> cells = cells_of(line);
      for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string& cell = places[i] < cells.size() ? cells[places[i]] : line;
        double value = 0;
        const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
        if (error != std::errc() || end != cell.data() + cell.size())
          fail_input("{}:{}: {}: found '{}', expected a number", path.string(), row, names[i],
                     cell);
        columns_[names[i]].push_back(value);
      }
    }
    if (columns_.empty()) fail_input("{}: holds no round", path.string());
  }

  const std::vector<double>& operator[](const std::string& name) const { return columns_.at(name); }

  double sum(const std::string& name) const {
    double sum = 0;
    for (const double value : columns_.at(name)) sum += value;
    return sum;
  }

 private:
  std::map<std::string, std::vector<double>> columns_;
};

/// Files of another version may lack some of it.
void read_communication(const fs::path& folder, MeasuredRun& run) {
  const fs::path path = folder / "summary.json", manifest = folder / "manifest.json";
  try {
    const Json summary = Json::parse(read_text(path));
    const Json communication = summary.value("communication", Json::object());
    for (std::size_t kind = 0; kind < kTrafficKinds; ++kind) {
      const auto found = communication.find(std::string(kTrafficNames[kind]));
      if (found == communication.end()) continue;
      run.communication.entries[kind] = {.messages = found->at("messages"),
                                         .bytes = found->at("bytes"),
                                         .bytes_between_hosts = found->at("bytes_between_hosts")};
    }
    run.ranks = Json::parse(read_text(manifest)).value("ranks", 1);
  } catch (const Json::exception& error) {
    fail_input("{}: summary.json or manifest.json: {}", folder.string(), error.what());
  }
}

}  // namespace

MeasuredRun read_measured_run(const fs::path& folder, const std::optional<std::string>& resolved) {
  if (!fs::exists(folder / "summary.json"))
    fail_input("{}: holds no finished run", folder.string());
  const std::string settings = read_text(folder / "experiment.yaml");
  if (resolved && settings != *resolved)
    fail_input("{}: is a run with other settings: {}", folder.string(),
               first_difference(settings, *resolved));
  const NumberColumns rounds(folder / "rounds.csv",
                             {"samples", "sync_interval", "local_batch_size"});
  const std::vector<std::string> computing{"data_seconds", "gradient_seconds", "optimizer_seconds"};
  std::vector<std::string> names{"total_seconds", "slot_seconds", "communication_seconds",
                                 "waiting_seconds", "evaluation_seconds"};
  names.insert(names.end(), computing.begin(), computing.end());
  const NumberColumns timing(folder / "timing.csv", names);

  MeasuredRun run;
  run.rounds = static_cast<std::int64_t>(rounds["samples"].size());
  run.samples = static_cast<std::int64_t>(rounds["samples"].back());
  double samples_of_worker = 0, computed = 0;
  for (std::size_t i = 0; i < rounds["samples"].size(); ++i)
    samples_of_worker += rounds["sync_interval"][i] * rounds["local_batch_size"][i];
  for (const std::string& name : computing) computed += timing.sum(name);
  if (computed > 0) run.speed = samples_of_worker / computed;
  run.compute_seconds = computed + timing.sum("slot_seconds");
  run.communication_seconds = timing.sum("communication_seconds");
  run.waiting_seconds = timing.sum("waiting_seconds");
  run.evaluation_seconds = timing.sum("evaluation_seconds");
  run.seconds = timing.sum("total_seconds");
  read_communication(folder, run);
  return run;
}

}  // namespace localbatch
