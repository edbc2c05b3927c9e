import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { PackingError } from "@ngpu/protocol/packedReports";
import { type RelayKind, relayKinds } from "@ngpu/protocol/relayKinds";
import { relayArgs, relayDigest } from "@ngpu/protocol/signedMessages";
import { toJson } from "@ngpu/runtime/json";
import { expect } from "chai";
import fc from "fast-check";
import { deploymentDocument } from "../../services/support/deployment.ts";
import { extremes, fieldsIn, relayExamples, withValue } from "../../services/values/wireValues.ts";
import { runs } from "../../support/runs.ts";

const deployment = parseDeployment(deploymentDocument);
const signature = `0x${"1b".repeat(65)}` as const;

describe("messages that match relays", () => {
  it("are refused, or can be hashed, stored and encoded, with any value in any field", () => {
    for (const [kind, example] of Object.entries(relayExamples) as [RelayKind, object][]) {
      const schema = relayKinds[kind].message;
      expect(schema.safeParse(example).success, kind).to.equal(true);
      for (const path of fieldsIn(example)) {
        fc.assert(
          // JSON has no negative zero.
          fc.property(
            extremes.map((value) => (value === 0 ? 0 : value)),
            (value) => {
              const parsed = schema.safeParse(withValue(example, path, value));
              if (!parsed.success) return;
              const name = `${kind} ${path.join(".")}`;
              expect(relayDigest(deployment, kind, parsed.data as never), name).to.match(/^0x[0-9a-f]{64}$/);
              expect(toJson(parsed.data), name).to.not.match(/\\u0000|\\ud[89a-f]/);
              // Stored as JSON, it is read as the same message.
              expect(schema.parse(JSON.parse(toJson(parsed.data))), name).to.deep.equal(parsed.data);
              try {
                relayArgs(kind, [{ message: parsed.data, signature }]);
              } catch (error) {
                expect(error, name).to.be.instanceOf(PackingError);
              }
            },
          ),
          { numRuns: runs(60) },
        );
      }
    }
  });
});
