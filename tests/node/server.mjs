// `mlc_llm serve` for the tests of one file: $MLC_LLM_BIN serves $MLC_TEST_MODEL on a free port, and behind another one a
// proxy checks its answers against OpenAI's description (tests/python/validating_proxy.py, run by $MLC_TEST_PYTHON).
//
//   const server = await start();      // server.url: direct; server.checkedUrl: through the proxy
//   await checkAnswers(server);        // after each test
//   await stop(server);
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const START_LIMIT_MS = 600_000; // the first start compiles the model
const PROXY = fileURLToPath(new URL("../python/validating_proxy.py", import.meta.url));
const NO_DESCRIPTION = 3; // the proxy's exit code

async function freePort() {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

async function waitUntilReady(server) {
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline) {
    assert.equal(server.process.exitCode, null, `mlc_llm serve ended:\n${server.log}`);
    try {
      if ((await fetch(`${server.url}/health`)).ok) return;
    } catch {
      await sleep(100);
    }
  }
  assert.fail(`no answer from mlc_llm serve:\n${server.log}`);
}

// Sets server.checkedUrl to the proxy's, or to the server's own where OpenAI's description is not at hand.
async function startProxy(server, port) {
  const proxy = spawn(process.env.MLC_TEST_PYTHON, [PROXY, "--upstream", `127.0.0.1:${port}`]);
  let errors = "";
  proxy.stderr.on("data", (data) => (errors += data));
  const ended = once(proxy, "close").then(([code]) => ({ code }));
  const printed = once(createInterface(proxy.stdout), "line").then(([line]) => ({ line }));
  const { line, code } = await Promise.race([printed, ended]);
  assert.ok(line || code === NO_DESCRIPTION, `the proxy ended with ${code}: ${errors}`);
  server.proxy = line ? proxy : null;
  server.checkedUrl = line ? `http://127.0.0.1:${line}` : server.url;
  if (!line) console.log(`# answers are not checked: ${errors}`);
}

export async function start() {
  for (const name of ["MLC_LLM_BIN", "MLC_TEST_MODEL", "MLC_TEST_PYTHON"]) {
    assert.ok(process.env[name], `$${name} is not set; see run.sh`);
  }
  const port = await freePort();
  const options = ["serve", process.env.MLC_TEST_MODEL, "--host", "127.0.0.1", "--port", String(port)];
  const server = { url: `http://127.0.0.1:${port}`, log: "" };
  server.process = spawn(process.env.MLC_LLM_BIN, options, { stdio: ["ignore", "pipe", "pipe"] });
  for (const out of [server.process.stdout, server.process.stderr]) out.on("data", (data) => (server.log += data));
  await Promise.all([waitUntilReady(server), startProxy(server, port)]);
  return server;
}

export async function checkAnswers(server) {
  if (!server.proxy) return;
  const found = await (await fetch(`${server.checkedUrl}/__validated`)).json();
  assert.deepEqual(found.failures, []);
  assert.ok(Object.keys(found.checked).length > 0, "no answer was checked");
}

export async function stop(server) {
  server?.proxy?.kill();
  if (!server || server.process.exitCode !== null) return;
  server.process.kill("SIGTERM");
  const [code] = await once(server.process, "exit");
  assert.equal(code, 0, server.log);
}
