# `cmake --install build/release --prefix DIR`: the program, the demo model, licences, shell completion, and a CMake
# package, so that other projects find the program:
#
#   find_package(mlc_llm 0.1 REQUIRED)
#   add_custom_command(OUTPUT lib.so COMMAND mlc_llm::mlc_llm compile …)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS mlc_llm EXPORT mlc_llm_targets RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY "${CMAKE_SOURCE_DIR}/models/demo" DESTINATION ${CMAKE_INSTALL_DATADIR}/mlc_llm/models)
install(FILES "${CMAKE_SOURCE_DIR}/LICENSE" "${CMAKE_SOURCE_DIR}/THIRD_PARTY_NOTICES.md" DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mlc_llm)
install(EXPORT mlc_llm_targets NAMESPACE mlc_llm:: DESTINATION ${package_dir} FILE mlc_llm-targets.cmake)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/mlc_llm-config-version.cmake" COMPATIBILITY SameMinorVersion)
configure_package_config_file("${CMAKE_SOURCE_DIR}/cmake/mlc_llm-config.cmake.in" "${CMAKE_BINARY_DIR}/mlc_llm-config.cmake"
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_DATADIR)
install(FILES "${CMAKE_BINARY_DIR}/mlc_llm-config.cmake" "${CMAKE_BINARY_DIR}/mlc_llm-config-version.cmake"
  DESTINATION ${package_dir})
install(CODE [[
  set(prefix "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
  foreach(pair "bash;share/bash-completion/completions/mlc_llm" "zsh;share/zsh/site-functions/_mlc_llm"
          "fish;share/fish/vendor_completions.d/mlc_llm.fish")
    list(GET pair 0 shell)
    list(GET pair 1 file)
    get_filename_component(dir "${prefix}/${file}" DIRECTORY)
    file(MAKE_DIRECTORY "${dir}")
    execute_process(COMMAND "${prefix}/bin/mlc_llm" completion ${shell} OUTPUT_FILE "${prefix}/${file}" RESULT_VARIABLE rc)
    if(rc)
      message(WARNING "mlc_llm completion ${shell} failed")
    endif()
  endforeach()
]])
