# What 'cmake --install' and cpack put where GNUInstallDirs say. The man page and the completions are
# what the program itself prints, so they cannot be older than its options.

include(GNUInstallDirs)

# Libraries that were found in a prefix of a user are found there again.
set_target_properties(localbatch PROPERTIES INSTALL_RPATH_USE_LINK_PATH TRUE)
install(TARGETS localbatch RUNTIME)
install(FILES LICENSE README.md CHANGELOG.md CITATION.cff TYPE DOC)

# Experiment files, what they are about, and batch scripts; no results.
file(GLOB_RECURSE experiments CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  experiments/*.yaml experiments/schema.json experiments/README.md experiments/*.sbatch)
list(FILTER experiments EXCLUDE REGEX "/experiment\\.yaml$")
foreach(file ${experiments})
  get_filename_component(folder ${file} DIRECTORY)
  install(FILES ${file} DESTINATION ${CMAKE_INSTALL_DATADIR}/localbatch/${folder})
endforeach()

install(FILES third_party/modulefile DESTINATION ${CMAKE_INSTALL_DATADIR}/modulefiles/localbatch
  RENAME ${PROJECT_VERSION})

# A program for other machines prints nothing here, unless an emulator is at hand.
if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  message(STATUS "Cross compiling without CMAKE_CROSSCOMPILING_EMULATOR: no man page and no completions")
else()
  install(CODE "
    set(program ${CMAKE_CROSSCOMPILING_EMULATOR} \"$<TARGET_FILE:localbatch>\")
    set(man_page \"${CMAKE_INSTALL_MANDIR}/man1/localbatch.1\")
    set(bash_completion \"${CMAKE_INSTALL_DATADIR}/bash-completion/completions/localbatch\")
    set(zsh_completion \"${CMAKE_INSTALL_DATADIR}/zsh/site-functions/_localbatch\")")
  install(SCRIPT third_party/install_documents.cmake)
endif()

set(CPACK_GENERATOR TGZ DEB)
set(CPACK_PACKAGE_VENDOR "The localbatch authors")
set(CPACK_PACKAGE_CONTACT "The localbatch authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Local SGD with adaptive batch sizes on CPU clusters")
set(CPACK_SYSTEM_NAME ${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_STRIP_FILES TRUE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS gnuplot)
include(CPack)
