import { expect } from "chai";
import fc from "fast-check";
import { generate } from "../../images/chat/model/generate.ts";
import { sentenceWeights } from "../../images/chat/model/relevance.ts";
import { joined, tokenize } from "../../images/chat/model/tokens.ts";
import { train } from "../../images/chat/model/train.ts";
import { stopFilter } from "../../images/chat/stop.ts";
import { loadModel } from "../../images/chat/text.ts";
import { runs } from "../support/runs.ts";

const { model } = loadModel();

function reply(prompt: string, seed: number, temperature = 1, topP = 1): string {
  let text = "";
  for (const token of generate(model, [prompt], { seed, temperature, topP })) {
    text += joined(token, text === "");
  }
  return text;
}

describe("chat model", function () {
  this.timeout(10_000);
  it("gives the same reply for the same seed and different replies for different seeds", () => {
    expect(reply("What is a lease?", 7)).to.equal(reply("What is a lease?", 7));
    const replies = new Set([1, 2, 3, 4, 5, 6].map((seed) => reply("What is a lease?", seed)));
    expect(replies.size).to.be.greaterThan(4);
  });

  it("gives the same reply for every seed at temperature zero", () => {
    expect(reply("What is a lease?", 1, 0)).to.equal(reply("What is a lease?", 2, 0));
  });

  it("replies about the subject of the prompt", () => {
    const topics = { lease: /lease/i, "Merkle tree": /merkle|leaf|hash/i, heartbeat: /heartbeat|slot|bit/i };
    for (const [topic, words] of Object.entries(topics)) {
      const seeds = Array.from({ length: 20 }, (_, seed) => seed);
      const about = seeds.filter((seed) => words.test(reply(`Tell me about the ${topic}.`, seed)));
      const otherwise = seeds.filter((seed) => words.test(reply("zzzz", seed)));
      expect(about.length, topic).to.be.at.least(16);
      expect(about.length, topic).to.be.greaterThan(otherwise.length);
    }
  });

  it("always ends and stays in its vocabulary for any prompt, seed and sampling", () => {
    const vocabulary = new Set(model.words);
    const sampling = fc.record({
      seed: fc.integer(),
      temperature: fc.double({ min: 0, max: 2, noNaN: true }),
      topP: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.string(), sampling, (prompt, how) => {
        let count = 0;
        for (const token of generate(model, [prompt], how)) {
          expect(vocabulary.has(token)).to.equal(true);
          count += 1;
          if (count > 4096) return;
        }
        expect(count).to.be.greaterThan(0);
      }),
      { numRuns: runs(60) },
    );
  });

  it("weights all sentences equally for a prompt of unknown words", () => {
    expect(new Set(sentenceWeights(model, ["zzzz qqqq"]))).to.deep.equal(new Set([1]));
  });

  it("weights the last message more than earlier ones", () => {
    const small = train("Cats sleep all day.\n\nDogs run all day.");
    const [cats = 0, dogs = 0] = sentenceWeights(small, ["cats", "dogs"]);
    expect(dogs).to.be.greaterThan(cats);
  });

  it("rejects a text without a sentence", () => {
    expect(() => train("no end")).to.throw("no sentence");
  });

  it("joins tokens as in the original text", () => {
    const text = "The node's fee (16.5 gas) is small, isn't it?";
    const tokens = tokenize(text);
    expect(tokens).to.deep.equal([
      "The",
      "node's",
      "fee",
      "(",
      "16.5",
      "gas",
      ")",
      "is",
      "small",
      ",",
      "isn't",
      "it",
      "?",
    ]);
    expect(joined(",", false)).to.equal(",");
    expect(joined("is", false)).to.equal(" is");
  });
});

describe("chat stop sequences", () => {
  it("end the text at the first one, for any split into pieces", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[ab.]{0,3}$/)),
        fc.array(fc.stringMatching(/^[ab.]{1,3}$/), { maxLength: 4 }),
        (pieces, stops) => {
          const whole = pieces.join("");
          const cuts = stops.map((stop) => whole.indexOf(stop)).filter((at) => at >= 0);
          const filter = stopFilter(stops);
          let out = "";
          let stopped = false;
          for (const piece of pieces) {
            const step = filter.push(piece);
            out += step.text;
            stopped = step.stopped;
            if (stopped) break;
          }
          if (!stopped) out += filter.rest();
          expect(stopped).to.equal(cuts.length > 0);
          // A shorter stop sequence may end before a longer one that began earlier; the shorter one applies, as in a stream.
          if (!stopped) expect(out).to.equal(whole);
          else expect(stops.some((stop) => whole.startsWith(out + stop))).to.equal(true);
          expect(stops.every((stop) => !out.includes(stop))).to.equal(true);
        },
      ),
    );
  });
});
