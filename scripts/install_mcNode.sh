#!/usr/bin/env bash
# Installs the ngpu client as a service: a compute node, or with --role measurer a measurement node.
# Running it again updates the client and keeps key, journal and settings.
set -euo pipefail

role=node from='' checksum='' api='' dry_run=0 uninstall=0 purge=0
settings=()

usage() {
  cat <<'TEXT'
Usage: install_mcNode.sh --api URL --from SOURCE [options]

  --api URL        address of the market's API
  --from SOURCE    folder with the ngpu sources, or URL of a .tar.gz of them
  --sha256 HEX     what the .tar.gz must hash to
  --wallet 0x...   wallet that rewards go to (default: the node's own address)
  --price N        price of a replica, token units (1e-18) a second
  --region CC      country of the machine, two letters
  --host NAME      name or address under which the machine's ports are reached
  --gpus N         most GPUs to offer (also --cpu-milli, --memory-mib, --disk-gib, --ports)
  --role ROLE      node (default) or measurer
  --uninstall      stop and remove the client; its key and settings stay
  --purge          with --uninstall: remove key and settings too
  --dry-run        print what would be done, and do nothing
TEXT
}

say() { printf '%s\n' "$*"; }
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }
run() { if [ "$dry_run" = 1 ]; then say "+ $*"; else "$@"; fi; }

set_option() {
  case "$1" in
    --api) api=$2 ;;
    --from) from=$2 ;;
    --sha256) checksum=$2 ;;
    --role) role=$2 ;;
    --wallet | --region | --price | --host) settings+=("$(upper "${1#--}")=$2") ;;
    --gpus | --cpu-milli | --memory-mib | --disk-gib | --ports) settings+=("LIMIT_$(upper "${1#--}")=$2") ;;
    *) fail "there is no option $1. See --help." ;;
  esac
}

upper() { printf '%s' "$1" | tr a-z- A-Z_; }

parse() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --dry-run) dry_run=1 ;;
      --uninstall) uninstall=1 ;;
      --purge) purge=1 ;;
      -h | --help) usage; exit 0 ;;
      *)
        set_option "$1" "${2-}"
        [ -n "${2-}" ] || fail "$1 needs a value. See --help."
        # The settings' file is read by systemd and by shells: nothing in it may mean something to either.
        case "$1=$2" in --from=*) ;; *[!A-Za-z0-9:/._,@%?=+-]*) fail "$1 cannot be \"$2\"." ;; esac
        shift
        ;;
    esac
    shift
  done
}

# Names of everything that is installed.
name_things() {
  case "$role" in
    node) service=ngpu-node prefix=NODE command=run ;;
    measurer) service=ngpu-measurer prefix=MEASURER command=measure ;;
    *) fail "--role is node or measurer, not $role." ;;
  esac
  target=/opt/ngpu/$role state=/var/lib/$service unit=/etc/systemd/system/$service.service env_file=/etc/ngpu/$role.env
}

check_machine() {
  [ "$dry_run" = 1 ] || [ "$(id -u)" = 0 ] || fail "run me as root, or with --dry-run to see what I would do."
  [ "$(uname -s)" = Linux ] || fail "the client runs on Linux; this is $(uname -s)."
  has_apt=0
  if [ -r /etc/os-release ] && grep -Eq '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; then has_apt=1; fi
}

# install_packages <what for> <package>...
install_packages() {
  local what=$1
  shift
  [ "$has_apt" = 1 ] || fail "$what is missing. Install it and run me again (on Debian and Ubuntu I do that myself)."
  run env DEBIAN_FRONTEND=noninteractive apt-get update -q
  run env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

install_docker() {
  if ! command -v dockerd >/dev/null && ! [ -S /var/run/docker.sock ]; then
    install_packages "The Docker engine" docker.io iptables
  fi
  if has_systemd; then run systemctl enable --now docker; fi
  if command -v nvidia-smi >/dev/null && ! command -v nvidia-container-runtime >/dev/null; then
    say "Note: containers get no GPU before the NVIDIA Container Toolkit is installed and set up for Docker."
  fi
}

# Only npm needs this Node: the client runs on the Node 24 that npm puts beside it.
install_npm() {
  command -v npm >/dev/null || install_packages "npm" npm ca-certificates
  [ "$dry_run" = 1 ] && ! command -v node >/dev/null && return
  local major
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 18 ] || fail "Node $major is too old to install the client. Install Node 20 or newer (nodejs.org) and run me again."
}

has_systemd() { [ -d /run/systemd/system ]; }

add_user() {
  getent passwd "$service" >/dev/null ||
    run useradd --system --user-group --home-dir "$state" --no-create-home --shell /usr/sbin/nologin "$service"
  # Who may use the engine could become root by it: the client is trusted with that, its containers are not.
  [ "$role" = measurer ] || run usermod --append --groups docker "$service"
  run install -d -m 0700 -o "$service" -g "$service" "$state"
}

