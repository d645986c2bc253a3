//! Hugging Face tokenizers behind C functions, and the per-token byte table that streaming and grammars need.

use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value as Json;
use tokenizers::{AddedToken, Tokenizer};

use crate::ffi::{bytes, guard, text, Bytes, Failure, Ids};

/// How `decode` joins tokens; see `mlc_rs_decoder_info` in the header.
#[derive(Clone, Debug, Default, PartialEq)]
enum Decoder {
    /// Nothing that can be done token by token: decode the whole sequence.
    #[default]
    Whole,
    /// GPT-2 style: every character of a token stands for one byte.
    ByteLevel,
    /// SentencePiece style: replacements per token, optional byte tokens, then cut at the very start.
    Pieces(Pieces),
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Pieces {
    replace: Vec<(String, String)>,
    byte_fallback: bool,
    /// At most this many leading spaces are removed from the whole text.
    strip_left: u32,
    /// Metaspace: every mark in the first token vanishes.
    first_drops_mark: bool,
}

#[repr(C)]
pub struct DecoderInfo {
    kind: u32,
    byte_fallback: u32,
    strip_left: u32,
    first_drops_mark: u32,
}

pub struct Handle {
    tokenizer: Arc<Tokenizer>,
    decoder: Decoder,
    table_size: usize,
}

pub const FLAG_EXISTS: u8 = 1;
pub const FLAG_SPECIAL: u8 = 2;
const FLAG_ADDED: u8 = 4;
pub const FLAG_BYTE: u8 = 8;

/// Reads the decoder part of tokenizer.json. Anything unusual falls to `Whole`, which is always right, only slower.
fn classify(decoder: &Json) -> Decoder {
    let steps: Vec<&Json> = match decoder["type"].as_str() {
        Some("Sequence") => decoder["decoders"].as_array().map(|a| a.iter().collect()).unwrap_or_default(),
        Some(_) => vec![decoder],
        None => vec![],
    };
    if steps.len() == 1 && steps[0]["type"] == "ByteLevel" {
        return Decoder::ByteLevel;
    }
    let mut pieces = Pieces::default();
    let mut fused = false;
    for step in &steps {
        match step["type"].as_str() {
            Some("Replace") if !fused => match (step["pattern"]["String"].as_str(), step["content"].as_str()) {
                (Some(from), Some(to)) => pieces.replace.push((from.into(), to.into())),
                _ => return Decoder::Whole,
            },
            Some("ByteFallback") if !fused => pieces.byte_fallback = true,
            Some("Fuse") => fused = true,
            Some("Strip") if fused && step["content"] == " " && step["stop"] == 0 && pieces.strip_left == 0 => {
                pieces.strip_left = step["start"].as_u64().unwrap_or(0) as u32
            }
            Some("Metaspace") if steps.len() == 1 => {
                let mark = step["replacement"].as_str().unwrap_or("\u{2581}");
                pieces.replace.push((mark.into(), " ".into()));
                let scheme = step["prepend_scheme"].as_str();
                let legacy = step["add_prefix_space"].as_bool().unwrap_or(true);
                pieces.first_drops_mark = scheme.map_or(legacy, |s| s != "never");
            }
            _ => return Decoder::Whole,
        }
    }
    if steps.is_empty() {
        Decoder::Whole
    } else {
        Decoder::Pieces(pieces)
    }
}

/// The inverse of GPT-2's byte-to-character table.
fn byte_of_char(c: char) -> Option<u8> {
    let u = c as u32;
    match u {
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => Some(u as u8),
        0x100..=0x120 => Some((u - 0x100) as u8),
        0x121..=0x142 => Some((u - 0x121 + 0x7F) as u8),
        0x143 => Some(0xAD),
        _ => None,
    }
}

fn byte_token(token: &str) -> Option<u8> {
    if token.len() == 6 && token.starts_with("<0x") && token.ends_with('>') {
        u8::from_str_radix(token.get(3..5)?, 16).ok()
    } else {
        None
    }
}

impl Handle {
    fn new(json: &str, added: &str) -> Result<Handle, Failure> {
        let mut tokenizer = Tokenizer::from_str(json).map_err(|e| Failure::from(format!("tokenizer.json: {e}")))?;
        // Truncation and padding are training-time settings; a prompt must never be cut silently.
        tokenizer.with_truncation(None).map_err(Failure::from)?;
        tokenizer.with_padding(None);
        if !added.is_empty() {
            add_tokens(&mut tokenizer, added)?;
        }
        let decoder = match tokenizer.get_decoder() {
            Some(d) => classify(&serde_json::to_value(d)?),
            None => Decoder::Whole,
        };
        let table_size = tokenizer.get_vocab(true).values().map(|&id| id as usize + 1).max().unwrap_or(0);
        Ok(Handle { tokenizer: Arc::new(tokenizer), decoder, table_size })
    }

