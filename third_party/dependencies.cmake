# Every dependency of localbatch with its minimum version, found in this one place. Each is linked by
# exactly one room (lib/README.md).

find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt 9.0 REQUIRED)                                       # core
find_package(dnnl CONFIG REQUIRED)                                   # nn
find_package(ZLIB 1.2 REQUIRED)                                      # data
find_package(JPEG 62 REQUIRED)                                       # data; libjpeg-turbo
set(MPI_CXX_SKIP_MPICXX ON)  # the bindings that MPI 3.0 removed want a library of their own
find_package(MPI 3.1 REQUIRED COMPONENTS CXX)                        # comm
find_package(yaml-cpp 0.7 REQUIRED)                                  # experiment
find_package(nlohmann_json 3.10 REQUIRED)                            # experiment
if(POLICY CMP0167)  # CMake's own module is going; what Boost itself installs is as good
  cmake_policy(SET CMP0167 NEW)
endif()
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)         # apps; headers: report
if(BUILD_TESTING)
  find_package(doctest 2.4.9)                                        # tests
  if(NOT doctest_FOUND)
    message(FATAL_ERROR "The tests need doctest 2.4.9 or newer; -DBUILD_TESTING=OFF builds the program alone")
  endif()
endif()

find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)                      # core
find_library(XXHASH_LIBRARY xxhash REQUIRED)
add_library(xxhash::xxhash UNKNOWN IMPORTED)
set_target_properties(xxhash::xxhash PROPERTIES
  IMPORTED_LOCATION "${XXHASH_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${XXHASH_INCLUDE_DIR}")

if(NOT TARGET yaml-cpp::yaml-cpp)  # 0.7 exports the name without a namespace
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()

# oneDNN's own version file accepts one major version only, and we build with 2.6 and with 3.x. What
# differs between the two is in lib/nn/onednn.h.
if(dnnl_VERSION VERSION_LESS 2.6)
  message(FATAL_ERROR "oneDNN ${dnnl_VERSION} is too old: localbatch needs 2.6 or newer")
endif()
# Its threads are ours: the teams of lib/nn are OpenMP's, and one-thread scopes tell OpenMP so.
if(NOT DNNL_CPU_RUNTIME MATCHES "^(OMP|SEQ)$")
  message(FATAL_ERROR "oneDNN in ${dnnl_DIR} has the CPU runtime '${DNNL_CPU_RUNTIME}', localbatch needs OMP "
    "(or SEQ): build oneDNN with -DDNNL_CPU_RUNTIME=OMP, or ask your package manager for that variant")
endif()
