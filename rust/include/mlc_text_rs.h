/* C face of the Rust text crate (rust/src). Used by src/text only; everything else goes through its C++ classes.
 *
 * Handles are immutable after creation: any number of threads may use one at the same time.
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

#ifdef __cplusplus
}
#endif
#endif /* MLC_TEXT_RS_H_ */
