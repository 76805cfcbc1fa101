#!/bin/sh
# Runs stand-ins that would share a snapshot, an image and a disk: one alert must have their command lines.
# Environment: see ../emulation.sh.
. "$(dirname "$0")/../emulation.sh"

stand_in aws
inside "$stand_in" ec2 modify-snapshot-attribute --snapshot-id snap-0123456789abcdef0 \
    --attribute createVolumePermission --operation-type add --user-ids 123456789012 </dev/null >/dev/null
stand_in gcloud
inside "$stand_in" compute images add-iam-policy-binding golden --member=user:eve@example.org \
    --role=roles/compute.imageUser </dev/null >/dev/null
stand_in az
inside "$stand_in" disk grant-access --name data --resource-group shop --duration-in-seconds 3600 </dev/null >/dev/null
