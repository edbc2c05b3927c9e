/** A static program for x86-64 Linux. @param code Machine code. */
function elf(code: Buffer): Buffer {
  const base = 0x40_0000n;
  const start = 64 + 56;
  const header = Buffer.alloc(start);
  header.write("\x7fELF\x02\x01\x01", "latin1");
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(62, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(base + BigInt(start), 24);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  // One segment, readable and executable, that is the whole file.
  header.writeUInt32LE(1, 64);
  header.writeUInt32LE(5, 68);
  header.writeBigUInt64LE(base, 80);
  header.writeBigUInt64LE(base, 88);
  const size = BigInt(start + code.length);
  header.writeBigUInt64LE(size, 96);
  header.writeBigUInt64LE(size, 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, code]);
}

/** Makes one system call and exits with its error number; of a call that succeeds, with 256 less its result. */
function callOf(number: number, ...values: number[]): Buffer {
  const registers = [
    [0x48, 0xbf],
    [0x48, 0xbe],
    [0x48, 0xba],
    [0x49, 0xba],
  ];
  const load = (prefix: number[], value: number) => {
    const bytes = Buffer.alloc(10);
    bytes.set(prefix);
    bytes.writeBigUInt64LE(BigInt(value), 2);
    return bytes;
  };
  return elf(
    Buffer.concat([
      load([0x48, 0xb8], number),
      ...registers.map((prefix, index) => load(prefix, values[index] ?? 0)),
      // xor r8, r8; syscall; neg rax; mov rdi, rax; mov eax, exit; syscall
      Buffer.from([
        0x4d, 0x31, 0xc0, 0x0f, 0x05, 0x48, 0xf7, 0xd8, 0x48, 0x89, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 0x05,
      ]),
    ]),
  );
}

/** System calls that a tenant must not make, each with the error that it gets. */
export const closedCalls: Record<string, { program: Buffer; errno: number }> = {
  io_uring: { program: callOf(425, 1), errno: 1 },
  "a socket to the hypervisor": { program: callOf(41, 40, 1), errno: 1 },
  add_key: { program: callOf(248), errno: 1 },
  request_key: { program: callOf(249), errno: 1 },
  keyctl: { program: callOf(250), errno: 1 },
  bpf: { program: callOf(321), errno: 1 },
  perf_event_open: { program: callOf(298), errno: 1 },
  userfaultfd: { program: callOf(323, 1), errno: 1 },
  "unshare with a user namespace": { program: callOf(272, 0x1000_0000), errno: 1 },
  "clone with a user namespace": { program: callOf(56, 0x1000_0000), errno: 1 },
  clone3: { program: callOf(435), errno: 38 },
  setns: { program: callOf(308), errno: 1 },
  mount: { program: callOf(165), errno: 1 },
  open_by_handle_at: { program: callOf(304), errno: 1 },
  kexec_load: { program: callOf(246), errno: 1 },
  init_module: { program: callOf(175), errno: 1 },
  reboot: { program: callOf(169), errno: 1 },
};

/** The files of the hostile image, by name. */
export const programs: Record<string, Buffer> = {
  ...Object.fromEntries(Object.entries(closedCalls).map(([name, { program }]) => [fileOf(name), program])),
  // The control: a socket of the internet.
  socket: callOf(41, 2, 1),
  // fork, again and again, in every child too.
  "fork-bomb": elf(Buffer.from([0xb8, 57, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7])),
};

/** The file of a program. */
export function fileOf(name: string): string {
  return name.replaceAll(" ", "-");
}
