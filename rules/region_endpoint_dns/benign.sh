#!/bin/sh
# Asks for an allowed region's endpoint and for a bucket in a far one; nothing may be reported.
# Needs: getent
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

serve_dns
inside getent ahostsv4 ec2.us-east-1.amazonaws.com </dev/null >/dev/null || :
inside getent ahostsv4 mirror.s3.af-south-1.amazonaws.com </dev/null >/dev/null || :