    fn token_bytes(&self, token: &str, added: bool) -> Vec<u8> {
        match &self.decoder {
            // An added token is its own text; only the vocabulary's tokens are spelled in stand-ins for bytes.
            Decoder::ByteLevel if added => token.as_bytes().to_vec(),
            Decoder::ByteLevel => token
                .chars()
                .map(byte_of_char)
                .collect::<Option<Vec<u8>>>()
                .unwrap_or_else(|| token.as_bytes().to_vec()),
            Decoder::Pieces(p) => {
                if p.byte_fallback {
                    if let Some(b) = byte_token(token) {
                        return vec![b];
                    }
                }
                let mut s = token.to_string();
                for (from, to) in &p.replace {
                    s = s.replace(from.as_str(), to);
                }
                s.into_bytes()
            }
            Decoder::Whole if added => token.as_bytes().to_vec(),
            // The decoder knows best what one token alone looks like (WordPiece's "##", CTC, ...).
            Decoder::Whole => match self.tokenizer.get_decoder() {
                Some(d) => tokenizers::Decoder::decode(d, vec![token.to_string()]).unwrap_or_default().into_bytes(),
                None => token.as_bytes().to_vec(),
            },
        }
    }

    /// The tokenizer itself, for those who outlive the handle.
    pub fn shared(&self) -> Arc<Tokenizer> {
        self.tokenizer.clone()
    }

    /// All tokens' bytes, where each begins, and their flags.
    pub fn table(&self) -> (Vec<u8>, Vec<u32>, Vec<u8>) {
        let added = self.tokenizer.get_added_tokens_decoder();
        let mut tokens: Vec<Option<String>> = vec![None; self.table_size];
        for (token, id) in self.tokenizer.get_vocab(true) {
            tokens[id as usize] = Some(token);
        }
        let (mut all, mut offsets, mut flags) = (Vec::new(), vec![0u32], Vec::new());
        for (id, slot) in tokens.iter().enumerate() {
            let mut flag = 0;
            let entry = added.get(&(id as u32));
            let token = entry.map(|a| a.content.as_str()).or(slot.as_deref());
            if let Some(token) = token {
                flag |= FLAG_EXISTS;
                if entry.is_some() {
                    flag |= FLAG_ADDED;
                }
                if self.tokenizer.get_added_vocabulary().is_special_token(token) {
                    flag |= FLAG_SPECIAL;
                }
                if matches!(&self.decoder, Decoder::Pieces(p) if p.byte_fallback) && byte_token(token).is_some() {
                    flag |= FLAG_BYTE;
                }
                all.extend(self.token_bytes(token, entry.is_some()));
            }
            offsets.push(all.len() as u32);
            flags.push(flag);
        }
        (all, offsets, flags)
    }
}

/// Adds the tokens of tokenizer_config.json's `added_tokens_decoder` that tokenizer.json lacks, where the library
/// gives them the id that the file states.
fn add_tokens(tokenizer: &mut Tokenizer, added: &str) -> Result<(), Failure> {
    let map: serde_json::Map<String, Json> =
        serde_json::from_str(added).map_err(|e| Failure::from(format!("added_tokens_decoder: {e}")))?;
    let mut entries: Vec<(u32, &Json)> =
        map.iter().filter_map(|(id, token)| Some((id.parse::<u32>().ok()?, token))).collect();
    entries.sort_by_key(|e| e.0);
    for (id, entry) in entries {
        let Some(content) = entry["content"].as_str().filter(|c| !c.is_empty()) else { continue };
        let flag = |name: &str| entry[name].as_bool().unwrap_or(false);
        let special = flag("special");
        let known = tokenizer.token_to_id(content);
        let next = tokenizer.get_vocab_size(true) as u32;
        // A token that the model already has under this id is marked as added, so that it is matched whole.
        if known.map_or(id != next, |k| k != id) {
            continue;
        }
        if known.is_some() && tokenizer.get_added_tokens_decoder().contains_key(&id) {
            continue;
        }
        let token = AddedToken::from(content, special)
            .single_word(flag("single_word"))
            .lstrip(flag("lstrip"))
            .rstrip(flag("rstrip"))
            .normalized(entry["normalized"].as_bool().unwrap_or(!special));
        if special {
            tokenizer.add_special_tokens([token]).map_err(Failure::from)?;
        } else {
            tokenizer.add_tokens([token]).map_err(Failure::from)?;
        }
    }
    Ok(())
}

/// # Safety
/// Pointers and sizes as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_tokenizer_new(
    json: *const u8,
    json_size: usize,
    added: *const u8,
    added_size: usize,
    out: *mut *mut Handle,
    error: *mut Bytes,
) -> i32 {
    guard(
        error,
        || Handle::new(text(json, json_size, "tokenizer.json")?, text(added, added_size, "added_tokens_decoder")?),
        |handle| out.write(Box::into_raw(Box::new(handle))),
    )
}

