# QEMU's smallest PC, without a bus. Its virtio devices are named on the command line, for which
# Debian's kernel has no CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES: no disk
include boards/qemu-x86_64.mk
QEMU	= qemu-system-x86_64 -M microvm,acpi=off -m 256
DISK	=
DRIVE	=
MODULES	=
HALTS	= yes
