// mlc_llm bench: prefill and decode speed of a model shape or directory, beside this machine's limits and other
// programs.
#include <fmt/format.h>

#include <filesystem>

#include "base/file.h"
#include "tools/bench/history.h"
#include "tools/bench/html.h"
#include "tools/bench/measure.h"
#include "tools/bench_serve/command.h"
#include "tools/load_flags.h"

namespace mlc::tools {
namespace {

struct Options {
  bench::Spec spec;
  std::string suite, json, html, history;
};

// Before what takes long.
Result<void> check_outputs(const Options& o) {
  for (auto [flag, file] : {std::pair{"--json", &o.json}, {"--html", &o.html}, {"--history", &o.history}}) {
    const std::string parent = std::filesystem::path(*file).parent_path().string();
    if (!parent.empty() && !is_directory(parent)) {
      return error("{}: there is no directory \"{}\" to write {} to", flag, parent, *file);
    }
  }
  return {};
}

Result<int> run_bench(const Options& o) {
  MLC_TRY_VOID(check_outputs(o));
  std::vector<bench::Spec> specs = {o.spec};
  if (!o.suite.empty()) {
    if (!o.spec.model().empty()) return error("--suite names the models itself; found {} as well", o.spec.model());
    if (!o.spec.against.empty()) {
      return error("--against names a peer for one model: in a suite it stands in the model's entry, as \"against\"");
    }
    MLC_TRY(specs, bench::read_suite(o.suite, o.spec));
  } else {
    MLC_TRY_VOID(bench::check(o.spec));
  }
  std::vector<bench::HistoryEntry> history;
  if (!o.history.empty()) {
    MLC_TRY(history, bench::read_history(o.history));
  }
  bench::Session session = bench::new_session();
  for (const bench::Spec& spec : specs) {
    MLC_TRY(bench::Report report, bench::measure(spec));
    if (o.json != "-") fmt::print("{}{}", session.reports.empty() ? "" : "\n", bench::table(report));
    std::fflush(stdout);
    session.reports.push_back(std::move(report));
  }
  if (o.json == "-") {
    fmt::print("{}\n", bench::to_json(session).dump(2));
  } else if (!o.json.empty()) {
    MLC_TRY_VOID(write_file_atomic(o.json, bench::to_json(session).dump(2) + "\n"));
  }
  if (!o.history.empty()) {
    MLC_TRY_VOID(bench::append_history(o.history, session));
    MLC_TRY(history, bench::read_history(o.history));
  }
  if (!o.html.empty()) MLC_TRY_VOID(write_file_atomic(o.html, bench::html(session, history)));
  return 0;
}

}  // namespace

std::function<Result<int>()> setup_bench(CLI::App& app) {
  auto o = std::make_shared<Options>();
  bench::Spec& s = o->spec;
  app.add_option("model", s.flags.model, "Model directory");
  app.add_option("--preset", s.preset, "A model shape by name, such as llama-3.2-1b");
  app.add_flag("--synthetic", s.synthetic, "Random weights, made in memory");
  app.add_option("--suite", o->suite, "A JSON file with several models and their phases");
  app.add_option("--quantization", s.flags.quantization, "How weights are stored");
  app.add_option("--prompt-lengths", s.prompt_lengths,
                 "Prompt lengths to measure, separated by commas; 0: none; default: 512, or what fits the context")
      ->delimiter(',');
  app.add_option("--generate", s.generate, "Tokens to generate in a decode phase; 0: prefill only")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--batch", s.batches, "Numbers of sequences to decode together, separated by commas")->delimiter(',');
  app.add_option("--depth", s.depths,
                 "Tokens that each sequence's cache holds already (not computed): all phases are measured behind each "
                 "of these, separated by commas")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--runs", s.runs, "Runs of each phase; medians are shown")->check(at_least(1))->capture_default_str();
  app.add_option(
         "--against", s.against,
         "A shell command with llama-bench or llama-batched-bench, run once per run of ours; may be given again")
      ->allow_extra_args(false);
  app.add_option("--json", o->json, "Write the figures to this file; -: to standard output instead of the table");
  app.add_option("--html", o->html, "Write a report with plots to this file");
  app.add_option("--history", o->history,
                 "Append the figures to this file of JSON lines; the report of --html shows its course");
  add_compile_flags(app, s.flags);
  CLI::App* serve = app.add_subcommand("serve", "Put a server with OpenAI's API under load, this one or another");
  const auto run_serve = setup_bench_serve(*serve);
  return [o, serve, run_serve]() { return serve->parsed() ? run_serve() : run_bench(*o); };
}

}  // namespace mlc::tools
