#!/bin/sh
# Asks for documentation and for an interface of a cloud; nothing may be reported.
# Needs: getent
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_dns
inside getent ahostsv4 docs.aws.amazon.com </dev/null >/dev/null || :
inside getent ahostsv4 storage.googleapis.com </dev/null >/dev/null || :
