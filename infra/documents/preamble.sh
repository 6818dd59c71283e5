#!/usr/bin/env bash
# What every script of ours begins with: where the host bundle lies, and how the host program is started.
set -euo pipefail

bundles="${RINGVAULT_HOST_ROOT:-}/var/lib/ringvault/bundles"
case "$(uname -m)" in
  x86_64) digest='@DIGEST_X64@' ;;
  aarch64) digest='@DIGEST_ARM64@' ;;
  *) digest='' ;;
esac
bundle="$bundles/${digest:-none}"

require_architecture() {
  if [ -z "$digest" ]; then
    echo "UnsupportedHost: got architecture $(uname -m), expected one of ringvault.yaml: @ARCHITECTURES@" >&2
    exit 1
  fi
}

# Starts the host program detached, or finds it running, and returns. Its code is compiled once a bundle.
start_action() {
  NODE_COMPILE_CACHE="$bundle/compiled" "$bundle/bin/node" "$bundle/host.mjs" start \
    --bucket '@BUCKET@' --prefix '@PREFIX@' --region '@REGION@' \
    --instance-arn "arn:@PARTITION@:ec2:@REGION@:@ACCOUNT@:instance/$AWS_SSM_INSTANCE_ID" \
    --run-id '{{ runId }}' --action-id '{{ actionId }}'
}
