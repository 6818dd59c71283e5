require_architecture
archive="$PWD/@ARCHIVE@"
if [ "$(sha256sum "$archive" | cut -d ' ' -f 1)" != "$digest" ]; then
  rm -f "$archive"
  echo "BackupDamaged: $archive is not what was deployed, expected SHA-256 $digest" >&2
  exit 1
fi

# The same command may be delivered twice: the second finds what the first installed. What runs on does not keep the lock.
mkdir -p "$bundles"
exec 9>"$bundles/.lock"
flock 9
if [ -d "$bundle" ] && (start_action 9>&-); then
  rm -f "$archive"
  exit 0
fi

unpacked="$(mktemp -d "$bundles/.unpack-XXXXXX")"
trap 'rm -rf "$unpacked"' EXIT
tar -xzf "$archive" -C "$unpacked"
chmod 755 "$unpacked"
# Durable before it has its name.
sync -f "$unpacked"
rm -rf "$bundle"
mv -T "$unpacked" "$bundle"
sync -f "$bundles"
rm -f "$archive"
exec 9>&-
start_action
