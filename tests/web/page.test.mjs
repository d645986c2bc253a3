// The page as a reader uses it. What a model says is scripted where it matters; otherwise the demo model answers.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, beforeEach, afterEach, test } from "node:test";

import { answerWith, launch, Server, sse } from "./server.mjs";

let server, browser, context, page, problems;
let allowed; // the only origin that the page may ask

before(async () => {
  if (process.env.SHOTS) mkdirSync(process.env.SHOTS, { recursive: true });
  [server, browser] = await Promise.all([Server.start(), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  for (const s of Server.all) await s.stop("SIGKILL"); // of tests that failed
});

async function open(options = {}, path = "/") {
  await context?.close();
  context = await browser.newContext({ viewport: { width: 1180, height: 800 }, ...options });
  page = await context.newPage();
  page.setDefaultTimeout(60_000);
  problems = [];
  allowed = server.url;
  page.on("pageerror", (e) => problems.push(String(e)));
  page.on("console", (m) => {
    if (/Content Security Policy|Trusted/.test(m.text())) problems.push(m.text());
  });
  page.on("request", (r) => {
    if (!r.url().startsWith(allowed) && !r.url().startsWith("blob:")) problems.push(`asked for ${r.url()}`);
  });
  await page.goto(server.url + path);
}
// Goes to another server. Until the page that is left behind is gone it may still ask its own one, for its icon.
async function moveTo(other) {
  await page.goto("about:blank");
  allowed = other.url;
  await page.goto(other.url);
}
beforeEach(() => open());
afterEach(() => assert.deepEqual(problems, []));

const shot = (name) => process.env.SHOTS && page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
const idle = () => page.waitForSelector("#stop", { state: "hidden" });
async function ask(text) {
  await page.fill("#prompt", text);
  await page.press("#prompt", "Enter");
}
const listed = (n) => page.waitForFunction((count) => document.querySelectorAll("#chats .open").length === count, n);
const answers = () => page.locator(".answer .prose");

test("an answer streams in, with its figures", async () => {
  await ask("Tell me a story about a fox");
  await page.waitForFunction(() => document.querySelector(".answer .prose")?.textContent.length > 3);
  await idle();
  assert.ok((await answers().textContent()).length > 20);
  assert.match(await page.textContent(".answer .stats"), /first token .* · [\d.]+ tokens\/s · \d+ tokens/);
  assert.match(await page.textContent("#say"), /^Answer: /);
  assert.equal(await page.getAttribute(".answer", "aria-busy"), "false");
  assert.equal(await page.title(), "Tell me a story about a fox · MLC LLM");
});

test("stop ends the request and keeps what came", async () => {
  // The demo model is done before anybody can press a button: here a slow one answers, without end. (That the engine
  // frees what a client leaves is tested in tests/python.)
  let left = false;
  const slow = createServer((request, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const chunk = { choices: [{ index: 0, delta: { content: "word " }, finish_reason: null }] };
    const timer = setInterval(() => response.write(`data: ${JSON.stringify(chunk)}\n\n`), 20);
    response.on("close", () => {
      clearInterval(timer);
      left = true;
    });
  });
  await new Promise((done) => slow.listen(0, "127.0.0.1", done));
  try {
    await page.route("**/v1/chat/completions", (route) =>
      route.continue({ url: `http://127.0.0.1:${slow.address().port}/v1/chat/completions` }));
    await ask("Tell me a very long story");
    await page.waitForFunction(() => document.querySelector(".answer .prose")?.textContent.length > 12);
    assert.equal(left, false);
    await page.click("#stop");
    await idle();
    assert.match(await page.textContent(".answer .stats"), /stopped/);
    const text = await answers().textContent();
    assert.match(text, /^(word ?)+$/);
    for (let i = 0; i < 1500 && !left; ++i) await page.waitForTimeout(20);
    assert.equal(left, true);
    assert.equal(await answers().textContent(), text);
  } finally {
    slow.closeAllConnections();
    slow.close();
  }
});

test("regenerate replaces the answer", async () => {
  await answerWith(page, sse(["first", " answer"]));
  await ask("Question");
  await page.waitForSelector("text=first answer");
  await idle();
  await answerWith(page, sse(["second"]));
  await page.click("text=Regenerate");
  await page.waitForSelector("text=second");
  assert.equal(await answers().count(), 1);
  assert.deepEqual(page.lastBody.messages, [{ role: "user", content: "Question" }]);
});

test("an edited question is asked again, without what followed", async () => {
  await answerWith(page, sse(["one"]));
  await ask("First question");
  await idle();
  await ask("Second question");
  await idle();
  assert.equal(await answers().count(), 2);
  await page.hover(".user >> nth=0");
  await page.click(".user >> nth=0 >> text=Edit");
  await page.fill(".editing textarea", "Better question");
  await page.press(".editing textarea", "Enter");
  await page.waitForFunction(() => document.querySelectorAll(".answer").length === 1);
  await idle();
  assert.deepEqual(page.lastBody.messages, [{ role: "user", content: "Better question" }]);
  assert.equal(await page.textContent(".bubble"), "Better question");
});

test("reloading keeps the chats; another can be opened; deleting removes them", async () => {
  await answerWith(page, sse(["kept *text*"]));
  await ask("Question one");
  await idle();
  await page.reload();
  await page.waitForSelector(".answer em");
  assert.equal(await answers().textContent(), "kept text");
  await page.click("#new");
  assert.equal(await answers().count(), 0);
  await ask("Question two");
  await idle();
  assert.deepEqual(await page.locator("#chats .open").allTextContents(), ["Question two", "Question one"]);
  await page.click("text=Question one");
  assert.equal(await page.textContent(".bubble"), "Question one");
  await page.hover("#chats li >> nth=1");
  await page.click("#chats li >> nth=1 >> .drop");
  await page.click("#confirm button[value=yes]");
  await listed(1);
  assert.deepEqual(await page.locator("#chats .open").allTextContents(), ["Question two"]);
  await page.click("#clear");
  await page.keyboard.press("Escape"); // keeps
  assert.equal(await page.locator("#chats .open").count(), 1);
  await page.click("#clear");
  await page.click("#confirm button[value=yes]");
  await listed(0);
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith("mlc.chat"))), []);
});

