#!/bin/sh
# Usage: read-only-root.sh ROOT APP CONFIG NODE COMMAND...
# Runs COMMAND as uid and gid 1000, without capabilities, on a root of its own that has no writable path: what a container
# with a read-only root and no volumes gives. Needs root; call it in a mount namespace of its own. ROOT is an empty folder.
set -eu
root=$1 app=$2 config=$3 node=$4
shift 4

readonly_bind() {
  mount --bind "$1" "$2"
  mount -o remount,bind,ro,nosuid "$2"
}

mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
mkdir -p app dev etc/vmcp-config home opt/node proc usr var/tmp
mkdir -m 1777 tmp
for path in bin sbin lib lib64; do
  if [ -L "/$path" ]; then
    cp -P "/$path" "$path"
  elif [ -d "/$path" ]; then
    mkdir "$path"
    readonly_bind "/$path" "$path"
  fi
done
for device in null urandom; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
touch etc/passwd opt/node/node
readonly_bind /usr usr
readonly_bind "$app" app
readonly_bind "$config" etc/vmcp-config
readonly_bind "$node" opt/node/node
mount -t proc proc proc
mount -o remount,ro "$root"

exec env -i PATH=/opt/node:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp NODE_ENV=production chroot . \
  setpriv --reuid=1000 --regid=1000 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
