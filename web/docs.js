"use strict";
const make = (tag, text, ...children) => {
  const e = document.createElement(tag);
  if (text) e.textContent = text;
  e.append(...children);
  return e;
};
const typeOf = (s) =>
  s.$ref ? s.$ref.split("/").pop()
  : s.anyOf ? s.anyOf.map(typeOf).join(" | ")
  : s.enum ? s.enum.map((v) => JSON.stringify(v)).join(" | ")
  : s.type === "array" ? typeOf(s.items || {}) + "[]"
  : [].concat(s.type || "any").join(" | ");
const limits = (s) => {
  const parts = [];
  if (s.minimum !== undefined) parts.push("from " + s.minimum);
  if (s.maximum !== undefined) parts.push("to " + s.maximum);
  if (s.default !== undefined) parts.push("default " + JSON.stringify(s.default));
  return parts.length ? " (" + parts.join(", ") + ")" : "";
};
const fields = (schema) => {
  const table = make("table");
  for (const [name, s] of Object.entries(schema.properties || {})) {
    const needed = (schema.required || []).includes(name) ? " *" : "";
    table.append(make("tr", "", make("td", "", make("code", name + needed)), make("td", typeOf(s)),
                      make("td", (s.description || "") + limits(s))));
  }
  return table;
};
const show = (doc) => {
  document.getElementById("about").textContent = doc.info.description + " Version " + doc.info.version + ".";
  const groups = new Map();
  for (const [path, methods] of Object.entries(doc.paths)) {
    for (const [method, op] of Object.entries(methods)) {
      if (!groups.has(op.tags[0])) groups.set(op.tags[0], []);
      groups.get(op.tags[0]).push([method.toUpperCase(), path, op]);
    }
  }
  for (const [tag, ops] of groups) {
    const section = make("section", "", make("h2", tag));
    for (const [method, path, op] of ops) {
      const inner = make("div");
      inner.className = "in";
      const body = op.requestBody && op.requestBody.content["application/json"].schema;
      if (body) inner.append(fields(doc.components.schemas[body.$ref.split("/").pop()]));
      inner.append(make("p", Object.entries(op.responses).map(([c, r]) => c + ": " + r.description).join("  ")));
      section.append(make("details", "",
        make("summary", "", make("b", method), make("code", path), make("span", op.summary)), inner));
    }
    document.getElementById("list").append(section);
  }
};
fetch("/openapi.json").then((r) => r.json()).then(show)
  .catch((e) => { document.getElementById("about").textContent = "/openapi.json cannot be read: " + e; });
