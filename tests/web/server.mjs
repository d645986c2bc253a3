// One `mlc_llm serve` on a free port, and a browser to look at it with.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { chromium } from "playwright-core";

const START_LIMIT_MS = 600_000; // the first start compiles the model

export async function freePort() {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

export class Server {
  static all = [];
  log = "";
  static async start(options = [], port) {
    for (const name of ["MLC_LLM_BIN", "MLC_TEST_MODEL"]) assert.ok(process.env[name], `$${name} is not set; see run.sh`);
    const s = new Server();
    Server.all.push(s);
    s.port = port ?? (await freePort());
    s.url = `http://127.0.0.1:${s.port}`;
    const args = ["serve", process.env.MLC_TEST_MODEL, "--host", "127.0.0.1", "--port", String(s.port), ...options];
    s.process = spawn(process.env.MLC_LLM_BIN, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const out of [s.process.stdout, s.process.stderr]) out.on("data", (data) => (s.log += data));
    for (const deadline = Date.now() + START_LIMIT_MS; Date.now() < deadline; await sleep(100)) {
      assert.equal(s.process.exitCode, null, `mlc_llm serve ended:\n${s.log}`);
      try {
        if ((await fetch(`${s.url}/health`)).ok) return s;
      } catch {
        // not yet
      }
    }
    assert.fail(`no answer from mlc_llm serve:\n${s.log}`);
  }
  async stop(signal = "SIGTERM") {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, "exit");
    this.process.kill(signal);
    const [code] = await ended;
    if (signal === "SIGTERM") assert.equal(code, 0, this.log);
  }
}

export const launch = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });

// The body of a streamed answer with these pieces.
export function sse(pieces, { finish = "stop", done = true, extra = [] } = {}) {
  const chunks = pieces.map((content) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] }));
  chunks.push({ choices: [{ index: 0, delta: {}, finish_reason: finish }] });
  chunks.push({ choices: [], usage: { prompt_tokens: 5, completion_tokens: pieces.length, total_tokens: 5 + pieces.length } });
  return [...chunks, ...extra].map((c) => `data: ${JSON.stringify(c)}\n\n`).join("") + (done ? "data: [DONE]\n\n" : "");
}

// From now on the page's questions are answered with this text.
export async function answerWith(page, body, status = 200) {
  await page.unroute("**/v1/chat/completions");
  await page.route("**/v1/chat/completions", (route) => {
    page.lastBody = route.request().postDataJSON();
    const type = status === 200 ? "text/event-stream" : "application/json";
    return route.fulfill({ status, contentType: type, body });
  });
}
