// Every way to ask with the official npm client; one JSON object of what came back, on stdout.
// OPENAI_BASE_URL and OPENAI_API_KEY say where, as for any program that uses the client.

import OpenAI, { APIError } from "openai";

const client = new OpenAI({ maxRetries: 0 });
const model = "task:work";

const about = (text) => ({ model, messages: [{ role: "user", content: text }] });

const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: { type: "object", properties: { city: { type: "string" } } },
    },
  },
];

const schema = {
  type: "object",
  properties: { customer: { type: "string" }, priority: { type: "integer" } },
  required: ["customer", "priority"],
  additionalProperties: false,
};

async function failure(ask) {
  try {
    await ask();
  } catch (error) {
    return {
      kind: error.constructor.name,
      isAPIError: error instanceof APIError,
      status: error.status,
      code: error.code,
      param: error.param,
      message: error.message,
      requestID: error.requestID,
      retryAfter: error.headers?.get("retry-after"),
    };
  }
  return null;
}

const cases = {
  async chat() {
    const { data, response, request_id } = await client.chat.completions
      .create({ ...about("chat"), seed: 7, top_k: 20 })
      .withResponse();
    return {
      content: data.choices[0].message.content,
      usage: data.usage,
      requestID: data._request_id,
      sameID: request_id === data._request_id,
      deployment: response.headers.get("x-pointsman-deployment"),
    };
  },

  async stream() {
    const stream = await client.chat.completions.create({
      ...about("stream"),
      stream: true,
      stream_options: { include_usage: true },
    });
    let content = "";
    let usage = null;
    let finish = null;
    for await (const chunk of stream) {
      content += chunk.choices[0]?.delta.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
    }
    return { content, usage, finish };
  },

  async tools() {
    const answer = await client.chat.completions.create({ ...about("tools"), tools });
    const message = answer.choices[0].message;
    const results = message.tool_calls.map((call) => ({
      role: "tool",
      tool_call_id: call.id,
      content: "12 degrees",
    }));
    const after = await client.chat.completions.create({
      ...about("results"),
      messages: [{ role: "user", content: "results" }, message, ...results],
      tools,
    });
    return { calls: message.tool_calls, after: after.choices[0].message.content };
  },

  async streamedTools() {
    const stream = client.chat.completions.stream({ ...about("streamed tools"), tools });
    const done = await stream.finalChatCompletion();
    return { calls: done.choices[0].message.tool_calls, finish: done.choices[0].finish_reason };
  },

  async schema() {
    const answer = await client.chat.completions.parse({
      ...about("schema"),
      response_format: { type: "json_schema", json_schema: { name: "ticket", strict: true, schema } },
    });
    return JSON.parse(answer.choices[0].message.content);
  },

  async two() {
    const answer = await client.chat.completions.create({ ...about("two"), n: 2 });
    return answer.choices.map((choice) => choice.message.content);
  },

  async left() {
    const stream = await client.chat.completions.create({ ...about("left"), stream: true });
    for await (const chunk of stream) break;
    return stream.controller.signal.aborted;
  },

  unknownModel: () =>
    failure(() => client.chat.completions.create({ ...about("x"), model: "task:wrok" })),

  wrongKey: () =>
    failure(() =>
      client.withOptions({ apiKey: "sk-wrong" }).chat.completions.create(about("x")),
    ),

  badRequest: () => failure(() => client.chat.completions.create({ ...about("x"), n: 0 })),

  tooLong: () => failure(() => client.chat.completions.create(about("too long"))),

  rateLimited: () => failure(() => client.chat.completions.create(about("rate limited"))),

  async retried() {
    const patient = client.withOptions({ maxRetries: 1 });
    const answer = await patient.chat.completions.create(about("retried"));
    return answer.choices[0].message.content;
  },

  unavailable: () => failure(() => client.chat.completions.create(about("unavailable"))),

  async broken() {
    let content = "";
    const error = await failure(async () => {
      const ask = { ...about("broken"), stream: true };
      for await (const chunk of await client.chat.completions.create(ask)) {
        content += chunk.choices[0]?.delta.content ?? "";
      }
    });
    return { content, error };
  },

  async response() {
    const answer = await client.responses.create({ model, input: "response" });
    return { text: answer.output_text, status: answer.status, usage: answer.usage };
  },

  async streamedResponse() {
    const stream = await client.responses.create({ model, input: "stream", stream: true });
    let text = "";
    let last = null;
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") text += event.delta;
      last = event.type;
    }
    return { text, last };
  },

  async completion() {
    const answer = await client.completions.create({ model, prompt: "go on" });
    return answer.choices[0].text;
  },

  async embedding() {
    const answer = await client.embeddings.create({ model: "vectors", input: "a" });
    return answer.data[0].embedding;
  },

  async models() {
    const names = [];
    for await (const each of client.models.list()) names.push(each.id);
    return names;
  },

  timeout: () =>
    failure(() => client.chat.completions.create(about("timeout"), { timeout: 300 })),
};

const results = {};
for (const [name, run] of Object.entries(cases)) {
  try {
    results[name] = await run();
  } catch (error) {
    results[name] = { crashed: String(error?.stack ?? error) };
  }
}
process.stdout.write(JSON.stringify(results));
