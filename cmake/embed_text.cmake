# cmake -D INPUT=file -D OUTPUT=file.cc -D NAME=mlc::model::kPresets -P embed_text.cmake
# Makes a C++ source that defines the file's text as `const std::string_view NAMESPACE::NAME`. The header that declares
# it is given as HEADER.
file(READ "${INPUT}" text)
string(REGEX MATCH "^(.*)::([^:]+)$" _ "${NAME}")
file(WRITE "${OUTPUT}" "// Generated from ${INPUT}.
#include \"${HEADER}\"
namespace ${CMAKE_MATCH_1} {
extern const std::string_view ${CMAKE_MATCH_2} = R\"~~~~(${text})~~~~\";
}
")