test("chats are exported and imported, and a wrong file is refused", async () => {
  await answerWith(page, sse(["exported"]));
  await ask("To be exported");
  await idle();
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#export")]);
  const text = readFileSync(await download.path(), "utf8");
  assert.equal(JSON.parse(text).chats[0].messages[1].content, "exported");
  await open();
  const give = (name, buffer) => page.setInputFiles("#file", { name, mimeType: "application/json", buffer: Buffer.from(buffer) });
  await give("broken.json", "{");
  await page.waitForSelector("#banner >> text=not JSON");
  const hostile = { chats: [{ id: "../x", messages: [] }, { id: "a", messages: [{ role: "system", content: {} }] }, null, 7] };
  await give("hostile.json", JSON.stringify(hostile));
  await page.waitForSelector("#say >> text=0 chats imported", { state: "attached" });
  assert.equal(await page.locator("#chats .open").count(), 0);
  await give("good.json", text);
  await page.click("#chats >> text=To be exported");
  assert.equal(await answers().textContent(), "exported");
});

const HOSTILE = [
  "<script>window.hit = 1</script>", "<img src=x onerror='window.hit = 1'>", "<svg onload=window.hit=1>",
  "[a](javascript:window.hit=1)", "[b](JaVaScRiPt:window.hit=1)", "[c](data:text/html,<script>window.hit=1</script>)",
  "[d](vbscript:x)", "[e]( java\nscript:window.hit=1)", "![f](https://evil.example/track.png)", "![g](x onerror=window.hit=1)",
  "<a href='javascript:window.hit=1'>h</a>", "```html\n<img src=x onerror=window.hit=1>\n```", "```\"><img src=x onerror=window.hit=1>\ncode\n```",
  "| <b>x</b> | <img src=x onerror=window.hit=1> |\n|---|---|\n| <iframe src=//evil.example> | [z](javascript:1) |",
  "# <style>*{display:none}</style>", "> <form action=//evil.example><input></form>", "1. <object data=//evil.example></object>",
  "`<script>window.hit=1</script>`", "<https://ok.example/\"onmouseover=window.hit=1>", "[x](https://ok.example/\"onclick=window.hit=1)",
  "&lt;script&gt;", "<!-- c --> <base href=//evil.example>", "**<img src=x onerror=window.hit=1>**",
];

