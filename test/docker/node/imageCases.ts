import type { Composition } from "./composedImage.ts";

/** What a lease of an image says first: null that it runs, or one of these codes. */
export type Expected = { codes: (string | null)[]; exitCode?: number; message?: RegExp };

const node = "/usr/local/bin/node";
const runsOnly = { codes: [null] };
const notStarted = { codes: ["container_start_failed"] };

/** A server that is healthy unless it runs as root. */
export const serving = {
  Cmd: [],
  Entrypoint: [
    node,
    "-e",
    `require("node:http").createServer((request, response) => {
      const isRoot = process.getuid() === 0 || process.geteuid() === 0;
      response.writeHead(isRoot ? 500 : 200).end();
    }).listen(8080)`,
  ],
};

/** USER instructions. The image has no /etc/passwd and no /etc/group. */
export const users: (Expected & { user: string })[] = [
  "",
  "root",
  "root:root",
  "0",
  "0:0",
  "+0",
  "-0",
  "00000",
  ":",
  ":0",
  ":5",
  "0:staff",
  "app",
  "app:app",
  "with space",
  " ",
  " 0",
  "0 ",
  "-1",
  "+5",
  "1e3",
  "0x0",
  "\u0661",
  "\u0660",
  "a/b",
  "\n",
  "ro\u0000ot",
]
  .map((user): Expected & { user: string } => ({ user, ...runsOnly }))
  .concat(
    ["1000", "1000:1000", "12345:0", "2147483647", "007", "1000:"].map((user) => ({ user, ...runsOnly })),
    ["2147483648", "4294967295", "4294967296", "1000:2147483648", "1000:-1", "1000:staff"].map((user) => ({
      user,
      ...notStarted,
      message: /user|group|uid|gid|range/i,
    })),
    ["9".repeat(40), `1000:${"9".repeat(40)}`, `1000:${"g".repeat(5_000)}`].map((user) => ({
      user,
      ...notStarted,
    })),
  );

export const workDirs: (Expected & { dir: string })[] = [
  ...["", "/", "/app", "/app/../app", "//app//", "/no/such/dir", "/tmp", "/with space/ü"].map((dir) => ({
    dir,
    ...runsOnly,
  })),
  { dir: `${node}/file`, ...notStarted },
  { dir: node, ...notStarted },
  { dir: "relative", codes: [null, "container_start_failed"] },
  { dir: "../../..", codes: [null, "container_start_failed"] },
  { dir: "/nul\u0000", ...notStarted },
  { dir: `/${"d".repeat(300)}`, ...notStarted },
  { dir: "/proc/self/fd/7", codes: [null, "container_start_failed"] },
];

/** The first bytes of a program for another processor (EM_AARCH64, or EM_S390 where this is one). */
const foreign = Buffer.alloc(64);
foreign.write("\x7fELF", 0, "latin1");
foreign.set([2, 1, 1, 0], 4);
foreign.writeUInt16LE(2, 16);
foreign.writeUInt16LE(process.arch === "arm64" ? 22 : 183, 18);
const otherArchitecture = process.arch === "arm64" ? "amd64" : "arm64";

const program = (bytes: Buffer, mode = 0o755): NonNullable<Composition["files"]> => [
  { kind: "bytes", path: "/program", mode, bytes },
];
const command = (Entrypoint: unknown, Cmd: unknown = []) => ({ config: { Entrypoint, Cmd } });

