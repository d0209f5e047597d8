#pragma once

#include "core/json.h"

namespace localbatch {

/// What an experiment file may hold, as a JSON schema (draft 7) by which an editor completes and
/// checks it: all keys of all parts as their readers declare them, and the keys that a sweep may
/// set. It knows nothing of rules that span several numbers, nor of files and machines.
Json experiment_schema();

}  // namespace localbatch
