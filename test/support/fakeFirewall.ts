import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Puts programs of a firewall into a directory, to be first on PATH. They keep their rules in a file there: a node with a fake
 * engine changes nothing of the machine that tests run on.
 */
export function putFirewall(dir: string): void {
  const program = (name: string, script: string) => {
    writeFileSync(join(dir, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(dir, name), 0o755);
  };
  for (const name of ["iptables", "ip6tables"]) {
    const rules = join(dir, `${name}.rules`);
    program(`${name}-save`, `/bin/cat ${rules} 2>/dev/null || :`);
    program(`${name}-restore`, `/bin/sed -e '/^-D/d' -e 's/^-I \\([A-Z]*\\) 1/-A \\1/' >${rules}`);
  }
  program("cat", 'case "$1" in *bridge-nf-call-iptables) echo 1 ;; *) exec /bin/cat "$@" ;; esac');
}
