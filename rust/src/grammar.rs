//! Structured output: the `llguidance` crate over a tokenizer of ours.
//!
//! `Env` holds what all grammars of a tokenizer share (the trie of its tokens, the precomputed slices of it),
//! `Grammar` a compiled constraint, `MatcherHandle` the state of one sequence that follows it. End tokens are not
//! known here: a state says whether the text may end, and the caller's tokens for it are the caller's business.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use llguidance::api::{GrammarInit, TopLevelGrammar};
use llguidance::earley::SlicedBiasComputer;
use llguidance::{Matcher, ParserFactory, TokenParser};
use serde_json::{json, Value as Json};
use tokenizers::Tokenizer;
use toktrie::{InferenceCapabilities, TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv, INVALID_TOKEN};

use crate::ffi::{guard, text, Bytes, Failure, Ids};
use crate::tokenizer::{Handle, FLAG_BYTE, FLAG_EXISTS, FLAG_SPECIAL};

/// Grammars are compiled by recursive code, on a thread of their own: address space, touched only where needed.
const COMPILE_STACK_BYTES: usize = 256 << 20;
/// A lexer state takes 1 to 2 KiB; a grammar that needs more states than this ends the request, not the server.
const MAX_LEXER_STATES: usize = 50_000;
/// The trie's nodes count their depth in 10 bits.
const MAX_TOKEN_BYTES: usize = 1000;
/// Begins a text to tokenize for tokenizers that change how a text begins; no vocabulary merges it with anything.
const MARK: &str = "\u{2}";

const KIND_JSON_OBJECT: u32 = 0;
const KIND_JSON_SCHEMA: u32 = 1;
const KIND_REGEX: u32 = 2;
const KIND_LARK: u32 = 3;

const STATE_MAY_STOP: u32 = 1;
const STATE_MUST_STOP: u32 = 2;

#[derive(Clone, Copy, PartialEq)]
enum Spelling {
    /// Encoding a text gives tokens whose bytes are the text.
    Plain,
    /// The same, but for what comes before the first character (SentencePiece puts a space there).
    AfterMark,
    /// Neither: texts are cut into the longest tokens, and nothing is forced on the model.
    Greedy,
}

struct TrieTokenizer {
    tokenizer: Arc<Tokenizer>,
    trie: TokTrie,
    spelling: Spelling,
}

impl TrieTokenizer {
    fn new(tokenizer: Arc<Tokenizer>, trie: TokTrie) -> Self {
        let mut this = TrieTokenizer { tokenizer, trie, spelling: Spelling::Greedy };
        let sample = "{\"name\": [1, \"two words\"]}\n";
        for spelling in [Spelling::Plain, Spelling::AfterMark] {
            if this.exact(sample, spelling).is_some() {
                this.spelling = spelling;
                break;
            }
        }
        this
    }

    /// The tokens of `text` if their bytes are exactly it: a normalizer may have changed it, and special tokens that
    /// are written out in it are not text.
    fn exact(&self, text: &str, spelling: Spelling) -> Option<Vec<TokenId>> {
        let spells = |ids: &[TokenId], bytes: &[u8]| {
            let mut rest = bytes;
            for &id in ids {
                let token = self.trie.token(id);
                if token.is_empty() {
                    return false;
                }
                match rest.strip_prefix(token) {
                    Some(tail) => rest = tail,
                    None => return false,
                }
            }
            rest.is_empty()
        };
        let encode = |s: String| Some(self.tokenizer.encode_fast(s, false).ok()?.get_ids().to_vec());
        match spelling {
            Spelling::Plain => encode(text.into()).filter(|ids| spells(ids, text.as_bytes())),
            Spelling::AfterMark => {
                let ids = encode(format!("{MARK}{text}"))?;
                let end = ids.iter().take(3).position(|&id| self.trie.token(id) == MARK.as_bytes())?;
                Some(ids[end + 1..].to_vec()).filter(|ids| spells(ids, text.as_bytes()))
            }
            Spelling::Greedy => None,
        }
    }
}

impl TokenizerEnv for TrieTokenizer {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, s: &[u8]) -> Vec<TokenId> {
        self.trie.tokenize_with_greedy_fallback(s, |text| {
            self.exact(text, self.spelling).unwrap_or_else(|| self.trie.greedy_tokenize(text.as_bytes()))
        })
    }

    fn tokenize_is_canonical(&self) -> bool {
        self.spelling != Spelling::Greedy
    }
}

pub struct Env {
    factory: ParserFactory,
}

