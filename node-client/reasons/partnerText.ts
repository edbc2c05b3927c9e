import { isIP } from "node:net";
import { isPublicAddress } from "@ngpu/runtime/publicAddress";

/** What stands for a path of the node, and for an address of its network. */
export const redacted = { path: "[path on the node]", address: "[address of the node]" };

/** Phrases of engines, runtimes and init processes in which a path is one in the container. */
const containerPaths = [
  /exec: "([^"]+)"/g,
  /\bexec (\/[^\s:"]+)/g,
  /\bchdir to cwd \("([^"]+)"\)/g,
  /\bto rootfs at "([^"]+)"/g,
  /\bProcessing tar file\([^)]*\): (?:\w+ )+(\/[^\s:"]+)/gi,
];

/** The root of a container as its node sees it, in the folders of the engine's storage. What follows is a path in the container. */
const containerRoot =
  /(?<![\w.@+~%/-])(?:\/[\w.@+~%-]+)*\/(?:overlay2|overlayfs|vfs|btrfs|zfs|devicemapper|snapshots|moby)\/(?:[\w.@+~%-]+\/)*(?:merged|rootfs|diff)(?=\/|[\s"':,;)\]]|$)/g;

/** In quotes, with spaces; a URL; any other absolute path. */
const pathOrUrl = new RegExp(
  [
    /(?<=")\/[^"\n]+(?=")/,
    /\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/,
    /(?<![\w.%<@/-])~?\/(?=[\w.@+~%*-])(?:[^\s"'`:,;()<>[\]{}|=]|:(?=[^\s"'/]))*/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "gi",
);
const address4 = /(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)/g;
const address6 = /\[[0-9a-f:.]+(?:%\w+)?\]/gi;

/** The body that a registry, or what it points the engine to, answered: it may be of the node's own network. */
const foreignBody = /(error parsing HTTP \d+ response body: [^:]*)[\s\S]*/;

/** UTF-16 units that are looked at. */
const longest = 4_096;

/**
 * What an engine or a firewall says, as a partner may see it: without paths of the node's file system, addresses of its network and
 * what others answered the engine. The operator's log has the whole text.
 *
 * @param said Any text.
 * @param known What the partner has named itself: command, image. Paths and addresses in it stay.
 */
export function partnerText(said: string, known: readonly string[] = []): string {
  const start = said.slice(0, longest).replace(foreignBody, "$1");
  const inContainer = start.replace(containerRoot, (root, index: number) =>
    start[index + root.length] === "/" ? "" : "/",
  );
  const named = [
    ...known,
    ...containerPaths.flatMap((phrase) => Array.from(inContainer.matchAll(phrase), ([, path]) => path ?? "")),
    ...Array.from(start.matchAll(containerRoot), ({ 0: root, index }) => pathAt(start, index + root.length)),
  ];
  const isNamed = (text: string) => named.some((one) => one.includes(text));
  const reason = inContainer.replace(pathOrUrl, (text) =>
    isNamed(text) || isOfRegistry(text) ? text : redacted.path,
  );
  return withoutAddresses(reason, isNamed);
}

function withoutAddresses(reason: string, isNamed: (text: string) => boolean): string {
  const mayBeSeen = (text: string, address: string) => isNamed(text) || isPublicAddress(address);
  return reason
    .replace(address4, (text) => (mayBeSeen(text, text) ? text : redacted.address))
    .replace(address6, (text) => {
      const [address = ""] = text.slice(1, -1).split("%");
      return isIP(address) !== 6 || mayBeSeen(text, address) ? text : redacted.address;
    });
}

function pathAt(text: string, from: number): string {
  return /^[^\s"'`:,;()<>[\]{}|=]*/.exec(text.slice(from))?.[0] ?? "";
}

/** Whether it is a URL of the web. A socket's path may stand in the place of a host. */
function isOfRegistry(text: string): boolean {
  return /^https?:\/\/[^/]+/i.test(text) && !/^https?:\/\/[^/]*%2f/i.test(text);
}
