# A toolchain file of CMake: cross-compiling for 64-bit Arm on Debian, with the target's packages unpacked below
# LOCALBATCH_SYSROOT; tests/install/aarch64.sh makes one, builds, and tests by qemu's emulation of one process.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_SYSROOT "${LOCALBATCH_SYSROOT}")
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-aarch64-static;-L;${LOCALBATCH_SYSROOT}")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LOCALBATCH_SYSROOT)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
