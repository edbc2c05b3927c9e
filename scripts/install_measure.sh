#!/usr/bin/env bash
# Installs the ngpu measurement node as a service: the options are those of install_mcNode.sh, which must stand beside it.
set -euo pipefail
exec "$(dirname "$(readlink -f "$0")")/install_mcNode.sh" --role measurer "$@"
