// The chat page: what is on screen follows from `chat` (the conversation shown), `runs` (answers being made) and
// `settings`.
import { ApiError, listModels, streamChat } from "./api.js";
import { byId, el } from "./dom.js";
import { render } from "./markdown.js";
import * as store from "./store.js";

const RETRY_MS = 3000;
const SAVE_MS = 1000;
const SAMPLING = ["temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty", "seed", "max_tokens"];
const IDEAS = ["Tell me a short story about a fox", "Explain how a bicycle stays upright", "Write a haiku about rain"];

const ui = Object.fromEntries(["sidebar", "veil", "new", "chats", "export", "import", "clear", "file", "menu", "model", "tune",
  "banner", "scroll", "log", "composer", "latest", "prompt", "send", "stop", "speed", "settings", "defaults", "keybox", "key-why",
  "key", "key-cancel", "confirm", "confirm-title", "confirm-text", "say"].map((id) => [id, byId(id)]));

let settings = store.loadSettings();
let chat = store.newChat();
let editing = -1; // index of the user message being edited
const runs = new Map(); // chat id -> {chat, message, controller}

// ---- small things ----

const say = (text) => (ui.say.textContent = text);
const narrow = matchMedia("(max-width: 860px)");
const running = () => runs.get(chat.id);
const seconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`);

function showBanner(text, action, run) {
  ui.banner.replaceChildren(el("span", {}, text), action ? el("button", { type: "button", onclick: run }, action) : "");
  ui.banner.hidden = false;
}
const hideBanner = () => (ui.banner.hidden = true);

function save(c) {
  c.updated = Date.now();
  if (!store.saveChat(c)) showBanner("This browser has no room left: this chat is not kept. Export and delete old ones.", "Hide", hideBanner);
}

async function confirmed(title, text) {
  ui["confirm-title"].textContent = title;
  ui["confirm-text"].textContent = text;
  ui.confirm.returnValue = "no";
  ui.confirm.showModal();
  await new Promise((done) => ui.confirm.addEventListener("close", done, { once: true }));
  return ui.confirm.returnValue === "yes";
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages over plain HTTP from another machine have no clipboard: the old way.
    const area = el("textarea", { class: "vh" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const old = button.textContent;
  button.textContent = "Copied";
  say("Copied");
  setTimeout(() => (button.textContent = old), 1500);
}

// ---- conversation ----

function statsText(m) {
  const s = m.stats ?? {};
  const parts = [];
  if (s.ttft !== undefined) parts.push(`first token ${seconds(s.ttft)}`);
  if (s.rate !== undefined) parts.push(`${s.rate.toFixed(1)} tokens/s`);
  if (s.tokens !== undefined) parts.push(`${s.tokens} tokens`);
  if (m.stopped) parts.push("stopped");
  if (m.cut) parts.push("cut at the length limit");
  return parts.join(" · ");
}

function userView(m, i) {
  if (editing === i) return editView(m, i);
  return el("article", { class: "msg user", "aria-label": "You" }, el("div", { class: "bubble" }, m.content),
    el("div", { class: "acts" },
      el("button", { type: "button", "data-act": "edit", "data-i": i }, "Edit"),
      el("button", { type: "button", "data-act": "copy", "data-i": i }, "Copy")));
}

function editView(m, i) {
  const area = el("textarea", { "aria-label": "Edit your message", rows: "3" });
  area.value = m.content;
  const done = (send) => {
    editing = -1;
    if (send && area.value.trim()) return void ask(area.value.trim(), i);
    showChat();
    ui.log.children[i]?.querySelector("[data-act=edit]")?.focus();
  };
  area.addEventListener("keydown", (e) => {
    if (e.key === "Escape") done(false);
    else if (e.key === "Enter" && !e.shiftKey && !e.isComposing) done(true);
    else return;
    e.preventDefault();
    e.stopPropagation();
  });
  return el("article", { class: "msg user editing" }, area, el("div", { class: "acts" },
    el("button", { type: "button", onclick: () => done(false) }, "Cancel"),
    el("button", { type: "button", class: "solid", onclick: () => done(true) }, "Send again")));
}

// An assistant message: its element has update(), called as the text grows.
function assistantView(m, i) {
  const think = el("details", { class: "think", hidden: true }, el("summary", {}, "Thinking"), el("div"));
  const body = el("div", { class: "prose" });
  const error = el("p", { class: "error", hidden: true });
  const stats = el("span", { class: "stats" });
  const again = el("button", { type: "button", "data-act": "again", "data-i": i }, "Regenerate");
  const acts = el("div", { class: "acts" }, el("button", { type: "button", "data-act": "copy", "data-i": i }, "Copy"), again, stats);
  const view = el("article", { class: "msg answer", "aria-label": "Answer" }, think, body, error, acts);
  view.update = () => {
    const busy = running()?.message === m;
    view.classList.toggle("busy", busy);
    view.setAttribute("aria-busy", busy);
    think.hidden = !m.reasoning;
    if (m.reasoning) think.lastChild.textContent = m.reasoning;
    body.classList.toggle("wait", busy && !m.content);
    render(m.content, body);
    error.hidden = !m.error;
    error.textContent = m.error ?? "";
    again.textContent = m.error ? "Try again" : "Regenerate";
    acts.classList.toggle("off", busy);
    stats.textContent = busy ? "" : statsText(m);
  };
  view.update();
  return view;
}

function emptyView() {
  return el("div", { class: "empty" }, el("h1", {}, "What would you like to know?"),
    el("p", {}, "Everything runs on the machine that serves this page. Chats stay in this browser."),
    el("ul", {}, ...IDEAS.map((idea) => el("li", {}, el("button", { type: "button", "data-idea": idea }, idea)))));
}

function showChat() {
  const views = chat.messages.map((m, i) => (m.role === "user" ? userView(m, i) : assistantView(m, i)));
  ui.log.replaceChildren(...(views.length ? views : [emptyView()]));
  if (editing >= 0) ui.log.querySelector(".editing textarea")?.focus();
  document.title = `${chat.title || "Chat"} · MLC LLM`;
  showControls();
}

function showControls() {
  const busy = Boolean(running());
  ui.stop.hidden = !busy;
  ui.send.hidden = busy;
  ui.send.disabled = !ui.prompt.value.trim();
  if (!busy) ui.speed.textContent = "";
}

function showList() {
  const list = store.listChats();
  ui.chats.replaceChildren(...list.map((c) => el("li", { class: c.id === chat.id ? "current" : null },
    el("button", { type: "button", class: "open", "data-id": c.id, "aria-current": c.id === chat.id ? "page" : null }, c.title || "New chat"),
    el("button", { type: "button", class: "icon drop", "data-drop": c.id, "aria-label": `Delete the chat ${c.title}` }, "×"))));
  ui.clear.disabled = ui.export.disabled = list.length === 0;
}

function openChat(next) {
  chat = runs.get(next.id)?.chat ?? next; // one being answered is newer than what is stored
  editing = -1;
  history.replaceState(null, "", chat.messages.length ? `#${chat.id}` : location.pathname);
  showChat();
  showList();
  toEnd();
  toggleSidebar(false);
}

