import { FitAddon } from "@xterm/addon-fit";
import { type ITheme, Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { allowTerminalStyles } from "./terminalStyles.ts";

export type Screen = {
  write: (bytes: Uint8Array) => void;
  note: (text: string) => void;
  /** What is typed, until the screen closes. */
  input: () => AsyncGenerator<Uint8Array>;
  size: () => { columns: number; rows: number };
  onSize: (resize: (columns: number, rows: number) => void) => void;
  focus: () => void;
  close: () => void;
};

/** Shows a terminal in an element. */
export function openScreen(element: HTMLElement, label: string): Screen {
  const forbidStyles = allowTerminalStyles();
  const terminal = new Terminal({
    fontSize: 13,
    fontFamily: "ui-monospace, Menlo, Consolas, monospace",
    scrollback: 10_000,
    theme: themeOf(element),
    screenReaderMode: true,
    cursorBlink: false,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(element);
  terminal.textarea?.setAttribute("aria-label", label);
  fit.fit();
  const watch = new ResizeObserver(() => fit.fit());
  watch.observe(element);
  const typed = createTyped();
  terminal.onData(typed.add);
  return {
    write: (bytes) => terminal.write(bytes),
    note: (text) => terminal.write(`\r\n\x1b[2m${text}\x1b[0m\r\n`),
    input: typed.read,
    size: () => ({ columns: terminal.cols, rows: terminal.rows }),
    onSize: (resize) => {
      terminal.onResize(({ cols, rows }) => resize(cols, rows));
    },
    focus: () => terminal.focus(),
    close: () => {
      watch.disconnect();
      typed.end();
      terminal.dispose();
      forbidStyles();
    },
  };
}

/** Keys as a stream of bytes. */
function createTyped() {
  const encoder = new TextEncoder();
  const waiting: Uint8Array[] = [];
  let ended = false;
  let wake: () => void = () => undefined;
  return {
    add: (text: string) => {
      waiting.push(encoder.encode(text));
      wake();
    },
    end: () => {
      ended = true;
      wake();
    },
    async *read() {
      while (!ended) {
        const next = waiting.shift();
        if (next !== undefined) yield next;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}

function themeOf(element: HTMLElement): ITheme {
  const colors = getComputedStyle(element);
  const of = (name: string) => colors.getPropertyValue(name).trim();
  return {
    background: of("--sunken"),
    foreground: of("--text"),
    cursor: of("--accent"),
    selectionBackground: of("--line-strong"),
  };
}
