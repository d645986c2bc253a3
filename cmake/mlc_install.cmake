# `cmake --install build/release --prefix DIR`: the program, the C library with its header, the demo model, licences,
# shell completion, and a CMake package, so that other projects find them:
#
#   find_package(mlc_llm 0.1 REQUIRED)
#   add_custom_command(OUTPUT lib.so COMMAND mlc_llm::mlc_llm compile …)
#   target_link_libraries(my_chat mlc_llm::shared)                          # mlc_llm/c_api.h
#
# `--component python` instead: what the wheel holds beside its Python files.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS mlc_llm mlc_llm_shared EXPORT mlc_llm_targets
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY "${CMAKE_SOURCE_DIR}/include/mlc_llm" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS mlc_llm RUNTIME DESTINATION mlc_llm/bin COMPONENT python EXCLUDE_FROM_ALL)
install(FILES "$<TARGET_FILE:mlc_llm_shared>" DESTINATION mlc_llm/lib COMPONENT python EXCLUDE_FROM_ALL
  RENAME "libmlc_llm${CMAKE_SHARED_LIBRARY_SUFFIX}")
if(MLC_STATIC AND SKBUILD_METADATA_DIR)  # the wheel's dist-info
  install(FILES "${CMAKE_SOURCE_DIR}/LICENSE" "${CMAKE_SOURCE_DIR}/THIRD_PARTY_NOTICES.md"
    "${CMAKE_BINARY_DIR}/THIRD_PARTY_LICENSES.txt"
    DESTINATION "${SKBUILD_METADATA_DIR}/licenses" COMPONENT python EXCLUDE_FROM_ALL)
endif()
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
