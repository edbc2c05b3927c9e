import type { ConfigHooks } from "hardhat/types/hooks";

/**
 * Gives overridden files of a build profile with equal settings the same compiler object. Hardhat compiles files together
 * whose compiler is the same object, and each of the others by itself.
 */
export default async function configHooks(): Promise<Partial<ConfigHooks>> {
  return {
    resolveUserConfig: async (userConfig, resolveVariable, next) => {
      const config = await next(userConfig, resolveVariable);
      for (const { overrides } of Object.values(config.solidity.profiles)) {
        const compilers = new Map(Object.values(overrides).map((each) => [JSON.stringify(each), each]));
        for (const [file, each] of Object.entries(overrides)) {
          overrides[file] = compilers.get(JSON.stringify(each)) ?? each;
        }
      }
      return config;
    },
  };
}
