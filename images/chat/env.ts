import { environment } from "../shared/env.ts";

export type ChatConfig = {
  port: number;
  tokensPerSecond: number;
  maxConcurrent: number;
  maxBodyBytes: number;
};

/**
 * Reads the configuration.
 *
 * @throws Error that lists every variable that is out of bounds.
 */
export function chatConfig(env: Record<string, string | undefined>): ChatConfig {
  const read = environment(env);
  const config = {
    port: read.number("PORT", 8080, 1, 65535),
    tokensPerSecond: read.number("CHAT_TOKENS_PER_SECOND", 0, 0, 100_000),
    maxConcurrent: read.number("CHAT_MAX_CONCURRENT", 32, 1, 10_000),
    maxBodyBytes: read.number("CHAT_MAX_BODY_BYTES", 256 * 1024, 1024, 16 * 1024 * 1024),
  };
  read.done();
  return config;
}
