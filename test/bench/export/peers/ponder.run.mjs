// Copied to main.mjs in ponder's directory: runs ponder until its backfill has finished, and reports the duration.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const task = process.argv[2];
const port = process.argv[3] ?? "0";
const program = ["node_modules/ponder/dist/esm/bin/ponder.js", "start", "--schema", "indexed"];
const child = spawn(process.execPath, [...program, "--log-format", "json", "--port", port], {
  env: { PATH: process.env.PATH, TASK: task, PONDER_TELEMETRY_DISABLED: "true", DO_NOT_TRACK: "1" },
  stdio: ["ignore", "pipe", "inherit"],
});
const ended = new Promise((resolve) => child.once("exit", resolve));
let since;
for await (const line of createInterface({ input: child.stdout })) {
  if (!line.startsWith("{")) continue;
  const { msg, time, endpoint, level } = JSON.parse(line);
  if (level >= 50) process.stderr.write(`${line}\n`);
  if (msg === "Started backfill indexing") since ??= time;
  if (msg === "Started returning 200 responses" && endpoint === "/ready") {
    process.stdout.write(`${JSON.stringify({ milliseconds: time - since })}\n`);
    child.kill("SIGKILL");
  }
}
await ended;