fetch_source() {
  case "$from" in
    https://* | http://127.0.0.1* | http://localhost*)
      source_dir=$(mktemp -d)
      trap 'rm -rf "$source_dir"' EXIT
      run curl --fail --silent --show-error --location --output "$source_dir/source.tar.gz" "$from"
      [ -z "$checksum" ] || run sh -c "echo '$checksum  $source_dir/source.tar.gz' | sha256sum --check --quiet"
      run tar -xzf "$source_dir/source.tar.gz" -C "$source_dir" --strip-components=1
      ;;
    http://*) fail "a download over plain http can be tampered with. Use https." ;;
    "") fail "--from is missing: the folder or the URL that the client is installed from." ;;
    *) source_dir=$(cd "$from" 2>/dev/null && pwd) || fail "there is no folder $from." ;;
  esac
  [ "$dry_run" = 1 ] || [ -f "$source_dir/node-client/main.ts" ] || fail "$from does not hold the ngpu sources."
}

# Beside the old one first, so that a failed update leaves the old client as it was.
install_client() {
  local fresh=$target.new
  run rm -rf "$fresh"
  run install -d -m 0755 "$fresh" "$fresh/services"
  run cp "$source_dir/package.json" "$source_dir/package-lock.json" "$source_dir/.npmrc" "$fresh/"
  run cp -R "$source_dir/node-client" "$fresh/"
  run cp -R "$source_dir/services/shared" "$fresh/services/"
  run npm install --prefix "$fresh" --no-save --omit=dev --omit=optional --ignore-scripts=false --no-audit --no-fund
  run "$fresh/node_modules/.bin/node" "$fresh/node-client/main.ts" --version
  if has_systemd && [ -f "$unit" ]; then run systemctl stop "$service"; fi
  run rm -rf "$target"
  run mv "$fresh" "$target"
}

# Settings that are not given keep the value they have.
write_settings() {
  local pairs=("NGPU_API=$api" "${prefix}_DIR=$state") item draft
  for item in ${settings[@]+"${settings[@]}"}; do pairs+=("${prefix}_$item"); done
  run install -d -m 0755 /etc/ngpu
  if [ "$dry_run" = 1 ]; then
    say "+ write $env_file (0600):"
    printf '    %s\n' "${pairs[@]}"
    return
  fi
  draft=$(mktemp "$env_file.XXXXXX")
  if [ -f "$env_file" ]; then cat "$env_file" >"$draft"; fi
  for item in "${pairs[@]}"; do
    sed -i "/^${item%%=*}=/d" "$draft"
    printf '%s\n' "$item" >>"$draft"
  done
  chmod 0600 "$draft"
  mv "$draft" "$env_file"
}

# The unit's template stands beside the client, with @names@ for what differs.
write_unit() {
  local docker=docker.service
  [ "$role" = node ] || docker=''
  if [ "$dry_run" = 1 ]; then say "+ write $unit"; return; fi
  sed -e "s|@role@|$role|; s|@service@|$service|g; s|@target@|$target|g; s|@env@|$env_file|; s|@command@|$command|; s|@docker@|$docker|" \
    "$target/node-client/service.unit" >"$unit"
}

start_service() {
  if ! has_systemd; then
    say "There is no systemd here. Run the client like this:"
    say "  set -a; . $env_file; set +a; $target/node_modules/.bin/node $target/node-client/main.ts $command"
    return
  fi
  write_unit
  run systemctl daemon-reload
  run systemctl enable "$service"
  run systemctl restart "$service"
  say "Installed. Follow it with: journalctl -fu $service"
}

remove_all() {
  if has_systemd && [ -f "$unit" ]; then run systemctl disable --now "$service"; fi
  if [ "$role" = node ] && [ -x "$target/node_modules/.bin/node" ] && command -v docker >/dev/null; then
    local address ids
    address=$(NODE_DIR=$state "$target/node_modules/.bin/node" "$target/node-client/main.ts" identity)
    ids=$(docker ps -aq --filter "label=ngpu.node=${address,,}")
    # shellcheck disable=SC2086 # One id a word.
    [ -z "$ids" ] || run docker rm --force --volumes $ids
  fi
  run rm -rf "$unit" "$target"
  if has_systemd; then run systemctl daemon-reload; fi
  if [ "$purge" = 1 ]; then
    run rm -rf "$env_file" "$state"
    if getent passwd "$service" >/dev/null; then run userdel "$service"; fi
  else
    say "Kept: $state (key and journal) and $env_file. Remove them with --uninstall --purge."
  fi
}

main() {
  parse "$@"
  name_things
  check_machine
  if [ "$uninstall" = 1 ]; then remove_all; return; fi
  [ -n "$api" ] || [ -f "$env_file" ] || fail "--api is missing: the address of the market's API."
  [ -n "$api" ] || api=$(sed -n 's/^NGPU_API=//p' "$env_file")
  [ "$role" = measurer ] || install_docker
  install_npm
  add_user
  fetch_source
  install_client
  write_settings
  start_service
}

main "$@"
