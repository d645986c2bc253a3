//! Chat templates: Jinja as Hugging Face's `apply_chat_template` sets it up.

use std::ffi::CString;
use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State};

use crate::ffi::{guard, text, Bytes, Failure, RAISED};
use crate::py_methods::unknown_method;
use crate::py_text::{py_str, tojson};

const NAME: &str = "chat_template";
/// Instructions a template may execute (0.2 s; a message takes some hundred): a runaway loop ends with an
/// error, and soon.
const FUEL: u64 = 10_000_000;

/// Marks errors that the template raised on purpose.
#[derive(Debug)]
struct Raised(String);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

fn raise_exception(message: &Value) -> Result<Value, Error> {
    let message = py_str(message);
    Err(Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(Raised(message)))
}

#[cfg(not(windows))]
use libc::strftime as c_strftime;

#[cfg(not(windows))]
unsafe fn local_time(time: &libc::time_t, parts: &mut libc::tm) -> bool {
    !libc::localtime_r(time, parts).is_null()
}

#[cfg(not(windows))]
fn unknown_conversion(_format: &str) -> Option<char> {
    None
}

#[cfg(windows)]
extern "C" {
    #[link_name = "strftime"]
    fn c_strftime(
        out: *mut libc::c_char,
        size: libc::size_t,
        format: *const libc::c_char,
        parts: *const libc::tm,
    ) -> libc::size_t;
}

#[cfg(windows)]
unsafe fn local_time(time: &libc::time_t, parts: &mut libc::tm) -> bool {
    libc::localtime_s(parts, time) == 0
}

/// Windows' C library ends the program over a conversion that it does not know.
#[cfg(windows)]
fn unknown_conversion(format: &str) -> Option<char> {
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c == '%' {
            let conversion = rest.next().unwrap_or('%');
            if !"aAbBcdHIjmMpSUwWxXyYZ%".contains(conversion) {
                return Some(conversion);
            }
        }
    }
    None
}

/// `datetime.now().strftime(format)`, in the C library's words, as CPython does it.
fn strftime(seconds: i64, format: &str) -> Result<String, Error> {
    let bad = |what: &str| Error::new(ErrorKind::InvalidOperation, format!("strftime_now: {what}"));
    if format.is_empty() {
        return Ok(String::new());
    }
    if let Some(c) = unknown_conversion(format) {
        return Err(bad(&format!("this system does not know %{c}")));
    }
    // The trailing mark tells an empty result from a full buffer.
    let format = CString::new(format.to_string() + "|").map_err(|_| bad("the format holds a NUL"))?;
    let mut buffer = vec![0u8; 4096];
    let used = unsafe {
        let time = seconds as libc::time_t;
        let mut parts: libc::tm = std::mem::zeroed();
        if !local_time(&time, &mut parts) {
            return Err(bad("the time is out of range"));
        }
        c_strftime(buffer.as_mut_ptr().cast(), buffer.len(), format.as_ptr(), &parts)
    };
    if used == 0 {
        return Err(bad("the format is too long"));
    }
    buffer.truncate(used - 1);
    String::from_utf8(buffer).map_err(|_| bad("the result is not UTF-8"))
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64)
}

fn format_value(out: &mut Output, _state: &mut State, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Invalid => return Err(Error::new(ErrorKind::InvalidOperation, value.to_string())),
        ValueKind::String => out.write_str(value.as_str().unwrap_or_default()),
        _ => out.write_str(&py_str(value)),
    }
    .map_err(|_| Error::from(ErrorKind::WriteFailure))
}

/// Turns `{% generation %} … {% endgeneration %}` (training-time marks) into an empty `with` block, which has the
/// same scope and prints its body. Comments and raw blocks pass unchanged. Line ends become "\n", as in Jinja2.
fn plain_jinja(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(at) = rest.find("{%").into_iter().chain(rest.find("{#")).min() {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let close = if rest.starts_with("{#") { "#}" } else { "%}" };
        let Some(end) = rest[2..].find(close).map(|e| e + 4) else { break };
        let tag = &rest[..end];
        let word = tag[2..end - 2].trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        match word {
            "generation" | "endgeneration" if close == "%}" => {
                let with = if word == "generation" { "with" } else { "endwith" };
                out.push_str(&tag.replacen(word, with, 1));
            }
            "raw" if close == "%}" => {
                let stop = rest.find("endraw").map_or(end, |e| e.max(end));
                out.push_str(&rest[..stop]);
                rest = &rest[stop..];
                continue;
            }
            _ => out.push_str(tag),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Jinja2's tests where minijinja's answer differs: strings and dicts are sequences and iterable in Python.
fn add_python_tests(env: &mut Environment) {
    env.add_test("sequence", |v: &Value| matches!(v.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::String));
    env.add_test("iterable", |v: &Value| {
        matches!(
            v.kind(),
            ValueKind::Seq | ValueKind::Map | ValueKind::String | ValueKind::Iterable | ValueKind::Undefined
        )
    });
    env.add_test("number", |v: &Value| matches!(v.kind(), ValueKind::Number | ValueKind::Bool));
}

fn compile(source: &str) -> Result<Environment<'static>, Failure> {
    let mut env = Environment::new();
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(describe)?);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_formatter(format_value);
    env.set_unknown_method_callback(unknown_method);
    env.set_fuel(Some(FUEL));
    env.add_filter("tojson", tojson);
    env.add_filter("string", |v: &Value| py_str(v));
    env.add_function("raise_exception", |message: &Value| raise_exception(message));
    env.add_function("strftime_now", |state: &State, format: &str| -> Result<String, Error> {
        // The caller may fix the clock (tests, reproducible prompts) through this context value.
        let seconds = state.lookup("__now__").and_then(|v| v.as_i64()).unwrap_or_else(now);
        strftime(seconds, format)
    });
    env.add_function("cycler", minijinja_contrib::globals::cycler);
    env.add_function("joiner", minijinja_contrib::globals::joiner);
    add_python_tests(&mut env);
    env.add_template_owned(NAME, plain_jinja(source)).map_err(describe)?;
    Ok(env)
}

fn describe(e: Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&e);
    while let Some(c) = cause {
        if let Some(raised) = c.downcast_ref::<Raised>() {
            return Failure { status: RAISED, message: raised.0.clone() };
        }
        cause = c.source();
    }
    let mut message = format!("{e}");
    let mut source = std::error::Error::source(&e);
    while let Some(s) = source {
        message += &format!("; caused by {s}");
        source = s.source();
    }
    Failure::from(message)
}

