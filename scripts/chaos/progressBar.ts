const width = 30;

/** A progress line on stderr, updated in place on a terminal. Elsewhere, one line for every tenth of the work. */
export function createBar(total: number, unit: string) {
  const terminal = process.stderr.isTTY === true;
  const since = Date.now();
  let tenth = -1;
  return {
    show: (done: number, doing: string) => {
      const share = total === 0 ? 1 : Math.min(1, done / total);
      const seconds = Math.round((Date.now() - since) / 1_000);
      const text = `${done}/${total} ${unit}  ${seconds} s  ${doing}`;
      if (terminal) {
        const filled = Math.round(share * width);
        process.stderr.write(`\r\u001b[K${"█".repeat(filled)}${"░".repeat(width - filled)} ${text}`);
        return;
      }
      if (Math.floor(share * 10) === tenth) return;
      tenth = Math.floor(share * 10);
      process.stderr.write(`${text}\n`);
    },
    clear: () => {
      if (terminal) process.stderr.write("\r\u001b[K");
    },
  };
}
