# Writes build_info.cpp when its content has changed. Runs at every build, so that the commit in a run's
# manifest is the one that was built and not the one that was configured.
# A folder that is no clone may lie in a clone of something else, whose commit git would name; of an archive,
# git archive wrote the commit into .git_archival.txt.
if(EXISTS ${SOURCE_DIR}/.git)
  execute_process(
    COMMAND git describe --always --dirty --abbrev=12 --exclude=*
    WORKING_DIRECTORY ${SOURCE_DIR}
    OUTPUT_VARIABLE COMMIT
    OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET)
elseif(EXISTS ${SOURCE_DIR}/.git_archival.txt)
  file(STRINGS ${SOURCE_DIR}/.git_archival.txt LINE REGEX "^commit: [0-9a-f]+$")
  string(REGEX REPLACE "^commit: (............).*" "\\1" COMMIT "${LINE}")
endif()
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
