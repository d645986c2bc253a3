// Markdown as models write it, straight into DOM nodes. The text is hostile: it only ever becomes text nodes and
// elements of a fixed list; links lead to http, https and mailto only; images, which would tell other servers about the
// reader, become links. Work is linear in the text, and nesting is bounded.
import { el } from "./dom.js";
import { highlight } from "./highlight.js";

const DEEPEST = 8;
const LONGEST_LINK = 2000;

const FENCE = /^( {0,3})(`{3,}|~{3,})[ \t]*([^\s`]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*)$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|(\d{1,9})[.)])(?:( {1,4})(?=\S)|[ \t]*$|( ))/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const blank = (line) => line.trim() === "";
// Longer lines are neither: the expressions would try too many ways to read them.
const fenceOf = (line) => (line.length < 300 ? FENCE.exec(line) : null);
const isTableRule = (line) => line.length < 1000 && line.includes("-") && TABLE_RULE.test(line);

// Lines into blocks: {kind, from, to, …}, without looking inside quotes and lists.
function blocks(lines) {
  const out = [];
  let i = 0;
  const starts = (line) => fenceOf(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);
  while (i < lines.length) {
    const from = i;
    const line = lines[i];
    let m;
    if (blank(line)) {
      ++i;
      continue;
    }
    if ((m = fenceOf(line))) {
      const [, indent, fence, language] = m;
      const isEnd = (l) => l.trim().length >= fence.length && l.trim() === fence[0].repeat(l.trim().length);
      for (++i; i < lines.length && !isEnd(lines[i]); ++i);
      const strip = new RegExp(`^ {0,${indent.length}}`);
      out.push({ kind: "code", from, to: ++i, language, text: lines.slice(from + 1, i - 1).map((l) => l.replace(strip, "")).join("\n") });
    } else if ((m = HEADING.exec(line))) {
      out.push({ kind: "heading", from, to: ++i, level: m[1].length, text: m[2].replace(/[ \t]#+[ \t]*$/, "") });
    } else if (RULE.test(line)) {
      out.push({ kind: "rule", from, to: ++i });
    } else if (QUOTE.test(line)) {
      for (; i < lines.length && !blank(lines[i]) && (QUOTE.test(lines[i]) || !starts(lines[i])); ++i);
      out.push({ kind: "quote", from, to: i, lines: lines.slice(from, i).map((l) => l.replace(QUOTE, "")) });
    } else if (ITEM.test(line)) {
      i = list(lines, i, out);
    } else if (line.includes("|") && i + 1 < lines.length && isTableRule(lines[i + 1])) {
      for (i += 2; i < lines.length && lines[i].includes("|") && !blank(lines[i]); ++i);
      out.push({ kind: "table", from, to: i, lines: lines.slice(from, i) });
    } else {
      for (++i; i < lines.length && !blank(lines[i]) && !starts(lines[i]); ++i);
      out.push({ kind: "text", from, to: i, text: lines.slice(from, i).join("\n") });
    }
  }
  return out;
}

function list(lines, from, out) {
  const first = ITEM.exec(lines[from]);
  const ordered = first[3] !== undefined;
  const items = [];
  let i = from;
  while (i < lines.length) {
    const m = ITEM.exec(lines[i]);
    if (!m || (m[3] !== undefined) !== ordered || RULE.test(lines[i])) break;
    const width = m[0].length || 2;
    const item = [lines[i].slice(width)];
    for (++i; i < lines.length; ++i) {
      const indent = lines[i].length - lines[i].trimStart().length;
      const next = lines[i + 1] ?? "";
      const goesOn = next.length - next.trimStart().length >= Math.min(width, 2) && !blank(next);
      if (blank(lines[i])) {
        if (!goesOn) break;
        item.push("");
      } else if (indent >= Math.min(width, 2)) {
        item.push(lines[i].slice(Math.min(indent, width)));
      } else if (ITEM.test(lines[i]) || HEADING.test(lines[i]) || fenceOf(lines[i]) || QUOTE.test(lines[i]) || blank(lines[i - 1])) {
        break;
      } else {
        item.push(lines[i]); // a paragraph that goes on without indentation
      }
    }
    items.push(item);
    const after = ITEM.exec(lines[i + 1] ?? "");
    if (i < lines.length && blank(lines[i]) && after && (after[3] !== undefined) === ordered) ++i;
  }
  out.push({ kind: "list", from, to: i, ordered, start: Number(first[3] ?? 1), items });
  return i;
}

function codeBlock(b) {
  const code = el("code");
  for (const [kind, text] of highlight(b.text, b.language)) code.append(kind ? el("span", { class: kind }, text) : text);
  const label = b.language.slice(0, 30) || "text";
  return el("figure", { class: "code" },
    el("figcaption", {}, el("span", {}, label), el("button", { type: "button", "data-copy": "code", "aria-label": `Copy this ${label} code` }, "Copy")),
    el("pre", { tabindex: "0", role: "region", "aria-label": `${label} code` }, code));
}

function cells(line) {
  const row = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return row.split(/(?<!\\)\|/).map((c) => c.trim().replaceAll("\\|", "|"));
}

function table(b, depth) {
  const [head, rule, ...rows] = b.lines.map(cells);
  const align = rule.map((r) => (/^:-+:$/.test(r) ? "center" : /-:$/.test(r) ? "right" : ""));
  const row = (tag, texts) => {
    const tr = el("tr");
    head.forEach((_, i) => {
      const cell = el(tag, { class: align[i] || null, scope: tag === "th" ? "col" : null });
      inline(texts[i] ?? "", cell, depth);
      tr.append(cell);
    });
    return tr;
  };
  return el("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Table" },
    el("table", {}, el("thead", {}, row("th", head)), el("tbody", {}, ...rows.map((r) => row("td", r)))));
}

function node(b, depth) {
  if (b.kind === "code") return codeBlock(b);
  if (b.kind === "rule") return el("hr");
  if (b.kind === "table") return table(b, depth);
  if (b.kind === "heading") {
    // The page's own headings are of levels 1 and 2.
    const h = el(`h${Math.min(6, b.level + 2)}`);
    inline(b.text, h, depth);
    return h;
  }
  if (b.kind === "quote") {
    const quote = el("blockquote");
    into(b.lines, quote, depth + 1);
    return quote;
  }
  if (b.kind === "list") {
    const out = el(b.ordered ? "ol" : "ul", { start: b.ordered && b.start !== 1 ? b.start : null });
    for (const item of b.items) {
      const li = el("li");
      const task = /^\[([ xX])\][ \t]+/.exec(item[0]);
      if (task) {
        item[0] = item[0].slice(task[0].length);
        li.classList.add("task");
        li.append(el("input", { type: "checkbox", disabled: true, checked: task[1] !== " ", "aria-label": "Task" }), " ");
      }
      into(item, li, depth + 1, true);
      out.append(li);
    }
    return out;
  }
  const p = el("p");
  inline(b.text, p, depth);
  return p;
}

function into(lines, parent, depth, tight = false) {
  if (depth > DEEPEST) return void parent.append(lines.join("\n"));
  const list = blocks(lines);
  for (const b of list) {
    if (tight && b.kind === "text" && !lines.includes("")) inline(b.text, parent, depth);
    else parent.append(node(b, depth));
  }
}

const SAFE_URL = /^(?:https?:\/\/|mailto:)[^\s<>"\\]+$/i;

function link(url, fill) {
  const a = el("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow" });
  fill(a);
  return a;
}

// The end of a delimiter's span, or -1. `misses` remembers what is not there, so that a text of nothing but openers
// stays linear.
function closing(text, mark, from, misses) {
  if (misses.has(mark) && from >= misses.get(mark)) return -1;
  for (let at = text.indexOf(mark, from); at >= 0; at = text.indexOf(mark, at + 1)) {
    const c = mark[0];
    const longer = text[at + mark.length] === c || (text[at - 1] === c && mark.length < 3);
    const word = c === "_" && /\w/.test(text[at + mark.length] ?? "");
    if (at > from && !longer && !word && !/\s/.test(text[at - 1]) && text[at - 1] !== "\\") return at;
  }
  misses.set(mark, from);
  return -1;
}

function closingBracket(text, from) {
  let open = 0;
  for (let i = from; i < Math.min(text.length, from + LONGEST_LINK); ++i) {
    if (text[i] === "\\") ++i;
    else if (text[i] === "[") ++open;
    else if (text[i] === "]" && --open === 0) return i;
  }
  return -1;
}

const URL_AT = /https?:\/\/[^\s<>"'`\\]{1,1000}/y;
const TARGET = /\(\s{0,8}<?((?:[^\s()<>]|\([^\s()<>]{0,200}\)){0,1500})>?(?:\s{1,8}(?:"[^"\n]{0,300}"|'[^'\n]{0,300}'))?\s{0,8}\)/y;
const WRAP = { "*": ["em", "strong"], _: ["em", "strong"], "~": ["del", "del"] };

export function inline(text, parent, depth = 0, linked = false) {
  let plain = "";
  let i = 0;
  let misfits = 0;
  const misses = new Map();
  const flush = () => {
    if (plain) parent.append(plain);
    plain = "";
  };
  const add = (child) => {
    flush();
    parent.append(child);
  };
  while (i < text.length) {
    const c = text[i];
    if (c === "\\" && /[!-/:-@[-`{-~]/.test(text[i + 1] ?? "")) {
      plain += text[i + 1];
      i += 2;
      continue;
    }
    if (c === "\n") {
      plain = plain.trimEnd();
      add(el("br"));
      ++i;
      continue;
    }
    if (c === "`") {
      let run = 1;
      while (text[i + run] === "`") ++run;
      const mark = "`".repeat(run);
      const known = misses.has(mark);
      let end = known ? -1 : text.indexOf(mark, i + run);
      while (end >= 0 && text[end + run] === "`") {
        let past = end;
        while (text[past] === "`") ++past;
        end = text.indexOf(mark, past);
      }
      if (end >= 0) {
        const inside = text.slice(i + run, end).replaceAll("\n", " ");
        const padded = inside.startsWith(" ") && inside.endsWith(" ") && !blank(inside);
        add(el("code", {}, padded ? inside.slice(1, -1) : inside));
        i = end + run;
      } else {
        misses.set(mark, i);
        plain += mark;
        i += run;
      }
      continue;
    }
    if (WRAP[c] && depth < DEEPEST) {
      let run = 1;
      while (text[i + run] === c) ++run;
      const fits = c === "~" ? run === 2 : run <= 3;
      const opens = !/\s/.test(text[i + run] ?? " ") && !(c === "_" && /\w/.test(text[i - 1] ?? ""));
      const mark = c.repeat(run);
      const end = fits && opens ? closing(text, mark, i + run, misses) : -1;
      if (end >= 0) {
        const outer = el(WRAP[c][run > 1 ? 1 : 0]);
        const inner = run === 3 ? outer.appendChild(el("em")) : outer;
        inline(text.slice(i + run, end), inner, depth + 1, linked);
        add(outer);
        i = end + run;
      } else {
        plain += mark;
        i += run;
      }
      continue;
    }
    if ((c === "[" || (c === "!" && text[i + 1] === "[")) && !linked && misfits < 1000) {
      const open = c === "!" ? i + 1 : i;
      const close = closingBracket(text, open);
      TARGET.lastIndex = close + 1;
      const target = close >= 0 ? TARGET.exec(text) : null;
      if (!target) ++misfits; // each costs a look ahead
      if (target) {
        const label = text.slice(open + 1, close);
        if (SAFE_URL.test(target[1])) {
          add(link(target[1], (a) => (c === "!" ? a.append(label || "image") : inline(label, a, depth + 1, true))));
        } else {
          plain += label;
        }
        i = TARGET.lastIndex;
        continue;
      }
    }
    if (c === "h" && !/\w/.test(text[i - 1] ?? "")) {
      URL_AT.lastIndex = i;
      const found = URL_AT.exec(text);
      let url = found?.[0].replace(/[.,;:!?*_~)\]]+$/, "");
      if (url?.includes("(") && !url.includes(")") && found[0][url.length] === ")") url += ")";
      if (url && url.length > 8 && !linked) {
        add(link(url, (a) => a.append(url)));
        i += url.length;
        continue;
      }
    }
    plain += c;
    ++i;
  }
  flush();
}

// Makes `parent` show `text`. Blocks that did not change since the last call keep their nodes, so that an answer that
// grows costs its last block only, and a selection in what is above stays.
export function render(text, parent) {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  let code = false;
  lines.forEach((line, i) => {
    if (/^\s{0,20}(?:```|~~~)/.test(line)) code = !code;
    else if (!code) lines[i] = line.replaceAll("\t", "    "); // code keeps its tabs
  });
  const list = blocks(lines);
  list.forEach((b, i) => {
    const source = lines.slice(b.from, b.to).join("\n");
    const old = parent.childNodes[i];
    if (old?.source === source) return;
    const fresh = node(b, 0);
    fresh.source = source;
    if (old) old.replaceWith(fresh);
    else parent.append(fresh);
  });
  while (parent.childNodes.length > list.length) parent.lastChild.remove();
}