test("what a model writes is inert", async () => {
  await answerWith(page, sse(HOSTILE.map((h) => `${h}\n\n`)));
  await ask("<img src=x onerror=window.hit=1>");
  await idle();
  await page.waitForSelector(".answer .stats >> text=tokens");
  for (const again of [false, true]) {
    if (again) {
      await page.reload();
      await page.waitForSelector(".answer a");
    }
    for (const link of await page.locator(".answer a").all()) {
      assert.match(await link.getAttribute("href"), /^https:\/\/(?:evil|ok)\.example\//);
      assert.equal(await link.getAttribute("rel"), "noopener noreferrer nofollow");
    }
    assert.deepEqual(await page.evaluate(() => ({
      hit: window.hit,
      wrong: [...document.querySelectorAll("#log *")].filter((e) =>
        /^(?:IMG|SCRIPT|IFRAME|SVG|STYLE|FORM|OBJECT|BASE|B)$/i.test(e.tagName) || [...e.attributes].some((a) => /^on|^src$|^style$/.test(a.name))).length,
    })), { hit: undefined, wrong: 0 });
    assert.ok((await answers().textContent()).includes("<script>window.hit = 1</script>"), "shown as text");
  }
});

test("markdown becomes what it means", async () => {
  const text = [
    "# Title", "A *word*, a **strong _both_** one, ~~gone~~, `co<de` and https://example.org/a_(b).", "snake_case_name 2 * 3 * 4",
    "- one\n- two\n  - inner\n\n    more\n- [x] done", "3. three\n4. four", "> quoted\n> - list", "| a | b |\n|:--|--:|\n| 1 | `x\\|y` |",
    "---", "```python\ndef f():\n\treturn 1  # tab\n```", "[link *em*](https://example.org/x \"t\")", "~~~\nopen",
  ].join("\n\n");
  await answerWith(page, sse([...text])); // one character at a time: every unfinished state is drawn
  await ask("Markdown");
  await idle();
  await page.waitForSelector(".answer .stats >> text=tokens");
  const html = await answers().evaluate((n) => n.innerHTML);
  for (const part of ["<h3>Title</h3>", "<em>word</em>", "<strong>strong <em>both</em></strong>", "<del>gone</del>", "<code>co&lt;de</code>",
    'href="https://example.org/a_(b)"', "snake_case_name 2 * 3 * 4", "<li>one</li>", '<ol start="3"><li>three</li><li>four</li></ol>',
    "<blockquote><p>quoted</p><ul><li>list</li></ul></blockquote>", '<th class="right" scope="col">b</th>', "<code>x|y</code>", "<hr>",
    '<span class="k">def</span>', "link <em>em</em></a>"]) {
    assert.ok(html.includes(part), `${part} in ${html}`);
  }
  assert.equal(await page.locator(".answer li.task input").isChecked(), true);
  assert.equal(await page.locator(".answer pre >> nth=0").textContent(), "def f():\n\treturn 1  # tab");
  assert.equal(await page.locator(".answer pre >> nth=1").textContent(), "open");
});

test("hostile length and nesting are drawn in time", async () => {
  for (const text of ["> ".repeat(20_000) + "x", "*".repeat(50_000), "[".repeat(50_000), "**a ".repeat(20_000), "`a``b```".repeat(8_000),
    "- ".repeat(20_000) + "x", "[a](".repeat(20_000), "```" + "a ".repeat(20_000) + "`", "|".repeat(20_000) + "\n" + "|-".repeat(10_000),
    "a|\n" + "- ".repeat(20_000) + "x", "_a".repeat(30_000), "http://".repeat(10_000), "![".repeat(30_000) + "](", "<".repeat(50_000)]) {
    const ms = await page.evaluate(async (source) => {
      const { render } = await import("/ui/markdown.js");
      const begin = performance.now();
      const div = document.createElement("div");
      render(source, div);
      if (div.childNodes.length < 1) throw new Error("nothing drawn");
      return performance.now() - begin;
    }, text);
    assert.ok(ms < 20_000, `${text.slice(0, 12)}…: ${ms} ms`);
  }
});

test("events come whole, however they are cut", async () => {
  const failures = await page.evaluate(async () => {
    const { events } = await import("/ui/api.js");
    const bytes = new TextEncoder().encode('data: {"a": 1}\n\n: a comment\n\ndata: zwei – ü\r\n\r\ndata: three\ndata: lines\n\ndata: [DONE]\n\n');
    const expected = JSON.stringify(['{"a": 1}', "zwei – ü", "three\nlines", "[DONE]"]);
    const wrong = [];
    for (const size of [1, 2, 3, 7, 1000]) {
      const stream = new ReadableStream({
        start(c) {
          for (let i = 0; i < bytes.length; i += size) c.enqueue(bytes.slice(i, i + size));
          c.close();
        },
      });
      const out = [];
      for await (const e of events(stream)) out.push(e);
      if (JSON.stringify(out) !== expected) wrong.push([size, out]);
    }
    return wrong;
  });
  assert.deepEqual(failures, []);
});

const highlight = (code, language) => page.evaluate(async ([c, l]) => (await import("/ui/highlight.js")).highlight(c, l), [code, language]);

test("colours lose no character, and tell kinds apart", async () => {
  const code = '// c\nint main() { char* s = "a\\"b"; return 0x1F; } /* open\n<div a="b">#fff</div> -- x\n\'\'\' """ ` ${';
  for (const language of ["cpp", "python", "bash", "json", "sql", "html", "css", "diff", "js", "unknown", ""]) {
    assert.equal((await highlight(code, language)).map(([, text]) => text).join(""), code, language);
  }
  const kinds = async (c, l) => (await highlight(c, l)).filter(([k]) => k).map(([k, t]) => `${k}:${t}`);
  assert.deepEqual(await kinds('def f(x):  # why\n  return "a" + 1', "python"), ["k:def", "f:f", "c:# why", "k:return", 's:"a"', "n:1"]);
  assert.deepEqual(await kinds('{"key": "value", "n": 2.5}', "json"), ['f:"key"', 's:"value"', 'f:"n"', "n:2.5"]);
  assert.deepEqual(await kinds("SELECT a FROM t -- all", "sql"), ["k:SELECT", "k:FROM", "c:-- all"]);
  for (const hostile of ['"'.repeat(50_000), "/*".repeat(25_000), "`".repeat(50_000), "\\".repeat(50_000), "<".repeat(50_000), "a ".repeat(25_000)]) {
    for (const language of ["js", "python", "html", "css", "sql", "diff"]) await highlight(hostile, language); // in time: the test's limit
  }
});

test("the keyboard is enough", async () => {
  await answerWith(page, sse(["typed"]));
  await page.keyboard.type("line one");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("line two");
  await page.keyboard.press("Enter");
  await idle();
  assert.equal(page.lastBody.messages[0].content, "line one\nline two");
  assert.equal(await page.evaluate(() => document.activeElement.id), "prompt");
  await page.keyboard.press("ArrowUp"); // edits the last question
  await page.waitForSelector(".editing textarea:focus");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(".editing").count(), 0);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Edit");
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "prompt");
  await page.focus("#tune");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.querySelector("#settings").open), true);
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.querySelector("#settings").open), false);
  // Every control is reached by Tab, and says its name.
  const seen = new Set();
  for (let i = 0; i < 40; ++i) {
    await page.keyboard.press("Tab");
    seen.add(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent));
  }
  for (const id of ["new", "export", "clear", "model", "theme", "tune", "prompt", "Regenerate"]) assert.ok(seen.has(id), `${id} in ${[...seen]}`);
  const nameless = await page.evaluate(() => [...document.querySelectorAll("button, select, textarea, input, a")].filter((e) =>
    !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length || e.title)).map((e) => e.outerHTML));
  assert.deepEqual(nameless, []);
});

