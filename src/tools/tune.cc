// mlc_llm tune run | merge | show | export
#include "tune/tune.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "base/file.h"
#include "base/log.h"
#include "compiler/tuning/defaults.h"
#include "loader/compiler/compile_options.h"
#include "loader/model_dir.h"
#include "loader/progress.h"
#include "loader/workers.h"
#include "tools/command.h"
#include "tools/load_flags.h"
#include "tools/subject.h"
#include "tune/plot.h"

namespace mlc::tools {
namespace {

using compiler::TuningDatabase;

struct RunOptions {
  loader::ModelOptions flags;
  std::string preset, db, plot, budget = "600s", kernels = "*", cost_model = "auto";
  int64_t trials = 64, rows = 64, seed = 1;
};

// "120s", "10m", "1.5h", "90": seconds.
Result<double> parse_duration(const std::string& text) {
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(end, text.data() + text.size());
  const double factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (ec != std::errc() || factor == 0 || !(value > 0 && value * factor < 1e7)) {
    return error("--time-budget is \"{}\", expected a time such as 120s, 10m or 1h", text);
  }
  return value * factor;
}

// Adds records to the file, which others may be writing to as well.
Result<void> merge_into(const std::string& path, const TuningDatabase& records) {
  MLC_TRY(FileLock lock, FileLock::acquire(path + ".lock"));
  TuningDatabase all;
  if (path_exists(path)) {
    MLC_TRY(all, TuningDatabase::load(path));
  }
  all.merge(records);
  return all.save(path);
}

std::string microseconds(double seconds) { return fmt::format("{:.2f}", seconds * 1e6); }

void print_header() {
  fmt::print("{:44} {:>5} {:>12} {:>12} {:>7} {:>6}  {}\n", "kernel", "rows", "by hand µs", "best µs", "gain", "tried",
             "decisions");
}
void print_row(const std::string& kernel, int64_t rows, double by_hand, double best, size_t tried,
               const schedule::Decisions& decisions) {
  fmt::print("{:44} {:>5} {:>11} {:>11} {:>6.2f}x {:>6}  {}\n", kernel, rows, microseconds(by_hand), microseconds(best),
             by_hand / best, tried, schedule::print(decisions));
}

Result<std::unique_ptr<tune::CostModel>> open_cost_model(const std::string& choice) {
  if (choice == "none") return std::unique_ptr<tune::CostModel>();
  auto model = tune::load_xgboost();
  if (model) return model;
  fmt::print(stderr, "note: {}; searching without a cost model\n", model.error().message);
  return std::unique_ptr<tune::CostModel>();
}

// Where the records go; fails before anything is measured when that will not work.
Result<std::string> writable_db(const std::string& given) {
  const std::string path = given.empty() ? loader::default_tuning_path() : given;
  if (given.empty()) MLC_TRY_VOID(make_directories(artifact::Cache::default_root()));
  auto usable = merge_into(path, {});
  if (!usable) return std::move(usable).error().context("the tuning database {}", path);
  return path;
}

Result<int> run_tune(const RunOptions& o) {
  if (o.preset.empty() == o.flags.model.empty()) return error("give a model directory, or --preset NAME");
  MLC_TRY(const double budget, parse_duration(o.budget));
  const std::string model_name = o.preset.empty() ? o.flags.model : o.preset;
  MLC_TRY(Subject subject, find_subject(model_name, o.flags.quantization));
  loader::ModelOptions flags = o.flags;
  flags.tuning_db = "none";
  flags.context_window_size = subject.context_window_size;
  MLC_TRY(compiler::CompileOptions compile, loader::compile_options(flags));
  MLC_TRY_VOID(target::check_runs_on(compile.target, target::Target::host(), "--target: a kernel"));
  MLC_TRY(compiler::ModelKernels kernels, compiler::model_kernels(subject.config, subject.scheme, compile));
  MLC_TRY(auto tasks, tune::select_kernels(kernels, compile.target, {o.kernels, o.rows}));
  MLC_TRY(const std::string path, writable_db(o.db));
  MLC_TRY(TuningDatabase db, TuningDatabase::load(path));
  MLC_TRY(auto model, open_cost_model(o.cost_model));
  const auto workers = loader::make_workers(o.flags.threads);
  ThreadPool& pool = *workers;
  loader::Progress progress(fmt::format("tuning {} kernels of {} {}", tasks.size(), model_name, subject.scheme));
  tune::TuneHooks hooks;
  hooks.progress = [&](size_t done, size_t all, const std::string& kernel, const tune::Point& p) {
    progress.update(
        fmt::format("{}/{} {}, {} schedules measured, best {:.2f}x", done + 1, all, kernel, p.measured, p.gain));
  };
  // Saved after each kernel: what an interrupted run has found is kept.
  hooks.finished = [&](const tune::Report&) { return merge_into(path, db); };
  tune::TuneOptions options;
  options.target = compile.target;
  options.opt_level = compile.opt_level;
  options.seconds = budget;
  options.trials = static_cast<int>(o.trials);
  options.seed = static_cast<uint64_t>(o.seed);
  MLC_TRY(auto reports, tune::tune(tasks, options, pool, model.get(), db, hooks));
  size_t measured = 0;
  for (const tune::Report& r : reports) measured += r.result.tried.size();
  progress.done(fmt::format("{} schedules measured", measured));
  print_header();
  for (const tune::Report& r : reports) {
    print_row(r.task.func->name, r.task.rows, r.result.by_hand_seconds, r.result.best_seconds, r.result.tried.size(),
              r.result.best);
    if (!r.result.other_bits.empty()) {
      log::warn("{} schedules of {} gave other bits and were left out, the first: {}", r.result.other_bits.size(),
                r.task.func->name, schedule::print(r.result.other_bits[0]));
    }
  }
  if (reports.size() < tasks.size()) {
    fmt::print("{} of {} kernels were not reached in {}\n", tasks.size() - reports.size(), tasks.size(), o.budget);
  }
  if (!o.plot.empty()) MLC_TRY_VOID(write_file_atomic(o.plot, tune::best_so_far_svg(reports)));
  fmt::print("records are in {}\n", path);
  return 0;
}

Result<int> merge_databases(const std::vector<std::string>& inputs, const std::string& output) {
  TuningDatabase all;
  for (const std::string& path : inputs) {
    MLC_TRY(TuningDatabase db, TuningDatabase::load(path));
    all.merge(db);
  }
  MLC_TRY_VOID(all.save(output));
  fmt::print("{} records in {}\n", all.records().size(), output);
  return 0;
}

Result<int> show_database(const std::string& path) {
  MLC_TRY(TuningDatabase db, TuningDatabase::load(path.empty() ? loader::default_tuning_path() : path));
  std::string target;
  for (const auto& [key, r] : db.records()) {
    if (r.target != target) fmt::print("{}{} ({})\n", target.empty() ? "" : "\n", r.target, r.isa);
    if (r.target != target) print_header();
    target = r.target;
    print_row(r.kernel, r.rows, r.by_hand_seconds, r.seconds, r.tried.size(), r.decisions);
  }
  fmt::print("{} records\n", db.records().size());
  return 0;
}

Result<int> export_defaults(const std::string& path, std::string isa, const std::string& output) {
  MLC_TRY(TuningDatabase db, TuningDatabase::load(path.empty() ? loader::default_tuning_path() : path));
  if (isa.empty()) {
    MLC_TRY(const target::Target host, loader::resolve_device({}));
    isa = compiler::isa_of(host);
  }
  const std::string text = compiler::defaults_text(compiler::generalize(db, isa));
  if (output.empty()) {
    fmt::print("{}", text);
    return 0;
  }
  MLC_TRY_VOID(write_file_atomic(output, text));
  return 0;
}

void add_run_flags(CLI::App& app, RunOptions& o) {
  app.add_option("model", o.flags.model, "Model directory, mlc-chat-config.json, or HF://USER/REPO[@REVISION]");
  app.add_option("--preset", o.preset, "A model shape by name, such as llama-3.2-1b");
  app.add_option("--quantization", o.flags.quantization, "How weights are stored; default: the model's");
  app.add_option("--time-budget", o.budget, "For all kernels together: 120s, 10m, 1h")->capture_default_str();
  app.add_option("--trials", o.trials, "Schedules measured per kernel at most")
      ->check(at_least(1))
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--kernels", o.kernels, "Only kernels whose name matches, as a shell matches file names")
      ->capture_default_str();
  app.add_option("--rows", o.rows, "Rows with which kernels are measured that take any number of them")
      ->check(CLI::Range(1, 65'536))
      ->capture_default_str();
  app.add_option("--db", o.db, "The database that the records are added to; default: tuning.jsonl in $MLC_LLM_HOME");
  app.add_option("--plot", o.plot, "Draw the best gain so far of each kernel into this file (.svg)");
  app.add_option("--cost-model", o.cost_model, "auto (XGBoost where it is installed) or none")
      ->check(CLI::IsMember({"auto", "none"}))
      ->capture_default_str();
  app.add_option("--seed", o.seed, "Of the random choices")->check(at_least(0))->capture_default_str();
  add_compile_flags(app, o.flags);
  app.remove_option(app.get_option("--tuning-db"));  // here it is --db
}

}  // namespace

std::function<Result<int>()> setup_tune(CLI::App& app) {
  app.require_subcommand(1);
  CLI::App* run = app.add_subcommand("run", "Measure schedules of a model's kernels and keep the best");
  CLI::App* merge = app.add_subcommand("merge", "Put databases together; of two records for a kernel the faster stays");
  CLI::App* show = app.add_subcommand("show", "What a database holds");
  CLI::App* exports = app.add_subcommand("export", "The best schedule per kind of kernel, for any size: what ships");
  struct Options {
    RunOptions run;
    std::vector<std::string> inputs;
    std::string db, output, isa;
  };
  auto o = std::make_shared<Options>();
  add_run_flags(*run, o->run);
  merge->add_option("databases", o->inputs, "Databases to read")->required();
  merge->add_option("-o,--output", o->output, "The database to write")->required();
  for (CLI::App* sub : {show, exports}) {
    sub->add_option("--db", o->db, "The database; default: tuning.jsonl in $MLC_LLM_HOME");
  }
  exports->add_option("--isa", o->isa, "Instruction set, as `tune show` names it; default: this machine's");
  exports->add_option("-o,--output", o->output, "File to write; default: standard output");
  return [=]() -> Result<int> {
    if (run->parsed()) return run_tune(o->run);
    if (merge->parsed()) return merge_databases(o->inputs, o->output);
    if (show->parsed()) return show_database(o->db);
    return export_defaults(o->db, o->isa, o->output);
  };
}

}  // namespace mlc::tools
