//! Python's `str()`, `repr()` and `json.dumps()` for template values, so that templates print what Jinja2 prints.

use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Error, ErrorKind};
use std::fmt::Write;

/// `repr(float)`: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
pub fn py_float(v: f64) -> String {
    if v.is_nan() {
        return "nan".into();
    }
    if v.is_infinite() {
        return if v > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{v:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if v != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{v}");
    if plain.contains('.') {
        plain
    } else {
        plain + ".0"
    }
}

fn number(v: &Value) -> String {
    if v.is_integer() {
        v.to_string()
    } else {
        f64::try_from(v.clone()).map(py_float).unwrap_or_else(|_| v.to_string())
    }
}

/// Characters that Python's repr escapes: controls, separators other than the space, formatting marks, private use.
fn unprintable(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c as u32,
            0xAD | 0x600..=0x605 | 0x61C | 0x180E | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF
            | 0xFFF9..=0xFFFB | 0xE000..=0xF8FF | 0xE0000..=0xE007F | 0xF0000..=0x10FFFF)
}

fn repr_str(s: &str, out: &mut String) {
    let quote = if s.contains('\'') && !s.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in s.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if unprintable(c) => {
                let _ = match c as u32 {
                    u @ 0..=0xFF => write!(out, "\\x{u:02x}"),
                    u @ 0..=0xFFFF => write!(out, "\\u{u:04x}"),
                    u => write!(out, "\\U{u:08x}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

fn repr_into(v: &Value, out: &mut String) {
    match v.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::String => repr_str(v.as_str().unwrap_or_default(), out),
        ValueKind::Number => out.push_str(&number(v)),
        ValueKind::Seq => {
            let (open, close) = if v.is_tuple() { ('(', ')') } else { ('[', ']') };
            out.push(open);
            let mut count = 0;
            for item in v.try_iter().into_iter().flatten() {
                if count > 0 {
                    out.push_str(", ");
                }
                repr_into(&item, out);
                count += 1;
            }
            if v.is_tuple() && count == 1 {
                out.push(',');
            }
            out.push(close);
        }
        ValueKind::Map => {
            out.push('{');
            for (i, key) in v.try_iter().into_iter().flatten().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                repr_into(&key, out);
                out.push_str(": ");
                repr_into(&v.get_item(&key).unwrap_or_default(), out);
            }
            out.push('}');
        }
        _ => out.push_str(&v.to_string()),
    }
}

/// Python's `str(value)`; an undefined value prints nothing, as in Jinja2.
pub fn py_str(v: &Value) -> String {
    match v.kind() {
        ValueKind::Undefined => String::new(),
        ValueKind::String => v.as_str().unwrap_or_default().to_string(),
        ValueKind::Number => number(v),
        ValueKind::Seq | ValueKind::Map => {
            let mut out = String::new();
            repr_into(v, &mut out);
            out
        }
        _ => v.to_string(),
    }
}

struct Dump {
    ascii: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
    out: String,
}

fn bad(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

impl Dump {
    fn string(&mut self, s: &str) {
        self.out.push('"');
        for c in s.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if (c as u32) < 0x20 || (self.ascii && !(' '..='~').contains(&c)) => {
                    let mut units = [0u16; 2];
                    for unit in c.encode_utf16(&mut units) {
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn newline(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            self.out.push_str(&indent.repeat(depth));
        }
    }

    fn key(&mut self, key: &Value) -> Result<String, Error> {
        Ok(match key.kind() {
            ValueKind::String => key.as_str().unwrap_or_default().to_string(),
            ValueKind::Number => number(key),
            ValueKind::Bool => if key.is_true() { "true" } else { "false" }.into(),
            ValueKind::None => "null".into(),
            kind => return Err(bad(format!("tojson: a key must be a string, number, boolean or none, not {kind}"))),
        })
    }

    fn sequence(&mut self, v: &Value, depth: usize) -> Result<(), Error> {
        self.out.push('[');
        let mut any = false;
        for item in v.try_iter()? {
            if any {
                let separator = self.item_separator.clone();
                self.out.push_str(&separator);
            }
            any = true;
            self.newline(depth + 1);
            self.value(&item, depth + 1)?;
        }
        if any {
            self.newline(depth);
        }
        self.out.push(']');
        Ok(())
    }

    fn mapping(&mut self, v: &Value, depth: usize) -> Result<(), Error> {
        let mut entries = Vec::new();
        for key in v.try_iter()? {
            entries.push((self.key(&key)?, v.get_item(&key)?));
        }
        if self.sort_keys {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
        }
        self.out.push('{');
        for (i, (key, item)) in entries.iter().enumerate() {
            if i > 0 {
                let separator = self.item_separator.clone();
                self.out.push_str(&separator);
            }
            self.newline(depth + 1);
            self.string(key);
            let separator = self.key_separator.clone();
            self.out.push_str(&separator);
            self.value(item, depth + 1)?;
        }
        if !entries.is_empty() {
            self.newline(depth);
        }
        self.out.push('}');
        Ok(())
    }

    fn value(&mut self, v: &Value, depth: usize) -> Result<(), Error> {
        if depth > 200 {
            return Err(bad("tojson: the value is nested deeper than 200 levels".into()));
        }
        match v.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if v.is_true() { "true" } else { "false" }),
            ValueKind::Number => {
                let text = match number(v).as_str() {
                    "nan" => "NaN".to_string(),
                    "inf" => "Infinity".to_string(),
                    "-inf" => "-Infinity".to_string(),
                    text => text.to_string(),
                };
                self.out.push_str(&text);
            }
            ValueKind::String => self.string(v.as_str().unwrap_or_default()),
            ValueKind::Seq => self.sequence(v, depth)?,
            ValueKind::Map => self.mapping(v, depth)?,
            kind => return Err(bad(format!("tojson: an {kind} value cannot be written as JSON"))),
        }
        Ok(())
    }
}

/// The `tojson` filter as Hugging Face defines it:
/// `tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`, without HTML escapes.
pub fn tojson(value: &Value, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let pick = |position: usize, name: &str| -> Result<Value, Error> {
        Ok(match args.get(position) {
            Some(v) => v.clone(),
            None => kwargs.get::<Option<Value>>(name)?.unwrap_or(Value::from(())),
        })
    };
    let ascii = pick(0, "ensure_ascii")?.is_true();
    let indent = match pick(1, "indent")? {
        v if v.is_none() || v.is_undefined() => None,
        v => Some(match v.as_str() {
            Some(s) => s.to_string(),
            None => " ".repeat(v.as_i64().unwrap_or(0).clamp(0, 64) as usize),
        }),
    };
    let mut item_separator = if indent.is_some() { "," } else { ", " }.to_string();
    let mut key_separator = ": ".to_string();
    let separators = pick(2, "separators")?;
    if separators.kind() == ValueKind::Seq {
        item_separator = py_str(&separators.get_item_by_index(0)?);
        key_separator = py_str(&separators.get_item_by_index(1)?);
    }
    let sort_keys = pick(3, "sort_keys")?.is_true();
    kwargs.assert_all_used()?;
    let mut dump = Dump { ascii, indent, item_separator, key_separator, sort_keys, out: String::new() };
    dump.value(value, 0)?;
    Ok(Value::from(dump.out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_python() {
        let cases = [
            (0.1, "0.1"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123456.789, "123456.789"),
            (1e300, "1e+300"),
        ];
        for (v, text) in cases {
            assert_eq!(py_float(v), text);
        }
    }

    #[test]
    fn repr_quotes_as_python() {
        let v = Value::from(minijinja::value::Serde(serde_json::json!(
            {"a": [1, 2.5, null, true, "it's", "both ' and \"", "tab\t\u{200b}"]}
        )));
        assert_eq!(py_str(&v), "{'a': [1, 2.5, None, True, \"it's\", 'both \\' and \"', 'tab\\t\\u200b']}");
    }
}
