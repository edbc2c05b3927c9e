import { messageBytes, startOf } from "@ngpu/protocol/reasons/boundedText";
import type { NodeReason } from "@ngpu/protocol/reasons/nodeReason";
import { partnerText } from "./partnerText.ts";

/** What the engine says when a pull fails, by cause. The first that matches counts. */
const pullCauses = [
  ["disk_full", /no space left on device|disk quota exceeded|not enough (disk )?space/i],
  [
    "image_architecture_mismatch",
    /no match(ing manifest)? for|does not match the (specified|detected) platform|does not provide the specified platform|cannot be used on this platform/i,
  ],
  [
    "image_pull_denied",
    /denied|unauthorized|forbidden|authentication required|authorization failed|no basic auth credentials|\b40[13]\b/i,
  ],
  [
    "image_not_found",
    /manifest unknown|blob unknown|unknown blob|not found|name unknown|repository does not exist|no such image|\b404\b/i,
  ],
  [
    "image_registry_unreachable",
    /no such host|name resolution|server misbehaving|connection refused|timed? ?out|deadline exceeded|no route to host|host is (down|unreachable)|network is (unreachable|down)|connection reset|broken pipe|closed network connection|\bEOF\b|GOAWAY|stream error|connection was lost|makes no progress|tls:|x509:|HTTP response to HTTPS client|too ?many ?requests|\b(429|5\d\d)\b/i,
  ],
] as const;

/**
 * Why the engine could not pull an image. A registry that hides what a stranger may not see says "pull access denied, repository
 * does not exist or may require authorization" for both: nodes are strangers, so it counts as denied.
 */
export function pullReason(reference: string, said: string): NodeReason {
  const message = withoutNames(startOf(said.replaceAll(reference, ""), messageBytes), reference);
  const code = pullCauses.find(([, pattern]) => pattern.test(message))?.[0] ?? "image_pull_failed";
  const given = startOf(partnerText(said, [reference]), messageBytes);
  if (code === "disk_full") return { code, details: { message: given } };
  if (code === "image_architecture_mismatch") {
    const wanted = /no matching manifest for (\S+)/.exec(message)?.[1]?.slice(0, 64);
    return { code, details: { ...(wanted !== undefined && { wanted }), message: given } };
  }
  return { code, details: { image: startOf(reference, 400), message: given } };
}

/** The message without what names the image or its registry: a name may hold any word. */
function withoutNames(message: string, reference: string): string {
  const [name = reference] = reference.split("@");
  // Docker's own registry is left out of names, and so is the tag in some messages.
  const full = [name, name.replace(/:[^/:]*$/, "")];
  const names = full.flatMap((one) => [one, one.replace(/^docker\.io\/(library\/)?/, "")]);
  return [...new Set(names)]
    .reduce((text, one) => withoutWord(text, one), message.replace(/\bhttps?:\/\/[^\s"]+/gi, ""))
    .trim();
}

/** The text without a name, except within a longer word. */
function withoutWord(text: string, name: string): string {
  const escaped = name.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  return name === "" ? text : text.replace(new RegExp(`(?<![\\w./-])${escaped}(?![\\w/-])`, "g"), "");
}

/** Whether a text has the kernel's words for a program that this processor does not run. */
export const namesForeignProgram = (text: string) => /exec format error/i.test(text);

/**
 * Whether an output may come of a program for another processor. Where the image has no shell to run it as a script, the init process
 * says that it does not exist.
 */
export const mayBeForeign = (log: string) => namesForeignProgram(log) || /^\[FATAL tini /m.test(log);

/**
 * Why the engine could not create or start a container.
 *
 * @param given What the partner has named itself: the command and the image.
 */
export function startReason(
  said: string,
  exitCode: number | undefined,
  platforms: Platforms,
  given: readonly string[] = [],
): NodeReason {
  const message = startOf(partnerText(said, given), messageBytes);
  if (/no space left on device|disk quota exceeded/i.test(said))
    return { code: "disk_full", details: { message } };
  if (namesForeignProgram(said)) {
    return { code: "image_architecture_mismatch", details: { ...named(platforms), message } };
  }
  const known = exitCode === undefined || exitCode === 0 || !isExitCode(exitCode) ? {} : { exitCode };
  return { code: "container_start_failed", details: { message, ...known } };
}

/** The platforms of the engine and of an image, as `linux/amd64`; undefined when unknown. */
export type Platforms = { engine: string | undefined; image: string | undefined };

/** Why a container ended, from what the engine says of it. `log` is its last lines. */
export function exitReason(
  ended: { exitCode: number; oomKilled: boolean; starts: number; memoryMib: number; log: string },
  platforms: Platforms,
): NodeReason {
  const { starts, memoryMib, log } = ended;
  const exitCode = isExitCode(ended.exitCode) ? ended.exitCode : 255;
  if (ended.oomKilled) return { code: "out_of_memory", details: { memoryMib, exitCode, starts, log } };
  const isForeign =
    platforms.image !== undefined && platforms.engine !== undefined && platforms.image !== platforms.engine;
  // Any container can print this; with an image for another processor it is the kernel's.
  const notFound = initMessage(exitCode, log);
  if (isForeign && (namesForeignProgram(log) || notFound !== undefined)) {
    return {
      code: "image_architecture_mismatch",
      details: { ...named(platforms), message: startOf(log, messageBytes) },
    };
  }
  const notStarted = notFound ?? runtimeMessage(log);
  if (notStarted !== undefined) {
    return {
      code: "container_start_failed",
      details: { exitCode, message: startOf(notStarted, messageBytes), log },
    };
  }
  return { code: "container_exited", details: { exitCode, starts, log } };
}

/** What the engine's init process prints when it cannot run the command. */
function initMessage(exitCode: number, log: string): string | undefined {
  if (exitCode !== 126 && exitCode !== 127) return undefined;
  return /^\[FATAL tini \(\d+\)\] (exec .* failed: .*)$/m.exec(log)?.[1];
}

/** What the engine's runtime prints, and nothing else, when the kernel takes neither the arguments nor the environment. */
function runtimeMessage(log: string): string | undefined {
  return /^exec \S*docker-init: .*$/.exec(log.trim())?.[0];
}

function named({ engine, image }: Platforms): { wanted?: string; found?: string } {
  return {
    ...(engine !== undefined && { wanted: startOf(engine, 64) }),
    ...(image !== undefined && { found: startOf(image, 64) }),
  };
}

const isExitCode = (code: number) => Number.isInteger(code) && Math.abs(code) <= 255;
