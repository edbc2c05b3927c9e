const mib = 1 << 20;
/** Milliseconds between two lines of progress. */
const pause = 200;

/** Counts what is copied. On a terminal it shows it on stderr while it grows. */
export function createCopyProgress() {
  let files = 0;
  let bytes = 0;
  let shownAt = Date.now();
  const { isTTY } = process.stderr;
  const show = () => process.stderr.write(`\r${files} files, ${(bytes / mib).toFixed(1)} MiB`);
  return {
    file: () => {
      files += 1;
    },
    add: (more: number) => {
      bytes += more;
      if (!isTTY || Date.now() - shownAt < pause) return;
      shownAt = Date.now();
      show();
    },
    end: () => {
      if (isTTY) process.stderr.write("\r\u001b[K");
      return { files, bytes };
    },
  };
}

export type CopyProgress = ReturnType<typeof createCopyProgress>;
