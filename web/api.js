// The server's OpenAI API: models, and chats as streams of events.

export class ApiError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status; // 0: no answer at all
  }
}

async function send(path, { key, signal, body } = {}) {
  const headers = {};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method: body ? "POST" : "GET", headers, signal, body: body && JSON.stringify(body) });
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new ApiError("The server does not answer. Is it still running?");
  }
  if (response.ok) return response;
  let message = `The server answered ${response.status}.`;
  try {
    const { error } = await response.json();
    if (typeof error?.message === "string") message = error.message;
  } catch {
    // not JSON: the status says it
  }
  throw new ApiError(message, response.status);
}

export async function listModels(key) {
  const { data } = await (await send("/v1/models", { key })).json();
  return data.map((m) => String(m.id));
}

export async function getText(path, key) {
  return (await send(path, { key })).text();
}

// The data of server-sent events, as they come, whatever pieces they come in.
export async function* events(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() + "\n\n" : decoder.decode(value, { stream: true });
      const lines = rest.split(/\r?\n/);
      rest = done ? "" : lines.pop();
      for (const line of lines) {
        if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
        else if (line === "" && data.length > 0) {
          yield data.join("\n");
          data = [];
        }
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// Yields chunks as objects. Throws ApiError for refusals, errors within the stream, and a stream that breaks off.
export async function* streamChat(body, { key, signal }) {
  const request = { ...body, stream: true, stream_options: { include_usage: true } };
  const response = await send("/v1/chat/completions", { key, signal, body: request });
  let complete = false;
  try {
    for await (const data of events(response.body)) {
      if (data === "[DONE]") {
        complete = true;
        continue;
      }
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ApiError(String(chunk.error.message ?? "The server failed."), 500);
      yield chunk;
    }
  } catch (e) {
    if (e.name === "AbortError" || e instanceof ApiError) throw e;
    throw new ApiError("The connection broke off.");
  }
  if (!complete) throw new ApiError("The connection broke off.");
}
