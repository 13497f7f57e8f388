# Headers, libraries, the program, its pages, and what pkg-config and find_package(salut) read.

include(CMakePackageConfigHelpers)

set(installed salut-static)
if(TARGET salut-shared)
  list(APPEND installed salut-shared)
endif()
install(TARGETS ${installed} EXPORT salut-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(target salut salut-packetdrill)
  if(TARGET ${target})
    install(TARGETS ${target} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
            LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
endforeach()
install(DIRECTORY include/salut DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(DIRECTORY docs/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL
        FILES_MATCHING PATTERN "*.1")
install(DIRECTORY docs/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man7 OPTIONAL
        FILES_MATCHING PATTERN "*.7")

install(DIRECTORY examples/scenarios/ DESTINATION ${CMAKE_INSTALL_DATADIR}/salut/scenarios
        FILES_MATCHING PATTERN "*.scn")

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/salut)
install(EXPORT salut-targets NAMESPACE salut:: DESTINATION ${package_dir})
configure_package_config_file(cmake/salut-config.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/salut-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/salut-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/salut-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/salut-config-version.cmake DESTINATION ${package_dir})

# The prefix is worked out from the file's own place, so that an installed tree can be moved.
file(RELATIVE_PATH prefix_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/salut.pc.in ${CMAKE_CURRENT_BINARY_DIR}/salut.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/salut.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
