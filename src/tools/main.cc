#include "tools/program.h"

int main(int argc, char** argv) { return mlc_llm_main(argc, argv); }
