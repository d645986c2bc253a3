//! Python methods on strings, dicts and lists that templates call and that `minijinja-contrib` lacks or does
//! differently; everything else goes to its `pycompat`.

use minijinja::value::{from_args, Kwargs, Rest, Tuple, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};

/// What Python's `str.strip()` and `str.split()` call white space.
fn is_py_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn splitlines(s: &str, keep: bool) -> Value {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut it = s.char_indices().peekable();
    while let Some((at, c)) = it.next() {
        if !is_line_end(c) {
            continue;
        }
        let mut end = at + c.len_utf8();
        if c == '\r' && it.peek().is_some_and(|n| n.1 == '\n') {
            it.next();
            end += 1;
        }
        lines.push(Value::from(&s[start..if keep { end } else { at }]));
        start = end;
    }
    if start < s.len() {
        lines.push(Value::from(&s[start..]));
    }
    Value::from(lines)
}

fn split_space(s: &str, limit: usize) -> Vec<Value> {
    let mut out = Vec::new();
    let mut rest = s.trim_start_matches(is_py_space);
    while !rest.is_empty() {
        if out.len() == limit {
            out.push(Value::from(rest));
            break;
        }
        let end = rest.find(is_py_space).unwrap_or(rest.len());
        out.push(Value::from(&rest[..end]));
        rest = rest[end..].trim_start_matches(is_py_space);
    }
    out
}

fn rsplit_space(s: &str, limit: usize) -> Vec<Value> {
    let mut out = Vec::new();
    let mut rest = s.trim_end_matches(is_py_space);
    while !rest.is_empty() {
        if out.len() == limit {
            out.push(Value::from(rest));
            break;
        }
        let start = rest.rfind(is_py_space).map_or(0, |i| i + rest[i..].chars().next().map_or(1, char::len_utf8));
        out.push(Value::from(&rest[start..]));
        rest = rest[..start].trim_end_matches(is_py_space);
    }
    out.reverse();
    out
}

fn split(s: &str, args: &[Value], from_right: bool) -> Result<Value, Error> {
    let (separator, limit, kwargs): (Option<Value>, Option<i64>, Kwargs) = from_args(args)?;
    let separator = match separator {
        Some(v) => v,
        None => kwargs.get::<Option<Value>>("sep")?.unwrap_or_default(),
    };
    let limit = match limit {
        Some(n) => n,
        None => kwargs.get::<Option<i64>>("maxsplit")?.unwrap_or(-1),
    };
    kwargs.assert_all_used()?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let parts: Vec<Value> = match separator.as_str() {
        None if from_right => rsplit_space(s, limit),
        None => split_space(s, limit),
        Some("") => return Err(Error::new(ErrorKind::InvalidOperation, "split: the separator is empty")),
        Some(sep) if from_right => {
            let mut parts: Vec<Value> = s.rsplitn(limit.saturating_add(1), sep).map(Value::from).collect();
            parts.reverse();
            parts
        }
        Some(sep) => s.splitn(limit.saturating_add(1), sep).map(Value::from).collect(),
    };
    Ok(Value::from(parts))
}

fn strip(s: &str, args: &[Value], left: bool, right: bool) -> Result<Value, Error> {
    let (chars,): (Option<&str>,) = from_args(args)?;
    let cut = |c: char| chars.map_or_else(|| is_py_space(c), |set| set.contains(c));
    let mut s = s;
    if left {
        s = s.trim_start_matches(cut);
    }
    if right {
        s = s.trim_end_matches(cut);
    }
    Ok(Value::from(s))
}

fn pad(s: &str, args: &[Value], left_share: fn(usize, usize) -> usize) -> Result<Value, Error> {
    let (width, fill): (usize, Option<&str>) = from_args(args)?;
    let fill = fill.unwrap_or(" ");
    let missing = width.min(1 << 20).saturating_sub(s.chars().count());
    let left = left_share(missing, width);
    Ok(Value::from(fill.repeat(left) + s + &fill.repeat(missing - left)))
}

