// The official openai client for Node against `mlc_llm serve`.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import OpenAI from "openai";
import { zodResponseFormat, zodFunction } from "openai/helpers/zod";
import { z } from "zod";

import { checkAnswers, start, stop } from "./server.mjs";

const QUESTION = [{ role: "user", content: "Tell me a short story about a fox." }];

let server, client, model;

async function running() {
  const health = await (await fetch(`${server.url}/health`)).json();
  return Object.values(health.models)[0].running;
}

async function streamText(messages, options) {
  const stream = await client.chat.completions.create({ model, messages, stream: true, ...options });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  return text;
}

before(async () => {
  server = await start();
  client = new OpenAI({ baseURL: `${server.checkedUrl}/v1`, apiKey: "none", maxRetries: 0 });
  model = (await client.models.list()).data[0].id;
});
afterEach(() => checkAnswers(server));
after(() => stop(server));

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
  const direct = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  const stream = await direct.completions.create({ model, prompt: "Once", stream: true, ignore_eos: true });
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

const Animal = z.object({ name: z.string().max(12), legs: z.number().int().min(0).max(8) });
const Weather = z.object({ city: z.string() });
// The model of the tests calls no tools by itself: `guided_choice` leaves it one text to say.
const PARIS = { guided_choice: [JSON.stringify({ name: "get_weather", arguments: { city: "Paris" } })] };

test("parses structured output", async () => {
  // White space between the parts of JSON is free, and so small a model would go on with it: it is made to cost more.
  const options = { model, messages: QUESTION, max_tokens: 200, temperature: 0, frequency_penalty: 1.5 };
  const format = zodResponseFormat(Animal, "animal");
  const answer = await client.chat.completions.parse({ ...options, response_format: format });
  assert.deepEqual(Animal.parse(JSON.parse(answer.choices[0].message.content)), answer.choices[0].message.parsed);
  const streamed = await client.chat.completions.stream({ ...options, response_format: format }).finalChatCompletion();
  assert.deepEqual(streamed.choices[0].message.parsed, answer.choices[0].message.parsed);
});

test("runs tools", async () => {
  const asked = [];
  const tool = zodFunction({
    name: "get_weather",
    parameters: Weather,
    function: ({ city }) => {
      asked.push(city);
      return `18 degrees in ${city}`;
    },
  });
  const messages = [{ role: "user", content: "Is it warm in Paris?" }];
  const options = { model, tools: [tool], max_tokens: 200, temperature: 0 };
  const first = await client.chat.completions.parse({ ...options, messages, ...PARIS });
  const [call] = first.choices[0].message.tool_calls;
  assert.equal(first.choices[0].finish_reason, "tool_calls");
  assert.deepEqual(call.function.parsed_arguments, { city: "Paris" });
  messages.push(first.choices[0].message);
  messages.push({ role: "tool", tool_call_id: call.id, content: await tool.$callback(call.function.parsed_arguments) });
  const second = await client.chat.completions.create({ ...options, messages });
  assert.ok(second.choices[0].message.content.trim().length > 0);
  assert.deepEqual(asked, ["Paris"]);
  const streamed = await client.chat.completions
    .stream({ ...options, messages: messages.slice(0, 1), ...PARIS })
    .finalChatCompletion();
  assert.deepEqual(JSON.parse(streamed.choices[0].message.tool_calls[0].function.arguments), { city: "Paris" });
});

test("responds, whole, streamed and with a call", async () => {
  const options = { model, input: QUESTION[0].content, max_output_tokens: 24, temperature: 0 };
  const whole = await client.responses.create(options);
  const streamed = await client.responses.stream(options).finalResponse();
  assert.ok(whole.output_text.length > 0);
  assert.equal(streamed.output[0].content[0].text, whole.output_text);
  const called = await client.responses.create({
    ...options,
    max_output_tokens: 200,
    tools: [{ type: "function", name: "get_weather", strict: false, parameters: z.toJSONSchema(Weather) }],
    ...PARIS,
  });
  assert.deepEqual(JSON.parse(called.output[0].arguments), { city: "Paris" });
});

test("embeds", async () => {
  const input = ["a little fox", "the sea is deep"];
  const packed = await client.embeddings.create({ model, input }); // base64 on the wire
  const plain = await client.embeddings.create({ model, input, encoding_format: "float" });
  for (const [i, { embedding }] of packed.data.entries()) {
    assert.equal(embedding.length, plain.data[i].embedding.length);
    embedding.forEach((x, k) => assert.ok(Math.abs(x - plain.data[i].embedding[k]) < 1e-6));
  }
});
