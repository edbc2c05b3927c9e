import { expect } from "chai";
import fc from "fast-check";
import { partnerText, redacted } from "../../node-client/reasons/partnerText.ts";
import { pulls } from "./fixtures/dockerAnswers.ts";

const { path, address } = redacted;
const id = "5f0c3e9a".repeat(8);
const reference = `registry.example/acme/app@sha256:${id}`;

/** What engines, runtimes and firewalls say, and what a partner sees of it. */
const sayings: [said: string, seen: string][] = [
  [`open /var/lib/docker/tmp/GetImageBlob1: permission denied`, `open ${path}: permission denied`],
  [
    `failed to create task: mkdir "/mnt/my disk/docker/containers": read-only file system`,
    `failed to create task: mkdir "${path}": read-only file system`,
  ],
  [
    `open /run/containerd/io.containerd.runtime.v2.task/moby/${id}/log.json: no such file or directory`,
    `open ${path}: no such file or directory`,
  ],
  [
    `error mounting "/var/lib/docker/volumes/a/_data" to rootfs at "/data": not a directory`,
    `error mounting "${path}" to rootfs at "/data": not a directory`,
  ],
  [
    `open /data/docker/overlay2/${id}/merged/etc/passwd: no such file; /data/docker/overlay2/${id}/merged: busy`,
    `open /etc/passwd: no such file; /: busy`,
  ],
  [`chdir to cwd ("/srv/app") set in config.json failed: permission denied`, ""],
  [`exec: "/app/run": stat /app/run: no such file or directory: unknown`, ""],
  [`exec: "serve": executable file not found in $PATH: unknown`, ""],
  [`exec /usr/bin/serve failed: No such file or directory`, ""],
  [`Error processing tar file(exit status 1): write /usr/lib/libcuda.so: no space left on device`, ""],
  [`no matching manifest for linux/amd64 in the manifest list entries`, ""],
  [`manifest for ${reference} not found`, ""],
  [`Head "https://registry.example/v2/acme/app/manifests/sha256:${id}": EOF`, ""],
  [
    `lookup registry.example on 10.0.0.2:53: no such host`,
    `lookup registry.example on ${address}:53: no such host`,
  ],
  [
    `write tcp 192.168.7.20:51234->93.184.215.14:443: write: broken pipe`,
    `write tcp ${address}:51234->93.184.215.14:443: write: broken pipe`,
  ],
  [`dial tcp [fd00::7]:443: connect: no route to host`, `dial tcp ${address}:443: connect: no route to host`],
  [`Get "http://169.254.169.254/latest": EOF`, `Get "http://${address}/latest": EOF`],
  [
    `Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.41/info": EOF; unix:///var/run/docker.sock`,
    `Get "${path}": EOF; ${path}`,
  ],
  [
    `The Docker engine at /var/run/docker.sock does not respond (ECONNREFUSED).`,
    `The Docker engine at ${path} does not respond (ECONNREFUSED).`,
  ],
  [
    `error parsing HTTP 403 response body: invalid character 's' looking for beginning of value: "secret of a host"`,
    `error parsing HTTP 403 response body: invalid character 's' looking for beginning of value`,
  ],
  [`error reading ~/.docker/config.json`, `error reading ${path}`],
  [`bind /sys/bus/pci/devices/0000:01:00.0/driver: busy`, `bind ${path}: busy`],
];

describe("what a partner sees of an engine's words", () => {
  for (const [said, seen] of sayings) {
    it(`has no path or address of the node: ${said.slice(0, 60)}`, () => {
      expect(partnerText(said, [reference])).to.equal(seen === "" ? said : seen);
    });
  }

  it("has what the partner named itself: a path in the command, a registry's address", () => {
    const said = `chown /opt/models: denied; Get "http://10.1.2.3:5000/v2/": EOF`;
    expect(partnerText(said, ["cp -r /opt/models /tmp", "10.1.2.3:5000/app"])).to.equal(said);
    expect(partnerText(said)).to.equal(`chown ${path}: denied; Get "http://${address}:5000/v2/": EOF`);
  });

  it("has the words of a registry that say why", () => {
    for (const { said } of pulls.filter((one) => !/response body|10\.255/.test(one.said))) {
      const message = said.replaceAll("HOST/x", reference);
      expect(partnerText(message, [reference, "127.0.0.1"])).to.equal(message);
    }
  });

  it("has no path of the node, whatever stands around it", () => {
    const part = fc.stringMatching(/^[a-z0-9._+-]{1,12}$/).filter((text) => !/^\.+$/.test(text));
    const given = fc.record({
      parts: fc.array(part, { minLength: 1, maxLength: 6 }),
      before: fc.constantFrom("", "open ", 'stat "', "(", "mount:", "path=", "a b ", "'", "\n", "failed: "),
      after: fc.constantFrom("", ": denied", '"', ")", " (x)", "'", "\n", ", then"),
    });
    fc.assert(
      fc.property(given, ({ parts, before, after }) => {
        const secret = `/srv/private-${parts.join("/")}`;
        expect(partnerText(`${before}${secret}${after}`)).to.equal(`${before}${path}${after}`);
      }),
    );
  });

  it("is a text for any text, within a bounded time", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 3_000 }), (said) => {
        expect(partnerText(said)).to.be.a("string");
      }),
    );
    expect(partnerText("/a".repeat(1 << 20)).length).to.be.lessThan(100);
  });
});