test("settings reach the request and stay", async () => {
  await answerWith(page, sse(["ok"]));
  await page.click("#tune");
  await page.fill("#s-system", "Be brief.");
  await page.fill("[name=temperature]", "0.35");
  await page.fill("[name=top_p]", "7"); // out of range: not sent
  await page.fill("[name=seed]", "42");
  await page.fill("[name=stop]", "END");
  await page.click("#settings >> text=Done");
  await page.reload();
  await ask("Hello");
  await idle();
  const { messages, model, ...rest } = page.lastBody;
  assert.deepEqual(messages, [{ role: "system", content: "Be brief." }, { role: "user", content: "Hello" }]);
  assert.equal(model, (await (await fetch(`${server.url}/v1/models`)).json()).data[0].id);
  assert.deepEqual(rest, { temperature: 0.35, seed: 42, stop: ["END"], stream: true, stream_options: { include_usage: true } });
});

test("errors are said, and can be tried again", async () => {
  await answerWith(page, JSON.stringify({ error: { message: "The prompt is too long." } }), 400);
  await ask("Hello");
  await page.waitForSelector(".error >> text=The prompt is too long.");
  await answerWith(page, sse(["half an ans"], { done: false }));
  await page.click("text=Try again");
  await page.waitForSelector(".error >> text=broke off");
  assert.equal(await answers().textContent(), "half an ans");
  await answerWith(page, sse(["half"], { extra: [{ error: { message: "The engine failed." } }] }));
  await page.click("text=Try again");
  await page.waitForSelector(".error >> text=The engine failed.");
  await answerWith(page, sse(["cut"], { finish: "length" }));
  await page.click("text=Try again");
  await page.waitForSelector(".stats >> text=cut at the length limit");
  assert.equal(await page.locator(".error:visible").count(), 0);
});

