#include "schedule/primitives/annotate.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

namespace {

Result<void> set(Annotations& notes, const std::string& label, const std::string& key, const AnnotationValue& value) {
  if (key.empty()) return error("{}: the key of an annotation is empty", label);
  const std::string* text = std::get_if<std::string>(&value);
  if (text && text->empty()) {
    notes.erase(key);
  } else {
    notes[key] = value;
  }
  return {};
}

}  // namespace

Result<Change> apply(const State& s, const AnnotateLoop& x) {
  MLC_TRY(LoopAt at, s.find(x.loop));
  For f = *at.node;
  MLC_TRY_VOID(set(f.annotations, at.label, x.key, x.value));
  return Change{replace(s.func.body, at.path.back(), make_stmt(std::move(f))), {}, {}};
}

Result<Change> apply(const State& s, const AnnotateBlock& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  Block b = *at.node;
  if (x.key == "tensorized" || x.key == "ordered") {
    return error("{}: the annotation \"{}\" belongs to the schedule itself", at.label, x.key);
  }
  MLC_TRY_VOID(set(b.annotations, at.label, x.key, x.value));
  return Change{replace(s.func.body, at.path.back(), make_stmt(std::move(b))), {}, {}};
}

}  // namespace mlc::schedule
