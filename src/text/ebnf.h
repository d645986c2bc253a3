// EBNF grammars as llama.cpp (GBNF), XGrammar and vLLM write them, turned into Lark for llguidance.
//
//   root   ::= object
//   object ::= "{" ws (pair ("," ws pair)*)? "}" ws     # a comment
//   pair   ::= "\"" [a-z]{1,8} "\":" ws value
//
// Literals "…" or '…' with \n \r \t \\ \" \' \xHH \uHHHH \UHHHHHHHH, classes [a-z] and [^…], `.` for any character,
// groups, |, and the suffixes * + ? {n} {n,} {n,m}. A rule ends where the next `name ::=` begins. The start is `root`.
//
// These grammars have no lexer, llguidance has one that takes the longest match. So everything that is regular (refers
// to no recursive rule) becomes a terminal, and neighbours of that kind one terminal together: regular grammars keep
// their meaning exactly. In recursive ones, a text that could be cut into terminals in two ways is cut greedily.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mlc::text {

// Errors give line and column.
Result<std::string> lark_of_ebnf(std::string_view ebnf);

}  // namespace mlc::text
