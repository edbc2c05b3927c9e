import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/*
 * A program in place of a container. It answers a chat with one token, or with timed events if it is to stream; a body with
 * `bytes` with as many; anything else with a small JSON. Its argument is its port.
 */

const small = JSON.stringify({ ok: true, label: "cat", score: 0.98 });
const chat = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "a" }, finish_reason: "length" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.once("end", () => answer(request, Buffer.concat(parts).toString(), response));
});
server.keepAliveTimeout = 75_000;
server.listen(Number(process.argv[2]), "127.0.0.1");

function answer({ url = "/" }: IncomingMessage, body: string, response: ServerResponse): void {
  const bytes = /"bytes":(\d+)/.exec(body)?.[1];
  if (bytes !== undefined) sendLong(response, Number(bytes));
  else if (!url.endsWith("/chat/completions")) sendJson(response, small);
  else if (body.includes('"stream":true')) sendEvents(response);
  else sendJson(response, chat);
}

function sendJson(response: ServerResponse, text: string): void {
  response.writeHead(200, { "content-type": "application/json", "content-length": text.length });
  response.end(text);
}

/** Ten events a second, each with the time at which it was sent, until the client leaves. */
function sendEvents(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  let timer: NodeJS.Timeout | undefined;
  const send = () =>
    response.write(`data: ${JSON.stringify({ at: performance.timeOrigin + performance.now() })}\n\n`);
  // The streams of many clients are spread over the time between two events.
  const first = setTimeout(() => {
    send();
    timer = setInterval(send, 100);
  }, Math.random() * 100);
  response.once("close", () => {
    clearTimeout(first);
    clearInterval(timer);
  });
}

function sendLong(response: ServerResponse, bytes: number): void {
  const part = Buffer.alloc(64 << 10);
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes });
  let left = bytes;
  const fill = () => {
    while (left > 0) {
      const next = part.subarray(0, Math.min(left, part.length));
      left -= next.length;
      if (response.write(next)) continue;
      response.once("drain", fill);
      return;
    }
    response.end();
  };
  fill();
}
