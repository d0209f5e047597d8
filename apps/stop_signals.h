#pragma once

namespace localbatch {

/// From here on SIGTERM, SIGINT and SIGUSR1 ask the program to stop when it can, until it ends; a
/// second SIGINT ends it at once.
void catch_stop_signals();

bool stop_signal_came();

}  // namespace localbatch
