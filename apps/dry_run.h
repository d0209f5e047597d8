#pragma once

namespace localbatch {

class ProcessGroup;
struct RunRequest;

/// `run --dry-run`: prints for each cell what a run would do with it, its folder, what it would
/// cost beside time, and what is wrong with it; writes nothing. Returns the exit status of a run
/// that is refused, or of success. Collective.
int dry_run(const RunRequest& request, bool all_cells, ProcessGroup& processes);

}  // namespace localbatch