impl Env {
    fn new(handle: &Handle) -> Result<Env, Failure> {
        let (all, offsets, flags) = handle.table();
        let words: Vec<Vec<u8>> = flags
            .iter()
            .enumerate()
            .map(|(id, &flag)| {
                let token = &all[offsets[id] as usize..offsets[id + 1] as usize];
                if flag & FLAG_EXISTS == 0 || token.len() > MAX_TOKEN_BYTES {
                    Vec::new()
                } else if flag & FLAG_SPECIAL != 0 {
                    [&[TokTrie::SPECIAL_TOKEN_MARKER], token].concat()
                } else if token.first() == Some(&TokTrie::SPECIAL_TOKEN_MARKER) && flag & FLAG_BYTE == 0 {
                    Vec::new() // never part of UTF-8, and the marker of special tokens
                } else {
                    token.to_vec()
                }
            })
            .collect();
        let trie = TokTrie::from(&TokRxInfo::new(words.len() as u32, INVALID_TOKEN), &words);
        let env: TokEnv = Arc::new(TrieTokenizer::new(handle.shared(), trie));
        let caps = InferenceCapabilities { ff_tokens: env.tokenize_is_canonical(), ..Default::default() };
        let mut factory = ParserFactory::new(&env, caps, &SlicedBiasComputer::general_slices())
            .map_err(|e| plain_message(&format!("{e:#}")))?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        factory.limits_mut().max_lexer_states = MAX_LEXER_STATES;
        Ok(Env { factory })
    }
}

/// What llguidance says, without its appendices (`<state>`, `<backtrace>`) for its developers.
fn plain_message(message: &str) -> Failure {
    let end = message.find("\n<").unwrap_or(message.len());
    Failure::from(message[..end].trim_end())
}

fn schema_grammar(text: &str, lenient: bool) -> Result<TopLevelGrammar, Failure> {
    let mut schema: Json = serde_json::from_str(text).map_err(|e| Failure::from(format!("not valid JSON: {e}")))?;
    if schema == Json::Bool(true) {
        schema = json!({});
    }
    let Some(object) = schema.as_object_mut() else {
        return Err(Failure::from("the schema must be an object"));
    };
    object.insert("x-guidance".into(), json!({ "lenient": lenient }));
    Ok(TopLevelGrammar::from_json_schema(schema))
}

pub struct Grammar {
    /// Never used itself, only cloned: clones share what the lexer has learnt.
    start: Mutex<TokenParser>,
    /// A state failed inside the library; what is shared may be in disorder.
    broken: AtomicBool,
    warnings: String,
}

impl Grammar {
    fn new(env: &Env, kind: u32, text: &str, lenient: bool) -> Result<Grammar, Failure> {
        let grammar = match kind {
            KIND_JSON_OBJECT => schema_grammar("{\"type\": \"object\"}", false)?,
            KIND_JSON_SCHEMA => schema_grammar(text, lenient)?,
            KIND_REGEX => TopLevelGrammar::from_regex(text),
            KIND_LARK => TopLevelGrammar::from_lark(text.to_string()),
            _ => return Err(Failure::from(format!("unknown kind of grammar {kind}"))),
        };
        let init = GrammarInit::Serialized(grammar);
        let mut start = env.factory.create_parser_from_init(init, 0, 0).map_err(|e| plain_message(&e.to_string()))?;
        start.start_without_prompt();
        let warnings = start.grammar_warnings().join("\n");
        Ok(Grammar { start: Mutex::new(start), broken: AtomicBool::new(false), warnings })
    }

    fn compile(env: &Env, kind: u32, text: &str, lenient: bool) -> Result<Grammar, Failure> {
        let compile = || catch_unwind(AssertUnwindSafe(|| Grammar::new(env, kind, text, lenient)));
        let result = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("grammar".into()).stack_size(COMPILE_STACK_BYTES);
            match thread.spawn_scoped(scope, compile) {
                Ok(running) => running.join().and_then(|r| r),
                Err(e) => Ok(Err(Failure::from(format!("cannot start a thread: {e}")))),
            }
        });
        result.unwrap_or_else(|_| Err(Failure::from("the grammar's compiler failed on it")))
    }
}

pub struct MatcherHandle {
    grammar: Arc<Grammar>,
    matcher: Matcher,
}

impl MatcherHandle {
    fn new(grammar: &Arc<Grammar>) -> Result<MatcherHandle, Failure> {
        let start = grammar.start.lock().map_err(|_| Failure::from("the grammar is broken"))?.clone();
        Ok(MatcherHandle { grammar: grammar.clone(), matcher: Matcher::new(Ok(start)) })
    }

    fn failed(&self, error: impl std::fmt::Display) -> Failure {
        let message = error.to_string();
        if message.starts_with("panic") {
            self.grammar.broken.store(true, Ordering::Relaxed);
        }
        plain_message(&message)
    }

