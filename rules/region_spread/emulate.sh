#!/bin/sh
# Runs a stand-in for aws in six regions: one alert must have them as steps.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
for region in us-east-1 us-west-2 eu-west-1 eu-central-1 sa-east-1 ap-south-1; do
    inside "$stand_in" ec2 describe-instances --region "$region" </dev/null >/dev/null
done
