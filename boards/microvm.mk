# QEMU's smallest PC, without a bus
include boards/qemu-x86_64.mk
QEMU	= qemu-system-x86_64 -M microvm,acpi=off -m 256
