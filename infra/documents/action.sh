require_architecture
if [ ! -d "$bundle" ]; then
  echo "UnsupportedHost: $bundle is not there; the action prepare installs it" >&2
  exit 1
fi
start_action
