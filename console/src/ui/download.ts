/** The browser has begun to read a file by then, ms. */
const readPause = 10_000;

/** Saves a text as a file of the visitor. */
export function download(name: string, text: string, type = "text/plain"): void {
  save(name, new Blob([text], { type: `${type};charset=utf-8` }));
}

/** Saves bytes as a file of the visitor. */
export function save(name: string, bytes: Blob): void {
  const url = URL.createObjectURL(bytes);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), readPause);
}
