// Servers of a network namespace of the tests. Run as a program: serve.ts <json>. Prints `ready`, then `multicast` for each packet
// that arrives for the group.
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";

export type Servers = {
  /** Addresses and ports that accept TCP and send what they get, and that answer UDP packets with the same. */
  tcp: [string, number][];
  udp: [string, number][];
  /** Address of a DNS server that knows one answer for every name. */
  dns?: { address: string; answer: string };
  /** A group to join, at the interface with this address. */
  multicast?: { group: string; port: number; at: string };
};

async function serve({ tcp, udp, dns, multicast }: Servers): Promise<void> {
  for (const [host, port] of tcp) {
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.pipe(socket);
    });
    server.listen({ host, port, backlog: 4_096 });
    await once(server, "listening");
  }
  for (const [host, port] of udp) await answer(host, port, (packet) => packet);
  if (dns !== undefined) await answer(dns.address, 53, (query) => dnsAnswer(query, dns.answer));
  if (multicast !== undefined) {
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    socket.on("message", () => process.stdout.write("multicast\n"));
    await new Promise<void>((resolve) => socket.bind(multicast.port, resolve));
    socket.addMembership(multicast.group, multicast.at);
  }
  process.stdout.write("ready\n");
}

async function answer(address: string, port: number, reply: (packet: Buffer) => Buffer): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("message", (packet: Buffer, from: RemoteInfo) =>
    socket.send(reply(packet), from.port, from.address),
  );
  await new Promise<void>((resolve) => socket.bind(port, address, resolve));
}

/** The question itself, with one A record for an A question and none for others. */
function dnsAnswer(query: Buffer, address: string): Buffer {
  let end = 12;
  while (end < query.length && query[end] !== 0) end += (query[end] ?? 0) + 1;
  const question = query.subarray(12, end + 5);
  const isA = question.readUInt16BE(question.length - 4) === 1;
  const head = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0]);
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split(".").map(Number)];
  return Buffer.concat([head, question, Buffer.from(isA ? record : [])]);
}

if (process.argv[1] === import.meta.filename) await serve(JSON.parse(process.argv[2] ?? "{}") as Servers);
