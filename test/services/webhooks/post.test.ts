import { expect } from "chai";
import { requireWebhookUrl } from "../../../services/apiServer/webhookUrl.ts";
import { createPoster } from "../../../services/webhooks/post.ts";
import { startReceiver } from "./receiver.ts";

const request = { headers: { "webhook-id": "1" }, body: '{"type":"webhook.test"}' };

describe("webhooks: requests to receivers", () => {
  it("go to no private address, neither by number nor by name", async () => {
    const receiver = await startReceiver();
    const poster = createPoster({ privateAddresses: false });
    const port = new URL(receiver.url).port;
    const hosts = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"];
    for (const host of [...hosts, "169.254.169.254", "10.0.0.1", "[fd00::1]"]) {
      const outcome = await poster.post({ url: `http://${host}:${port}/`, ...request });
      expect(outcome.error, host).to.be.oneOf(["host_not_public", "host_unresolved"]);
      expect(outcome.httpStatus).to.equal(undefined);
    }
    expect(receiver.received).to.deep.equal([]);
    poster.close();
    receiver.stop();
  });

  it("follow no redirect, and end at their deadline", async () => {
    const target = await startReceiver();
    const receiver = await startReceiver((response) =>
      response.writeHead(307, { location: target.url }).end(),
    );
    const silent = await startReceiver(() => undefined);
    const poster = createPoster({ privateAddresses: true, deadline: 100 });
    expect(await poster.post({ url: receiver.url, ...request })).to.include({
      httpStatus: 307,
      error: "redirected",
    });
    expect(await poster.post({ url: silent.url, ...request })).to.include({ error: "timeout" });
    expect(await poster.post({ url: "http://127.0.0.1:1/", ...request })).to.include({
      error: "connection_failed",
    });
    expect(target.received).to.deep.equal([]);
    poster.close();
    for (const { stop } of [target, receiver, silent]) stop();
  });

  it("end with the status, whatever the body of the response is", async () => {
    const receiver = await startReceiver((response) => {
      response.writeHead(200);
      const write = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on("drain", write);
      write();
    });
    const poster = createPoster({ privateAddresses: true, deadline: 5_000 });
    expect(await poster.post({ url: receiver.url, ...request })).to.include({
      httpStatus: 200,
      error: undefined,
    });
    poster.close();
    receiver.stop();
  });

  it("are refused for URLs that are not public", async () => {
    const codeOf = (url: string) =>
      requireWebhookUrl(url, false).then(
        () => "accepted",
        (error: { code: string }) => error.code,
      );
    expect(await codeOf("http://93.184.215.14/")).to.equal("webhook_url_invalid");
    expect(await codeOf("https://93.184.215.14/hook")).to.equal("accepted");
    for (const host of ["127.0.0.1", "[::1]", "10.1.2.3", "169.254.169.254", "0x7f.1"]) {
      expect(await codeOf(`https://${host}/hook`), host).to.equal("host_not_public");
    }
  });
});
