# Every dependency of localbatch with its minimum version, found in this one place. Each is linked by
# exactly one room (lib/README.md).

find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt 9.0 REQUIRED)                                       # core
find_package(dnnl 2.6 QUIET CONFIG)                                  # nn; 3.x works too
find_package(ZLIB 1.2 REQUIRED)                                      # data
find_package(MPI 3.1 REQUIRED COMPONENTS CXX)                        # comm
find_package(yaml-cpp 0.7 REQUIRED)                                  # experiment
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)         # apps
find_package(doctest 2.4.9 REQUIRED)                                 # tests

if(NOT TARGET yaml-cpp::yaml-cpp)  # 0.7 exports the name without a namespace
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()
