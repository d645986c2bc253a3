#include "schedule/rules/rules.h"

namespace mlc::schedule {

const std::vector<Rule>& rule_table() {
  static const std::vector<Rule> table = {
      {"matmul", matmul_rule},
      {"rowwise", rowwise_rule},
      {"explicit", explicit_rule},
  };
  return table;
}

Result<Schedule> explicit_rule(const ir::PrimFunc& f, const target::Target&) { return Schedule(f); }

Result<ir::Module> schedule_all(const ir::Module& m, const target::Target& target) {
  ir::Module out;
  for (const ir::PrimFunc& f : m.functions) {
    const auto attr = f.attrs.find("rule");
    const std::string wanted = attr == f.attrs.end() ? "explicit" : std::get<std::string>(attr->second);
    const Rule* rule = nullptr;
    for (const Rule& r : rule_table()) {
      if (r.name == wanted) rule = &r;
    }
    if (rule == nullptr)
      return error("function {} asks for the schedule rule \"{}\", which does not exist", f.name, wanted);
    auto scheduled = rule->apply(f, target);
    if (!scheduled) return std::move(scheduled).error().context("scheduling {} by the rule {}", f.name, rule->name);
    ir::PrimFunc done = scheduled->func();
    done.attrs["stage"] = std::string("scheduled");
    out.functions.push_back(std::move(done));
  }
  return out;
}

}  // namespace mlc::schedule
