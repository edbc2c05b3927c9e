import { type Placed, type RecordedMarket, serveMarket } from "./recordedMarket.ts";

type Verify<Options> = (name: string, options: Options) => Promise<void>;
type Source = { api: string; rpcUrl: string; deployment: string; json: boolean };

/** What a command prints, and its exit code. */
export async function run(
  command: () => Promise<void>,
): Promise<{ code: number; output: Record<string, unknown> }> {
  const write = process.stdout.write.bind(process.stdout);
  const before = process.exitCode;
  let text = "";
  process.stdout.write = (chunk) => {
    text += String(chunk);
    return true;
  };
  try {
    await command();
    return { code: Number(process.exitCode), output: text.startsWith("{") ? JSON.parse(text) : { text } };
  } finally {
    process.stdout.write = write;
    process.exitCode = before;
  }
}

/** The options of a command that reads from this market alone. Nothing listens at its API. */
export const sourceOf = ({ rpcUrl, deployment }: RecordedMarket): Source => ({
  api: "http://127.0.0.1:9",
  rpcUrl,
  deployment,
  json: true,
});

/** Runs a command with the logs of a chain: as JSON, and as text for people. */
export async function verified<Options>(
  logs: readonly Placed[],
  verify: Verify<Options>,
  name: string,
  more: Record<string, unknown> = {},
): Promise<{ code: number; output: Record<string, unknown>; text: string }> {
  const market = await serveMarket(logs);
  try {
    const options = { ...sourceOf(market), ...more };
    const result = await run(() => verify(name, options as Options));
    const { output } = await run(() => verify(name, { ...options, json: false } as Options));
    return { ...result, text: String(output.text) };
  } finally {
    await market.close();
  }
}
