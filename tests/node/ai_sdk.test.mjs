// The Vercel AI SDK against `mlc_llm serve`: its provider for OpenAI-compatible servers (chat completions), and OpenAI's
// own provider (responses).
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import * as ai from "ai";
import { z } from "zod";

import { checkAnswers, start, stop } from "./server.mjs";

const PROMPT = "Tell me a short story about a fox.";
const PLAIN = { temperature: 0, maxOutputTokens: 40, maxRetries: 0 };
const CALLS = [{ name: "get_weather", arguments: { city: "Paris" } }];

let server, provider, openai, model, weather, asked;

// The model of the tests calls no tools by itself: in the requests that have a line in the script, it is left only that
// text to say. All else is the server's and the client's work.
const script = [];
const seen = [];
function scriptedFetch(url, init) {
  const body = JSON.parse(init.body);
  seen.push(body);
  const line = script.shift();
  if (line) body.guided_choice = [line];
  // White space between the parts of JSON is free, and so small a model would go on with it: it is made to cost more.
  if (body.response_format || body.text?.format) body.frequency_penalty = 1.5;
  return fetch(url, { ...init, body: JSON.stringify(body) });
}

before(async () => {
  server = await start();
  const options = { baseURL: `${server.checkedUrl}/v1`, apiKey: "none", fetch: scriptedFetch };
  provider = createOpenAICompatible({ name: "mlc", includeUsage: true, supportsStructuredOutputs: true, ...options });
  openai = createOpenAI(options);
  model = (await (await fetch(`${server.url}/v1/models`)).json()).data[0].id;
  weather = ai.tool({
    description: "Weather of a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => {
      asked.push(city);
      return `18 degrees in ${city}`;
    },
  });
});
afterEach(() => checkAnswers(server));
after(() => stop(server));

test("generates and streams the same text", async () => {
  const whole = await ai.generateText({ model: provider(model), prompt: PROMPT, ...PLAIN });
  assert.ok(whole.text.trim().length > 0);
  const stream = ai.streamText({ model: provider(model), prompt: PROMPT, ...PLAIN });
  let text = "";
  for await (const piece of stream.textStream) text += piece;
  assert.equal(text, whole.text);
  assert.equal(await stream.finishReason, whole.finishReason);
  assert.deepEqual((await stream.usage).outputTokens, whole.usage.outputTokens);
});

test("a conversation with a tool", async () => {
  const messages = [{ role: "user", content: "Is it warm in Paris?" }];
  const options = { model: provider(model), tools: { get_weather: weather }, stopWhen: ai.stepCountIs(3), ...PLAIN };
  asked = [];
  script.push(JSON.stringify(CALLS[0]));
  const first = await ai.generateText({ ...options, messages, maxOutputTokens: 200 });
  assert.deepEqual(asked, ["Paris"]);
  assert.deepEqual(first.steps.map((s) => s.finishReason === "tool-calls"), [true, false]);
  assert.deepEqual(first.steps[0].toolCalls.map((c) => [c.toolName, c.input]), [["get_weather", { city: "Paris" }]]);
  assert.ok(first.text.trim().length > 0);
  const sent = seen.at(-1).messages;
  assert.equal(sent.at(-1).role, "tool");
  assert.equal(sent.at(-1).tool_call_id, sent.at(-2).tool_calls[0].id);

  // The next turn, streamed, with another call.
  messages.push(...first.response.messages.slice(0, 2), { role: "assistant", content: "Yes." });
  messages.push({ role: "user", content: "And Rome?" });
  script.push(JSON.stringify({ name: "get_weather", arguments: { city: "Rome" } }));
  const second = ai.streamText({ ...options, messages, maxOutputTokens: 200 });
  const kinds = [];
  for await (const part of second.fullStream) kinds.push(part.type);
  assert.deepEqual(asked, ["Paris", "Rome"]);
  for (const kind of ["tool-input-delta", "tool-call", "tool-result", "text-delta", "finish"]) {
    assert.ok(kinds.includes(kind), `${kind} is not among ${kinds}`);
  }
  assert.ok(!kinds.includes("error"));
});

test("a conversation with a tool through responses", async () => {
  asked = [];
  script.push(JSON.stringify(CALLS[0]));
  const answer = await ai.generateText({
    model: openai(model),
    prompt: "Is it warm in Paris?",
    tools: { get_weather: weather },
    stopWhen: ai.stepCountIs(3),
    // The server keeps no answers: earlier turns are sent whole.
    providerOptions: { openai: { store: false } },
    ...PLAIN,
    maxOutputTokens: 200,
  });
  assert.deepEqual(asked, ["Paris"]);
  assert.equal(answer.steps.length, 2);
  const stream = ai.streamText({ model: openai(model), prompt: PROMPT, ...PLAIN });
  const plain = await ai.generateText({ model: openai(model), prompt: PROMPT, ...PLAIN });
  let text = "";
  for await (const piece of stream.textStream) text += piece;
  assert.equal(text, plain.text);
  assert.ok(text.length > 0);
});

const Animal = z.object({
  name: z.string().max(12),
  size: z.enum(["small", "large"]),
  legs: z.number().int().min(0).max(8),
});

test("generates objects", async () => {
  const options = { schema: Animal, prompt: PROMPT, ...PLAIN, maxOutputTokens: 200 };
  const whole = await ai.generateObject({ model: provider(model), ...options });
  assert.equal(seen.at(-1).response_format.type, "json_schema");
  assert.deepEqual(Animal.parse(whole.object), whole.object);
  const stream = ai.streamObject({ model: provider(model), ...options });
  let partial = 0;
  for await (const _ of stream.partialObjectStream) partial += 1;
  assert.ok(partial > 1);
  assert.deepEqual(await stream.object, whole.object);
  const byResponses = await ai.generateObject({ model: openai(model), ...options });
  assert.deepEqual(Animal.parse(byResponses.object), byResponses.object);
});

test("embeds", async () => {
  const values = ["a little fox", "the sea is deep"];
  const one = await ai.embed({ model: provider.embeddingModel(model), value: values[0] });
  const { embeddings, usage } = await ai.embedMany({ model: provider.embeddingModel(model), values });
  assert.equal(embeddings.length, 2);
  embeddings[0].forEach((x, i) => assert.ok(Math.abs(x - one.embedding[i]) < 1e-6));
  assert.ok(ai.cosineSimilarity(embeddings[0], embeddings[1]) < 0.999);
  assert.ok(usage.tokens > 2);
});

test("errors tell the field", async () => {
  await assert.rejects(
    ai.generateText({ model: provider(model), prompt: PROMPT, ...PLAIN, temperature: 7 }),
    (e) => ai.APICallError.isInstance(e) && e.statusCode === 400 && e.message.includes("temperature"),
  );
});
