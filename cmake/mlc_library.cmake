# One static library and one test program per folder of src/, with the arrows of layers.txt.
#
#   src/<folder>/**/*.cc       -> library mlc_<folder>
#   src/<folder>/**/*_test.cc  -> program test_<folder>, registered with CTest
#
# Files called *_windows.cc are for Windows, *_posix.cc and *_elf.cc for other systems.
# Of src/<folder>/compiler/ and src/<folder>/no_compiler/ one is left out, as MLC_COMPILER says, and of src/<folder>/hub/
# and src/<folder>/no_hub/, as MLC_HUB says. MLC_COMPILER_SOURCES_<folder>: what else needs the compiler, a regular
# expression.
#
# A folder may have its own CMakeLists.txt: it is included after the library exists (target mlc_<folder>), to add
# external packages; or before it, as src/<folder>/library.cmake, to replace the library altogether.

function(mlc_read_layers file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  file(STRINGS "${file}" lines REGEX "^[a-z_]+:")  # subfolders are for scripts/check_layers.py
  set(folders "")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "^([a-z_]+):(.*)$" _ "${line}")
    set(name "${CMAKE_MATCH_1}")
    string(STRIP "${CMAKE_MATCH_2}" deps)
    separate_arguments(deps)
    if(deps STREQUAL "*")
      set(deps "${folders}")
    endif()
    list(APPEND folders ${name})
    set(MLC_LAYER_${name} "${deps}" PARENT_SCOPE)
  endforeach()
  set(MLC_FOLDERS "${folders}" PARENT_SCOPE)
endfunction()

function(mlc_compile_options target)
  # Nothing links to a program, and what is installed may not name the source directory.
  get_target_property(type ${target} TYPE)
  set(scope PUBLIC)
  if(type STREQUAL "EXECUTABLE")
    set(scope PRIVATE)
    if(WIN32)
      target_sources(${target} PRIVATE "${CMAKE_SOURCE_DIR}/cmake/windows/utf8.rc")
    endif()
  endif()
  target_include_directories(${target} ${scope} "${CMAKE_SOURCE_DIR}/src" "${CMAKE_BINARY_DIR}/generated")
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wnon-virtual-dtor -fvisibility=hidden>)
  # GCC 12 reports std::string concatenation at -O3 (its bug 105651), and the frames of Boost.Asio's coroutines at -O2.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict -Wno-mismatched-new-delete>)
  if(MLC_WERROR)
    # Its other flow-sensitive warnings also fire inside the standard library when it is inlined: shown, not fatal.
    target_compile_options(${target} PRIVATE -Werror -Wno-error=maybe-uninitialized -Wno-error=stringop-overflow
      -Wno-error=array-bounds -Wno-error=stringop-overread -Wno-error=free-nonheap-object)
  endif()
  if(MLC_DCHECK)
    target_compile_definitions(${target} ${scope} MLC_DCHECK_ENABLED=1)
  endif()
  if(MLC_SANITIZE)
    target_compile_options(${target} ${scope} -fsanitize=${MLC_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} ${scope} -fsanitize=${MLC_SANITIZE})
    if(MLC_SANITIZE MATCHES "undefined")
      target_compile_options(${target} ${scope} -fno-sanitize-recover=all)
    endif()
  endif()
  if(MLC_COVERAGE)
    # Counters are shared by threads, so they are atomic; -g is not needed.
    target_compile_options(${target} ${scope} --coverage -fprofile-update=atomic -fprofile-abs-path)
    target_link_options(${target} ${scope} --coverage)
  endif()
endfunction()

# What tests/support/source_dir.h declares.
if(MLC_BUILD_TESTS)
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/generated/source_dir.cc" @ONLY CONTENT [[
#include "../tests/support/source_dir.h"
namespace mlc::testing {
const char* const kSourceDir = "@CMAKE_SOURCE_DIR@";
}
]])
  add_library(mlc_source_dir STATIC "${CMAKE_BINARY_DIR}/generated/source_dir.cc")
  mlc_compile_options(mlc_source_dir)
endif()

function(mlc_add_folder folder)
  set(dir "${CMAKE_SOURCE_DIR}/src/${folder}")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${dir}/*.cc")
  if(MLC_COMPILER)
    list(FILTER sources EXCLUDE REGEX "^${dir}/no_compiler/")
  else()
    list(FILTER sources EXCLUDE REGEX "^${dir}/compiler/")
    if(MLC_COMPILER_SOURCES_${folder})
      list(FILTER sources EXCLUDE REGEX "${MLC_COMPILER_SOURCES_${folder}}")
    endif()
  endif()
  if(MLC_HUB)
    list(FILTER sources EXCLUDE REGEX "^${dir}/no_hub/")
  else()
    list(FILTER sources EXCLUDE REGEX "^${dir}/hub/")
  endif()
  if(WIN32)
    list(FILTER sources EXCLUDE REGEX "_(posix|elf)(_test)?\\.cc$")
  else()
    list(FILTER sources EXCLUDE REGEX "_windows(_test)?\\.cc$")
  endif()
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|/main)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(lib mlc_${folder})
  if(sources)
    add_library(${lib} STATIC ${sources})
    set(scope PUBLIC)
    mlc_compile_options(${lib})
    if(folder IN_LIST MLC_HOT_FOLDERS)
      target_compile_options(${lib} PRIVATE -O3)
    endif()
  else()
    add_library(${lib} INTERFACE)
    set(scope INTERFACE)
    target_include_directories(${lib} INTERFACE "${CMAKE_SOURCE_DIR}/src" "${CMAKE_BINARY_DIR}/generated")
  endif()
  foreach(dep IN LISTS MLC_LAYER_${folder})
    if(dep IN_LIST MLC_FOLDERS)  # MLC_COMPILER and MLC_HUB leave some out
      target_link_libraries(${lib} ${scope} mlc_${dep})
    endif()
  endforeach()
  if(NOT folder STREQUAL "base")
    target_link_libraries(${lib} ${scope} mlc_base)
  endif()
  set(MLC_SCOPE ${scope})
  set(MLC_TEST_LIBS "")  # the folder's CMakeLists.txt may set what only its tests link
  if(EXISTS "${dir}/CMakeLists.txt")
    include("${dir}/CMakeLists.txt")
  endif()
  if(MLC_BUILD_TESTS AND tests)
    add_executable(test_${folder} ${tests})
    mlc_compile_options(test_${folder})
    target_compile_options(test_${folder} PRIVATE ${MLC_TEST_OPTIONS})
    target_link_libraries(test_${folder} PRIVATE ${lib} ${MLC_TEST_LIBS} mlc_source_dir GTest::gtest GTest::gtest_main)
    add_test(NAME ${folder} COMMAND test_${folder} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(${folder} PROPERTIES LABELS quick)
  endif()
endfunction()