test("a server that goes away and comes back", async () => {
  const other = await Server.start();
  await moveTo(other);
  await page.waitForSelector("#model:enabled");
  await other.stop("SIGKILL");
  await ask("Hello?");
  await page.waitForSelector(".error >> text=does not answer");
  await page.waitForSelector("#banner >> text=does not answer");
  await shot("server-down");
  const again = await Server.start([], other.port);
  await page.waitForSelector("#banner", { state: "hidden" });
  await page.click("text=Try again");
  await page.waitForFunction(() => document.querySelector(".answer .prose")?.textContent.length > 3);
  await context.close();
  context = null;
  await again.stop();
});

test("a server with a key asks for it, page and live view", async () => {
  const locked = await Server.start(["--api-key", "open sesame"]);
  await moveTo(locked);
  await page.waitForSelector("#keybox[open]");
  await shot("key");
  await page.fill("#key", "wrong");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#keybox[open] >> text=not one of this server");
  await page.fill("#key", "open sesame");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#model:enabled");
  await ask("Hello");
  await page.waitForFunction(() => document.querySelector(".answer .prose")?.textContent.length > 3);
  assert.ok(!JSON.stringify(await page.evaluate(() => ({ ...localStorage }))).includes("sesame"));
  const fresh = await context.newPage();
  await fresh.goto(`${locked.url}/ui/metrics`);
  await fresh.fill("#key", "open sesame");
  await fresh.keyboard.press("Enter");
  await fresh.waitForSelector(".tile");
  await context.close();
  context = null;
  await locked.stop();
});

