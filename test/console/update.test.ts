import { expect } from "chai";
import { decimalOf, unitsOf } from "../../console/src/format.ts";
import { differenceOf } from "../../console/src/pages/workspaces/difference.ts";
import { documentOf, type UpdateForm, updateOf } from "../../console/src/pages/workspaces/updateForm.ts";

const form: UpdateForm = {
  image: `registry.test/chat@sha256:${"ab".repeat(32)}`,
  command: "",
  env: "MODE=slow\nLEVEL=1",
  health: "/healthz",
  replicas: "2",
  pricePerHour: "0.0036",
};
const linesOf = (before: string, after: string) =>
  differenceOf(before, after).map(({ sign, text }) => `${sign}${text}`);

describe("console: what an update changes", () => {
  it("shows removed and added lines between those that stay", () => {
    expect(linesOf("a\nb\nc", "a\nx\nc\nd")).to.deep.equal([" a", "-b", "+x", " c", "+d"]);
    expect(linesOf("a", "a")).to.deep.equal([" a"]);
    expect(linesOf("", "a")).to.deep.equal(["-", "+a"]);
  });

  it("leads from one text to the other: without the added lines it is the first, without the removed ones the second", () => {
    const texts = ["a\nb\na\nb", "b\na\nb\na", "a\n\nb", "c", "a\nb\nc\nd\ne", "e\nd\nc\nb\na"];
    for (const before of texts) {
      for (const after of texts) {
        const lines = differenceOf(before, after);
        const without = (sign: string) =>
          lines
            .filter((line) => line.sign !== sign)
            .map(({ text }) => text)
            .join("\n");
        expect([without("+"), without("-")]).to.deep.equal([before, after]);
      }
    }
  });

  it("sends the fields that differ, and no other", () => {
    expect(updateOf(form, form)).to.deep.equal({});
    expect(updateOf(form, { ...form, env: "MODE=fast=1", replicas: "3" })).to.deep.equal({
      env: { MODE: "fast=1" },
      replicas: 3,
    });
    expect(updateOf(form, { ...form, pricePerHour: "0.0072" })).to.deep.equal({
      maxPricePerSecond: "2000000000000",
    });
    expect(updateOf(form, { ...form, command: "sh\n-c\necho 1 2" })).to.deep.equal({
      command: ["sh", "-c", "echo 1 2"],
    });
    expect(documentOf(form)).to.include("environment:\n  LEVEL=1\n  MODE=slow");
  });

  it("writes amounts so that they are read again exactly", () => {
    for (const units of [0n, 1n, 3_600n, 10n ** 18n, 123_456_789_012_345_678_901n]) {
      expect(unitsOf(decimalOf(units))).to.equal(units);
    }
    expect(decimalOf(3_600_000_000n)).to.equal("0.0000000036");
  });
});
