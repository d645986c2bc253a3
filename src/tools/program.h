// The mlc_llm program as a function, so that a library may hold it: in the wheel it is in libmlc_llm.so, beside what
// Python loads, and LLVM is there once.
//
//   int main(int argc, char** argv) { return mlc_llm_main(argc, argv); }
#pragma once

// Exit codes: 0, 1 (an error, told on standard error), 2 (wrong flags).
extern "C" [[gnu::visibility("default")]] int mlc_llm_main(int argc, char** argv);
