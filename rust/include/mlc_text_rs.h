/* C face of the Rust text crate (rust/src). Used by src/text only; everything else goes through its C++ classes.
 *
 * Handles are immutable after creation: any number of threads may use one at the same time. The exception is
 * MlcRsMatcher: one thread at a time.
 * Functions return MLC_RS_OK and fill `out`, or another status and fill `error` with UTF-8 text to be freed.
 * Text goes in as pointer + size, need not end in NUL and must be UTF-8 (else the call fails, it never crashes).
 */
#ifndef MLC_TEXT_RS_H_
#define MLC_TEXT_RS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  MLC_RS_OK = 0,
  MLC_RS_FAILED = 1, /* the input was refused, or an internal failure was caught */
  MLC_RS_RAISED = 2, /* the chat template called raise_exception; `error` is its message alone */
};

typedef struct {
  uint8_t* data;
  size_t size;
} MlcRsBytes;

typedef struct {
  uint32_t* data;
  size_t size;
} MlcRsIds;

void mlc_rs_bytes_free(MlcRsBytes bytes);
void mlc_rs_ids_free(MlcRsIds ids);

/* ---- tokenizer ---- */

typedef struct MlcRsTokenizer MlcRsTokenizer;

/* How tokens join to text. */
enum {
  MLC_RS_DECODE_WHOLE = 0,      /* only a decode of the whole sequence is right (WordPiece, CTC, ...) */
  MLC_RS_DECODE_BYTE_LEVEL = 1, /* the tokens' bytes joined; broken UTF-8 becomes U+FFFD */
  MLC_RS_DECODE_PIECES = 2,     /* the same, then cut at the start as the fields say */
};

typedef struct {
  uint32_t kind;
  uint32_t byte_fallback;    /* 1: tokens such as <0x0A> stand for one byte */
  uint32_t strip_left;       /* up to so many leading spaces of the whole text are removed */
  uint32_t first_drops_mark; /* 1: every space in the first token is removed */
} MlcRsDecoderInfo;

enum {
  MLC_RS_TOKEN_EXISTS = 1,
  MLC_RS_TOKEN_SPECIAL = 2, /* skipped by decode(skip_special) */
  MLC_RS_TOKEN_ADDED = 4,
  MLC_RS_TOKEN_BYTE = 8, /* a byte-fallback token */
};

/* `json`: the text of tokenizer.json. `added` (may be empty): the object added_tokens_decoder of
 * tokenizer_config.json; tokens of it that tokenizer.json lacks are added. */
int32_t mlc_rs_tokenizer_new(const uint8_t* json, size_t json_size, const uint8_t* added, size_t added_size,
                             MlcRsTokenizer** out, MlcRsBytes* error);
void mlc_rs_tokenizer_free(MlcRsTokenizer* tokenizer);
int32_t mlc_rs_tokenizer_encode(const MlcRsTokenizer* tokenizer, const uint8_t* text, size_t size, bool add_special,
                                MlcRsIds* out, MlcRsBytes* error);
int32_t mlc_rs_tokenizer_decode(const MlcRsTokenizer* tokenizer, const uint32_t* ids, size_t count, bool skip_special,
                                MlcRsBytes* out, MlcRsBytes* error);
/* All tokens at once: token i's bytes are all[offsets[i] .. offsets[i + 1]), its flags flags[i]. */
int32_t mlc_rs_tokenizer_table(const MlcRsTokenizer* tokenizer, MlcRsBytes* all, MlcRsIds* offsets, MlcRsBytes* flags,
                               MlcRsDecoderInfo* info, MlcRsBytes* error);
int64_t mlc_rs_tokenizer_token_to_id(const MlcRsTokenizer* tokenizer, const uint8_t* token, size_t size); /* or -1 */
int32_t mlc_rs_tokenizer_id_to_token(const MlcRsTokenizer* tokenizer, uint32_t id, MlcRsBytes* out, MlcRsBytes* error);

/* ---- chat template ---- */

typedef struct MlcRsTemplate MlcRsTemplate;

int32_t mlc_rs_template_new(const uint8_t* source, size_t size, MlcRsTemplate** out, MlcRsBytes* error);
void mlc_rs_template_free(MlcRsTemplate* chat_template);
/* `context`: a JSON object, the template's variables. `__now__` (seconds since 1970) fixes strftime_now's clock. */
int32_t mlc_rs_template_render(const MlcRsTemplate* chat_template, const uint8_t* context, size_t size, MlcRsBytes* out,
                               MlcRsBytes* error);

/* ---- grammars ---- */

typedef struct MlcRsGrammarEnv MlcRsGrammarEnv; /* what all grammars of a tokenizer share; outlives the tokenizer */
typedef struct MlcRsGrammar MlcRsGrammar;       /* a compiled grammar; may outlive its environment */
typedef struct MlcRsMatcher MlcRsMatcher;       /* the state of one sequence; may outlive its grammar */

enum {
  MLC_RS_GRAMMAR_JSON_OBJECT = 0, /* any JSON object; no source */
  MLC_RS_GRAMMAR_JSON_SCHEMA = 1,
  MLC_RS_GRAMMAR_REGEX = 2, /* matches the whole text */
  MLC_RS_GRAMMAR_LARK = 3,  /* llguidance's dialect of Lark */
};

enum {
  MLC_RS_MAY_STOP = 1,  /* the text is complete as it is */
  MLC_RS_MUST_STOP = 2, /* and nothing can follow */
};

/* 128 K tokens: about 0.3 s. */
int32_t mlc_rs_grammar_env_new(const MlcRsTokenizer* tokenizer, MlcRsGrammarEnv** out, MlcRsBytes* error);
void mlc_rs_grammar_env_free(MlcRsGrammarEnv* env);
/* `lenient`: keywords of a schema that cannot be enforced are left out, and named in `warnings` (one per line). */
int32_t mlc_rs_grammar_new(const MlcRsGrammarEnv* env, uint32_t kind, const uint8_t* source, size_t size, bool lenient,
                           MlcRsGrammar** out, MlcRsBytes* warnings, MlcRsBytes* error);
void mlc_rs_grammar_free(MlcRsGrammar* grammar);
/* What the lexer learns is shared by all states of a grammar and grows with use. False: make a new one for the next
 * request, for it has grown over `max_bytes`, or it failed. */
bool mlc_rs_grammar_usable(const MlcRsGrammar* grammar, size_t max_bytes);

int32_t mlc_rs_matcher_new(const MlcRsGrammar* grammar, MlcRsMatcher** out, MlcRsBytes* error);
int32_t mlc_rs_matcher_clone(const MlcRsMatcher* matcher, MlcRsMatcher** out, MlcRsBytes* error);
void mlc_rs_matcher_free(MlcRsMatcher* matcher);
/* Token i is allowed next: bit i % 32 of bits[i / 32]. Fails in a state of MLC_RS_MUST_STOP. */
int32_t mlc_rs_matcher_mask(MlcRsMatcher* matcher, uint32_t* bits, size_t words, MlcRsBytes* error);
/* After a failure all functions fail. */
int32_t mlc_rs_matcher_accept(MlcRsMatcher* matcher, uint32_t token, MlcRsBytes* error);
int32_t mlc_rs_matcher_forced(MlcRsMatcher* matcher, MlcRsIds* out, MlcRsBytes* error);
int32_t mlc_rs_matcher_state(MlcRsMatcher* matcher, uint32_t* flags, MlcRsBytes* error);

#ifdef __cplusplus
}
#endif
#endif /* MLC_TEXT_RS_H_ */
