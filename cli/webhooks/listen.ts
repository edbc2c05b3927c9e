import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Schema } from "@ngpu/api-client/client";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import { Webhook } from "standardwebhooks";
import { json, note, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { untilInterrupted } from "../shared/signals.ts";

type Event = Schema<"WebhookEvent">;
type Options = GlobalOptions & { forwardTo?: string; event?: string[]; secret?: string };

/** Seconds that the API waits for an event. */
const wait = 20;
/** Milliseconds between two calls without an event. */
const lookPause = 200;
/** @deadline The program on this machine that gets an event. The next event is forwarded. */
const forwardDeadline = 15_000;

/** Prints events until Ctrl-C, and forwards them to a program on this machine as a webhook would send them. */
export async function listen(options: Options): Promise<void> {
  const settings = settingsOf(options);
  const secret = options.secret ?? `whsec_${randomBytes(32).toString("base64")}`;
  const target = options.forwardTo === undefined ? undefined : targetOf(options.forwardTo);
  if (target !== undefined) note(`Events go to ${target}. The secret of their signatures is ${secret}`);
  await untilInterrupted(async (signal) => {
    const api = partnerApi(settings, signal);
    let { next: after } = await api.call("GET /v1/webhook-events", { query: { limit: 1 } });
    note("Waiting for events. Ctrl-C ends it.");
    while (!signal.aborted) {
      const page = await api.call("GET /v1/webhook-events", { query: { after, wait } });
      for (const event of page.events) {
        if (options.event?.includes(event.type) === false) continue;
        const answer = target === undefined ? "" : await forward(event, { target, secret, signal });
        print(settings.json ? json({ ...event, ...(answer === "" ? {} : { answer }) }) : line(event, answer));
      }
      after = page.next;
      // The API may answer at once, such as while it stops.
      if (page.events.length === 0) await delay(lookPause, undefined, { signal });
    }
  });
}

/** @throws InputError `forward_url_invalid`. */
function targetOf(text: string): string {
  const url = URL.parse(/^\d+(\/|$)/.test(text) ? `http://127.0.0.1:${text}` : text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url.href;
  throw new InputError(`${text} is not a URL.`, {
    code: "forward_url_invalid",
    hint: "Use a port with a path, such as 3000/hook, or a URL such as http://localhost:3000/hook.",
  });
}

/** @returns What the program answered. */
async function forward(
  event: Event,
  { target, secret, signal }: { target: string; secret: string; signal: AbortSignal },
): Promise<string> {
  const body = JSON.stringify(event);
  const now = new Date();
  const headers = {
    "content-type": "application/json",
    "webhook-id": event.id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(event.id, now, body),
  };
  const ends = AbortSignal.any([signal, AbortSignal.timeout(forwardDeadline)]);
  try {
    const answered = await fetch(target, { method: "POST", headers, body, signal: ends, redirect: "manual" });
    await answered.body?.cancel();
    return String(answered.status);
  } catch (error) {
    signal.throwIfAborted();
    return messageOf(error);
  }
}

function line({ id, type, timestamp, data }: Event, answer: string): string {
  const subject = Object.values(data)[0] as { id?: string; workspaceId?: string } | undefined;
  const about = subject?.id ?? subject?.workspaceId ?? "";
  return [timestamp.slice(0, 19).replace("T", " "), type, about, id, answer].join("  ").trimEnd();
}
