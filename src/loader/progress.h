// Progress of slow steps on standard error: one line that is rewritten on a terminal, one line per step elsewhere.
//
//   Progress p("converting weights");
//   p.update(0.4);             // fraction done
//   p.done("695 MB");          // "converting weights: 695 MB in 12.3 s"
#pragma once

#include <chrono>
#include <string>

namespace mlc::loader {

class Progress {
 public:
  // Of this process; on at the start. Programs that link the library decide for themselves what is printed.
  static void show(bool shown);

  explicit Progress(std::string what);
  ~Progress();  // ends the line if done() was not called
  void update(double fraction);
  void update(const std::string& detail);
  void done(const std::string& summary = "");

 private:
  void print(const std::string& detail);
  std::string what_;
  std::chrono::steady_clock::time_point start_, last_;
  bool terminal_ = false, open_ = false, finished_ = false;
};

}  // namespace mlc::loader
