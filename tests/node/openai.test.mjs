// The official openai client for Node against `mlc_llm serve`: $MLC_LLM_BIN serves $MLC_TEST_MODEL.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import OpenAI from "openai";

const START_LIMIT_MS = 600_000; // the first start compiles the model
const QUESTION = [{ role: "user", content: "Tell me a short story about a fox." }];

let server, url, client, model;
let log = "";

async function freePort() {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

async function waitUntilReady() {
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline) {
    assert.equal(server.exitCode, null, `mlc_llm serve ended:\n${log}`);
    try {
      if ((await fetch(`${url}/health`)).ok) return;
    } catch {
      await sleep(100);
    }
  }
  assert.fail(`no answer from mlc_llm serve:\n${log}`);
}

async function running() {
  const health = await (await fetch(`${url}/health`)).json();
  return Object.values(health.models)[0].running;
}

async function streamText(messages, options) {
  const stream = await client.chat.completions.create({ model, messages, stream: true, ...options });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  return text;
}

before(async () => {
  for (const name of ["MLC_LLM_BIN", "MLC_TEST_MODEL"]) assert.ok(process.env[name], `$${name} is not set; see run.sh`);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  server = spawn(
    process.env.MLC_LLM_BIN,
    ["serve", process.env.MLC_TEST_MODEL, "--host", "127.0.0.1", "--port", String(port)],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  for (const out of [server.stdout, server.stderr]) out.on("data", (data) => (log += data));
  await waitUntilReady();
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
  model = (await client.models.list()).data[0].id;
});

after(async () => {
  if (!server || server.exitCode !== null) return;
  server.kill("SIGTERM");
  const [code] = await once(server, "exit");
  assert.equal(code, 0, log);
});

test("lists models", async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert.deepEqual(ids, [model]);
  assert.equal((await client.models.retrieve(model)).object, "model");
});

test("chats", async () => {
  const answer = await client.chat.completions.create({ model, messages: QUESTION, max_tokens: 24, temperature: 0 });
  assert.ok(answer.choices[0].message.content.trim().length > 0);
  assert.ok(["stop", "length"].includes(answer.choices[0].finish_reason));
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test("streams the same text", async () => {
  const options = { max_tokens: 40, temperature: 0 };
  const whole = await client.chat.completions.create({ model, messages: QUESTION, ...options });
  assert.equal(await streamText(QUESTION, options), whole.choices[0].message.content);
});

test("streams usage", async () => {
  const stream = await client.chat.completions.create({
    model,
    messages: QUESTION,
    max_tokens: 5,
    stream: true,
    stream_options: { include_usage: true },
  });
  let last;
  for await (const chunk of stream) last = chunk;
  assert.deepEqual(last.choices, []);
  assert.ok(last.usage.completion_tokens <= 5);
});

test("completes text, with log-probabilities of the prompt", async () => {
  const answer = await client.completions.create({
    model,
    prompt: "Once upon a time",
    max_tokens: 4,
    temperature: 0,
    echo: true,
    logprobs: 1,
  });
  const choice = answer.choices[0];
  assert.ok(choice.text.startsWith("Once upon a time"));
  assert.equal(choice.logprobs.token_logprobs[0], null);
  assert.equal(choice.logprobs.tokens.length, choice.logprobs.token_logprobs.length);
});

test("eight streams together equal one alone", async () => {
  const chats = ["a fox", "a boat", "the moon", "a cake", "two friends", "a cat", "rain", "an old tree"].map((s) => [
    { role: "user", content: `Tell me a story about ${s}.` },
  ]);
  const options = { max_tokens: 32, temperature: 0 };
  const alone = [];
  for (const chat of chats) alone.push(await streamText(chat, options));
  assert.deepEqual(await Promise.all(chats.map((chat) => streamText(chat, options))), alone);
});

test("an aborted stream frees its sequence", async () => {
  const stream = await client.completions.create({ model, prompt: "Once", stream: true, ignore_eos: true });
  for await (const chunk of stream) {
    assert.equal(chunk.object, "text_completion");
    break; // leaving the loop closes the connection
  }
  const deadline = Date.now() + 2000;
  while ((await running()) > 0) {
    assert.ok(Date.now() < deadline, "the sequence is still running");
    await sleep(5);
  }
});

test("errors name the field", async () => {
  await assert.rejects(
    client.chat.completions.create({ model, messages: QUESTION, temperature: 7 }),
    (e) => e instanceof OpenAI.BadRequestError && e.param === "temperature",
  );
});