// ---- scrolling: follows the text while the reader is at the end ----

const atEnd = () => ui.scroll.scrollHeight - ui.scroll.scrollTop - ui.scroll.clientHeight < 60;
function toEnd() {
  ui.scroll.scrollTop = ui.scroll.scrollHeight;
  ui.latest.hidden = true;
}

// ---- asking ----

function requestBody(messages) {
  const body = { messages: [] };
  if (ui.model.value) body.model = ui.model.value;
  if (settings.system?.trim()) body.messages.push({ role: "system", content: settings.system });
  for (const { role, content } of messages) body.messages.push({ role, content });
  for (const name of SAMPLING) {
    const value = Number(settings[name]);
    if (settings[name]?.trim() && Number.isFinite(value)) body[name] = value;
  }
  if (settings.stop) body.stop = [settings.stop];
  return body;
}

// Puts `text` in the place of message `at` and what follows it, and asks.
function ask(text, at = chat.messages.length) {
  runs.get(chat.id)?.controller.abort();
  chat.messages.length = at;
  chat.messages.push({ role: "user", content: text });
  if (at === 0) chat.title = text.replace(/\s+/g, " ").slice(0, 80);
  answer();
}

function regenerate(i) {
  runs.get(chat.id)?.controller.abort();
  chat.messages.length = i;
  answer();
}

