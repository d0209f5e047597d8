# Reads every #include below ROOT/lib and ROOT/apps and fails when a room uses one that is not below it
# on the stairs, or a library that belongs to another room. Also fails on files that are too long.
#   cmake -DROOT=<source folder> -P stairs.cmake

cmake_minimum_required(VERSION 3.25)

set(ROOMS core data optim batching problems comm nn train bench experiment report apps)

# What each room may include besides itself.
set(MAY_core)
foreach(room data optim batching problems comm nn)
  set(MAY_${room} core)
endforeach()
set(MAY_train core data optim batching problems comm nn)
set(MAY_bench ${MAY_train} train)
set(MAY_experiment ${MAY_bench} bench)
set(MAY_report core experiment)
set(MAY_apps ${MAY_experiment} experiment report)

# Who may include a library, by the beginning of its headers.
set(HEADERS dnnl omp.h mpi.h yaml-cpp/ nlohmann/ boost/math/ boost/ zlib.h jpeglib.h jerror.h xxhash.h
  fmt/)
set(USERS_dnnl nn)
set(USERS_omp.h nn)
set(USERS_mpi.h comm)
set(USERS_yaml-cpp/ experiment)
set(USERS_nlohmann/ experiment report)
set(USERS_boost/math/ report)
set(USERS_boost/ apps)
set(USERS_zlib.h data)
set(USERS_jpeglib.h data)
set(USERS_jerror.h data)
set(USERS_xxhash.h core)
set(USERS_fmt/ ${ROOMS})

set(MAX_LINES 300)

# Headers of the system that are not C++'s own.
set(SYSTEM cerrno fcntl.h immintrin.h malloc.h sched.h sys/file.h sys/mman.h sys/prctl.h
  sys/resource.h sys/stat.h sys/statvfs.h sys/wait.h unistd.h)

set(mistakes "")
macro(mistake text)
  string(APPEND mistakes "  ${text}\n")
endmacro()

# An #include in quotes: a file of our own.
function(check_own room file include)
  string(REGEX MATCH "^[^/]+" other ${include})
  if(room STREQUAL "apps" AND NOT include MATCHES "/")
    return()
  endif()
  if(NOT other IN_LIST ROOMS OR NOT include MATCHES "/")
    mistake("${file}: #include \"${include}\": no room of the house, write \"<room>/<file>\"")
  elseif(NOT other STREQUAL room AND NOT other IN_LIST MAY_${room})
    mistake("${file}: #include \"${include}\": ${room} may not include ${other}")
  endif()
  set(mistakes "${mistakes}" PARENT_SCOPE)
endfunction()

# An #include in angle brackets: the standard library, the system or a library of others.
function(check_foreign room file include)
  string(REGEX MATCH "^[^/]+" first ${include})
  if(first IN_LIST ROOMS AND include MATCHES "/")
    mistake("${file}: #include <${include}>: write our own files in quotes")
  endif()
  foreach(header ${HEADERS})
    string(FIND ${include} ${header} position)
    if(position EQUAL 0)
      if(NOT room IN_LIST USERS_${header})
        mistake("${file}: #include <${include}>: belongs to ${USERS_${header}}, not to ${room}")
      endif()
      set(mistakes "${mistakes}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  if(NOT include MATCHES "^[a-z_]+$" AND NOT include IN_LIST SYSTEM)
    mistake("${file}: #include <${include}>: a library that no room has")
  endif()
  set(mistakes "${mistakes}" PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE files RELATIVE ${ROOT}
  ${ROOT}/lib/*.h ${ROOT}/lib/*.cpp ${ROOT}/apps/*.h ${ROOT}/apps/*.cpp)
list(LENGTH files num_files)
if(num_files EQUAL 0)
  message(FATAL_ERROR "${ROOT}: no sources found")
endif()

foreach(file ${files})
  string(REGEX REPLACE "^(lib/)?([^/]+)/.*" "\\2" room ${file})
  if(NOT room IN_LIST ROOMS)
    mistake("${file}: ${room} is no room of the house")
    continue()
  endif()
  file(STRINGS ${ROOT}/${file} includes REGEX "^[ \t]*#[ \t]*include")
  foreach(line ${includes})
    if(line MATCHES "\"([^\"]+)\"")
      check_own(${room} ${file} ${CMAKE_MATCH_1})
    elseif(line MATCHES "<([^>]+)>")
      check_foreign(${room} ${file} ${CMAKE_MATCH_1})
    else()
      mistake("${file}: ${line}: cannot be read")
    endif()
  endforeach()
  file(READ ${ROOT}/${file} text)
  string(REGEX MATCHALL "\n" newlines "${text}")
  list(LENGTH newlines num_lines)
  if(num_lines GREATER MAX_LINES)
    mistake("${file}: ${num_lines} lines, allowed are ${MAX_LINES}")
  endif()
endforeach()

if(mistakes)
  message(FATAL_ERROR "stairs that go up:\n${mistakes}")
endif()
message(STATUS "${num_files} files, no stair goes up")
