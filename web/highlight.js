// Colours for code: one linear scan with a regular expression per family of languages. It knows comments, strings,
// numbers, keywords and calls, which is what helps reading; it parses nothing.

const words = (s) => new Set(s.split(" "));
const C_WORDS = "if else for while do switch case default break continue return const static struct enum union void bool true false new delete this class public private protected virtual override try catch throw typedef sizeof auto namespace using template typename int char float double long short unsigned signed extern inline null nullptr NULL import package interface extends implements final abstract string var let fn mut pub impl trait use mod match loop in ref self Self super crate where async await move dyn unsafe func go defer chan map range type select fallthrough goto byte constexpr concept requires co_await co_return co_yield yield export function of typeof instanceof undefined from as readonly declare keyof is";
const LINE_C = String.raw`\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)`;
const LINE_HASH = String.raw`#[^\n]*`;
const QUOTED = String.raw`"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?`;

const family = (comment, string, keywords, flags = "") => ({
  scan: new RegExp(`(${comment})|(${string})|(\\b\\d[\\w.]*)|([A-Za-z_$@][\\w$]*)`, "g" + flags),
  keywords: words(keywords),
  fold: flags.includes("i"),
});

const FAMILIES = {
  c: family(LINE_C, QUOTED + "|`(?:\\\\[\\s\\S]|[^`\\\\])*`?", C_WORDS),
  python: family(LINE_HASH, String.raw`"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|` + QUOTED,
    "False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda match case nonlocal not or pass raise return self try while with yield end begin do then unless until module require nil local function puts"),
  shell: family(LINE_HASH, QUOTED, "if then else elif fi for while until do done case esac in function return local export echo cd exit set unset source sudo read test shift eval exec FROM RUN COPY ENV CMD WORKDIR ENTRYPOINT ARG"),
  data: family(LINE_HASH, QUOTED, "true false null yes no on off"),
  sql: family(String.raw`--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)`, QUOTED, "select from where and or not in is null insert into values update set delete create table index view drop alter add primary key foreign references join left right inner outer full on as group by order having limit offset union all distinct case when then else end with exists between like count sum avg min max begin commit rollback integer text varchar real boolean date timestamp default unique", "i"),
};

const NAMES = {
  python: "python py python3 ruby rb lua elixir julia r",
  shell: "bash sh shell zsh fish console dockerfile docker makefile make cmake powershell",
  data: "json json5 jsonc yaml yml toml ini conf properties env",
  sql: "sql sqlite postgres postgresql mysql",
  markup: "html xml svg xhtml vue",
  style: "css scss less",
  diff: "diff patch",
  c: "c cpp c++ cc h hpp cxx java javascript js mjs jsx typescript ts tsx rust rs go golang csharp cs c# kotlin kt swift php scala dart zig objc cuda glsl wgsl groovy",
};
const BY_NAME = new Map(Object.entries(NAMES).flatMap(([f, names]) => names.split(" ").map((n) => [n, f])));

const LONGEST = 60_000; // characters; longer code stays plain

function byRegex(code, regex, classify) {
  const out = [];
  let at = 0;
  for (const match of code.matchAll(regex)) {
    const kind = classify(match, code);
    if (!kind) continue;
    if (match.index > at) out.push(["", code.slice(at, match.index)]);
    out.push([kind, match[0]]);
    at = match.index + match[0].length;
  }
  if (at < code.length) out.push(["", code.slice(at)]);
  return out;
}

const SPECIAL = {
  diff: (code) => byRegex(code, /^(?:(\+[^\n]*)|(-[^\n]*)|(@@[^\n]*))$/gm, (m) => (m[1] ? "s" : m[2] ? "k" : "c")),
  markup: (code) => byRegex(code, /(<!--[\s\S]*?(?:-->|$))|(<\/?[\w:-]+|\/?>)|("[^"\n]*"|'[^'\n]*')|([\w:-]+)(?==)/g,
    (m) => (m[1] ? "c" : m[2] ? "k" : m[3] ? "s" : "f")),
  style: (code) => byRegex(code, /(\/\*[\s\S]*?(?:\*\/|$))|("[^"\n]*"|'[^'\n]*')|(#[\da-fA-F]{3,8}\b|\b\d[\w.%]*)|(@[\w-]+)|([\w-]+)(?=\s{0,3}:)/g,
    (m) => (m[1] ? "c" : m[2] ? "s" : m[3] ? "n" : m[4] ? "k" : "f")),
};

// [[kind, text], …]; kinds: "" plain, c comment, s string, n number, k keyword, f function. The texts joined are `code`.
export function highlight(code, language) {
  const name = BY_NAME.get(language.toLowerCase());
  if (!name || code.length > LONGEST) return [["", code]];
  if (SPECIAL[name]) return SPECIAL[name](code);
  const { scan, keywords, fold } = FAMILIES[name];
  return byRegex(code, scan, (m, all) => {
    if (m[1]) return "c";
    if (m[2]) return name === "data" && /^\s{0,3}:/.test(all.slice(m.index + m[2].length, m.index + m[2].length + 4)) ? "f" : "s";
    if (m[3]) return "n";
    if (keywords.has(fold ? m[4].toLowerCase() : m[4])) return "k";
    return all[m.index + m[4].length] === "(" ? "f" : "";
  });
}