test("the live view shows what runs", async () => {
  await open({}, "/ui/metrics");
  await page.waitForSelector("#state.good");
  await page.waitForSelector(".tile:visible");
  const abort = new AbortController();
  const streams = [1, 2].map(() => fetch(`${server.url}/v1/completions`, { method: "POST", signal: abort.signal,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ prompt: "Once", stream: true, ignore_eos: true, max_tokens: 3000, temperature: 1 }) }).then((r) => r.text()).catch(() => {}));
  const rate = page.locator(".tile", { hasText: "Generating" }).locator("strong");
  await page.waitForFunction(() => [...document.querySelectorAll(".tile")].some((t) =>
    t.textContent.includes("Generating") && Number(t.querySelector("strong").textContent.replace(/,/g, "")) > 0));
  assert.ok(await rate.isVisible());
  abort.abort();
  await Promise.all(streams);
  await page.click("#pause");
  assert.equal(await page.textContent("#state"), "Paused");
});

test("Prometheus' text feeds the live view, latencies included", async () => {
  let n = 0;
  await page.route("**/metrics", (route) => {
    if (route.request().url().includes("/ui/")) return route.continue();
    ++n;
    const rows = [[0.1, 5 * n], [0.2, 9 * n], [0.4, 10 * n], ["+Inf", 10 * n]];
    return route.fulfill({ contentType: "text/plain", body: [
      "# HELP mlc_num_requests_running x", 'mlc_num_requests_running{model_name="a \\"b\\""} 3', 'mlc_kv_cache_usage_ratio{model_name="a \\"b\\""} 0.5',
      `mlc_generation_tokens_total{model_name="a \\"b\\""} ${100 * n}`,
      ...rows.map(([le, v]) => `mlc_time_to_first_token_seconds_bucket{model_name="a \\"b\\"",le="${le}"} ${v}`)].join("\n") });
  });
  await page.goto(`${server.url}/ui/metrics`);
  await page.waitForFunction(() => document.body.textContent.includes("100 ms"));
  const text = await page.textContent("#models");
  for (const part of ['a "b"', "Running3", "KV cache50%", "First token100 ms"]) assert.ok(text.includes(part), `${part} in ${text}`);
});

test("without JavaScript the page says how to go on", async () => {
  await open({ javaScriptEnabled: false });
  assert.match(await page.textContent("noscript"), /needs JavaScript[\s\S]*curl/);
  await shot("no-js");
});

test("files come with the right headers, compressed, and once", async () => {
  const get = (path, headers = {}, method = "GET") => fetch(server.url + path, { method, headers });
  let total = 0;
  for (const [path, type] of [["/", "text/html"], ["/ui/metrics", "text/html"], ["/ui/chat.js", "text/javascript"], ["/ui/style.css", "text/css"], ["/ui/icon.svg", "image/svg+xml"]]) {
    const plain = await get(path, { "Accept-Encoding": "identity" });
    assert.equal(plain.status, 200);
    assert.ok(plain.headers.get("content-type").startsWith(type));
    assert.match(plain.headers.get("content-security-policy"), /default-src 'self'.*require-trusted-types-for 'script'/);
    assert.equal(plain.headers.get("x-content-type-options"), "nosniff");
    const text = await plain.text();
    const packed = await get(path, { "Accept-Encoding": "gzip" });
    assert.equal(packed.headers.get("content-encoding"), "gzip");
    assert.equal(await packed.text(), text);
    assert.notEqual(packed.headers.get("etag"), plain.headers.get("etag"));
    const known = await get(path, { "Accept-Encoding": "gzip", "If-None-Match": `"other", ${packed.headers.get("etag")}` });
    assert.equal(known.status, 304);
    assert.equal(await known.text(), "");
    const head = await get(path, { "Accept-Encoding": "identity" }, "HEAD");
    assert.equal(head.headers.get("content-length"), String(Buffer.byteLength(text)));
    assert.equal((await get(path, {}, "POST")).status, 405);
  }
  page.on("response", async (r) => (total += Number(r.headers()["content-length"] ?? 0)));
  await page.goto(`${server.url}/?fresh`);
  await page.waitForSelector("#model:enabled");
  assert.ok(total < 60_000, `${total} bytes`);
  assert.equal((await get("/ui/nothing.js")).status, 404);
  assert.equal((await get("/ui/../../etc/passwd")).status, 404);
});

