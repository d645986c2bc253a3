//! Owned buffers that cross to C, and the guard that keeps panics and errors from crossing as anything but text.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

pub const OK: i32 = 0;
/// The input was refused; the error text says why.
pub const FAILED: i32 = 1;
/// The chat template itself called `raise_exception`; the error text is its message.
pub const RAISED: i32 = 2;

pub struct Failure {
    pub status: i32,
    pub message: String,
}

impl<T: ToString> From<T> for Failure {
    fn from(message: T) -> Self {
        Failure { status: FAILED, message: message.to_string() }
    }
}

/// Bytes owned by this crate until `mlc_rs_bytes_free`.
#[repr(C)]
pub struct Bytes {
    data: *mut u8,
    size: usize,
}

impl From<Vec<u8>> for Bytes {
    fn from(v: Vec<u8>) -> Self {
        let size = v.len();
        Bytes { data: Box::into_raw(v.into_boxed_slice()) as *mut u8, size }
    }
}

/// 32-bit numbers owned by this crate until `mlc_rs_ids_free`.
#[repr(C)]
pub struct Ids {
    data: *mut u32,
    size: usize,
}

impl From<Vec<u32>> for Ids {
    fn from(v: Vec<u32>) -> Self {
        let size = v.len();
        Ids { data: Box::into_raw(v.into_boxed_slice()) as *mut u32, size }
    }
}

/// # Safety
/// `b` was filled in by this crate and is not used again.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_bytes_free(b: Bytes) {
    if !b.data.is_null() {
        drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(b.data, b.size)));
    }
}

/// # Safety
/// `ids` was filled in by this crate and is not used again.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_ids_free(ids: Ids) {
    if !ids.data.is_null() {
        drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(ids.data, ids.size)));
    }
}

/// # Safety
/// `data` points to `size` readable bytes, or `size` is 0.
pub unsafe fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if size == 0 {
        &[]
    } else {
        std::slice::from_raw_parts(data, size)
    }
}

/// # Safety
/// As for `bytes`.
pub unsafe fn text<'a>(data: *const u8, size: usize, what: &str) -> Result<&'a str, Failure> {
    std::str::from_utf8(bytes(data, size))
        .map_err(|e| Failure::from(format!("{what} is not valid UTF-8: bad byte at offset {}", e.valid_up_to())))
}

fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|s| s.to_string())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into());
    format!("internal failure in the text library: {text}")
}

/// Runs `f`; on success hands its value to `store`, else writes the message to `error`.
///
/// # Safety
/// `error` points to writable memory.
pub unsafe fn guard<T>(error: *mut Bytes, f: impl FnOnce() -> Result<T, Failure>, store: impl FnOnce(T)) -> i32 {
    let failure = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => {
            store(value);
            return OK;
        }
        Ok(Err(failure)) => failure,
        Err(payload) => Failure::from(panic_text(payload)),
    };
    error.write(Bytes::from(failure.message.into_bytes()));
    failure.status
}
