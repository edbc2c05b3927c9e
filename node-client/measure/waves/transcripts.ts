import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytesToHex, type Hex, keccak256 } from "viem";

/** Milliseconds for which transcripts are kept: as long as a wave's verdict may be disputed. */
const keptMs = 2 * 86_400_000;

/** Transcripts as files named by their hash: anyone who has the hash checks what is served. */
export function openTranscripts(dir: string, now: () => number = Date.now) {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const pathOf = (hash: Hex) => join(dir, `${hash.slice(2)}.ngp`);
  return {
    put(transcript: Uint8Array): Hex {
      const hash = keccak256(bytesToHex(transcript));
      const path = pathOf(hash);
      writeFileSync(`${path}.part`, transcript, { mode: 0o600 });
      renameSync(`${path}.part`, path);
      return hash;
    },
    /** Undefined for a hash that is none, and for a transcript that is absent or damaged. */
    get(hash: string): Uint8Array | undefined {
      if (!/^0x[0-9a-f]{64}$/.test(hash)) return undefined;
      try {
        const transcript = readFileSync(pathOf(hash as Hex));
        return keccak256(bytesToHex(transcript)) === hash ? transcript : undefined;
      } catch {
        return undefined;
      }
    },
    /** Removes those that are too old to be disputed. */
    expire(): void {
      for (const name of readdirSync(dir)) {
        const path = join(dir, name);
        if (now() - statSync(path).mtimeMs > keptMs) rmSync(path, { force: true });
      }
    },
  };
}

export type Transcripts = ReturnType<typeof openTranscripts>;
