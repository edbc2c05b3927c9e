import { createHash } from "node:crypto";
import { InputError, messageOf, RetryableError } from "@ngpu/runtime/errors";
import { Webhook } from "standardwebhooks";
import type { MarketRecord } from "../audit/record.ts";
import { json } from "../shared/output.ts";

/** @deadline The receiver of an alert. It is sent again at the next poll. */
const deadline = 15_000;

/** Sends differences to a program, until it has taken each. */
export type Alerts = {
  add(record: MarketRecord): void;
  /** Sends what was not taken yet. @throws RetryableError `alert_not_taken` */
  send(signal: AbortSignal): Promise<void>;
};

/**
 * @param options.url Undefined: nobody is told.
 * @param options.secret Signs each alert by Standard Webhooks; undefined: they are not signed.
 * @throws InputError `alert_url_invalid`, `alert_secret_invalid`
 */
export function createAlerts(options: {
  url: string | undefined;
  secret: string | undefined;
  chainId: number;
}): Alerts {
  const { chainId, secret } = options;
  const url = options.url === undefined ? undefined : requireUrl(options.url);
  const signer = secret === undefined ? undefined : signerOf(secret);
  const waiting: MarketRecord[] = [];
  return {
    add: (record) => {
      if (url !== undefined) waiting.push(record);
    },
    send: async (signal) => {
      for (let [record] = waiting; record !== undefined && url !== undefined; [record] = waiting) {
        await post(url, { chainId, record, signer, signal });
        waiting.shift();
      }
    },
  };
}

async function post(
  url: string,
  given: { chainId: number; record: MarketRecord; signer: Webhook | undefined; signal: AbortSignal },
): Promise<void> {
  const { chainId, record, signer, signal } = given;
  const at = new Date();
  const body = json({ type: "market.differs", timestamp: at.toISOString(), data: { chainId, ...record } });
  // The same record has the same id, so that a receiver notices a repetition.
  const id = `msg_${createHash("sha256")
    .update(json([chainId, record]))
    .digest("hex")
    .slice(0, 32)}`;
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    ...(signer === undefined ? {} : { "webhook-signature": signer.sign(id, at, body) }),
  };
  const failed = (reason: string, cause?: unknown) =>
    new RetryableError(`The receiver of alerts did not take one: ${reason}.`, {
      code: "alert_not_taken",
      hint: "It is sent again. Check the receiver that --webhook names.",
      cause,
    });
  let response: Response;
  try {
    const ends = AbortSignal.any([signal, AbortSignal.timeout(deadline)]);
    response = await fetch(url, { method: "POST", headers, body, signal: ends, redirect: "manual" });
    await response.body?.cancel();
  } catch (cause) {
    throw failed(messageOf(cause), cause);
  }
  if (!response.ok) throw failed(`it answered ${response.status}`);
}

function requireUrl(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url.href;
  throw new InputError(`${text} is not a URL of the web.`, {
    code: "alert_url_invalid",
    hint: "Use a URL such as https://example.org/alerts.",
  });
}

function signerOf(secret: string): Webhook {
  try {
    return new Webhook(secret);
  } catch (cause) {
    throw new InputError("The secret of alerts cannot be used.", {
      code: "alert_secret_invalid",
      hint: "Use whsec_ and the base64 text of 24 to 64 random bytes.",
      cause,
    });
  }
}
