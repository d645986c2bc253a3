// Chats and settings in this browser's localStorage: one entry per chat, and an index that lists them. Nothing leaves
// the browser. What is read back is checked: an import, or another version of this page, may have written anything.

const INDEX = "mlc.chats";
const SETTINGS = "mlc.settings";
const entry = (id) => `mlc.chat.${id}`;

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

// False when the browser has no room or forbids it.
function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

const text = (value) => (typeof value === "string" ? value : "");
const number = (value) => (Number.isFinite(value) ? value : undefined);

function checkedMessage(m) {
  if (!m || (m.role !== "user" && m.role !== "assistant") || typeof m.content !== "string") return null;
  const out = { role: m.role, content: m.content };
  if (m.reasoning) out.reasoning = text(m.reasoning);
  if (m.error) out.error = text(m.error);
  if (m.stopped) out.stopped = true;
  if (m.cut) out.cut = true;
  if (m.stats && typeof m.stats === "object") {
    out.stats = { ttft: number(m.stats.ttft), rate: number(m.stats.rate), tokens: number(m.stats.tokens) };
  }
  return out;
}

export function checkedChat(c) {
  if (!c || !/^[\w-]{1,64}$/.test(text(c.id)) || !Array.isArray(c.messages)) return null;
  const messages = c.messages.map(checkedMessage);
  if (messages.includes(null)) return null;
  return { id: c.id, title: text(c.title).slice(0, 200), updated: number(c.updated) ?? 0, messages };
}

export const newChat = () => ({ id: crypto.randomUUID?.() ?? `c${Date.now()}-${Math.random().toString(36).slice(2)}`, title: "", updated: Date.now(), messages: [] });

// [{id, title, updated}], newest first.
export function listChats() {
  const list = read(INDEX);
  if (!Array.isArray(list)) return [];
  return list.filter((c) => c && /^[\w-]{1,64}$/.test(text(c.id))).map((c) => ({ id: c.id, title: text(c.title), updated: number(c.updated) ?? 0 }))
    .sort((a, b) => b.updated - a.updated);
}

export const loadChat = (id) => checkedChat(read(entry(id)));

export function saveChat(chat) {
  const rest = listChats().filter((c) => c.id !== chat.id);
  return write(entry(chat.id), chat) && write(INDEX, [{ id: chat.id, title: chat.title, updated: chat.updated }, ...rest]);
}

export function deleteChat(id) {
  localStorage.removeItem(entry(id));
  write(INDEX, listChats().filter((c) => c.id !== id));
}

export function deleteAll() {
  for (const key of Object.keys(localStorage)) if (key === INDEX || key.startsWith(entry(""))) localStorage.removeItem(key);
}

export function exportAll() {
  const chats = listChats().map((c) => loadChat(c.id)).filter(Boolean);
  return JSON.stringify({ format: "mlc_llm chats", version: 1, chats }, null, 1);
}

// How many chats came in. Throws when the text is no export, or when there is no room.
export function importAll(json) {
  let data;
  try {
    data = JSON.parse(json);
  } catch {
    throw new Error("That file is not JSON; expected one that “Export chats” wrote.");
  }
  if (!Array.isArray(data?.chats)) throw new Error("That file holds no chats; expected one that “Export chats” wrote.");
  const chats = data.chats.map(checkedChat).filter(Boolean);
  for (const chat of chats) if (!saveChat(chat)) throw new Error("This browser has no room for these chats.");
  return chats.length;
}

export function loadSettings() {
  const s = read(SETTINGS);
  const out = {};
  for (const [name, value] of Object.entries(s && typeof s === "object" ? s : {})) {
    if (typeof value === "string") out[name] = value;
  }
  return out;
}
export const saveSettings = (settings) => write(SETTINGS, settings);

// The key stays in this tab and is never exported.
export function getKey() {
  try {
    return sessionStorage.getItem("mlc.key") ?? "";
  } catch {
    return "";
  }
}
export function setKey(key) {
  try {
    sessionStorage.setItem("mlc.key", key);
  } catch {
    // the key then lives as long as nothing asks again
  }
}
