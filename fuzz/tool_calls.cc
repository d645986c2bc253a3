// What a model says, to the parser of any format. The first byte chooses the format, the second how the rest is cut.
#include <algorithm>

#include "base/check.h"
#include "fuzz/targets.h"
#include "text/output/output_parser.h"
#include "text/utf8.h"

namespace mlc::fuzz {
namespace {

const OrderedJson& tools() {
  static const OrderedJson all = OrderedJson::parse(R"([
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {
      "city": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}}}}}},
    {"type": "function", "function": {"name": "f"}}])");
  return all;
}

std::vector<text::OutputEvent> parse(const text::OutputParserOptions& options, std::string_view input, size_t step) {
  text::OutputParser parser(options);
  std::vector<text::OutputEvent> events;
  const auto add = [&events](const std::vector<text::OutputEvent>& more) {
    events.insert(events.end(), more.begin(), more.end());
  };
  for (size_t at = 0; at < input.size(); at += step) add(parser.feed(input.substr(at, step)));
  add(parser.finish(input.size() % 2 == 0));
  return text::join_events(std::move(events));
}

// JSON has numbers that no double holds, which this reader refuses: the same text with exponents of 0 and short
// numbers.
std::string readable_numbers(std::string_view json) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  std::string out;
  size_t run = 0;         // digits in a row
  bool exponent = false;  // they follow an e
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    run = digit(c) ? run + 1 : 0;
    if (run == 0) exponent = c == 'e' || c == 'E' || (exponent && (c == '+' || c == '-'));
    if (run < 200) out += run > 0 && exponent ? '0' : c;
  }
  return out;
}

}  // namespace

void tool_calls(std::string_view input) {
  if (input.size() < 2) return;
  const auto formats = text::tool_formats();
  const auto reasoning = text::reasoning_formats();
  const size_t choice = static_cast<unsigned char>(input[0]), cut = static_cast<unsigned char>(input[1]);
  text::OutputParserOptions options;
  options.format.tools = &formats[choice % formats.size()];
  if (cut & 128) options.format.reasoning = &reasoning[cut % reasoning.size()];
  options.reasoning_open = options.format.reasoning && (cut & 64);
  options.tools = tools();
  input.remove_prefix(2);
  const auto whole = parse(options, input, std::max<size_t>(1, input.size()));
  MLC_CHECK(parse(options, input, 1 + cut % 13) == whole, "another cut, another outcome");
  std::string arguments;
  for (const text::OutputEvent& event : whole) {
    if (event.kind == text::OutputEvent::Kind::kCall) arguments.clear();
    if (event.kind == text::OutputEvent::Kind::kArguments) arguments += event.text;
    if (event.kind != text::OutputEvent::Kind::kCallEnd) continue;
    MLC_CHECK(Json::parse(readable_numbers(text::replace_invalid(arguments)), nullptr, false).is_object(), "{}",
              arguments);
  }
}

}  // namespace mlc::fuzz