fn zfill(s: &str, args: &[Value]) -> Result<Value, Error> {
    let (width,): (usize,) = from_args(args)?;
    let zeros = "0".repeat(width.min(1 << 20).saturating_sub(s.chars().count()));
    let sign = if s.starts_with(['+', '-']) { 1 } else { 0 };
    Ok(Value::from(format!("{}{zeros}{}", &s[..sign], &s[sign..])))
}

fn partition(s: &str, args: &[Value], last: bool) -> Result<Value, Error> {
    let (sep,): (&str,) = from_args(args)?;
    let parts = match if last { s.rsplit_once(sep) } else { s.split_once(sep) } {
        Some((a, b)) => [a, sep, b],
        None if last => ["", "", s],
        None => [s, "", ""],
    };
    Ok(Value::from(Tuple::from(parts.map(Value::from))))
}

fn index(s: &str, args: &[Value], last: bool) -> Result<Value, Error> {
    let (what,): (&str,) = from_args(args)?;
    let at = if last { s.rfind(what) } else { s.find(what) };
    at.map(|i| Value::from(s[..i].chars().count()))
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("substring {what:?} not found")))
}

fn swapcase(s: &str) -> String {
    s.chars()
        .flat_map(|c| if c.is_uppercase() { c.to_lowercase().collect::<Vec<_>>() } else { c.to_uppercase().collect() })
        .collect()
}

fn string_method(s: &str, method: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    Some(match method {
        "strip" => strip(s, args, true, true),
        "lstrip" => strip(s, args, true, false),
        "rstrip" => strip(s, args, false, true),
        "split" => split(s, args, false),
        "rsplit" => split(s, args, true),
        "splitlines" => from_args::<(Option<bool>,)>(args).map(|(keep,)| splitlines(s, keep.unwrap_or(false))),
        "partition" => partition(s, args, false),
        "rpartition" => partition(s, args, true),
        "index" => index(s, args, false),
        "rindex" => index(s, args, true),
        "removeprefix" => from_args::<(&str,)>(args).map(|(p,)| Value::from(s.strip_prefix(p).unwrap_or(s))),
        "removesuffix" => from_args::<(&str,)>(args).map(|(p,)| Value::from(s.strip_suffix(p).unwrap_or(s))),
        "isspace" => Ok(Value::from(!s.is_empty() && s.chars().all(is_py_space))),
        "swapcase" => Ok(Value::from(swapcase(s))),
        "casefold" => Ok(Value::from(s.to_lowercase().replace('ß', "ss"))),
        "zfill" => zfill(s, args),
        "ljust" => pad(s, args, |_, _| 0),
        "rjust" => pad(s, args, |missing, _| missing),
        "center" => pad(s, args, |missing, width| missing / 2 + (missing & width & 1)),
        _ => return None,
    })
}

/// Jinja2's immutable sandbox forbids these; saying so is better than "no such method".
const FORBIDDEN: [&str; 12] = [
    "append",
    "clear",
    "pop",
    "reverse",
    "insert",
    "sort",
    "extend",
    "remove",
    "popitem",
    "setdefault",
    "update",
    "add",
];

pub fn unknown_method(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    if let Some(result) = value.as_str().and_then(|s| string_method(s, method, args)) {
        return result;
    }
    match (value.kind(), method) {
        (ValueKind::Map | ValueKind::Seq, "copy") => return Ok(value.clone()),
        (ValueKind::Seq, "index") => {
            let (what, _rest): (&Value, Rest<Value>) = from_args(args)?;
            return value
                .try_iter()?
                .position(|item| item == *what)
                .map(Value::from)
                .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "index: the value is not in the list"));
        }
        // A dict may hold a callable under this name; the engine tries that after an unknown method.
        (ValueKind::Map | ValueKind::Seq, m)
            if FORBIDDEN.contains(&m) && value.get_attr(m).map_or(true, |v| v.is_undefined()) =>
        {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("the template calls .{m}(), which changes a value; chat templates may not do that"),
            ));
        }
        _ => {}
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
}
