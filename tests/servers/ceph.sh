#!/usr/bin/env bash
# A single-node Ceph with its RADOS Gateway: a real S3 to test against, on loopback and in memory.
#
#   ceph.sh install                         put Ceph into a chroot in the cache: once, half a minute, 700 MB
#   ceph.sh up DATA_DIR PORT [MON_PORT]     start it, empty; access key "test", secret "testtest"; MON_PORT is PORT + 1
#   ceph.sh down DATA_DIR                   end it, and with it all that was stored
#   ceph.sh version                         tell which one is installed
#
# CEPH_VERSION=20 is the default, and 16 an older one, which wants the ETag of If-Match without quotes and ignores the
# condition of a DELETE. Needs root and apt-get. A cluster lives in mount and PID namespaces of its own: nobody else
# sees its mounts, and it ends as a whole.
set -euo pipefail

version=${CEPH_VERSION:-20}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ssshelf
root=$cache/ceph-$version
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
declare -A suites=([16]=bookworm [20]=sid) # the releases of Debian that have them

fail() { echo "ceph.sh: $*" >&2; exit 1; }

install() {
  [ -n "${suites[$version]:-}" ] || fail "there is a Ceph ${!suites[*]}, not $version"
  [ "$(id -u)" = 0 ] || fail "Ceph needs root, to be installed and to run"
  command -v apt-get >/dev/null || fail "Ceph is installed from Debian packages, and there is no apt-get here"
  unshare --mount --pid --fork true 2>/dev/null || fail "Ceph runs in namespaces of its own, and this system refuses them"
  mkdir -p "$cache"
  exec 9>"$cache/lock" && flock 9
  [ ! -d "$root" ] || return 0
  command -v mmdebstrap >/dev/null || install_mmdebstrap || fail "apt-get cannot install mmdebstrap"
  # Only a complete chroot gets the final name. A mirror frozen in time serves a sid whose Release file has expired.
  rm -rf --one-file-system "$root.part"
  mmdebstrap --quiet --variant=essential --mode=root --include=radosgw,ceph-mon,ceph-osd,ceph-base,ceph-common \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' "${suites[$version]}" "$root.part" "$mirror" ||
    fail "mmdebstrap cannot install Ceph from $mirror"
  mv "$root.part" "$root"
}

install_mmdebstrap() {
  apt-get update -qq && apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring >/dev/null
}

pid_of() { # the live process that holds the cluster of DATA_DIR $1
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) && grep -qsF "$1" "/proc/$pid/cmdline" && echo "$pid"
}

answers() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

up() {
  local dir=$1 port=$2 mon_port=$3
  if pid_of "$dir" >/dev/null; then return; fi
  [ -d "$root" ] || fail "Ceph is not installed: run '$0 install' as root"
  if answers "$port" || answers "$mon_port"; then fail "port $port or $mon_port is taken"; fi
  rm -rf "$dir/mon" "$dir/osd"
  mkdir "$dir/mon" "$dir/osd"
  setsid unshare --mount --pid --fork --kill-child "$0" run "$dir" "$port" "$mon_port" >"$dir/log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  for _ in {1..600}; do
    if answers "$port"; then return; fi
    kill -0 $! 2>/dev/null || break # not pid_of: a process that is just replacing its program has no cmdline
    sleep 0.1
  done
  down "$dir"
  tail -n 20 "$dir/log" >&2
  fail "Ceph did not start; see $dir/log"
}

down() {
  local pid
  while pid=$(pid_of "$1"); do
    kill -KILL "$pid" || true
    sleep 0.1
  done
}

run() { # inside the namespaces; DATA_DIR is /srv of the chroot
  local dir=$1 port=$2 mon_port=$3 fsid osd
  fsid=$(cat /proc/sys/kernel/random/uuid)
  osd=$(cat /proc/sys/kernel/random/uuid)
  configuration "$fsid" "$osd" "$port" "$mon_port" >"$dir/ceph.conf"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount --bind "$dir" "$root/srv"
  export CEPH_CONF=/srv/ceph.conf
  within() { chroot "$root" "$@"; }

  within monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port/0]" /srv/monmap
  within ceph-mon --mkfs -i a --monmap /srv/monmap
  within ceph-mon -f -i a &
  within ceph-osd --mkfs -i 0 --osd-uuid "$osd"
  within ceph osd new "$osd" 0
  within ceph-osd -f -i 0 &
  within radosgw-admin user create --uid=test --display-name=test --access-key=test --secret-key=testtest
  within radosgw -f -n client.rgw &
  wait -n # a daemon that ends takes the others along
}

configuration() {
  cat <<END
[global]
fsid = $1
mon_host = [v2:127.0.0.1:$4/0]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
# radosgw would insist on "secure", which needs authentication
ms_mon_client_mode = crc
# one osd, one copy
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
# quick rounds: otherwise most of the time until it is up
paxos_propose_interval = 0.02
paxos_min_wait = 0.005
run_dir = /srv
admin_socket =
log_file =
mon_cluster_log_to_file = false
[mon]
mon_data = /srv/mon
[osd]
osd_data = /srv/osd
osd_uuid = $2
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_class_load_list = *
osd_class_default_list = *
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:$3 tcp_nodelay=1
rgw_enable_apis = s3, admin
rgw_run_sync_thread = false
rgw_dynamic_resharding = false
END
}

case "$# ${1:-}" in
  "1 install") install ;;
  "3 up" | "4 up") mkdir -p "$2" && up "$(realpath "$2")" "$3" "${4:-$(($3 + 1))}" ;;
  "1 version") chroot "$root" radosgw --version | cut -d ' ' -f 3 ;;
  "2 down") down "$(realpath "$2")" ;;
  "4 run") run "${@:2}" ;;
  *) sed -n '4,7s/^# *//p' "$0" >&2 && exit 2 ;;
esac
