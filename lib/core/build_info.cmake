# Writes build_info.cpp when its content has changed. Runs at every build, so that the commit in a run's
# manifest is the one that was built and not the one that was configured.
execute_process(
  COMMAND git describe --always --dirty --abbrev=12 --exclude=*
  WORKING_DIRECTORY ${SOURCE_DIR}
  OUTPUT_VARIABLE COMMIT
  OUTPUT_STRIP_TRAILING_WHITESPACE
  ERROR_QUIET)
if(NOT COMMIT)
  set(COMMIT unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[
#include "core/machine.h"

namespace localbatch {

BuildInfo build_info() {
  return {"@VERSION@", "@COMMIT@", "@COMPILER@", "@BUILD_TYPE@", "@MARCH@"};
}

}  // namespace localbatch
]] @ONLY)
