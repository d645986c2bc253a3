#include <histedit.h>

#include <cstdio>

#include "tools/line_reader.h"

namespace mlc::tools {
namespace {

unsigned char insert_newline(EditLine* editor, int) {
  el_insertstr(editor, "\n");
  return CC_REFRESH;
}

}  // namespace

struct LineReader::Impl {
  EditLine* editor = el_init("mlc_llm", stdin, stdout, stderr);
  History* lines = history_init();
  ~Impl() {
    history_end(lines);
    el_end(editor);
  }
};

LineReader::LineReader() : impl_(std::make_unique<Impl>()) {
  EditLine* editor = impl_->editor;
  HistEvent event;
  history(impl_->lines, &event, H_SETSIZE, 500);
  el_set(editor, EL_PROMPT, +[](EditLine*) { return const_cast<char*>(">>> "); });
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_HIST, history, impl_->lines);
  el_set(editor, EL_SIGNAL, 0);
  el_set(editor, EL_ADDFN, "mlc-newline", "Insert a new line", insert_newline);
  el_set(editor, EL_BIND, "\033\r", "mlc-newline", nullptr);
  el_set(editor, EL_BIND, "\033\n", "mlc-newline", nullptr);
}

LineReader::~LineReader() = default;

const char* LineReader::help() { return "  Esc Enter           a new line in your message\n"; }

std::optional<std::string> LineReader::read() {
  int count = 0;
  const char* line = el_gets(impl_->editor, &count);
  if (line == nullptr || count <= 0) return std::nullopt;
  std::string text(line, static_cast<size_t>(count));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  HistEvent event;
  if (!text.empty()) history(impl_->lines, &event, H_ENTER, text.c_str());
  return text;
}

}  // namespace mlc::tools
