#!/bin/sh
# Installs the ngpu measurement node as a service: the options are those of install_mcNode.sh, which is beside this file.
set -eu
exec "$(dirname "$(readlink -f "$0")")/install_mcNode.sh" --role measurer "$@"
