#!/bin/sh
# Sends echo requests with a payload through a raw socket.
# Needs: python3
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

inside python3 -c '
import socket, struct, sys
peer = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
for number in range(5):
    data = struct.pack("!BBHHH", 8, 0, 0, 7, number) + b"tidewaiter emulation" * 20
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    total = ~(total + (total >> 16)) & 0xffff
    peer.sendto(data[:2] + struct.pack("!H", total) + data[4:], (sys.argv[1], 0))
' "$remote" </dev/null