async function answer() {
  const c = chat;
  const body = requestBody(c.messages);
  const message = { role: "assistant", content: "" };
  c.messages.push(message);
  const run = { chat: c, message, controller: new AbortController() };
  runs.set(c.id, run);
  save(c);
  history.replaceState(null, "", `#${c.id}`);
  showChat();
  showList();
  toEnd();
  say("Answering");
  const begin = performance.now();
  let first = 0, last = 0, pieces = 0, saved = begin, frame = 0;
  const measure = (tokens) => {
    if (!first) return;
    message.stats = { ttft: first - begin, tokens };
    if (tokens > 1 && last > first) message.stats.rate = (1000 * (tokens - 1)) / (last - first);
  };
  const draw = () => {
    frame = 0;
    if (chat !== c) return;
    const follow = atEnd();
    ui.log.lastElementChild?.update?.();
    if (follow) toEnd();
    else ui.latest.hidden = false;
    if (runs.get(c.id) === run) ui.speed.textContent = statsText(message);
  };
  try {
    for await (const chunk of streamChat(body, { key: store.getKey(), signal: run.controller.signal })) {
      const choice = chunk.choices?.[0];
      const text = choice?.delta?.content ?? "", reasoning = choice?.delta?.reasoning_content ?? "";
      if (text || reasoning) {
        last = performance.now();
        first ||= last;
        ++pieces; // as good as tokens until the server says how many there were
        message.content += text;
        if (reasoning) message.reasoning = (message.reasoning ?? "") + reasoning;
      }
      if (choice?.finish_reason === "length") message.cut = true;
      measure(chunk.usage?.completion_tokens ?? pieces);
      frame ||= requestAnimationFrame(draw);
      if (performance.now() - saved > SAVE_MS) {
        saved = performance.now();
        save(c);
      }
    }
  } catch (e) {
    if (e.name === "AbortError") message.stopped = true;
    else message.error = e instanceof ApiError ? e.message : `This page failed: ${e.message}`;
    if (e.status === 401 || e.status === 403) askForKey(e.message);
    if (e.status === 0) connect();
  }
  cancelAnimationFrame(frame);
  if (runs.get(c.id) === run) runs.delete(c.id);
  if (!c.messages.includes(message)) return; // the chat went on without it
  if (store.listChats().some((known) => known.id === c.id)) save(c); // unless it was deleted meanwhile
  draw();
  if (chat === c) {
    showControls();
    say(message.error ?? (message.stopped ? "Stopped" : `Answer: ${message.content}`));
  }
}

const stop = () => running()?.controller.abort();

// ---- the server ----

let retry = 0;
async function connect() {
  clearTimeout(retry);
  try {
    const models = await listModels(store.getKey());
    const wanted = ui.model.value || settings.model;
    ui.model.replaceChildren(...models.map((id) => el("option", { value: id, selected: id === wanted }, id)));
    ui.model.disabled = models.length === 0;
    if (models.length === 0) throw new ApiError("The server is still loading its model.", 503);
    hideBanner();
  } catch (e) {
    if (e.status === 401 || e.status === 403) {
      ui.model.replaceChildren(el("option", { value: "" }, "Needs a key"));
      return void askForKey(e.message);
    }
    showBanner(e instanceof ApiError ? e.message : "The list of models cannot be read.", "Try now", connect);
    retry = setTimeout(connect, RETRY_MS);
  }
}

function askForKey(why) {
  if (ui.keybox.open) return;
  ui["key-why"].textContent = why;
  ui.key.value = "";
  ui.keybox.returnValue = "cancel";
  ui.keybox.showModal();
}
ui["key-cancel"].addEventListener("click", () => ui.keybox.close("cancel"));
ui.keybox.addEventListener("close", () => {
  if (ui.keybox.returnValue === "ok" && ui.key.value) {
    store.setKey(ui.key.value);
    connect();
  } else {
    showBanner("This server asks for a key.", "Enter it", () => askForKey(""));
  }
});

// ---- controls ----

function toggleSidebar(open) {
  document.body.classList.toggle("side", open);
  ui.menu.setAttribute("aria-expanded", open);
  ui.sidebar.inert = narrow.matches && !open;
  if (narrow.matches && open) ui.new.focus();
}
narrow.addEventListener("change", () => toggleSidebar(false));
ui.menu.addEventListener("click", () => toggleSidebar(!document.body.classList.contains("side")));
ui.veil.addEventListener("click", () => toggleSidebar(false));

ui.new.addEventListener("click", () => {
  openChat(store.newChat());
  ui.prompt.focus();
});

ui.chats.addEventListener("click", async (e) => {
  const { id, drop } = e.target.dataset;
  const found = id && store.loadChat(id);
  if (found) openChat(found);
  if (id && !found) showBanner("That chat cannot be read.", "Hide", hideBanner);
  if (drop && (await confirmed("Delete this chat?", store.listChats().find((c) => c.id === drop)?.title ?? ""))) {
    runs.get(drop)?.controller.abort();
    store.deleteChat(drop);
    if (drop === chat.id) openChat(store.newChat());
    else showList();
  }
});

