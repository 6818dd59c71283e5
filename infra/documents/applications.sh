#!/usr/bin/env bash
# Has the operator's own program pause or resume the applications on this host, or say whether they are paused.
export RINGVAULT_WAIT_SECONDS='@WAIT_SECONDS@' RINGVAULT_WAIT_OUTSTANDING='@WAIT_OUTSTANDING@'
exec "${RINGVAULT_HOST_ROOT:-}@PROGRAM@" '{{ call }}'
