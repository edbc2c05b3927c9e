/** Bytes and lines of a container's output that a reason keeps. */
export const logLimits = { lines: 50, bytes: 8_192 };
/** Bytes of an answer and of a message that a reason keeps. */
export const answerBytes = 2_048;
export const messageBytes = 1_024;
/** Bytes of a health path that a reason keeps: the chain may have any length. */
export const pathBytes = 1_024;

// Control characters other than tab and line feed: a terminal that shows the text must not act on them.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Text from outside that everything can carry: well-formed Unicode without NUL and other control characters. */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll("\r\n", "\n").replace(controls, "\ufffd");
}

/** The start of a text, at most `bytes` of UTF-8, without a half of a character. */
export function startOf(text: string, bytes: number): string {
  return cut(cleanText(text), bytes, "start");
}

/** The last lines of a container's output, within `logLimits`. A longer last line keeps its end. */
export function lastLines(text: string): string {
  const lines = cleanText(text).replace(/\n+$/, "").split("\n").slice(-logLimits.lines);
  return cut(lines.join("\n"), logLimits.bytes, "end");
}

function cut(text: string, bytes: number, kept: "start" | "end"): string {
  const encoded = Buffer.from(text);
  if (encoded.byteLength <= bytes) return text;
  let at = kept === "start" ? bytes : encoded.byteLength - bytes;
  // Bytes 10xxxxxx continue a character.
  const continues = () => ((encoded[at] ?? 0) & 0xc0) === 0x80;
  while (at > 0 && at < encoded.byteLength && continues()) at += kept === "start" ? -1 : 1;
  return (kept === "start" ? encoded.subarray(0, at) : encoded.subarray(at)).toString();
}