/// # Safety
/// `handle` came from `mlc_rs_tokenizer_new` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_tokenizer_free(handle: *mut Handle) {
    if !handle.is_null() {
        drop(Box::from_raw(handle));
    }
}

/// # Safety
/// Pointers and sizes as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_tokenizer_encode(
    handle: *const Handle,
    input: *const u8,
    size: usize,
    add_special: bool,
    out: *mut Ids,
    error: *mut Bytes,
) -> i32 {
    guard(
        error,
        || {
            let encoding = (*handle).tokenizer.encode_fast(text(input, size, "the text to encode")?, add_special)?;
            Ok(encoding.get_ids().to_vec())
        },
        |ids| out.write(Ids::from(ids)),
    )
}

/// # Safety
/// Pointers and sizes as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_tokenizer_decode(
    handle: *const Handle,
    ids: *const u32,
    count: usize,
    skip_special: bool,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guard(
        error,
        || {
            let ids = if count == 0 { &[] } else { std::slice::from_raw_parts(ids, count) };
            Ok((*handle).tokenizer.decode(ids, skip_special)?)
        },
        |s| out.write(Bytes::from(s.into_bytes())),
    )
}

/// # Safety
/// Pointers as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_tokenizer_table(
    handle: *const Handle,
    all: *mut Bytes,
    offsets: *mut Ids,
    flags: *mut Bytes,
    info: *mut DecoderInfo,
    error: *mut Bytes,
) -> i32 {
    guard(
        error,
        || Ok((*handle).table()),
        |(b, o, f)| {
            all.write(Bytes::from(b));
            offsets.write(Ids::from(o));
            flags.write(Bytes::from(f));
            info.write(match &(*handle).decoder {
                Decoder::Whole => DecoderInfo { kind: 0, byte_fallback: 0, strip_left: 0, first_drops_mark: 0 },
                Decoder::ByteLevel => DecoderInfo { kind: 1, byte_fallback: 0, strip_left: 0, first_drops_mark: 0 },
                Decoder::Pieces(p) => DecoderInfo {
                    kind: 2,
                    byte_fallback: p.byte_fallback as u32,
                    strip_left: p.strip_left,
                    first_drops_mark: p.first_drops_mark as u32,
                },
            });
        },
    )
}

/// The id of a token's stored form, or -1.
///
/// # Safety
/// Pointers and sizes as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_tokenizer_token_to_id(handle: *const Handle, token: *const u8, size: usize) -> i64 {
    match std::str::from_utf8(bytes(token, size)) {
        Ok(token) => (*handle).tokenizer.token_to_id(token).map_or(-1, i64::from),
        Err(_) => -1,
    }
}

/// The stored form of a token ("Ġthe", "▁the"); status 1 when there is none.
///
/// # Safety
/// Pointers as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_tokenizer_id_to_token(
    handle: *const Handle,
    id: u32,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guard(
        error,
        || (*handle).tokenizer.id_to_token(id).ok_or_else(|| Failure::from(format!("no token has the id {id}"))),
        |s| out.write(Bytes::from(s.into_bytes())),
    )
}
