# cmake -D INPUT=DIR -D OUTPUT=file.cc -P embed_web.cmake
# Makes a C++ source that defines mlc::serve::web_assets(): every file of DIR, as it is and compressed with gzip.
# index.html is the page at "/", metrics.html the one at "/ui/metrics", other files are below "/ui/".
set(types html text/html css text/css js text/javascript svg image/svg+xml json application/json)
file(GLOB files "${INPUT}/*")
list(SORT files)
set(data "")
set(rows "")
set(number 0)

# The variable `out`: the text of a C++ array with the bytes of `file`.
function(bytes_of file out timestamp_at)
  file(READ "${file}" hex HEX)
  if(timestamp_at GREATER 0)  # builds of the same sources give the same bytes
    string(SUBSTRING "${hex}" 0 ${timestamp_at} head)
    math(EXPR past "${timestamp_at} + 8")
    string(SUBSTRING "${hex}" ${past} -1 tail)
    set(hex "${head}00000000${tail}")
  endif()
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  set(${out} "${hex}" PARENT_SCOPE)
endfunction()

foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  get_filename_component(extension "${file}" LAST_EXT)
  string(SUBSTRING "${extension}" 1 -1 extension)
  list(FIND types "${extension}" at)
  if(at LESS 0)
    message(FATAL_ERROR "embed_web: ${name} has no known content type")
  endif()
  math(EXPR at "${at} + 1")
  list(GET types ${at} type)
  if(type MATCHES "^text/")
    string(APPEND type "; charset=utf-8")
  endif()
  if(name STREQUAL "index.html")
    set(path "/")
  else()
    string(REGEX REPLACE "\\.html$" "" path "/ui/${name}")
  endif()
  file(ARCHIVE_CREATE OUTPUT "${OUTPUT}.gz" PATHS "${file}" FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
  bytes_of("${file}" plain 0)
  bytes_of("${OUTPUT}.gz" packed 8)
  file(REMOVE "${OUTPUT}.gz")
  file(SHA256 "${file}" digest)
  string(SUBSTRING "${digest}" 0 20 digest)
  string(APPEND data "constexpr unsigned char kPlain${number}[] = {${plain}};\nconstexpr unsigned char kGzip${number}[] = {${packed}};\n")
  string(APPEND rows "    {\"${path}\", \"${type}\", \"${digest}\", view(kPlain${number}), view(kGzip${number})},\n")
  math(EXPR number "${number} + 1")
endforeach()

set(text "// Generated from the files of web/.
#include \"serve/web_assets.h\"
namespace mlc::serve {
namespace {
${data}
template <size_t n>
std::string_view view(const unsigned char (&bytes)[n]) {
  return {reinterpret_cast<const char*>(bytes), n};
}
}  // namespace
const std::vector<WebAsset>& web_assets() {
  static const std::vector<WebAsset> assets = {
${rows}  };
  return assets;
}
}  // namespace mlc::serve
")
file(WRITE "${OUTPUT}" "${text}")
