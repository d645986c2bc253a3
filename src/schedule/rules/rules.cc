#include "schedule/rules/rules.h"

#include "base/log.h"

namespace mlc::schedule {

const std::vector<Rule>& rule_table() {
  static const std::vector<Rule> table = {
      {"matmul", matmul_rule},
      {"rowwise", rowwise_rule},
      {"explicit", explicit_rule},
  };
  return table;
}

Result<Schedule> explicit_rule(const ir::PrimFunc& f, const target::Target&, const Decisions&) { return Schedule(f); }

Result<Schedule> schedule_func(const ir::PrimFunc& f, const target::Target& target, const Decisions& decisions) {
  const auto attr = f.attrs.find("rule");
  const std::string wanted = attr == f.attrs.end() ? "explicit" : std::get<std::string>(attr->second);
  const Rule* rule = nullptr;
  for (const Rule& r : rule_table()) {
    if (r.name == wanted) rule = &r;
  }
  if (rule == nullptr)
    return error("function {} asks for the schedule rule \"{}\", which does not exist", f.name, wanted);
  auto scheduled = rule->apply(f, target, decisions);
  if (!scheduled) return std::move(scheduled).error().context("scheduling {} by the rule {}", f.name, rule->name);
  const Decisions asked = decisions_of(scheduled->trace());
  for (const auto& [name, value] : decisions) {
    if (asked.count(name) == 0) return error("the rule {} chooses no \"{}\" for {}", rule->name, name, f.name);
  }
  return scheduled;
}

Result<ir::Module> schedule_all(const ir::Module& m, const target::Target& target, const DecisionsFor& decided) {
  ir::Module out;
  for (const ir::PrimFunc& f : m.functions) {
    const Decisions decisions = decided ? decided(f) : Decisions{};
    auto scheduled = schedule_func(f, target, decisions);
    const bool fits = scheduled.has_value();
    if (!fits && !decisions.empty()) {
      log::warn("tuned decisions for {} do not fit and are left aside ({})", f.name, scheduled.error().message);
      scheduled = schedule_func(f, target);
    }
    if (!scheduled) return std::move(scheduled).error();
    ir::PrimFunc done = scheduled->func();
    done.attrs["stage"] = std::string("scheduled");
    if (fits && !decisions.empty()) done.attrs["decided"] = print(decisions);  // shows in dumps
    out.functions.push_back(std::move(done));
  }
  return out;
}

}  // namespace mlc::schedule
