import { parseNodeReason } from "@ngpu/protocol/reasons/nodeReason";
import { expect } from "chai";
import fc from "fast-check";
import { pullReason } from "../../node-client/reasons/engineReasons.ts";
import { pulls } from "./fixtures/dockerAnswers.ts";

const digest = `sha256:${"ab".repeat(32)}`;
const codeOf = (said: string, reference = `registry.example/acme/app@${digest}`) => {
  const reason = pullReason(reference, said);
  expect(parseNodeReason(reason.code, reason.details), said).not.to.have.property("invalid");
  return reason.code;
};
const registry = "https://registry.example/v2/acme/app";

/** What Docker, its containerd image store and the usual registries say, by cause. */
const sayings: Record<string, string[]> = {
  image_architecture_mismatch: [
    "no match for platform in manifest: not found",
    'image operating system "windows" cannot be used on this platform: operating system is not supported',
    "image with reference registry.example/acme/app was found but does not provide the specified platform (linux/amd64)",
    "no matching manifest for linux/riscv64 in the manifest list entries: no match for platform in manifest: not found",
  ],
  image_not_found: [
    "unknown blob",
    "blob unknown: blob unknown to registry",
    `failed to resolve reference "registry.example/acme/app@${digest}": registry.example/acme/app@${digest}: not found`,
    "name unknown: repository name not known to registry",
  ],
  image_pull_denied: [
    `unexpected status from HEAD request to ${registry}/manifests/${digest}: 403 Forbidden`,
    "Forbidden: this project is private",
    "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
  ],
  image_registry_unreachable: [
    `Get "${registry}/manifests/${digest}": dial tcp 203.0.113.7:443: connect: connection timed out`,
    `Head "${registry}/manifests/${digest}": http: server gave HTTP response to HTTPS client`,
    "lookup registry.example: Temporary failure in name resolution",
    "dial tcp 203.0.113.7:443: connect: host is down",
    "http2: server sent GOAWAY and closed the connection",
    "stream error: stream ID 3; INTERNAL_ERROR; received from peer",
    "write tcp 10.0.0.2:1->203.0.113.7:443: write: broken pipe",
    "it makes no progress",
    "toomanyrequests: You have reached your unauthenticated pull rate limit.",
    `received unexpected HTTP status: 502 Bad Gateway`,
  ],
  disk_full: ["write /var/lib/docker/tmp/GetImageBlob1: not enough space", "ENOSPC: no space left on device"],
  image_pull_failed: [
    "unsupported media type application/vnd.cncf.helm.config.v1+json",
    "it was cancelled",
    `failed commit on ref "layer-${digest}": unexpected commit digest ${digest}, expected ${digest}: failed precondition`,
  ],
};

describe("why an image cannot be pulled", () => {
  for (const [code, list] of Object.entries(sayings)) {
    it(`is ${code} in the words of engines and registries`, () => {
      for (const said of list) expect(codeOf(said), said).to.equal(code);
    });
  }

  it("does not depend on the names of image and registry, whatever words they hold", () => {
    const words = ["denied", "not-found", "eof", "timeout", "404", "503", "unauthorized", "no-such-image"];
    const part = fc.constantFrom(...words, "app", "a");
    const host = fc.constantFrom("registry.example", "denied.example:5000", "timeout.example", "docker.io");
    const causes = {
      "manifest unknown: manifest unknown": "image_not_found",
      "something odd": "image_pull_failed",
      "no space left on device": "disk_full",
    };
    fc.assert(
      fc.property(host, fc.array(part, { minLength: 1, maxLength: 3 }), (at, parts) => {
        const path = parts.join("/");
        const reference = `${at}/${path}:${parts[0]}@${digest}`;
        for (const [cause, code] of Object.entries(causes)) {
          const sentences = [
            cause,
            `manifest for ${reference}: ${cause}`,
            `Get "https://${at}/v2/${path}/manifests/${digest}": ${cause}`,
            `Get https://${at}/token?scope=repository%3A${encodeURIComponent(path)}%3Apull: ${cause}`,
            `${at}/${path}: ${cause}`,
            `${path}: ${cause}`.replace(/^/, at === "docker.io" ? "" : `${at}/`),
          ];
          for (const said of sentences) expect(codeOf(said, reference), said).to.equal(code);
        }
      }),
    );
  });

  it("is one of the list for any text", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 3_000 }),
      fc.constantFrom(...pulls.map((one) => one.said)),
    );
    fc.assert(
      fc.property(text, text, (said, reference) => {
        codeOf(said, reference);
      }),
    );
  });
});