pub struct Handle {
    env: Environment<'static>,
}

/// # Safety
/// Pointers and sizes as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_template_new(
    source: *const u8,
    size: usize,
    out: *mut *mut Handle,
    error: *mut Bytes,
) -> i32 {
    guard(
        error,
        || Ok(Handle { env: compile(text(source, size, "the chat template")?)? }),
        |handle| out.write(Box::into_raw(Box::new(handle))),
    )
}

/// # Safety
/// `handle` came from `mlc_rs_template_new` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_template_free(handle: *mut Handle) {
    if !handle.is_null() {
        drop(Box::from_raw(handle));
    }
}

/// # Safety
/// Pointers and sizes as the header says.
#[no_mangle]
pub unsafe extern "C" fn mlc_rs_template_render(
    handle: *const Handle,
    context: *const u8,
    size: usize,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guard(
        error,
        || {
            let context: serde_json::Value = serde_json::from_str(text(context, size, "the template's input")?)
                .map_err(|e| Failure::from(format!("the template's input is not valid JSON: {e}")))?;
            let template = (*handle).env.get_template(NAME).map_err(describe)?;
            template.render(Value::from(Serde(context))).map_err(describe)
        },
        |s| out.write(Bytes::from(s.into_bytes())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, context: serde_json::Value) -> Result<String, String> {
        let env = compile(source).map_err(|f| f.message)?;
        let template = env.get_template(NAME).map_err(|e| e.to_string())?;
        template.render(Value::from(Serde(context))).map_err(|e| describe(e).message)
    }

    #[test]
    fn generation_marks_vanish() {
        let source =
            "{% for m in ms %}\n  {%- generation -%}\n {{ m }}\n{% endgeneration %}\n{% endfor %}{# generation #}";
        assert_eq!(render(source, serde_json::json!({"ms": [1, 2]})).unwrap(), "1\n2\n");
        assert_eq!(plain_jinja("{% raw %}{% generation %}{% endraw %}"), "{% raw %}{% generation %}{% endraw %}");
    }

    #[test]
    fn values_print_as_in_python() {
        let source = "{{ x }}|{{ x|string }}|{{ x|tojson }}|{{ x|tojson(indent=1) }}|{{ none }}{{ true }}{{ 1e-7 }}";
        let got = render(source, serde_json::json!({"x": {"b": [1, "<é'>"], "a": null}})).unwrap();
        let repr = "{'b': [1, \"<é'>\"], 'a': None}";
        let json = "{\"b\": [1, \"<é'>\"], \"a\": null}";
        let indented = "{\n \"b\": [\n  1,\n  \"<é'>\"\n ],\n \"a\": null\n}";
        assert_eq!(got, format!("{repr}|{repr}|{json}|{indented}|NoneTrue1e-07"));
    }

    #[test]
    fn raised_messages_come_back_alone() {
        let error = render(
            "{% macro m() %}{{ raise_exception('roles must alternate') }}{% endmacro %}{{ m() }}",
            serde_json::json!({}),
        );
        assert_eq!(error.unwrap_err(), "roles must alternate");
    }

    #[test]
    fn marks_that_overlap() {
        for source in ["{%}", "{#}", "a{%}b%}", "{%", "{%%}", "{##}"] {
            assert_eq!(plain_jinja(source), source);
        }
    }

    #[test]
    fn a_runaway_loop_stops() {
        let mut env = compile("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")
            .map_err(|f| f.message)
            .unwrap();
        env.set_fuel(Some(1_000_000));
        assert!(env.get_template(NAME).unwrap().render(()).is_err());
    }

    #[test]
    fn python_methods() {
        let cases = [
            ("{{ 'a,b,c'.split(',', 1) }}", "['a', 'b,c']"),
            ("{{ ' a  b '.split() }}", "['a', 'b']"),
            ("{{ 'a b c'.rsplit(' ', 1) }}", "['a b', 'c']"),
            ("{{ 'x=1=2'.partition('=') }}", "('x', '=', '1=2')"),
            ("{{ 'a\r\nb\n'.splitlines() }}", "['a', 'b']"),
            ("{{ '7'.zfill(3) }}{{ '-7'.zfill(4) }}", "007-007"),
            ("{{ '<think>x'.removeprefix('<think>') }}", "x"),
            ("{{ {'items': 1, 'b': 2}.items() | list }}", "[('items', 1), ('b', 2)]"),
            ("{{ 'abc'[::-1] }}{{ [1, 2] + [3] }}{{ '=' * 3 }}", "cba[1, 2, 3]==="),
            ("{{ 'xx' is sequence }}{{ {} is iterable }}{{ 'x' is iterable }}", "TrueTrueTrue"),
            ("{{ missing is iterable }}{% for x in missing %}{% endfor %}{{ missing }}", "True"),
        ];
        for (source, want) in cases {
            assert_eq!(render(source, serde_json::json!({})).as_deref(), Ok(want), "{source}");
        }
    }
}
