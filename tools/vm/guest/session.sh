#!/bin/bash
# The guest's first process once it has the host's files: runs the one command it was started for, and ends the machine.
# `command` in the shared folder holds the arguments of `env -i`, ended by NULs; the exit status goes to `status` there.
share=$1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Device files that load their module when opened; udev makes them elsewhere.
while read -r _ name device; do
	[[ $device =~ ^([bc])([0-9]+):([0-9]+)$ && ! -e /dev/$name ]] || continue
	mkdir -p "/dev/$(dirname "$name")"
	mknod -m 600 "/dev/$name" "${BASH_REMATCH[@]:1}"
done < "/lib/modules/$(uname -r)/modules.devname"
chmod 666 /dev/net/tun
ln -s /proc/self/fd /dev/fd
for fd in stdin:0 stdout:1 stderr:2; do
	ln -s "/proc/self/fd/${fd#*:}" "/dev/${fd%:*}"
done
hostname poplin-vm
ip link set lo up

for port in /sys/class/virtio-ports/*; do
	[[ $(< "$port/name") == poplin.output ]] && output=/dev/${port##*/}
done

mapfile -d '' -t command < "$share/command"
# A pipe, as elsewhere: the port can be opened only once.
exec 3> >(exec cat > "$output")
drain=$!
env -i "${command[@]}" >&3 2>&1 3>&- < /dev/null &
wait $!
echo $? > "$share/status.new"
exec 3>&-
# What the command left running may hold the pipe open.
for _ in {1..20}; do
	kill -0 $drain 2> /dev/null || break
	sleep 0.1
done
mv "$share/status.new" "$share/status"
# With -no-reboot this ends qemu.
echo b > /proc/sysrq-trigger
sleep 60
