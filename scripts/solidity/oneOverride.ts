import type { ConfigHooks } from "hardhat/types/hooks";

/**
 * Gives all overridden files of a build profile the same compiler object. Hardhat compiles files together whose compiler is
 * the same object, and each of the others by itself, although their settings are equal.
 */
export default async function configHooks(): Promise<Partial<ConfigHooks>> {
  return {
    resolveUserConfig: async (userConfig, resolveVariable, next) => {
      const config = await next(userConfig, resolveVariable);
      for (const { overrides } of Object.values(config.solidity.profiles)) {
        const [compiler] = Object.values(overrides);
        for (const file of Object.keys(overrides)) if (compiler !== undefined) overrides[file] = compiler;
      }
      return config;
    },
  };
}
