#pragma once

#include <filesystem>

#include "run/run_experiment.h"
#include "train/worker.h"

namespace localbatch {

/// manifest.json: what ran where, built from what. Facts of a machine, not reproducible.
void write_manifest(const std::filesystem::path& folder, const RunRequest& request,
                    const RunStart& start);

/// summary.json: the final figures of a run, with the schema version of its CSV files.
void write_summary(const std::filesystem::path& folder, const Experiment& experiment,
                   const RunResult& result);

/// `final_parameters.f32` holds the parameters and then the running statistics of batch norm, raw
/// little-endian f32 in canonical order; `final_parameters.csv` says what lies where.
void write_final_model(const std::filesystem::path& folder, const FinalModel& model);

}  // namespace localbatch
