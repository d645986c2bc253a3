#include "text/output/tool_format.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace mlc::text {
namespace {

MarkupRules objects(std::vector<std::string_view> opens, std::vector<std::string_view> closes) {
  MarkupRules r;
  r.opens = std::move(opens);
  r.closes = std::move(closes);
  return r;
}

MarkupRules llama3_json() {
  MarkupRules r = objects({"<|python_tag|>"}, {});
  r.bare = true;
  r.separator = ";";
  return r;
}

MarkupRules plain_json() {
  MarkupRules r = objects({"```json", "<tool_call>"}, {"```", "</tool_call>"});
  r.bare = r.known_only = true;
  r.separator = ",";
  return r;
}

MarkupRules mistral() {
  MarkupRules r = objects({"[TOOL_CALLS]"}, {});
  r.after_name = {"[CALL_ID]", "[ARGS]"};
  r.after_id = "[CALL_ID]";
  return r;
}

MarkupRules deepseek_v3() {
  MarkupRules r = objects({"<｜tool▁call▁begin｜>"}, {"```", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"});
  r.sections = {"<｜tool▁calls▁begin｜>"};
  r.after_name = {"<｜tool▁sep｜>", "\n"};
  return r;
}

MarkupRules kimi_k2() {
  MarkupRules r = objects({"<|tool_call_begin|>"}, {"<|tool_call_end|>", "<|tool_calls_section_end|>"});
  r.sections = {"<|tool_calls_section_begin|>"};
  r.after_name = {"<|tool_call_argument_begin|>"};
  r.name_prefix = "functions.";
  r.numbered = true;
  return r;
}

MarkupRules functionary_v3_1() {
  MarkupRules r = objects({"<function="}, {"</function>"});
  r.after_name = {">"};
  return r;
}

MarkupRules functionary_v3_2() {
  MarkupRules r = objects({">>>"}, {});
  r.after_name = {"\n"};
  r.known_only = true;
  r.prompt_tail = ">>>";
  return r;
}

TagRules function_tags(std::string_view open, std::string_view close) {
  TagRules r;
  r.opens = {open};
  r.closes = {close};
  r.call = "<function=";
  r.call_end = ">";
  r.call_close = "</function>";
  r.key = "<parameter=";
  r.key_end = ">";
  r.value_close = "</parameter>";
  return r;
}

TagRules glm() {
  TagRules r;
  r.opens = {"<tool_call>"};
  r.closes = {"</tool_call>"};
  r.key = "<arg_key>";
  r.key_end = "</arg_key>";
  r.value = "<arg_value>";
  r.value_close = "</arg_value>";
  return r;
}

TagRules deepseek_v32() {
  TagRules r;
  r.opens = {"<｜DSML｜function_calls>", "<｜DSML｜tool_calls>"};
  r.closes = {"</｜DSML｜function_calls>", "</｜DSML｜tool_calls>"};
  r.call = "<｜DSML｜invoke name=\"";
  r.call_end = "\">";
  r.call_close = "</｜DSML｜invoke>";
  r.key = "<｜DSML｜parameter name=\"";
  r.key_end = "\">";
  r.value_close = "</｜DSML｜parameter>";
  return r;
}

ToolFormat markup(std::string_view name, std::string_view models, MarkupRules rules, CallSyntax syntax,
                  std::vector<std::string_view> ends = {}) {
  ToolFormat f{name, ToolFamily::kMarkup, models};
  f.markup = std::move(rules);
  f.syntax = syntax;
  f.ends = std::move(ends);
  return f;
}

ToolFormat tags(std::string_view name, std::string_view models, TagRules rules) {
  ToolFormat f{name, ToolFamily::kTags, models};
  f.tags = std::move(rules);
  return f;
}

constexpr std::string_view kName = "{\"name\": \"", kArguments = "\", \"arguments\": ";

// [{"name": …, "arguments": …}, …] between two marks.
CallSyntax list_syntax(std::string_view open, std::string_view close) {
  return {open, kName, kArguments, "}", ", ", close};
}

void add_mistral(std::vector<ToolFormat>* all) {
  const CallSyntax named = {"", "[TOOL_CALLS]", "[ARGS]", "", "", ""};
  for (const auto& [name, models, syntax] :
       {std::tuple{"mistral", "Mistral 7B v0.3 to Small 3.1", list_syntax("[TOOL_CALLS][", "]")},
        std::tuple{"mistral_v11", "Mistral Small 3.2, Ministral 3, Magistral, Devstral", named}}) {
    all->push_back(markup(name, models, mistral(), syntax));
    all->back().id_length = 9;
  }
}

void add_deepseek(std::vector<ToolFormat>* all) {
  const std::string_view open = "<｜tool▁calls▁begin｜>", close = "<｜tool▁calls▁end｜>";
  all->push_back(markup(
      "deepseek_v3", "DeepSeek V3, R1", deepseek_v3(),
      {open, "<｜tool▁call▁begin｜>function<｜tool▁sep｜>", "\n```json\n", "\n```<｜tool▁call▁end｜>", "\n", close}));
  all->push_back(markup("deepseek_v31", "DeepSeek V3.1", deepseek_v3(),
                        {open, "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "", close}));
  all->push_back(tags("deepseek_v32", "DeepSeek V3.2, V4", deepseek_v32()));
}

void add_lists(std::vector<ToolFormat>* all) {
  const MarkupRules rules = objects({"functools", "<|tool_call|>"}, {"<|/tool_call|>"});
  all->push_back(markup("phi4", "Phi-4 mini", rules, list_syntax("<|tool_call|>[", "]<|/tool_call|>")));
  all->push_back(markup("functools", "Firefunction 2, Phi-4 mini", rules, list_syntax("functools[", "]")));
  all->push_back(markup("granite", "Granite 3", rules, list_syntax("<|tool_call|>[", "]")));
  all->push_back(markup("apriel", "Apriel", objects({"<tool_calls>"}, {"</tool_calls>"}),
                        list_syntax("<tool_calls>[", "]</tool_calls>")));
  all->push_back(markup("cohere", "Command R7B, Command A", objects({"<|START_ACTION|>"}, {"<|END_ACTION|>"}),
                        {"<|START_ACTION|>[", "{\"tool_call_id\": \"0\", \"tool_name\": \"",
                         "\", \"parameters\": ", "}", ", ", "]<|END_ACTION|>"}));
}

std::vector<ToolFormat> make_formats() {
  std::vector<ToolFormat> all;
  all.push_back(markup("hermes", "Hermes 2 and 3, Qwen 2.5 and 3, QwQ", objects({"<tool_call>"}, {"</tool_call>"}),
                       {"", "<tool_call>\n{\"name\": \"", kArguments, "}\n</tool_call>", "\n", ""}));
  all.push_back(markup("llama3_json", "Llama 3.1, 3.2, 3.3", llama3_json(),
                       {"", kName, "\", \"parameters\": ", "}", "; ", ""}, {"<|eom_id|>"}));
  ToolFormat pythonic{"pythonic", ToolFamily::kPython, "Llama 3.2 and 4 with Python calls, LFM2, Gorilla"};
  pythonic.python.opens = {"<|python_start|>", "<|tool_call_start|>", "<<function>>"};
  pythonic.python.closes = {"<|python_end|>", "<|tool_call_end|>"};
  pythonic.ends = {"<|eom_id|>"};
  all.push_back(std::move(pythonic));
  add_mistral(&all);
  add_deepseek(&all);
  add_lists(&all);
  all.push_back(markup("functionary_v3_1", "Functionary 3.1", functionary_v3_1(),
                       {"", "<function=", ">", "</function>", "", ""}, {"<|eom_id|>"}));
  all.push_back(markup("functionary_v3_2", "Functionary 3.2", functionary_v3_2(), {"", "", "\n", "", ">>>", ""}));
  ToolFormat gpt_oss{"gpt_oss", ToolFamily::kHarmony, "gpt-oss"};
  gpt_oss.syntax = {
      "", "<|channel|>commentary to=functions.", " <|constrain|>json<|message|>", "<|call|>", "<|start|>assistant", ""};
  gpt_oss.ends = {"<|call|>", "<|return|>"};
  all.push_back(std::move(gpt_oss));
  all.push_back(markup("kimi_k2", "Kimi K2", kimi_k2(),
                       {"<|tool_calls_section_begin|>", "<|tool_call_begin|>functions.",
                        ":0<|tool_call_argument_begin|>", "<|tool_call_end|>", "", "<|tool_calls_section_end|>"}));
  all.push_back(
      tags("qwen3_coder", "Qwen3-Coder, Qwen 3.5, Nemotron 3, Step 3.5", function_tags("<tool_call>", "</tool_call>")));
  all.push_back(tags("seed_oss", "Seed-OSS", function_tags("<seed:tool_call>", "</seed:tool_call>")));
  all.push_back(tags("glm", "GLM 4.5 and newer", glm()));
  all.push_back(
      markup("json", "any: a JSON object or list at the start of the answer", plain_json(), list_syntax("[", "]")));
  return all;
}

const std::vector<ToolFormat>& formats() {
  static const std::vector<ToolFormat> all = make_formats();
  return all;
}

constexpr std::array<ReasoningFormat, 8> kReasoning = {{
    {"deepseek_r1", "<think>", "</think>", true},
    {"qwen3", "<think>", "</think>"},
    {"phi4", "<think>", "</think>"},
    {"gpt_oss", "", "", false, true},
    {"mistral", "[THINK]", "[/THINK]"},
    {"seed_oss", "<seed:think>", "</seed:think>"},
    {"cohere", "<|START_THINKING|>", "<|END_THINKING|>"},
    {"gemma4", "<|channel>thought", "<channel|>"},
}};

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

const char* detect_tools(std::string_view t) {
  if (has(t, "<|channel|>") && has(t, "<|message|>")) return "gpt_oss";
  if (has(t, "｜DSML｜")) return "deepseek_v32";
  if (has(t, "tool▁call▁begin")) return has(t, "```json") ? "deepseek_v3" : "deepseek_v31";
  if (has(t, "<|tool_call_begin|>")) return "kimi_k2";
  if (has(t, "<arg_key>")) return "glm";
  if (has(t, "<seed:tool_call>")) return "seed_oss";
  if (has(t, "<tool_call>")) return has(t, "<function=") ? "qwen3_coder" : "hermes";
  if (has(t, "[TOOL_CALLS]")) return has(t, "[ARGS]") ? "mistral_v11" : "mistral";
  if (has(t, "functools")) return "functools";
  if (has(t, "<|tool_call|>")) return has(t, "<|tool|>") ? "phi4" : "granite";
  if (has(t, "<|START_ACTION|>")) return "cohere";
  if (has(t, "<tool_calls>")) return "apriel";
  if (has(t, "<function=")) return "functionary_v3_1";
  if (has(t, ">>>all")) return "functionary_v3_2";
  if (has(t, "<|python_start|>") || has(t, "<|tool_call_start|>") || has(t, "<|tool_list_start|>") ||
      has(t, "func_name1(")) {
    return "pythonic";
  }
  if (has(t, "<|python_tag|>") || has(t, "{\"name\": function name, \"parameters\"")) return "llama3_json";
  return "json";
}

const char* detect_reasoning(std::string_view t) {
  if (has(t, "<|channel|>") && has(t, "<|message|>")) return "gpt_oss";
  if (has(t, "[THINK]")) return "mistral";
  if (has(t, "<seed:think>")) return "seed_oss";
  if (has(t, "<|START_THINKING|>")) return "cohere";
  if (has(t, "<|channel>thought")) return "gemma4";
  if (has(t, "<think>") || has(t, "</think>")) return "qwen3";
  return "";
}

}  // namespace

std::span<const ToolFormat> tool_formats() { return formats(); }
std::span<const ReasoningFormat> reasoning_formats() { return kReasoning; }

const ToolFormat* find_tool_format(std::string_view name) {
  const auto& all = formats();
  const auto it = std::find_if(all.begin(), all.end(), [name](const ToolFormat& f) { return f.name == name; });
  return it == all.end() ? nullptr : &*it;
}

const ReasoningFormat* find_reasoning_format(std::string_view name) {
  const auto it =
      std::find_if(kReasoning.begin(), kReasoning.end(), [name](const ReasoningFormat& f) { return f.name == name; });
  return it == kReasoning.end() ? nullptr : it;
}

std::vector<std::string> marks_of(const OutputFormat& format) {
  std::vector<std::string> marks;
  const auto add = [&marks](const std::vector<std::string_view>& list) {
    marks.insert(marks.end(), list.begin(), list.end());
  };
  if (const ToolFormat* f = format.tools) {
    add(f->markup.opens);
    add(f->markup.closes);
    add(f->markup.sections);
    add(f->markup.after_name);
    add(f->tags.opens);
    add(f->tags.closes);
    add({f->tags.key, f->tags.key_end, f->tags.value, f->tags.value_close});
    add(f->python.opens);
    add(f->python.closes);
  }
  if (format.reasoning) add({format.reasoning->begin, format.reasoning->end});
  const bool harmony =
      (format.tools && format.tools->family == ToolFamily::kHarmony) || (format.reasoning && format.reasoning->harmony);
  if (harmony) {
    add({"<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|end|>", "<|call|>", "<|return|>"});
  }
  std::erase_if(marks, [](const std::string& m) { return m.empty(); });
  return marks;
}

OutputFormat detect_formats(std::string_view template_source) {
  return {find_tool_format(detect_tools(template_source)), find_reasoning_format(detect_reasoning(template_source))};
}

OutputFormat formats_of_conv_template(std::string_view name, bool strips_reasoning) {
  struct Known {
    std::string_view prefix, tools;
  };
  constexpr Known kKnown[] = {
      {"hermes", "hermes"},        {"qwen3_5", "qwen3_coder"},     {"qwen", "hermes"},
      {"llama-3_", "llama3_json"}, {"llama-4", "pythonic"},        {"ministral3", "mistral_v11"},
      {"mistral", "mistral"},      {"deepseek_r1", "deepseek_v3"}, {"deepseek_v3", "deepseek_v3"},
      {"phi-4", "phi4"},           {"gorilla", "pythonic"},        {"glm", "glm"}};
  OutputFormat format{find_tool_format("json"), nullptr};
  for (const Known& known : kKnown) {
    if (!name.starts_with(known.prefix)) continue;
    format.tools = find_tool_format(known.tools);
    break;
  }
  if (name.starts_with("qwen3") || name.starts_with("deepseek_r1") || strips_reasoning) {
    format.reasoning = find_reasoning_format("qwen3");
  }
  if (name == "ministral3_reasoning") format.reasoning = find_reasoning_format("mistral");
  return format;
}

}  // namespace mlc::text
