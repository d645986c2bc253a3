// Writing each stage of a compilation as numbered text files.
//
//   Dumper d = Dumper::from_environment();      // MLC_DUMP=all or a comma list of stage or pass names; MLC_DUMP_DIR
//   d.write("graph", print(graph));             // <dir>/03-graph.txt
#pragma once

#include <functional>
#include <set>
#include <string>

namespace mlc::compiler {

class Dumper {
 public:
  Dumper() = default;  // writes nothing
  Dumper(std::string dir, const std::string& what);
  static Dumper from_environment();

  bool wants(const std::string& stage) const { return all_ || stages_.count(stage) > 0; }
  bool enabled() const { return all_ || !stages_.empty(); }
  // Calls `text` only if the stage is wanted. Every stage takes a number, wanted or not, so that numbers are stable.
  void write(const std::string& stage, const std::function<std::string()>& text, const std::string& suffix = "txt");

 private:
  std::string dir_;
  bool all_ = false;
  std::set<std::string> stages_;
  int next_ = 0;
};

}  // namespace mlc::compiler
