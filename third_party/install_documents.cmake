# Runs at installation, where the program and the paths are set by install.cmake. A program that this machine
# cannot run, as it was built for another CPU, is installed without these files.
function(install_what_is_printed path)
  execute_process(COMMAND ${program} ${ARGN} OUTPUT_VARIABLE text ERROR_VARIABLE why RESULT_VARIABLE failed)
  if(NOT failed EQUAL 0)
    message(WARNING "${path} is not installed, as the program does not run here: ${why}")
    return()
  endif()
  cmake_path(ABSOLUTE_PATH path BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}")
  message(STATUS "Installing: $ENV{DESTDIR}${path}")
  file(WRITE "$ENV{DESTDIR}${path}" "${text}")
  file(CHMOD "$ENV{DESTDIR}${path}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  list(APPEND CMAKE_INSTALL_MANIFEST_FILES "${path}")
  set(CMAKE_INSTALL_MANIFEST_FILES ${CMAKE_INSTALL_MANIFEST_FILES} PARENT_SCOPE)
endfunction()

install_what_is_printed(${man_page} --man)
install_what_is_printed(${bash_completion} --completion bash)
install_what_is_printed(${zsh_completion} --completion zsh)
