import config from "../hardhat.config.ts";

/**
 * The project's configuration, with test counts for the runner. It is not below scripts/, because Hardhat takes the
 * nearest folder with a package.json for the project.
 */
export default {
  ...config,
  test: { ...config.test, mocha: { ...config.test?.mocha, reporter: "./scripts/test/reporter.ts" } },
};
