/** A reply of the chat server: a completion or one chunk of a stream. */
export type Completion = {
  id: string;
  object: string;
  choices: {
    message: { role: string; content: string };
    delta: { role?: string; content?: string };
    finish_reason: string | null;
  }[];
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
};

/** The parsed body of a reply, typed as the test expects it. */
export async function jsonOf<T>(response: Response | Promise<Response>): Promise<T> {
  return (await (await response).json()) as T;
}

/** The chunks of a stream that ended with [DONE]. */
export function chunksOf(stream: string): Completion[] {
  const events = dataOf(stream);
  if (events.pop() !== "[DONE]") throw new Error("the stream did not end with [DONE]");
  return events.map((event) => JSON.parse(event) as Completion);
}

/** The data of each server-sent event. */
function dataOf(stream: string): string[] {
  return stream
    .split("\n\n")
    .filter((event) => event.startsWith("data: "))
    .map((event) => event.slice("data: ".length));
}

/** Waits for a condition; fails at the deadline. */
export async function until(condition: () => Promise<boolean>, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`the condition did not come true within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
