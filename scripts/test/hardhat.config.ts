import config from "../../hardhat.config.ts";

/** The project's configuration, with test counts for the runner. */
export default {
  ...config,
  test: { ...config.test, mocha: { ...config.test?.mocha, reporter: "./scripts/test/reporter.ts" } },
};