test("no page with --no-ui", async () => {
  const bare = await Server.start(["--no-ui"]);
  for (const path of ["/", "/ui/metrics", "/ui/chat.js"]) assert.equal((await fetch(bare.url + path)).status, 404);
  assert.equal((await fetch(`${bare.url}/v1/models`)).status, 200);
  await bare.stop();
});

const LONG = `Here is a function that counts words, and what it costs.

## The idea

Read *once*, keep a table from word to count. That is **O(n)** in the length of the text.

\`\`\`python
from collections import Counter

def count_words(text: str, lowest: int = 1) -> dict[str, int]:
    """Words and how often they occur; rare ones are left out."""
    counts = Counter(word.lower() for word in text.split())  # one pass over the text, whatever its length may be in the end
    return {w: n for w, n in counts.items() if n >= lowest}

print(count_words("the quick brown fox jumps over the lazy dog", 2))
\`\`\`

| text | words | time |
|:--|--:|--:|
| a page | 400 | 0.1 ms |
| a novel | 90,000 | 21 ms |

1. Split the text.
2. Count with a \`Counter\`.
3. Leave out what is rare.

> Most of the time goes into splitting, not into counting.`;

test("pictures", { skip: !process.env.SHOTS }, async () => {
  for (const [name, options] of [["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }],
    ["phone", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, colorScheme: "light" }],
    ["phone-dark", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, colorScheme: "dark" }]]) {
    await open(options);
    await page.waitForSelector("#model:enabled");
    await shot(`${name}-empty`);
    await answerWith(page, sse(LONG.split(/(?<= )/)));
    await ask("How do I count the words of a text in Python, and what does it cost?");
    await idle();
    await page.waitForSelector(".answer .stats >> text=tokens");
    await page.evaluate(() => (document.querySelector("#scroll").scrollTop = 0));
    await shot(`${name}-chat`);
    await page.evaluate(() => (document.querySelector("#scroll").scrollTop = 1e6));
    await shot(`${name}-end`);
    await answerWith(page, JSON.stringify({ error: { message: "The prompt has 5000 tokens; the context window holds 4096." } }), 400);
    await ask("And in C++?");
    await page.waitForSelector(".error:visible");
    await shot(`${name}-error`);
    await page.click("#tune");
    await shot(`${name}-settings`);
    await page.keyboard.press("Escape");
    if (name.startsWith("phone")) {
      await page.click("#menu");
      await page.waitForTimeout(400);
      await shot(`${name}-menu`);
      await page.keyboard.press("Escape");
    }
    const abort = new AbortController();
    const body = JSON.stringify({ prompt: "Once", stream: true, ignore_eos: true, max_tokens: 3000 });
    const load = [1, 2, 3].map(() => fetch(`${server.url}/v1/completions`, { method: "POST", signal: abort.signal, headers: { "Content-Type": "application/json" }, body }).then((r) => r.text()).catch(() => {}));
    await page.goto(`${server.url}/ui/metrics`);
    await page.waitForTimeout(8000);
    await shot(`${name}-live`);
    abort.abort();
    await Promise.all(load);
  }
});
