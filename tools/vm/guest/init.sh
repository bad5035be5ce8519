#!/bin/sh
# The guest's first process, in the initramfs, under busybox: it loads what it takes to reach the host's files, lays a
# writable layer of memory over them, and goes on there as session.sh. The host has put /host-share (the path of the shared
# folder) and /modules.list beside this file.
export PATH=/bin
give_up() {
	echo "poplin: $1"
	poweroff -f
}

mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t devtmpfs devtmpfs /dev || give_up 'no /proc, /sys or /dev'
while read -r module; do
	insmod "/modules/$module" || give_up "insmod $module failed"
done < /modules.list

nine="trans=virtio,version=9p2000.L,msize=512000"
mkdir -p /host /layer /root
mount -t 9p -o "$nine,cache=loose,ro" host /host || give_up "the host's files cannot be mounted"
mount -t tmpfs tmpfs /layer && mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /root || give_up 'no overlay'

for name in run tmp dev/shm; do
	mkdir -p "/root/$name"
done
mount -t devtmpfs devtmpfs /root/dev
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts devpts /root/dev/pts
# Not over /tmp, whose layer is of memory as well: the project may lie there.
for name in run dev/shm; do
	mount -t tmpfs -o mode=1777 tmpfs "/root/$name"
done
mount -t proc proc /root/proc
mount -t sysfs sysfs /root/sys
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
mount -t bpf bpf /root/sys/fs/bpf
mkdir -p /root/lib/modules
mount -t 9p -o "$nine,cache=loose,ro" modules /root/lib/modules || give_up 'the modules cannot be mounted'

# The shared folder has the same path on both sides.
share=$(cat /host-share)
mkdir -p "/root$share"
mount -t 9p -o "$nine,cache=none" share "/root$share" || give_up 'the shared folder cannot be mounted'

cp /session.sh /root/run/poplin-session.sh
umount /dev /sys /proc
exec switch_root /root /bin/bash /run/poplin-session.sh "$share"