ui.clear.addEventListener("click", async () => {
  if (!(await confirmed("Delete all chats?", "They are kept in this browser only, so they cannot be brought back."))) return;
  for (const run of runs.values()) run.controller.abort();
  store.deleteAll();
  openChat(store.newChat());
});

ui.export.addEventListener("click", () => {
  const url = URL.createObjectURL(new Blob([store.exportAll()], { type: "application/json" }));
  el("a", { href: url, download: `chats-${new Date().toISOString().slice(0, 10)}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
});
ui.import.addEventListener("click", () => ui.file.click());
ui.file.addEventListener("change", async () => {
  try {
    const n = store.importAll(await ui.file.files[0].text());
    say(`${n} chats imported`);
  } catch (e) {
    showBanner(e.message, "Hide", hideBanner);
  }
  ui.file.value = "";
  showList();
});

ui.log.addEventListener("click", (e) => {
  const button = e.target.closest("button");
  if (!button) return;
  const { act, i, copy: what, idea } = button.dataset;
  if (what) copy(button.closest("figure").querySelector("code").textContent, button);
  if (idea) ask(idea);
  if (act === "copy") copy(chat.messages[i].content, button);
  if (act === "again") regenerate(Number(i));
  if (act === "edit") {
    editing = Number(i);
    showChat();
  }
});

ui.scroll.addEventListener("scroll", () => {
  if (atEnd()) ui.latest.hidden = true;
});
ui.latest.addEventListener("click", toEnd);

function fitPrompt() {
  ui.prompt.style.height = "auto";
  ui.prompt.style.height = `${Math.min(ui.prompt.scrollHeight, innerHeight * 0.4)}px`;
  showControls();
}
ui.prompt.addEventListener("input", fitPrompt);
ui.prompt.addEventListener("keydown", (e) => {
  if (e.key === "Enter" && !e.shiftKey && !e.isComposing) {
    e.preventDefault();
    ui.composer.requestSubmit();
  }
  if (e.key === "ArrowUp" && !ui.prompt.value && !running()) {
    editing = chat.messages.findLastIndex((m) => m.role === "user");
    if (editing >= 0) showChat();
  }
});
ui.composer.addEventListener("submit", (e) => {
  e.preventDefault();
  const text = ui.prompt.value.trim();
  if (!text || running()) return;
  ui.prompt.value = "";
  fitPrompt();
  ask(text);
});
ui.stop.addEventListener("click", () => {
  stop();
  ui.prompt.focus();
});

document.addEventListener("keydown", (e) => {
  if (document.querySelector("dialog[open]")) return;
  const typing = /^(?:INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName);
  if (e.key === "Escape") {
    if (document.body.classList.contains("side")) {
      toggleSidebar(false);
      ui.menu.focus();
    } else {
      stop();
    }
  }
  if (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey) {
    e.preventDefault();
    ui.prompt.focus();
  }
});

const form = ui.settings.querySelector("form");
ui.tune.addEventListener("click", () => {
  for (const field of form.elements) if (field.name) field.value = settings[field.name] ?? "";
  form.elements.key.value = store.getKey();
  ui.settings.showModal();
});
ui.settings.addEventListener("close", () => {
  const key = form.elements.key.value;
  const changed = key !== store.getKey();
  settings = { model: settings.model };
  for (const field of form.elements) {
    // A number out of its range is not sent: it would only come back as an error.
    if (field.name && field.name !== "key" && field.value && field.validity.valid) settings[field.name] = field.value;
  }
  store.saveSettings(settings);
  if (changed) {
    store.setKey(key);
    connect();
  }
});
ui.defaults.addEventListener("click", () => {
  for (const field of form.elements) if (field.name && field.name !== "key") field.value = "";
});
ui.model.addEventListener("change", () => {
  settings.model = ui.model.value;
  store.saveSettings(settings);
});

addEventListener("storage", (e) => {
  if (e.key === "mlc.chats" || e.key === null) showList();
});
addEventListener("pagehide", () => {
  for (const run of runs.values()) {
    run.message.stopped = true; // what is kept of it ends here
    save(run.chat);
  }
});
addEventListener("hashchange", () => {
  const found = store.loadChat(location.hash.slice(1));
  if (found) openChat(found);
});

toggleSidebar(false);
openChat(store.loadChat(location.hash.slice(1)) ?? store.newChat());
showControls();
connect();
if (!narrow.matches) ui.prompt.focus();
