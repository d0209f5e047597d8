#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "comm/ledger.h"
#include "core/json.h"
#include "run/run_folder.h"

namespace localbatch {

struct Experiment;
struct FinalModel;
struct RunRequest;
struct RunResult;
struct RunStart;
struct TensorView;

/// Writes manifest.json: what ran where, built from what. Its facts are those of a machine and not
/// reproducible.
void write_manifest(const std::filesystem::path& folder, const RunRequest& request,
                    const RunStart& start);

/// Whether this is the name of a manifest of a run that went on: "manifest-from-120.json".
bool is_manifest_of_resumption(const std::filesystem::path& file);

/// Writes summary.json: the final figures of a run, with the schema version of its CSV files.
void write_summary(const std::filesystem::path& folder, const Experiment& experiment,
                   const RunResult& result);

/// Writes `final_parameters.f32`, which holds the parameters and then the running statistics of
/// batch norm, raw little-endian f32 in canonical order, `final_parameters.csv`, which says what
/// lies where, and `final_parameters.safetensors`, the same values for other programs and for
/// `model.initial`.
void write_final_model(const std::filesystem::path& folder, const FinalModel& model);

// The files of a run that has ended, read back. Each function throws an InputError that names the
// file when it is damaged.

/// The values of these tensors, which are all that the files of the final model hold.
/// final_parameters.csv may be missing.
std::vector<float> read_final_model(const std::filesystem::path& folder,
                                    std::span<const TensorView> tensors);

/// What summary.json says of a run that has ended.
struct RunSummary {
  RunStatus outcome = RunStatus::kFinished;  ///< or kDiverged
  std::optional<std::int64_t> rounds = {};   ///< if it counts them
};
RunSummary read_summary(const std::filesystem::path& folder);

inline RunStatus read_outcome(const std::filesystem::path& folder) {
  return read_summary(folder).outcome;
}

/// {"parameters": {"messages": 4, "bytes": 64, "bytes_between_hosts": 0}, "state": ...}
Json to_json(const Ledger& ledger);

/// What all ranks have sent, as summary.json says. Purposes that the file does not know are zero.
Ledger read_communication(const std::filesystem::path& folder);

/// The facts of manifest.json, or of another file of its kind, in the order of the file: "commit"
/// and "9074cacc5db0". A value that is not a text is shown as JSON.
std::vector<std::pair<std::string, std::string>> read_manifest(const std::filesystem::path& file);

}  // namespace localbatch
