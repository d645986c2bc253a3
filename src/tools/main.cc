// The program: everything is behind one function, so that the wheel can have it in its library.
#include "tools/program.h"

int main(int argc, char** argv) { return mlc_llm_main(argc, argv); }