    fn mask(&mut self, bits: &mut [u32]) -> Result<(), Failure> {
        let set = self.matcher.compute_mask().map_err(|e| self.failed(e))?;
        let from = set.as_slice();
        let n = from.len().min(bits.len());
        bits[..n].copy_from_slice(&from[..n]);
        bits[n..].fill(0);
        // The set is allocated with room for one token more than there are.
        let tokens = set.len();
        if tokens / 32 < bits.len() {
            bits[tokens / 32] &= (1u32 << (tokens % 32)) - 1;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<u32, Failure> {
        if self.matcher.is_error() {
            return Err(self.failed(self.matcher.get_error().unwrap_or_default()));
        }
        if self.matcher.is_stopped() {
            return Ok(STATE_MAY_STOP | STATE_MUST_STOP);
        }
        let accepting = self.matcher.is_accepting().map_err(|e| self.failed(e))?;
        Ok(if accepting { STATE_MAY_STOP } else { 0 })
    }

    fn accept(&mut self, token: u32) -> Result<(), Failure> {
        self.matcher.consume_token(token).map_err(|e| self.failed(e))
    }
}

/// # Safety
/// Pointers as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_grammar_env_new(handle: *const Handle, out: *mut *mut Env, error: *mut Bytes) -> i32 {
    guard(error, || Env::new(&*handle), |env| out.write(Box::into_raw(Box::new(env))))
}

/// # Safety
/// `env` came from `mlc_rs_grammar_env_new` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_grammar_env_free(env: *mut Env) {
    if !env.is_null() {
        drop(Box::from_raw(env));
    }
}

/// # Safety
/// Pointers and sizes as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_grammar_new(
    env: *const Env,
    kind: u32,
    source: *const u8,
    size: usize,
    lenient: bool,
    out: *mut *mut Arc<Grammar>,
    warnings: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guard(
        error,
        || Grammar::compile(&*env, kind, text(source, size, "the grammar")?, lenient),
        |mut grammar| {
            warnings.write(Bytes::from(std::mem::take(&mut grammar.warnings).into_bytes()));
            out.write(Box::into_raw(Box::new(Arc::new(grammar))));
        },
    )
}

/// # Safety
/// `grammar` came from `mlc_rs_grammar_new` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_grammar_free(grammar: *mut Arc<Grammar>) {
    if !grammar.is_null() {
        drop(Box::from_raw(grammar));
    }
}

/// # Safety
/// `grammar` came from `mlc_rs_grammar_new`.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_grammar_usable(grammar: *const Arc<Grammar>, max_bytes: usize) -> bool {
    let grammar = &*grammar;
    let small = || match grammar.start.lock() {
        // Reading the lexer's size takes its lock, which a panic elsewhere may have poisoned.
        Ok(start) => start.parser.lexer_stats().num_bytes <= max_bytes,
        Err(_) => false,
    };
    !grammar.broken.load(Ordering::Relaxed) && catch_unwind(AssertUnwindSafe(small)).unwrap_or(false)
}

/// # Safety
/// Pointers as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_matcher_new(
    grammar: *const Arc<Grammar>,
    out: *mut *mut MatcherHandle,
    error: *mut Bytes,
) -> i32 {
    guard(error, || MatcherHandle::new(&*grammar), |m| out.write(Box::into_raw(Box::new(m))))
}

/// # Safety
/// Pointers as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_matcher_clone(
    matcher: *const MatcherHandle,
    out: *mut *mut MatcherHandle,
    error: *mut Bytes,
) -> i32 {
    guard(
        error,
        || Ok(MatcherHandle { grammar: (*matcher).grammar.clone(), matcher: (*matcher).matcher.clone() }),
        |m| out.write(Box::into_raw(Box::new(m))),
    )
}

/// # Safety
/// `matcher` came from one of the functions above and is not used again.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_matcher_free(matcher: *mut MatcherHandle) {
    if !matcher.is_null() {
        drop(Box::from_raw(matcher));
    }
}

/// # Safety
/// Pointers and sizes as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_matcher_mask(
    matcher: *mut MatcherHandle,
    bits: *mut u32,
    words: usize,
    error: *mut Bytes,
) -> i32 {
    guard(error, || (*matcher).mask(std::slice::from_raw_parts_mut(bits, words)), |()| {})
}

/// # Safety
/// Pointers as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_matcher_accept(matcher: *mut MatcherHandle, token: u32, error: *mut Bytes) -> i32 {
    guard(error, || (*matcher).accept(token), |()| {})
}

/// # Safety
/// Pointers as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_matcher_forced(matcher: *mut MatcherHandle, out: *mut Ids, error: *mut Bytes) -> i32 {
    guard(
        error,
        || {
            let m = &mut (*matcher).matcher;
            Ok(if m.is_stopped() { Vec::new() } else { m.compute_ff_tokens() })
        },
        |ids| out.write(Ids::from(ids)),
    )
}

/// # Safety
/// Pointers as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_matcher_state(matcher: *mut MatcherHandle, out: *mut u32, error: *mut Bytes) -> i32 {
    guard(error, || (*matcher).state(), |flags| out.write(flags))
}
