#include "base/knobs.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

#include "base/check.h"
#include "base/log.h"

namespace mlc {
namespace {

constexpr Knob kKnobs[] = {
    {"MLC_LOG", "",
     "Log level: trace, debug, info, warn, error or off. Unset: warn for commands that talk to a person, info for the "
     "server."},
    {"MLC_DEBUG", "0", "1: the log level is debug; `MLC_LOG` wins."},
    {"MLC_LLM_HOME", "",
     "Where compiled models, packed weights and downloads are cached. Unset: `$XDG_CACHE_HOME/mlc_llm`, else "
     "`~/.cache/mlc_llm`."},
    {"MLC_MODEL_PATH", "", "What `mlc_llm serve` serves when it is given no model."},
    {"MLC_DOWNLOAD_CACHE_POLICY", "ON",
     "Models of hubs (`HF://…`). ON: what was downloaded is used without asking the hub. REDO: it is compared with the "
     "hub, and what differs is downloaded again. READONLY: nothing is downloaded. OFF: such names are refused."},
    {"MLC_LLM_READONLY_WEIGHT_CACHE", "",
     "Directories, separated by `;` or `:`, that are looked into for downloaded models first: "
     "`<directory>/hf/<user>/<repo>`."},
    {"HF_TOKEN", "",
     "Token for private and gated models. Sent to the hub of HF_ENDPOINT only. Unset: the token that `hf auth login` "
     "stored, in `$HF_TOKEN_PATH`, `$HF_HOME/token` or `~/.cache/huggingface/token`."},
    {"HF_TOKEN_PATH", "", "The file of that token, if it is somewhere else."},
    {"HF_ENDPOINT", "https://huggingface.co", "The hub that `HF://…` names: a mirror, or a hub of one's own."},
    {"HF_HUB_OFFLINE", "0", "1: nothing is downloaded, as with MLC_DOWNLOAD_CACHE_POLICY=READONLY."},
    {"HF_HUB_DOWNLOAD_TIMEOUT", "30",
     "Seconds without a byte after which a download's connection is given up and made again."},
    {"MLC_THREADS", "0",
     "Worker threads; 0: one per physical performance core that this process may use (CPU affinity and cgroup quota). "
     "`--threads` wins."},
    {"MLC_PIN_THREADS", "auto",
     "auto: on machines with several kinds of cores or several memory nodes, workers stay on performance cores and on "
     "their node; elsewhere the system places them. 1: each worker on one core, which helps on an otherwise idle "
     "machine only. 0: never."},
    {"MLC_PROFILE", "0",
     "1: measure every kernel call and print a table of time, bytes, operations and percent of this machine's limits "
     "to "
     "standard error at exit."},
    {"MLC_TRACE", "", "A file to write a Chrome trace to (open it in chrome://tracing or Perfetto)."},
    {"MLC_DUMP", "",
     "Which compiler stages to write as text: `all`, or a comma-separated list of stage and pass names."},
    {"MLC_DUMP_DIR", "", "Directory for the files of `MLC_DUMP`. Unset: `mlc_dump` in the working directory."},
    {"MLC_DISABLE_PASS", "",
     "Lowering passes to skip, comma separated; only optimizations can be (src/lower/pipeline.cc lists them)."},
    {"MLC_TEST_GPU", "0", "Tests only: 1: tests of GPU kernels fail, not skip, where the OpenCL device is no GPU."},
    {"MLC_TEST_DATA", "", "Tests only: where the shared test data is. Unset: `../shared/data` beside the repository."},
    {"MLC_PROPERTY_CASES", "0", "Tests only: how many random cases each property test runs; 0: its own default."},
    {"MLC_PROPERTY_SEED", "0", "Tests only: the first seed of the random schedules."},
    {"MLC_UPDATE_GOLDENS", "0", "Tests only: 1 rewrites the expected files instead of comparing with them."},
};

const Knob& find(std::string_view name) {
  for (const Knob& k : kKnobs) {
    if (name == k.name) return k;
  }
  MLC_UNREACHABLE("{} is not in the table of knobs (base/knobs.cc)", name);
}

}  // namespace

std::span<const Knob> all_knobs() { return kKnobs; }

std::string knob(std::string_view name) {
  const Knob& k = find(name);
  const char* value = std::getenv(k.name);
  return value != nullptr && *value != '\0' ? value : k.default_value;
}

int64_t knob_int(std::string_view name) {
  auto parse = [](const std::string& text, int64_t& out) {
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
    return ec == std::errc() && end == text.data() + text.size();
  };
  int64_t value = 0;
  const std::string text = knob(name);
  if (parse(text, value)) return value;
  const char* fallback = find(name).default_value;
  log::warn("{}=\"{}\" is not a whole number; using {}", name, text, fallback);
  MLC_CHECK(parse(fallback, value), "the default of {} is no number", name);
  return value;
}

bool knob_bool(std::string_view name) {
  const std::string text = knob(name);
  return !(text.empty() || text == "0" || text == "off" || text == "false" || text == "no");
}

std::string knobs_markdown() {
  std::string out =
      "# Environment variables\n\nGenerated from `src/base/knobs.cc`; do not edit. Every command line flag also has an "
      "environment form, which its `--help` shows.\n\n| name | default | meaning |\n|---|---|---|\n";
  for (const Knob& k : kKnobs) {
    out += fmt::format("| `{}` | {} | {} |\n", k.name, *k.default_value ? fmt::format("`{}`", k.default_value) : "",
                       k.help);
  }
  return out;
}

}  // namespace mlc
