# -D MLC_STATIC=ON, for the wheel: everything but glibc is linked into libmlc_llm.so, and the program calls it there. Of
# LLVM come the targets of MLC_LLVM_TARGETS. Compiling is as without it, so that ccache serves both; linking takes a minute
# longer.
#
#   include(mlc_static)        before packages are looked for
#   mlc_static_finish()        after all targets
#
# Debian's packages have LLVM, OpenSSL, zlib and zstd as archives; MLC_STATIC_ROOT has the others (scripts/wheel_deps.sh,
# which runs by itself when the directory is not given).
option(MLC_STATIC "Link everything but glibc statically, for the wheel" OFF)
set(MLC_LLVM_TARGETS "X86;AArch64" CACHE STRING "With MLC_STATIC: the LLVM targets that are linked in")

if(MLC_STATIC)
  set(MLC_STATIC_ROOT "" CACHE PATH "With MLC_STATIC: where scripts/wheel_deps.sh has put its archives")
  if(NOT MLC_STATIC_ROOT)
    set(MLC_STATIC_ROOT "${CMAKE_SOURCE_DIR}/build/wheel-deps")
    execute_process(COMMAND "${CMAKE_SOURCE_DIR}/scripts/wheel_deps.sh" "${MLC_STATIC_ROOT}" COMMAND_ERROR_IS_FATAL ANY)
  endif()
  set(OPENSSL_USE_STATIC_LIBS ON)
  set(ZLIB_USE_STATIC_LIBS ON)
  set(CURL_NO_CURL_CMAKE ON)
  find_library(MLC_ZSTD NAMES libzstd.a HINTS "${MLC_STATIC_ROOT}/lib" REQUIRED)
  foreach(pair MLC_EDIT:edit MLC_TINFO:tinfo MLC_PROMETHEUS_CORE:prometheus-cpp-core MLC_CURL:curl)
    string(REPLACE ":" ";" pair "${pair}")
    list(GET pair 0 variable)
    list(GET pair 1 name)
    find_library(${variable} NAMES lib${name}.a PATHS "${MLC_STATIC_ROOT}/lib" NO_DEFAULT_PATH REQUIRED)
  endforeach()
  # LLD drops what is not reached in seconds; GNU's linker would take minutes.
  find_program(MLC_LLD_PROGRAM NAMES ld.lld HINTS /usr/lib/llvm-19/bin REQUIRED)
  get_filename_component(mlc_lld_dir "${MLC_LLD_PROGRAM}" DIRECTORY)
  add_link_options(-fuse-ld=lld "-B${mlc_lld_dir}" -static-libstdc++ -static-libgcc -Wl,--gc-sections -Wl,--icf=safe
                   -Wl,--as-needed -Wl,--exclude-libs,ALL -Wl,--undefined-version -Wl,-O2 -Wl,-s
                   -Wl,-z,relro -Wl,-z,now)
endif()

# A function that LLVM's or LLD's "initialize all" calls for every target, and which nothing may be linked for; and the
# one that brings Polly, which Debian has in its LLVM and nothing here uses.
function(mlc_llvm_left_out output)
  set(text "// Generated: what of LLVM is not linked in.\n#include <llvm/Passes/PassPlugin.h>\nextern \"C\" {\n")
  foreach(target IN LISTS LLVM_TARGETS_TO_BUILD)
    if(NOT target IN_LIST MLC_LLVM_TARGETS)
      foreach(part TargetInfo Target TargetMC AsmPrinter AsmParser Disassembler)
        string(APPEND text "void LLVMInitialize${target}${part}();\nvoid LLVMInitialize${target}${part}() {}\n")
      endforeach()
    endif()
  endforeach()
  string(APPEND text "}\n")
  # LLD's COFF driver merges manifests by libxml2; compiled models have none.
  string(PREPEND text "#include <llvm/Support/MemoryBuffer.h>\n#include <llvm/WindowsManifest/WindowsManifestMerger.h>\n")
  string(APPEND text "namespace llvm::windows_manifest {\nclass WindowsManifestMerger::WindowsManifestMergerImpl {};\n"
    "WindowsManifestMerger::WindowsManifestMerger() = default;\nWindowsManifestMerger::~WindowsManifestMerger() = default;\n"
    "Error WindowsManifestMerger::merge(MemoryBufferRef) { return Error::success(); }\n"
    "std::unique_ptr<MemoryBuffer> WindowsManifestMerger::getMergedManifest() { return nullptr; }\n"
    "bool isAvailable() { return false; }\n}\n")
  if(TARGET Polly)
    string(APPEND text "llvm::PassPluginLibraryInfo getPollyPluginInfo();\nllvm::PassPluginLibraryInfo "
      "getPollyPluginInfo() {\n  return {LLVM_PLUGIN_API_VERSION, \"Polly\", \"\", [](llvm::PassBuilder&) {}};\n}\n")
    set_property(TARGET LLVMExtensions PROPERTY INTERFACE_LINK_LIBRARIES LLVMSupport)
  endif()
  file(CONFIGURE OUTPUT "${output}" CONTENT "${text}" @ONLY)
endfunction()

# Debian's packages of these are shared libraries: their headers stay, the archive takes the library's place.
function(mlc_static_finish)
  if(NOT MLC_STATIC)
    return()
  endif()
  foreach(pair "fmt::fmt=${MLC_STATIC_ROOT}/lib/libfmt.a" "spdlog::spdlog=${MLC_STATIC_ROOT}/lib/libspdlog.a"
          "CURL::libcurl=${MLC_CURL}" "zstd::libzstd_shared=${MLC_ZSTD}")
    string(REPLACE "=" ";" pair "${pair}")
    list(GET pair 0 target)
    list(GET pair 1 archive)
    if(NOT TARGET ${target})
      continue()
    endif()
    get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
    if(NOT configurations)
      set(configurations "")
    endif()
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION "${archive}" IMPORTED_SONAME "")
    foreach(configuration IN LISTS configurations)
      set_target_properties(${target} PROPERTIES
        IMPORTED_LOCATION_${configuration} "${archive}" IMPORTED_SONAME_${configuration} "")
    endforeach()
  endforeach()
  set_property(TARGET CURL::libcurl APPEND PROPERTY INTERFACE_LINK_LIBRARIES OpenSSL::SSL OpenSSL::Crypto)
  # Who gives a program away gives the licences of what is inside, too.
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env "CARGO=${MLC_CARGO}" "${Python3_EXECUTABLE}"
    "${CMAKE_SOURCE_DIR}/scripts/third_party_notices.py" --texts "${CMAKE_BINARY_DIR}/THIRD_PARTY_LICENSES.txt"
    --prefix "${MLC_STATIC_ROOT}" COMMAND_ERROR_IS_FATAL ANY)
  # Debian's OpenSSL names no libraries of its own for archives; glibc has what it needs.
  set_property(TARGET OpenSSL::Crypto APPEND PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads ${CMAKE_DL_LIBS})
endfunction()