export const brokenImages: { name: string; composition: Composition; expected: Expected }[] = [
  {
    name: "a program that is missing",
    composition: command(["/no/such"]),
    expected: { ...notStarted, exitCode: 127 },
  },
  {
    name: "a name that is nowhere",
    composition: command(["nosuch"]),
    expected: { ...notStarted, exitCode: 127 },
  },
  { name: "a directory", composition: command(["/app"]), expected: { ...notStarted, exitCode: 126 } },
  {
    name: "a file that is not executable",
    composition: { ...command(["/program"]), files: program(Buffer.from("text"), 0o644) },
    expected: { ...notStarted, exitCode: 126 },
  },
  {
    name: "a program for another processor",
    composition: {
      ...command(["/program"]),
      files: program(foreign),
      platform: { architecture: otherArchitecture },
    },
    expected: { codes: ["image_architecture_mismatch"] },
  },
  {
    name: "a program for another processor in an image that claims this one",
    composition: { ...command(["/program"]), files: program(foreign) },
    expected: {
      codes: ["image_architecture_mismatch", "container_start_failed"],
      message: /exec/i,
    },
  },
  {
    name: "a program that is empty",
    composition: { ...command(["/program"]), files: program(Buffer.alloc(0)) },
    expected: { codes: ["container_start_failed", "container_exited"] },
  },
  {
    name: "a script whose interpreter is missing",
    composition: { ...command(["/program"]), files: program(Buffer.from("#!/no/such\n")) },
    expected: { ...notStarted, exitCode: 127 },
  },
  { name: "neither entrypoint nor command", composition: command(null, null), expected: notStarted },
  { name: "an entrypoint of an empty word", composition: command([""]), expected: notStarted },
  { name: "a word with NUL", composition: command([node, "a\u0000b"]), expected: notStarted },
  { name: "a word of 1 MiB", composition: command([node, "-e", " ".repeat(2 ** 20)]), expected: notStarted },
  {
    name: "an entrypoint that is no list",
    composition: command({ a: 1 }),
    expected: { codes: ["image_pull_failed", "container_start_failed"] },
  },
  {
    name: "a variable with NUL",
    composition: { config: { ...serving, Env: ["A=x\u0000y"] } },
    expected: notStarted,
  },
  {
    name: "a variable of 1 MiB",
    composition: { config: { ...serving, Env: [`A=${"x".repeat(2 ** 20)}`] } },
    expected: notStarted,
  },
  {
    name: "odd variables",
    composition: {
      config: {
        ...serving,
        Env: ["", "=", "=x", "NAME", "A=\ud800", "B=\u0007\u001b[2J", "ü=ü", "PATH=/usr/local/bin"],
      },
    },
    expected: { codes: [null, "container_start_failed"] },
  },
  {
    name: "variables that are no UTF-8",
    composition: {
      config: { ...serving, Env: ["A=MARK"] },
      bytes: (given) => Buffer.from(given.toString("latin1").replace("MARK", "\xff\xfe"), "latin1"),
    },
    expected: { codes: [null, "container_start_failed", "image_pull_failed"] },
  },
  {
    name: "an unknown stop signal",
    composition: { config: { ...serving, StopSignal: "SIGNOPE" } },
    expected: runsOnly,
  },
  {
    name: "a port that is none",
    composition: { config: { ...serving, ExposedPorts: { "99999/tcp": {} } } },
    expected: runsOnly,
  },
  {
    name: "every port",
    composition: { config: { ...serving, ExposedPorts: { "1-65535/tcp": {} } } },
    expected: { codes: [null, "container_start_failed"] },
  },
  {
    name: "another operating system",
    composition: { platform: { os: "windows" } },
    expected: { codes: ["image_architecture_mismatch"] },
  },
  {
    name: "a configuration that is no JSON",
    composition: { bytes: () => Buffer.from("{") },
    expected: { codes: ["image_pull_failed"] },
  },
  {
    name: "an empty configuration",
    composition: { bytes: () => Buffer.from("{}") },
    expected: { codes: ["image_pull_failed"] },
  },
  {
    name: "layers that are not those of the configuration",
    composition: {
      bytes: (given) =>
        Buffer.from(given.toString().replace(/"diff_ids":\["sha256:..../, '"diff_ids":["sha256:0000')),
    },
    expected: { codes: ["image_pull_failed"] },
  },
];
