# QEMU's smallest PC, without a bus: its ACPI tables name the disk. It has no clock then that says
# how fast the processor's is: that one counts instructions, a thousand million in a second
include boards/qemu-x86_64.mk
QEMU	= qemu-system-x86_64 -M microvm -m 256 -icount shift=auto
APPEND	= no_timer_check tsc_early_khz=1000000
MODULES	= virtio_mmio virtio_blk crc32c_generic ext4
DRIVE	= -drive if=none,id=d,format=raw,file=DISK -device virtio-blk-device,drive=d
