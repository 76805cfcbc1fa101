#!/bin/sh
# Starts a harmless program called curl with the arguments of an upload to Telegram.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

echo "tidewaiter emulation" | put data
stand_in_program curl
inside "$stand_in" -sS -F chat_id=1 -F "document=@$there/data" https://api.telegram.org/bot0:tidewaiter/sendDocument </dev/null >/dev/null
