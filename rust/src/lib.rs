//! The C face of the `tokenizers`, `minijinja` and `llguidance` crates: glue only, the program's logic lives in C++.
//!
//! Every exported function catches panics and reports failures as text; `include/mlc_text_rs.h` is the contract.
//! All handles but `MlcRsMatcher` are immutable after creation, so any number of threads may use one at the same time.

mod ffi;
mod grammar;
mod py_methods;
mod py_text;
mod template;
mod tokenizer;
