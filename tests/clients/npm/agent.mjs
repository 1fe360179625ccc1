// An agent with one tool, over Anthropic's Messages and over OpenAI's Responses: it asks, runs what
// the model calls, sends the results, and shows the answer. One JSON object on stdout.

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const key = process.env.AGENT_KEY;
const url = process.env.AGENT_URL;
const claude = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const model = "claude-sonnet";

const schema = { type: "object", properties: { path: { type: "string" } }, required: ["path"] };
const read = ({ path }) => `contents of ${path}`;

async function failure(ask) {
  try {
    await ask();
  } catch (error) {
    return {
      kind: error.constructor.name,
      status: error.status ?? null,
      type: error.type ?? error.error?.error?.type ?? null,
      requestID: error.requestID ?? null,
      message: error.message,
    };
  }
  return null;
}

const cases = {
  async messages() {
    const messages = [{ role: "user", content: "agent" }];
    const kinds = new Set();
    for (let turn = 0; turn < 5; turn += 1) {
      const stream = claude.messages.stream({
        model,
        max_tokens: 1000,
        system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }],
        tools: [{ name: "read", input_schema: schema }],
        thinking: { type: "enabled", budget_tokens: 1024 },
        messages,
      });
      stream.on("streamEvent", (event) => kinds.add(event.type));
      const said = await stream.finalMessage();
      messages.push({ role: "assistant", content: said.content });
      const calls = said.content.filter((block) => block.type === "tool_use");
      if (calls.length === 0) {
        const text = said.content.at(-1).text;
        return { text, turn, usage: said.usage, reason: said.stop_reason, kinds: [...kinds] };
      }
      messages.push({
        role: "user",
        content: calls.map((call) => ({
          type: "tool_result",
          tool_use_id: call.id,
          content: [{ type: "text", text: read(call.input) }],
        })),
      });
    }
    return null;
  },

  async responses() {
    const input = [{ role: "user", content: "agent" }];
    const kinds = new Set();
    for (let turn = 0; turn < 5; turn += 1) {
      const stream = openai.responses.stream({
        model,
        instructions: "Be brief.",
        store: false,
        tools: [{ type: "function", name: "read", parameters: schema, strict: true }],
        input,
      });
      stream.on("event", (event) => kinds.add(event.type));
      const said = await stream.finalResponse();
      const calls = said.output.filter((item) => item.type === "function_call");
      if (calls.length === 0) {
        const text = said.output_text;
        return { text, turn, usage: said.usage, status: said.status, kinds: [...kinds] };
      }
      for (const { parsed_arguments, ...item } of said.output) input.push(item);
      for (const call of calls) {
        const output = read(JSON.parse(call.arguments));
        input.push({ type: "function_call_output", call_id: call.call_id, output });
      }
    }
    return null;
  },

  async count() {
    const messages = [{ role: "user", content: "How many?" }];
    return (await claude.messages.countTokens({ model, messages })).input_tokens;
  },

  async models() {
    const names = [];
    for await (const each of claude.models.list()) names.push(each.id);
    return names;
  },

  unknownModel: () =>
    failure(() =>
      claude.messages.create({ model: "x", max_tokens: 5, messages: [{ role: "user", content: "x" }] }),
    ),

  busy: () =>
    failure(() =>
      claude.messages.create({ model, max_tokens: 5, messages: [{ role: "user", content: "busy" }] }),
    ),

  async broken() {
    let shown = "";
    const error = await failure(async () => {
      const stream = claude.messages.stream({
        model,
        max_tokens: 5,
        messages: [{ role: "user", content: "broken" }],
      });
      stream.on("text", (text) => (shown += text));
      await stream.finalMessage();
    });
    return { shown, error };
  },

  async brokenResponse() {
    let shown = "";
    const error = await failure(async () => {
      const stream = await openai.responses.create({ model, input: "broken", stream: true });
      for await (const event of stream) {
        if (event.type === "response.output_text.delta") shown += event.delta;
      }
    });
    return { shown, error };
  },

  async left() {
    const messages = [{ role: "user", content: "left" }];
    const stream = await claude.messages.create({ model, max_tokens: 5, messages, stream: true });
    for await (const event of stream) if (event.type === "content_block_delta") break;
    return stream.controller.signal.aborted;
  },
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
