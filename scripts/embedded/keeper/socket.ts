import { randomBytes } from "node:crypto";
import type { WebSocket } from "ws";
import { answer, kindOf, parseCalls, type RpcAnswer, type RpcCall, refuse } from "./calls.ts";
import type { Keeper } from "./keeper.ts";

/**
 * Serves one WebSocket: calls as over HTTP, and subscriptions to new heads. Subscriptions persist over restarts of
 * the chain.
 */
export function createSocketSession(keeper: Keeper, socket: WebSocket): void {
  const session = new SocketSession(keeper, socket);
  socket.on("message", (data) => void session.take(String(data)));
  socket.on("close", () => session.end());
  // Every connection error is followed by a close.
  socket.on("error", () => undefined);
}

class SocketSession {
  readonly #keeper: Keeper;
  readonly #socket: WebSocket;
  readonly #subscriptions = new Map<string, () => void>();

  constructor(keeper: Keeper, socket: WebSocket) {
    this.#keeper = keeper;
    this.#socket = socket;
  }

  async take(body: string): Promise<void> {
    const parsed = parseCalls(body);
    if (parsed === undefined) {
      this.#send(refuse({}, -32600, "This is not a JSON-RPC request."));
      return;
    }
    try {
      const answers = [];
      for (const call of parsed.calls) answers.push(await this.#answer(call));
      this.#send(parsed.isBatch ? answers : answers[0]);
    } catch {
      // The chain restarts: the client reconnects and repeats its request.
      this.#socket.terminate();
    }
  }

  end(): void {
    for (const stop of this.#subscriptions.values()) stop();
    this.#subscriptions.clear();
  }

  #answer(call: RpcCall): Promise<RpcAnswer> | RpcAnswer {
    if (kindOf(call.method) !== "heads") return this.#keeper.handle(call);
    const [what] = call.params ?? [];
    if (call.method === "eth_unsubscribe") return answer(call, this.#unsubscribe(String(what)));
    if (what !== "newHeads") return refuse(call, -32602, "Only newHeads can be subscribed to.");
    return answer(call, this.#subscribe());
  }

  #subscribe(): string {
    const subscription = `0x${randomBytes(16).toString("hex")}`;
    const notify = (result: unknown) =>
      this.#send({ jsonrpc: "2.0", method: "eth_subscription", params: { subscription, result } });
    this.#subscriptions.set(subscription, this.#keeper.onHead(notify));
    return subscription;
  }

  #unsubscribe(subscription: string): boolean {
    this.#subscriptions.get(subscription)?.();
    return this.#subscriptions.delete(subscription);
  }

  #send(message: unknown): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
