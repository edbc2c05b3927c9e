#!/bin/sh
# Installs the ngpu measurement node as a service. It takes the options of install_mcNode.sh, which must be in the same directory.
set -eu
exec "$(dirname "$(readlink -f "$0")")/install_mcNode.sh" --role measurer "$@"
